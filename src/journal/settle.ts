/**
 * Post-close verification: reads files so that what is recorded of them is what they hold, and durably so.
 *
 * Three steps for each file, all over the files of a batch before the next step begins:
 * 1. *Look*: a read lease is taken and given back, and the stat kept. No lease: somebody writes, the file is hot.
 * 2. *Sync*: what is dirty goes to the disk (durable.ts), while no lease is held: a writer never waits for a disk.
 * 3. *Read*: under a new lease, the stat must be that of the first look. Then nobody can have changed the file in
 *    between, so what was synced is what is read. If somebody has, the file starts again; hot after {@link ROUNDS}.
 *
 * Why the lease of the first look is needed: a write stamps the file before it copies its data. Without it a write under
 * way could come between stamp and sync, and end before the reading: equal stats, and data that is on no disk.
 * Why equal stats are enough for the rest: a later writer opens the file anew and moves the stamps, or maps it anew, and
 * the first store through a fresh mapping moves them, too.
 *
 * The lease is given back before the caller has recorded anything. What a writer does then gives an event of its own,
 * or shows in the next census; whoever drops an object from the journal must have asked for those first.
 */
import type { BytePath } from '../platform/core/byte-path.ts';
import type { Problem } from '../platform/core/errors.ts';
import { unpackStat } from '../platform/core/stat-codec.ts';
import type { Fd, FileSystem } from '../platform/filesystem.ts';
import type { WriterView } from './census.ts';
import type { Digests } from './core/entry.ts';
import { makeDurable, type SyncFault, WRITEBACK_FAULTS } from './durable.ts';
import { type Clock, openForWriting, opening, ReadRefused, systemClock } from './held-file.ts';
import { digestProven, type Hashed } from './proven-digest.ts';
import { type Ground, groundOf } from './settle-ground.ts';

/** How often a file may turn out to be another than at the first look, in one call. */
const ROUNDS = 3;

export interface SettleRequest {
  readonly path: BytePath;
  /** Somebody had it open with O_DIRECT: what the page cache holds is compared with what the disk holds. */
  readonly isDirect: boolean;
  /**
   * The last answer for this file was a problem. The kernel tells a failed writeback once, and what it could not write
   * counts as written from then on: only the disk itself can say that it is there now.
   */
  readonly isSuspect?: boolean;
}

export interface SettleOptions {
  /** False: nothing is synced; what is recorded may be ahead of the disk after a crash of the machine. */
  readonly durable: boolean;
  /** SHA-256, too. */
  readonly strong: boolean;
  /** Stands in for the lease where there is none. null: no census was taken. */
  readonly census: WriterView | null;
  readonly now?: Clock;
}

export type SettleResult =
  /** `packedStat`: of what was hashed. The content is on disk. */
  | {
      readonly path: BytePath;
      readonly outcome: 'settled';
      /**
       * `leased`: nobody could write while it was read. `closed`: no lease, but a complete census found no writer; it
       * cannot see asynchronous writes whose descriptor is closed. `unproven`: it was at rest as far as stats tell.
       */
      readonly proof: 'leased' | 'closed' | 'unproven';
      readonly packedStat: Uint8Array;
      readonly digests: Digests;
    }
  /** Somebody writes to it, or did while it was read: try again later. */
  | { readonly path: BytePath; readonly outcome: 'hot'; readonly reason: string }
  /** No longer there as a regular file. */
  | { readonly path: BytePath; readonly outcome: 'gone' }
  /** Until it settles, ask for it with `isSuspect`. */
  | { readonly path: BytePath; readonly outcome: 'problem'; readonly problem: Problem };

/** A file at its first look. */
export interface Sighted {
  readonly request: SettleRequest;
  /** Its place in the answer. */
  readonly at: number;
  readonly packedStat: Uint8Array;
  readonly isLeased: boolean;
  /** When it was looked at. */
  readonly seenNs: bigint;
}

/**
 * One result for each request, in their order; never throws for what is wrong with a file. Synchronous, for a worker
 * thread: it takes as long as the disk and the hashing do. Needs `initHashing`.
 */
