/**
 * The index of one root: what the tree held when it was last looked at, and the log of what changed since.
 *
 * Rows are those of tree-store.ts with values of index-record.ts; beside them a table of larger files by size, the
 * change log, and counters. All of them change in the same transaction. A path whose entry is a problem may still hold
 * what was known below it: a directory that cannot be read now was not emptied.
 */
import { randomBytes } from 'node:crypto';
import { type BytePath, joinPath, nameOf, ROOT } from '../../platform/core/byte-path.ts';
import { MalformedError } from '../../platform/core/bytes.ts';
import { TidemarkError } from '../../platform/core/errors.ts';
import { identityOf as identityOfStat, sameStat } from '../../platform/core/stat-codec.ts';
import type { Change } from '../core/change.ts';
import type { Digests } from '../core/entry.ts';
import { decodeRecord, encodeRecord, type IndexRecord, packedStatIn } from '../core/index-record.ts';
import { factKey, type Place } from '../core/tree-key.ts';
import { type ChangedPaths, ChangeLog } from './change-log.ts';
import { Environment } from './environment.ts';
import { IndexTally } from './index-tally.ts';
import { damaged } from './store-errors.ts';
import { type TreeNode, TreeStore } from './tree-store.ts';

export type { IndexRecord } from '../core/index-record.ts';

/** One name of a directory. */
export interface NamedRecord {
  readonly name: string;
  readonly record: IndexRecord;
}

/** Answer to {@link Index.changesSince}. */
export interface IndexChanges {
  /** True: `changes` lists the whole tree (root included), because the point asked for is unknown here. */
  readonly fresh: boolean;
  /** In path order, one per path, newest state. */
  readonly changes: Iterable<Change>;
}

export interface IndexOptions {
  /** False: no fsync at commit, for scratch copies. A crash of the machine may lose or damage them. */
  readonly durable?: boolean;
}

const INSTANCE_FACT = factKey('instance');
const FORMAT = 1;

export class Index {
  /** Random hex made when the index was created: a cursor of another instance means nothing here. */
  readonly instance: string;
  readonly #environment: Environment;
  readonly #tree: TreeStore;
  readonly #log: ChangeLog;
  readonly #tally: IndexTally;

  private constructor(environment: Environment) {
    this.#environment = environment;
    this.#tree = new TreeStore(environment);
    this.#log = new ChangeLog(environment, this.#tree);
    this.#tally = new IndexTally(environment, this.#tree);
    this.instance = this.#readInstance();
  }

  /**
   * Opens the index kept in `folder` (an absolute path), made if missing. Several threads may hold the same folder open,
   * each at most once. Throws `unavailable` (`state-damaged`, `state-newer`).
   */
  static open(folder: string, options: IndexOptions = {}): Index {
    const environment = Environment.open(folder, { durable: options.durable ?? true, kind: 'index', format: FORMAT });
    try {
      return new Index(environment);
    } catch (error) {
      environment.close();
      throw error;
    }
  }

  /** Last used change sequence number; 0 in a new index. */
  sequence(): number {
    return this.#log.sequence;
  }

  /** The current point of the log as text (`instance.sequence`), for {@link sequenceOf}. */
  cursor(): string {
    return `${this.instance}.${this.sequence()}`;
  }

  /** The sequence a cursor of this instance names; null where it is malformed or of another instance. */
  sequenceOf(cursor: string | null): number | null {
    const match = /^([0-9a-f]{1,64})\.(\d{1,15})$/.exec(cursor ?? '');
    return match === null || match[1] !== this.instance ? null : Number(match[2]);
  }

  get(path: BytePath): IndexRecord | null {
    const node = this.#tree.get(path);
    return node === null ? null : this.#record(node);
  }

  /** {@link get} as an undecoded row (see index-record.ts). */
  node(path: BytePath): TreeNode | null {
    return this.#tree.get(path);
  }

  /** The packed stat recorded for `path`, without decoding the rest; null where none is. */
  packedStat(path: BytePath): Uint8Array | null {
    const node = this.#tree.get(path);
    return node === null ? null : packedStatIn(node.value, node.end);
  }

  /** What is known of `path`, in the form in which changes are told. */
  lookup(path: BytePath): Change {
    const record = this.get(path);
    return { path, entry: record?.entry ?? null, identity: identityOf(record?.packedStat ?? null) };
  }

