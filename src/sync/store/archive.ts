/**
 * The archive of one session: what both sides last agreed on, path by path, with the facts of the session and the paths
 * to look at again.
 *
 * All of it changes in the same transactions, so the cursors never speak of other entries than those that are there.
 * Outcomes come in any order: an entry whose directory is not recorded yet gets a placeholder above it, which holds
 * other entries and is none itself.
 */
import { createHash } from 'node:crypto';
import { isTracked, type TrackedEntry } from '../../journal/core/entry.ts';
import { readEntry, readPath, readText, writeEntry, writePath, writeText } from '../../journal/core/entry-codec.ts';
import { factKey, type Place, TABLE } from '../../journal/core/tree-key.ts';
import { Environment } from '../../journal/store/environment.ts';
import { damaged } from '../../journal/store/store-errors.ts';
import { type TreeNode, TreeStore } from '../../journal/store/tree-store.ts';
import { type BytePath, comparePaths, joinPath, nameOf, parentOf, ROOT } from '../../platform/core/byte-path.ts';
import { ByteReader, ByteWriter, MalformedError } from '../../platform/core/bytes.ts';
import { parseSessionFacts, type SessionFacts } from './session-facts.ts';

export type { SessionFacts } from './session-facts.ts';

/** A path to look at again, and why. */
export interface PendingPath {
  readonly path: BytePath;
  /** A problem's code or one word of ours (`conflict`, `changed`). */
  readonly reason: string;
}

export interface ArchivedEntry {
  readonly path: BytePath;
  readonly entry: TrackedEntry;
}

export interface ArchiveOptions {
  /** False: no fsync at commit, for scratch copies. */
  readonly durable?: boolean;
}

const FORMAT = 1;
const SESSION_FACT = factKey('session');
/** Value of a placeholder: what codec.ts writes for "nothing". */
const PLACEHOLDER = Buffer.from([0]);
/** Longer paths are keyed by their start and a hash: the store's keys end at 1978 bytes. */
const LONGEST_PENDING_KEY = 1024;

export class Archive {
  readonly #environment: Environment;
  readonly #tree: TreeStore;

  private constructor(environment: Environment) {
    this.#environment = environment;
    this.#tree = new TreeStore(environment);
  }

  /** Opens the archive kept in `folder` (an absolute path), made if missing. Throws `unavailable` (`state-damaged`, `state-newer`). */
  static open(folder: string, options: ArchiveOptions = {}): Archive {
    return new Archive(Environment.open(folder, { durable: options.durable ?? true, kind: 'archive', format: FORMAT }));
  }

  get(path: BytePath): TrackedEntry | null {
    const node = this.#tree.get(path);
    return node === null ? null : this.#entry(node);
  }

  /** What the directory `path` holds, in name order. */
  *children(path: BytePath): Generator<{ readonly name: string; readonly entry: TrackedEntry }> {
    for (const node of this.#tree.nodesOf(this.#tree.numberOf(path))) {
      const entry = this.#entry(node);
      if (entry !== null) yield { name: node.name, entry };
    }
  }

  /** Everything below `path`, itself not included, in path order, streaming. */
  *subtree(path: BytePath): Generator<ArchivedEntry> {
    for (const { path: below, node } of this.#tree.below(path)) {
      const entry = this.#entry(node);
      if (entry !== null) yield { path: below, entry };
    }
  }

