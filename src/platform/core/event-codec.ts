/** Decodes the batches in which the addon hands over events (their form: `native/batch.h`). */
import type { FanotifyBatch, FanotifyEvent } from '../fanotify.ts';

const HEADER_BYTES = 16;
const HEAD_BYTES = 20;
const RENAME = 32;

const OVERFLOWED = 1;
const HAS_MORE = 2;
const RESET = 4;

/** A batch's memory, and the same as numbers. It begins at a multiple of four bytes. */
export interface BatchMemory {
  readonly bytes: Buffer;
  readonly words: Uint32Array;
  readonly halves: Uint16Array;
}

/** Memory for batches of at most `sizeBytes`. */
export function batchMemory(sizeBytes: number): BatchMemory {
  const memory = new ArrayBuffer(sizeBytes & ~3);
  return { bytes: Buffer.from(memory), words: new Uint32Array(memory), halves: new Uint16Array(memory) };
}

/** Copies everything out: the memory can be used again. */
export function decodeBatch(memory: BatchMemory): FanotifyBatch {
  const { words } = memory;
  const count = words[0] ?? 0;
  const flags = words[1] ?? 0;
  const events: FanotifyEvent[] = [];
  for (let index = 0, at = HEADER_BYTES; index < count; index++) at = decodeEvent(memory, at, events);
  return {
    events,
    overflowed: (flags & OVERFLOWED) !== 0,
    hasMore: (flags & HAS_MORE) !== 0,
    reset: (flags & RESET) !== 0,
  };
}

/** Appends the event at `at`; returns where the next one is. */
function decodeEvent({ bytes, words, halves }: BatchMemory, at: number, events: FanotifyEvent[]): number {
  const mask = words[at / 4] ?? 0;
  const fromDirectory = words[at / 4 + 2] ?? 0;
  const nameEnd = at + HEAD_BYTES + (halves[at / 2 + 6] ?? 0);
  const fromEnd = nameEnd + (halves[at / 2 + 7] ?? 0);
  const end = fromEnd + (halves[at / 2 + 8] ?? 0);
  events.push({
    mask,
    directory: words[at / 4 + 1] ?? 0,
    // A string of its own for each: slices of one string would keep all of it alive as long as one is.
    name: bytes.toString('latin1', at + HEAD_BYTES, nameEnd),
    target: end === fromEnd ? null : bytes.toString('latin1', fromEnd, end),
    from:
      (mask & RENAME) === 0 || fromDirectory === 0
        ? null
        : { directory: fromDirectory, name: bytes.toString('latin1', nameEnd, fromEnd) },
  });
  return (end + 3) & ~3;
}
