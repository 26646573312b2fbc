/** Copies bytes, also to and from memory that threads share. */
import { loadAddon } from './addon.ts';

const { addon } = loadAddon();

/**
 * Copies all of `from` to `to`, beginning at `at` there. What `to.set(from, at)` does, at the speed of memory: V8 copies
 * shared memory a word at a time, which for a gigabyte that passes through several hands comes to a second.
 */
export const copyBytes: (from: Uint8Array, to: Uint8Array, at?: number) => void =
  addon === null ? (from, to, at = 0) => to.set(from, at) : (from, to, at = 0) => addon.copyBytes(from, to, at);