export function settleFiles(
  fileSystem: FileSystem,
  root: Fd,
  requests: readonly SettleRequest[],
  options: SettleOptions,
): SettleResult[] {
  if (requests.length === 0) return [];
  const batch: Batch = {
    fileSystem,
    root,
    options,
    ground: groundOf(fileSystem, root),
    now: options.now ?? systemClock,
  };
  const results = new Map<number, SettleResult>();
  let unsettled = [...requests.keys()];
  for (let round = 1; unsettled.length > 0; round++) {
    const sighted = unsettled.flatMap((at) => lookAt(batch, requests, at, results) ?? []);
    const faults = options.durable ? makeDurable(fileSystem, root, sighted, batch.ground) : NO_FAULTS;
    unsettled = [];
    for (const one of sighted) {
      const result = settle(batch, one, faults.get(one.at) ?? null);
      if (result === 'changed' && round < ROUNDS) unsettled.push(one.at);
      else results.set(one.at, result === 'changed' ? hot(one.request.path, 'changes again and again') : result);
    }
  }
  return requests.map(({ path }, at) => results.get(at) ?? { path, outcome: 'gone' });
}

const NO_FAULTS: ReadonlyMap<number, SyncFault> = new Map();

interface Batch {
  readonly fileSystem: FileSystem;
  readonly root: Fd;
  readonly options: SettleOptions;
  readonly ground: Ground;
  readonly now: Clock;
}

/** null where the look gave a result already. */
function lookAt(
  { fileSystem, root, options, now }: Batch,
  requests: readonly SettleRequest[],
  at: number,
  results: Map<number, SettleResult>,
): Sighted | null {
  const request = requests[at];
  if (request === undefined) return null;
  try {
    const seenNs = now();
    const { lease, before, packedBefore } = opening(() => fileSystem.readSmallFile(root, request.path, 0));
    const isOpen = lease === 'refused' || (lease !== 'held' && options.census?.isOpenForWriting(request.path, before));
    if (isOpen) throw openForWriting();
    return { request, at, packedStat: Buffer.from(packedBefore), isLeased: lease === 'held', seenNs };
  } catch (error) {
    results.set(at, refused(request.path, error));
    return null;
  }
}

/** `fault`: what went wrong when it was synced. */
function settle(batch: Batch, one: Sighted, fault: SyncFault | null): SettleResult | 'changed' {
  const { path } = one.request;
  if (fault !== null && fault !== 'suspect') return { path, outcome: 'problem', problem: fault };
  try {
    const isSuspect = fault === 'suspect' || one.request.isSuspect === true;
    const { digests, packedStat, isLeased } = isSuspect ? read(batch, one, true) : readTrusting(batch, one);
    return { path, outcome: 'settled', proof: proofOf(batch, one, isLeased), packedStat, digests };
  } catch (error) {
    return error instanceof ReadRefused && error.why === 'changed' ? 'changed' : refused(path, error);
  }
}

/** Where syncfs has written the file, a failure shows only now. */
function readTrusting(batch: Batch, one: Sighted): Hashed {
  try {
    return read(batch, one, false);
  } catch (error) {
    if (!(error instanceof ReadRefused) || !WRITEBACK_FAULTS.has(error.problem.code)) throw error;
    return read(batch, one, true);
  }
}

function read({ fileSystem, root, options, now }: Batch, one: Sighted, isSuspect: boolean): Hashed {
  const { path, isDirect } = one.request;
  return digestProven(fileSystem, root, path, one.packedStat, {
    wanted: options.strong ? 'both' : 'fast',
    now,
    checkWriteback: !isSuspect && (options.durable || isDirect),
    compareWithDisk: isDirect ? 'drop-cache' : isSuspect ? 'refuse' : null,
  });
}

/** A census speaks for this machine only, and for the file system that the root is on. */
function proofOf({ options, ground }: Batch, one: Sighted, isLeased: boolean): 'leased' | 'closed' | 'unproven' {
  if (isLeased) return 'leased';
  const isKnownGround = !ground.isRemote && unpackStat(one.packedStat).dev === ground.dev;
  return isKnownGround && options.census?.isComplete ? 'closed' : 'unproven';
}

function refused(path: BytePath, error: unknown): SettleResult {
  if (!(error instanceof ReadRefused)) throw error;
  if (error.why === 'gone') return { path, outcome: 'gone' };
  if (error.why === 'failed') return { path, outcome: 'problem', problem: error.problem };
  return hot(path, error.problem.message);
}

function hot(path: BytePath, reason: string): SettleResult {
  return { path, outcome: 'hot', reason };
}
