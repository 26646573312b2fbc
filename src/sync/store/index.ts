/**
 * The index of one root: what the tree held when it was last looked at, and the log of what changed.
 *
 * Skeleton of the contract; the body follows.
 */
import type { BytePath } from '../../platform/core/byte-path.ts';
import type { Digests, Entry } from '../core/entry.ts';
import type { Change } from '../endpoint.ts';

/** What the index knows of one path. */
export interface IndexRecord {
  readonly entry: Entry;
  /** The packed stat (STAT_BYTES) as observed when `entry` was recorded; null where none was had. */
  readonly packedStat: Uint8Array | null;
  /** True where the object was touched so shortly before it was recorded that a later write may leave the same stat. */
  readonly racy: boolean;
}

/** One name of a directory. */
export interface NamedRecord {
  readonly name: string;
  readonly record: IndexRecord;
}

/** Answer to {@link Index.changesSince}. */
export interface IndexChanges {
  /** True: `changes` lists the whole tree (root included), because the point asked for is unknown here. */
  readonly fresh: boolean;
  /** In path order, one per path, newest state. Read it to the end, or stop, before the next write. */
  readonly changes: Iterable<Change>;
}

export interface IndexOptions {
  /** False: no fsync at commit, for scratch copies. A crash of the machine may lose or damage them. */
  readonly durable?: boolean;
}

export class Index {
  /** Random hex made when the index was created: a cursor of another instance means nothing here. */
  readonly instance: string;

  private constructor(instance: string) {
    this.instance = instance;
  }

  /**
   * Opens the index kept in `folder` (an absolute path), made if missing; the same folder may be opened by several
   * threads. Throws `unavailable` (`state-damaged`, `state-newer`).
   */
  static open(folder: string, options: IndexOptions = {}): Index {
    throw new Error(`not written yet ${folder} ${options.durable}`);
  }

  /** Last used change sequence number; 0 in a new index. */
  sequence(): number {
    throw new Error('not written yet');
  }

  /** The current point of the log as text (`instance.sequence`), for {@link sequenceOf}. */
  cursor(): string {
    throw new Error('not written yet');
  }

  /** The sequence a cursor of this instance names; null where it is malformed or of another instance. */
  sequenceOf(cursor: string | null): number | null {
    throw new Error(`not written yet ${cursor}`);
  }

  get(path: BytePath): IndexRecord | null {
    throw new Error(`not written yet ${path}`);
  }

  /** What the directory `path` holds, in name order; nothing where it is no directory. */
  children(path: BytePath): Iterable<NamedRecord> {
    throw new Error(`not written yet ${path}`);
  }

  /** Everything below `path`, itself not included, in path order, as one snapshot. */
  subtree(path: BytePath): Iterable<Change> {
    throw new Error(`not written yet ${path}`);
  }

  /** Runs `work` in one write transaction, rolled back where it throws; nested calls join. Durable at return. */
  transaction<T>(work: () => T): T {
    return work();
  }

  /**
   * Records what `path` holds. Parents must be recorded as directories (or `path` is ROOT). Replacing a directory by
   * anything else removes what was below. `origin` is the hex id of the session that made the change, '' for the world.
   */
  put(path: BytePath, record: IndexRecord, origin: string): void {
    throw new Error(`not written yet ${path} ${record} ${origin}`);
  }

  /** Removes `path` with everything below; logs one change for each. Nothing happens where nothing is recorded. */
  remove(path: BytePath, origin: string): void {
    throw new Error(`not written yet ${path} ${origin}`);
  }

  /** Moves `from` with everything below to `to`, where nothing is recorded; logs both paths of everything moved. */
  rename(from: BytePath, to: BytePath, origin: string): void {
    throw new Error(`not written yet ${from} ${to} ${origin}`);
  }

  /**
   * Remembers digests of a file's content without logging a change, but only while the record still holds exactly
   * `packedStat`; null digests leave known ones alone. True where it was done.
   */
  updateDigests(path: BytePath, packedStat: Uint8Array, digests: Digests): boolean {
    throw new Error(`not written yet ${path} ${packedStat} ${digests}`);
  }

  /**
   * What changed after `sequence`, changes of `exceptOrigin` left out. Fresh (the whole tree) where `sequence` is null,
   * ahead of the log, or older than what the log still holds.
   */
  changesSince(sequence: number | null, exceptOrigin: string): IndexChanges {
    throw new Error(`not written yet ${sequence} ${exceptOrigin}`);
  }

  /** Durably notes that `consumer` (session id hex) needs nothing up to `sequence`; purges what nobody needs. */
  acknowledge(consumer: string, sequence: number): void {
    throw new Error(`not written yet ${consumer} ${sequence}`);
  }

  /** Forgets a consumer: the session was removed. */
  forget(consumer: string): void {
    throw new Error(`not written yet ${consumer}`);
  }

  /** Tracked entries below the root. */
  entryCount(): number {
    throw new Error('not written yet');
  }

  /** Up to `limit` files of exactly this size; only files of at least REUSE_MIN_BYTES are found. */
  filesOfSize(sizeBytes: number, limit: number): BytePath[] {
    throw new Error(`not written yet ${sizeBytes} ${limit}`);
  }

  close(): void {}
}