  /** Runs `work` in one write transaction, rolled back where it throws; nested calls join. Durable at return. */
  transaction<T>(work: () => T): T {
    if (this.#environment.isWriting) return work();
    return this.#environment.transaction(() => {
      const result = work();
      this.#tree.flush();
      return result;
    });
  }

  /** Both sides hold `entry` at `path`. What was below goes, unless it is a directory. */
  put(path: BytePath, entry: TrackedEntry): void {
    this.transaction(() => {
      const place = this.#madePlace(path);
      const old = this.#tree.at(place);
      if (old !== null && old.number !== 0 && entry.kind !== 'directory') this.#clearBelow(path);
      const out = new ByteWriter(128);
      writeEntry(out, entry);
      this.#tree.write(place, out.take(), entry.kind === 'directory', old?.number ?? 0);
    });
  }

  /** Forgets `path` and everything below. */
  remove(path: BytePath): void {
    this.transaction(() => this.#tree.removeSome(path, Number.POSITIVE_INFINITY, () => {}));
  }

  /** Moves what is known of `from` and below to `to`, replacing what was known there; nothing where `from` is unknown. */
  rename(from: BytePath, to: BytePath): void {
    this.transaction(() => {
      const node = this.#tree.get(from);
      if (node === null || from === to || from === ROOT) return;
      if (`${to}/`.startsWith(`${from}/`)) throw new MalformedError('rename of a directory into itself');
      this.remove(to);
      this.#tree.move(node, this.#madePlace(to));
    });
  }

  /** Forgets everything, session facts and pending paths included. */
  clear(): void {
    this.transaction(() => {
      this.#environment.clear();
      this.#tree.reset();
    });
  }

  /** Facts of the session; null before the first settled run. */
  readSession(): SessionFacts | null {
    const bytes = this.#environment.get(SESSION_FACT);
    if (bytes === null) return null;
    return this.#checked(() => parseSessionFacts(bytes.toString('utf8')));
  }

  writeSession(facts: SessionFacts): void {
    this.transaction(() => this.#environment.put(SESSION_FACT, Buffer.from(JSON.stringify(facts), 'utf8')));
  }

  pendingPut(path: BytePath, reason: string): void {
    const out = new ByteWriter(256);
    writePath(out, path);
    writeText(out, reason);
    const value = out.take();
    this.transaction(() => this.#environment.put(pendingKey(path), value));
  }

  pendingRemove(path: BytePath): void {
    this.transaction(() => this.#environment.remove(pendingKey(path)));
  }

  /** Makes `pending` the whole set. */
  replacePending(pending: ReadonlyMap<BytePath, string>): void {
    this.transaction(() => {
      for (const { key } of [...this.#environment.rows(...PENDING_ROWS)]) this.#environment.remove(key);
      for (const [path, reason] of pending) this.pendingPut(path, reason);
    });
  }

  /** Paths that need another look at the next run, in path order, all in memory. */
  pending(): PendingPath[] {
    const found: PendingPath[] = [];
    for (const { value } of this.#environment.rows(...PENDING_ROWS)) {
      found.push(
        this.#checked(() => {
          const from = new ByteReader(value);
          const path = readPath(from);
          return { path, reason: readText(from) };
        }),
      );
    }
    return found.sort((left, right) => comparePaths(left.path, right.path));
  }

  get isOpen(): boolean {
    return this.#environment.isOpen;
  }

  /** Bytes on disk. */
  sizeBytes(): number {
    return this.#environment.sizeBytes();
  }

  close(): void {
    this.#environment.close();
  }

  /** Null for a placeholder. */
  #entry(node: TreeNode): TrackedEntry | null {
    return this.#checked(() => {
      // The tree store's bit is the top one of the kind.
      node.value[0] = (node.value[0] as number) & 0x7f;
      const from = new ByteReader(node.value, 0, node.end);
      const entry = readEntry(from);
      from.finish();
      if (entry !== null && !isTracked(entry)) throw new MalformedError(`${entry.kind} entry in an archive`);
      return entry;
    });
  }

  /** Where `path` goes, with placeholders above it where nothing is recorded. */
  #madePlace(path: BytePath): Place {
    const place = this.#tree.placeOf(path);
    if (place !== null) return place;
    const parent = parentOf(path);
    const above = this.#madePlace(parent);
    const old = this.#tree.at(above);
    // A file where a directory must be: it was replaced, and the news of that is still to come.
    const number = this.#tree.write(above, PLACEHOLDER, true, old?.number ?? 0);
    return { parent: number, name: nameOf(path) };
  }

  #clearBelow(path: BytePath): void {
    const names = [...this.#tree.nodesOf(this.#tree.numberOf(path))].map(({ name }) => name);
    for (const name of names) this.remove(joinPath(path, name));
  }

  #checked<T>(read: () => T): T {
    try {
      return read();
    } catch (error) {
      if (!(error instanceof MalformedError)) throw error;
      throw damaged(this.#environment.folder, error.message, error);
    }
  }
}

const PENDING_ROWS = [TABLE.pending, String.fromCharCode(TABLE.pending.charCodeAt(0) + 1)] as const;

/** NUL for `/` makes key order path order; two NULs occur in no such key. */
function pendingKey(path: BytePath): string {
  const key = path.replaceAll('/', '\0');
  if (key.length <= LONGEST_PENDING_KEY) return TABLE.pending + key;
  const hash = createHash('sha256').update(path, 'latin1').digest('hex');
  return `${TABLE.pending}${key.slice(0, LONGEST_PENDING_KEY)}\0\0${hash}`;
}
