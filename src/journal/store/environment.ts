/**
 * The embedded store behind one small interface: ordered byte-string keys, byte values, transactions. The only file
 * that knows LMDB (npm lmdb: saves us a crash-safe B-tree with readers that never block).
 *
 * Durability: a transaction returns after its pages, then its root, were fsync'ed (LMDB's classic commit, not the
 * package's overlapping one): what was returned from survives kill -9 and power loss. With `durable: false` nothing is
 * synced; kill -9 is still harmless, a crash of the machine may damage the file.
 * Threads: every worker opens the same folder by itself, once; one writer at a time, others wait. Reads outside a
 * transaction see what was committed before the running stretch of code began (up to the next await), and own commits.
 * Memory: pages changed by a transaction stay in anonymous memory until it commits; callers commit every few thousand
 * changes.
 */
import { EventEmitter } from 'node:events';
import { lstatSync } from 'node:fs';
import { join } from 'node:path';
import { open, type RootDatabase } from 'lmdb';
import { errnoOf, TidemarkError } from '../../platform/core/errors.ts';
import { makeFolders } from '../../platform/make-folders.ts';
import { withChecksum, withoutChecksum } from './row-checksum.ts';
import { damaged, full, guarded, messageOf, newer, unusable } from './store-errors.ts';
import { fillTail, prepareStoreFiles, type StoreFault } from './store-file.ts';

/** A row as {@link Environment.page} returns it. */
export interface Row {
  readonly key: string;
  readonly value: Buffer;
}

export interface EnvironmentOptions {
  /** False: no fsync at commit. */
  readonly durable: boolean;
  /** What the folder holds and which layout this program writes; checked at every opening. */
  readonly kind: 'index' | 'archive' | 'journal';
  readonly format: number;
  /**
   * True: every row carries a checksum of its key and value, checked at every reading. For what is kept for long and
   * believed without another look.
   */
  readonly isChecked?: boolean;
}

const FORMAT_KEY = 'aformat';

export class Environment {
  readonly folder: string;
  readonly #database: RootDatabase<Buffer, string>;
  readonly #isChecked: boolean;
  #depth = 0;
  #onRollback: (() => void)[] = [];
  #epoch = 0;
  #isCurrent = false;
  #isOpen = true;

  private constructor(folder: string, database: RootDatabase<Buffer, string>, isChecked: boolean) {
    this.folder = folder;
    this.#database = database;
    this.#isChecked = isChecked;
    // Emitted whenever a snapshot is taken anew. The package's own `on` fails for it (3.5.6 calls a super that is not there).
    EventEmitter.prototype.on.call(database as unknown as EventEmitter, 'begin-transaction', () => {
      this.#epoch++;
    });
  }