  /** What the directory `path` holds, in name order; nothing where it is no directory. */
  *children(path: BytePath): Generator<NamedRecord> {
    for (const node of this.nodes(path)) yield { name: node.name, record: this.#record(node) };
  }

  /** {@link children} as undecoded rows (see index-record.ts): for the scan, which decodes only what differs. */
  nodes(path: BytePath): Generator<TreeNode> {
    return this.#tree.nodesOf(this.#tree.numberOf(path));
  }

  /** Everything below `path`, itself not included, in path order. What is written meanwhile may or may not appear. */
  *subtree(path: BytePath): Generator<Change> {
    for (const { path: below, node } of this.#tree.below(path)) {
      const { entry, packedStat } = this.#record(node);
      yield { path: below, entry, identity: identityOf(packedStat) };
    }
  }

  /** Runs `work` in one write transaction, rolled back where it throws; nested calls join. Durable at return. */
  transaction<T>(work: () => T): T {
    if (this.#environment.isWriting) return work();
    return this.#environment.transaction(() => {
      const result = work();
      this.#tree.flush();
      this.#log.flush();
      this.#tally.flush();
      return result;
    });
  }

  /**
   * Records what `path` holds. Parents must be recorded as directories (or `path` is ROOT). Replacing a directory by a
   * file, symlink or untracked object removes what was below; a problem keeps it. `origin` is the hex id of the session
   * that made the change, '' for the world.
   */
  put(path: BytePath, record: IndexRecord, origin: string): void {
    this.transaction(() => {
      const place = this.#placeOf(path);
      const old = this.#tree.at(place);
      const isDirectory =
        record.entry.kind === 'directory' || (record.entry.kind === 'problem' && (old?.number ?? 0) > 0);
      if (old !== null && old.number !== 0 && !isDirectory) this.#clear(path, origin);
      this.#tally.account(place, old === null ? null : this.#record(old).entry, record.entry);
      this.#tree.write(place, encodeRecord(record), isDirectory, old?.number ?? 0);
      this.#log.written(place, origin);
    });
  }

  /** Removes `path` with everything below; logs one change for each. Nothing happens where nothing is recorded. */
  remove(path: BytePath, origin: string): void {
    this.removeSome(path, origin, Number.POSITIVE_INFINITY);
  }

  /**
   * Like {@link remove}, in one transaction for at most `limit` paths, children first; true once all are gone. Bounds
   * what a transaction holds in memory.
   */
  removeSome(path: BytePath, origin: string, limit: number): boolean {
    return this.transaction(() =>
      this.#tree.removeSome(path, limit, (gone, node) => this.#forgetNode(gone, node, origin)),
    );
  }

