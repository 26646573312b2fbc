/**
 * The source that sees nothing, and so has everything looked at. With hints (chokidar-hints.ts) it knows at least when a
 * look is worth while: hints never replace one.
 */
import { type BytePath, ROOT } from '../platform/core/byte-path.ts';
import { watchForHints } from './chokidar-hints.ts';
import type { ChangeSource, EventConsumer } from './source.ts';

export interface BlindSourceOptions {
  readonly whyNotBetter: string | null;
  /** Absolute paths to watch for hints, and to leave out; null: nobody watches. */
  readonly watched: { readonly rootPath: string; readonly excluded: readonly string[] } | null;
}

export function blindSource({ whyNotBetter, watched }: BlindSourceOptions): ChangeSource {
  let consumer: EventConsumer | null = null;
  let endHints = async (): Promise<void> => {};
  return {
    backend: watched === null ? 'scan' : 'chokidar',
    whyNotBetter,
    seesNewDirectories: false,
    keysChange: false,
    async attach(attached, _prepare) {
      consumer = attached;
      // No first look now: every round begins with one.
      if (watched === null) return;
      const hints = await watchForHints(watched.rootPath, watched.excluded, () => attached.onActivity());
      endHints = () => hints.close();
    },
    detach: () => endHints(),
    async drain(): Promise<readonly BytePath[]> {
      return [ROOT];
    },
    hold: (work) => work(),
    persist: () => consumer?.persist(),
    blindScopes: () => [ROOT],
    markMounts: () => [],
    keyOf: () => '',
    statOf: () => null,
    follow() {},
    silence: () => false,
    unsilence() {},
    counters: () => ({ received: 0, foreign: 0 }),
  };
}