  /** Opens or makes the store in `folder` (0700, files 0600). Throws `unavailable`: `state-damaged`, `state-newer`. */
  static open(folder: string, options: EnvironmentOptions): Environment {
    prepareFolder(folder);
    prepareFiles(folder);
    const isChecked = options.isChecked ?? false;
    const environment = guarded(
      folder,
      () => new Environment(folder, openDatabase(folder, options.durable), isChecked),
    );
    try {
      guarded(folder, () => environment.#settle(options));
    } catch (error) {
      environment.close();
      throw error;
    }
    return environment;
  }

  /** Changes whenever reads may see a newer state than before: caches of what was read are checked against it. */
  get epoch(): number {
    return this.#epoch;
  }

  get isWriting(): boolean {
    return this.#depth > 0;
  }

  /** A copy of the value, or null. */
  get(key: string): Buffer | null {
    this.#keepCurrent();
    const value = guarded(this.folder, () => this.#database.get(key));
    return value === undefined ? null : this.#checked(key, value);
  }

  has(key: string): boolean {
    this.#keepCurrent();
    return guarded(this.folder, () => this.#database.doesExist(key));
  }

  /** Up to `limit` rows with `start` ≤ key < `end`, in key order, copied. */
  page(start: string, end: string, limit: number): Row[] {
    this.#keepCurrent();
    return guarded(this.folder, () => {
      const rows: Row[] = [];
      for (const { key, value } of this.#database.getRange({ start, end, limit })) {
        rows.push({ key, value: this.#checked(key, value) });
      }
      return rows;
    });
  }

  /** Every row with `start` ≤ key < `end`, page by page: writing between two steps is allowed. */
  *rows(start: string, end: string, pageRows = 512): Generator<Row> {
    for (let from = start; ; ) {
      const page = this.page(from, end, pageRows);
      yield* page;
      const last = page.at(-1);
      if (last === undefined || page.length < pageRows) return;
      from = `${last.key}\0`;
    }
  }

  /** Only within a transaction. */
  put(key: string, value: Buffer): void {
    this.#mustWrite();
    this.#database.putSync(key, this.#isChecked ? withChecksum(key, value) : value);
  }

  /** Only within a transaction. */
  remove(key: string): void {
    this.#mustWrite();
    this.#database.removeSync(key);
  }

  /** Within a transaction: removes every row but the format. */
  clear(): void {
    this.#mustWrite();
    const format = this.get(FORMAT_KEY);
    this.#database.clearSync();
    if (format !== null) this.put(FORMAT_KEY, format);
  }

  /**
   * Runs `work` in one write transaction; where it throws, nothing of it happened and `onRollback` handlers run.
   * A call within a transaction joins it.
   */
  transaction<T>(work: () => T): T {
    if (this.#depth > 0) return work();
    this.#depth++;
    try {
      return guarded(this.folder, () => this.#database.transactionSync(work));
    } catch (error) {
      for (const handler of this.#onRollback) handler();
      throw error;
    } finally {
      this.#depth--;
      this.#epoch++;
    }
  }

  /** Runs `handler` whenever a transaction was rolled back: what it left in memory is void. */
  onRollback(handler: () => void): void {
    this.#onRollback.push(handler);
  }

  /** Bytes of the file in use, for figures. */
  sizeBytes(): number {
    return lstatSync(join(this.folder, 'data.mdb')).size;
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    void this.#database.close();
  }

  /**
   * The package renews its snapshot by a timer, which may come after the message by which another thread says that it
   * has committed. Here it is renewed once in every uninterrupted stretch of code.
   */
  #keepCurrent(): void {
    if (this.#isCurrent || this.#depth > 0) return;
    this.#database.resetReadTxn();
    this.#isCurrent = true;
    queueMicrotask(() => {
      this.#isCurrent = false;
    });
  }

  #checked(key: string, value: Buffer): Buffer {
    if (!this.#isChecked) return value;
    const bare = withoutChecksum(key, value);
    if (bare === null) throw damaged(this.folder, 'a row that does not match its checksum');
    return bare;
  }

  #mustWrite(): void {
    if (this.#depth === 0) throw new TidemarkError('internal', 'store', 'a write outside of a transaction');
  }

  #settle(options: EnvironmentOptions): void {
    this.#database.transactionSync(() => fillTail(this.folder));
    const wanted = `${options.kind} ${options.format}`;
    const found = this.get(FORMAT_KEY)?.toString('latin1');
    if (found === wanted) return;
    if (found === undefined) {
      this.transaction(() => {
        if (this.page('a', '\xff', 1).length > 0 && !this.has(FORMAT_KEY))
          throw damaged(this.folder, 'no format in it');
        this.put(FORMAT_KEY, Buffer.from(wanted, 'latin1'));
      });
      return;
    }
    const [kind, format] = found.split(' ');
    if (kind === options.kind && Number(format) > options.format) throw newer(this.folder, Number(format));
    throw damaged(this.folder, `holds "${found.slice(0, 40)}", not ${wanted}`);
  }
}

function openDatabase(folder: string, durable: boolean): RootDatabase<Buffer, string> {
  const options = {
    path: folder,
    noSubdir: false,
    overlappingSync: false,
    noSync: !durable,
    permissionsMode: 0o600,
    maxDbs: 1,
    cache: false,
    keyEncoder: { writeKey: writeByteString, readKey: readByteString },
    encoder: { encode: (value: Buffer) => value, decode: copyValue },
  };
  return open<Buffer, string>(options);
}

function writeByteString(key: string, target: Buffer, start: number): number {
  return start + target.write(key, start, 'latin1');
}

function readByteString(target: Buffer, start: number, end: number): string {
  return target.toString('latin1', start, end);
}

/** The value handed in is the package's shared buffer with its length set to that of the value. */
function copyValue(shared: Uint8Array): Buffer {
  const length = shared.length;
  const copy = Buffer.allocUnsafe(length);
  for (let index = 0; index < length; index++) copy[index] = shared[index] as number;
  return copy;
}

function prepareFolder(folder: string): void {
  try {
    makeFolders(folder, 0o700);
    const stat = lstatSync(folder);
    if (!stat.isDirectory()) throw new Error('not a directory');
    if (process.geteuid !== undefined && stat.uid !== process.geteuid()) throw new Error('belongs to another user');
  } catch (error) {
    throw unusable(folder, error);
  }
}

/** Opens nothing that is a symlink or belongs to someone else, and nothing LMDB would choke on. */
function prepareFiles(folder: string): void {
  let fault: StoreFault | null;
  try {
    fault = prepareStoreFiles(folder);
  } catch (error) {
    fault = { kind: errnoOf(error) === 'ENOSPC' ? 'full' : 'unusable', detail: messageOf(error) };
  }
  switch (fault?.kind) {
    case undefined:
      return;
    case 'damaged':
      throw damaged(folder, fault?.detail ?? '');
    case 'full':
      throw full(folder, fault?.detail);
    case 'unusable':
      throw unusable(folder, fault?.detail);
  }
}