  /**
   * Moves `from` with everything below to `to`, where nothing is recorded. Keys of a directory: two rows change,
   * whatever it holds; where others listen to the log, both paths of everything moved are logged.
   */
  rename(from: BytePath, to: BytePath, origin: string): void {
    this.transaction(() => {
      const node = this.#tree.get(from);
      const place = this.#placeOf(to);
      if (node === null || from === ROOT) throw broken(`rename of ${from}, which is not recorded`);
      if (this.#tree.at(place) !== null) throw broken(`rename to ${to}, which is recorded`);
      if (`${to}/`.startsWith(`${from}/`)) throw broken(`rename of ${from} into itself`);
      const { entry, packedStat } = this.#record(node);
      this.#log.removed(from, identityOf(packedStat), origin);
      // With nobody listening the log only counts, and nothing below needs to be read.
      const below = this.#log.isHeard(origin) ? this.#tree.below(from) : [];
      for (const moved of below) {
        this.#log.removed(moved.path, identityOf(this.#record(moved.node).packedStat), origin);
        this.#log.written(moved.node, origin);
      }
      this.#tally.account(node, entry, null);
      this.#tree.move(node, place);
      this.#tally.account(place, null, entry);
      this.#log.written(place, origin);
    });
  }

  /**
   * Remembers digests of a file's content without logging a change, but only while the record holds the same stat;
   * null digests leave known ones alone. `settled`: the content was read when the stat was no longer racy (see
   * isRacy), so the record is not either. True where it was done.
   */
  updateDigests(path: BytePath, packedStat: Uint8Array, digests: Digests, settled = false): boolean {
    return this.transaction(() => {
      const node = this.#tree.get(path);
      if (node === null) return false;
      const { entry, packedStat: recorded, racy } = this.#record(node);
      if (entry.kind !== 'file' || recorded === null || !sameStat(recorded, packedStat)) return false;
      const merged = { fast: digests.fast ?? entry.digests.fast, strong: digests.strong ?? entry.digests.strong };
      const record = { entry: { ...entry, digests: merged }, packedStat: recorded, racy: racy && !settled };
      this.#tree.write(node, encodeRecord(record), false, 0);
      return true;
    });
  }

  /**
   * What changed after `sequence`, changes of `exceptOrigin` left out ('' leaves out none). Fresh (the whole tree) where
   * `sequence` is null, ahead of the log, or older than what the log still holds. The list of paths is made at the call
   * (memory: O(changes)), entries are read while iterating.
   */
  changesSince(sequence: number | null, exceptOrigin: string): IndexChanges {
    const paths = this.#log.changedSince(sequence, exceptOrigin);
    return paths === null
      ? { fresh: true, changes: this.#everything() }
      : { fresh: false, changes: this.#changesAt(paths) };
  }

  /** Durably notes that `consumer` (session id hex) needs nothing up to `sequence`; purges what nobody needs. */
  acknowledge(consumer: string, sequence: number): void {
    this.#log.acknowledge(consumer, sequence, (work) => this.transaction(work));
  }

  /** Forgets a consumer: the session was removed. */
  forget(consumer: string): void {
    this.#log.forget(consumer, (work) => this.transaction(work));
  }

  /** Tracked entries below the root. */
  entryCount(): number {
    return this.#tally.entries;
  }

  /** Up to `limit` files of exactly this size; only files of at least REUSE_MIN_BYTES are found. */
  filesOfSize(sizeBytes: number, limit: number): BytePath[] {
    return this.#tally.filesOfSize(sizeBytes, limit);
  }

  /** A small value kept beside the tree, such as the options of the last scan; null where there is none. */
  fact(name: string): string | null {
    return this.#environment.get(factKey(`own ${name}`))?.toString('latin1') ?? null;
  }

  setFact(name: string, value: string): void {
    this.transaction(() => this.#environment.put(factKey(`own ${name}`), Buffer.from(value, 'latin1')));
  }

  /** Bytes on disk. */
  sizeBytes(): number {
    return this.#environment.sizeBytes();
  }

  close(): void {
    this.#environment.close();
  }

  *#everything(): Generator<Change> {
    const root = this.lookup(ROOT);
    if (root.entry !== null) yield root;
    yield* this.subtree(ROOT);
  }

  *#changesAt(paths: ChangedPaths): Generator<Change> {
    for (const { path, removed } of paths) {
      const change = this.lookup(path);
      yield change.entry === null ? { path, entry: null, identity: removed } : change;
    }
  }

  #record(node: TreeNode): IndexRecord {
    try {
      return decodeRecord(node.value, node.end);
    } catch (error) {
      if (!(error instanceof MalformedError)) throw error;
      throw damaged(this.#environment.folder, error.message, error);
    }
  }

  #placeOf(path: BytePath): Place {
    const place = this.#tree.placeOf(path);
    if (place === null) throw broken(`no directory recorded for ${path}`);
    if (path !== ROOT && nameOf(path) === '') throw broken('empty name');
    return place;
  }

  /** Removes everything below `path`. */
  #clear(path: BytePath, origin: string): void {
    const names = [...this.nodes(path)].map((node) => node.name);
    for (const name of names) this.remove(joinPath(path, name), origin);
  }

  #forgetNode(path: BytePath, node: TreeNode, origin: string): void {
    const { entry, packedStat } = this.#record(node);
    this.#tally.account(node, entry, null);
    this.#log.removed(path, identityOf(packedStat), origin);
  }

  #readInstance(): string {
    const known = this.#environment.get(INSTANCE_FACT);
    if (known !== null) return known.toString('latin1');
    return this.transaction(() => {
      // Another thread may have come first.
      const made = this.#environment.get(INSTANCE_FACT)?.toString('latin1') ?? randomBytes(12).toString('hex');
      this.#environment.put(INSTANCE_FACT, Buffer.from(made, 'latin1'));
      return made;
    });
  }
}

function identityOf(packedStat: Uint8Array | null): string | null {
  return packedStat === null ? null : identityOfStat(packedStat);
}

function broken(message: string): TidemarkError {
  return new TidemarkError('internal', 'index', message);
}
