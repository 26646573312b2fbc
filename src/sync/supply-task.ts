/** What is asked of the supplier, and how it says what it read. */

import type { Digests, FileEntry } from '../journal/core/entry.ts';
import { type Clock, changedSince } from '../journal/held-file.ts';
import type { Stat } from '../platform/filesystem.ts';
import type { DeltaEngine } from './delta-engine.ts';
import type { SupplyOrder } from './endpoint.ts';

/** One file to be read. */
export interface SupplyTask extends SupplyOrder {
  /** Stat the index holds of the path: the file must still be exactly that. null: `expected` alone decides. */
  readonly packedStat: Uint8Array | null;
}

/** What a supplier may be given; by default the best engine of the thread and the system's clock. */
export interface SupplyContext {
  readonly engine?: DeltaEngine;
  readonly now?: Clock;
  /**
   * Called for each file that was read and confirmed, with the stat, valid during the call, and the entry (both digests) of
   * what was read.
   */
  readonly onRead?: (id: number, packedStat: Uint8Array, entry: FileEntry) => void;
}

/**
 * What was read, as the other side records it: size, time and digests of the file itself, the rest as the plan saw it.
 * Refuses content that is not what the plan saw although its stat is: the index is stale (a store through a memory
 * mapping may leave no stamp), and its owner must hash the file again.
 */
export function entryAsRead(order: SupplyTask, stat: Stat, digests: Digests): FileEntry {
  const { expected } = order;
  const { fast, strong } = expected.digests;
  if ((fast !== null && fast !== digests.fast) || (strong !== null && strong !== digests.strong)) {
    throw changedSince('its content is not what was seen, though its times are');
  }
  // With an equal stat the plan's mode stands for the file's, less what the session does not sync.
  const mode = order.packedStat === null ? (stat.mode & 0o777) | (stat.mode & expected.mode & 0o7000) : expected.mode;
  return { ...expected, mode, sizeBytes: stat.sizeBytes, mtimeNs: stat.mtimeNs, digests };
}
