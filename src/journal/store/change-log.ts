/**
 * What changed in an index, by sequence number, until every consumer has taken note of it.
 *
 * A row says that a place (directory number, name) was written, or that a path was removed. Places, not paths: a later
 * move of a directory above needs no correction. Rows say *where* to look; what is there is read from the index.
 *
 * Invariant: for a point p ≥ `floor` the log names everything that changed after p, but for changes of the origin
 * `skippedOrigin` up to `skippedUntil`. Those are left out while nobody else listens (a session does not ask for its own
 * changes, and a first sync would otherwise log every file it makes); anyone else's point before that is stale.
 * Without any consumer nothing is logged and the floor moves along.
 */
import { type BytePath, joinPath } from '../../platform/core/byte-path.ts';
import { ByteReader, ByteWriter } from '../../platform/core/bytes.ts';
import { factKey, logKey, numberBytes, type Place, placeAt, sequenceAt } from '../core/tree-key.ts';
import type { Environment } from './environment.ts';
import type { TreeStore } from './tree-store.ts';

const LOG_FACT = factKey('log');
const CONSUMER = factKey('consumer ');
const KIND = { written: 1, removed: 2 } as const;
const IDENTITY_BYTES = 16;
const LONGEST_ORIGIN = 128;

/** Rows purged in one transaction. */
const PURGE_ROWS = 8192;

/** Longer answers are given as a fresh listing: sorting them would take more memory than streaming the tree. */
const MAX_ANSWER_ROWS = 2_000_000;

/** Paths to look at, with the identity of what was first removed there, null where nothing was. In path order. */
export type ChangedPaths = readonly { readonly path: BytePath; readonly removed: string | null }[];

export class ChangeLog {
  readonly #environment: Environment;
  readonly #tree: TreeStore;
  #loadedEpoch = -1;
  #isChanged = false;
  #sequence = 0;
  #floor = 0;
  #skippedOrigin = '';
  #skippedUntil = 0;
  #consumers = new Map<string, number>();

  constructor(environment: Environment, tree: TreeStore) {
    this.#environment = environment;
    this.#tree = tree;
    environment.onRollback(() => {
      this.#loadedEpoch = -1;
      this.#isChanged = false;
    });
  }

  get sequence(): number {
    this.#load();
    return this.#sequence;
  }

  /** True where somebody other than `origin` waits for changes, so that each of them has to be logged. */
  isHeard(origin: string): boolean {
    this.#load();
    return this.#consumers.size > (origin !== '' && this.#consumers.has(origin) ? 1 : 0);
  }

  /** Within a transaction: something was written at `place`. */
  written({ parent, name }: Place, origin: string): void {
    if (this.#skips(origin)) return;
    const out = new ByteWriter(64).u8(KIND.written).u8(origin.length).rawString(origin).rawString(numberBytes(parent));
    this.#environment.put(logKey(this.#sequence), out.rawString(name).take());
  }

  /** Within a transaction: `path` is gone. */
  removed(path: BytePath, identity: string | null, origin: string): void {
    if (this.#skips(origin)) return;
    const out = new ByteWriter(64).u8(KIND.removed).u8(origin.length).rawString(origin);
    out.u8(identity === null ? 0 : 1).rawString(identity ?? '');
    this.#environment.put(logKey(this.#sequence), out.rawString(path).take());
  }

  /** What changed after `since`, but for changes of `except`; null where the log cannot tell. */
  changedSince(since: number | null, except: string): ChangedPaths | null {
    this.#load();
    if (since === null || since < this.#floor || since > this.#sequence) return null;
    if (since < this.#skippedUntil && this.#skippedOrigin !== except) return null;
    const changed = new Map<string, string | null>();
    const known = new Map<number, BytePath | null>();
    let count = 0;
    for (const { value } of this.#environment.rows(logKey(since + 1), logKey(this.#sequence + 1))) {
      if (++count > MAX_ANSWER_ROWS) return null;
      const row = readRow(value);
      if (row.origin === except && except !== '') continue;
      const path = row.place === null ? row.path : this.#pathAt(row.place, known);
      if (path === null) continue;
      const key = path.replaceAll('/', '\0');
      const earlier = changed.get(key);
      if (earlier === undefined || earlier === null) changed.set(key, row.identity ?? null);
    }
    // NUL is no byte of a name, so plain string order of the keys is path order.
    return [...changed.keys()].sort().map((key) => ({
      path: key.replaceAll('\0', '/') as BytePath,
      removed: changed.get(key) ?? null,
    }));
  }

  /** Durably: `consumer` needs nothing up to `sequence`. Never goes back. */
  acknowledge(consumer: string, sequence: number, transaction: (work: () => void) => void): void {
    transaction(() => {
      this.#load();
      const point = Math.max(Math.min(sequence, this.#sequence), this.#consumers.get(consumer) ?? 0);
      this.#environment.put(CONSUMER + consumer, new ByteWriter(8).u53(point).take());
      this.#consumers.set(consumer, point);
    });
    this.#purge(transaction);
  }

  forget(consumer: string, transaction: (work: () => void) => void): void {
    transaction(() => {
      this.#load();
      if (this.#consumers.delete(consumer)) this.#environment.remove(CONSUMER + consumer);
    });
    this.#purge(transaction);
  }

  /** Writes the log's own facts; to be called before a transaction commits. */
  flush(): void {
    if (!this.#isChanged) return;
    const out = new ByteWriter(64).u53(this.#sequence).u53(this.#floor).u53(this.#skippedUntil);
    this.#environment.put(LOG_FACT, out.string(this.#skippedOrigin).take());
    this.#isChanged = false;
  }

  /** Takes the next sequence number; true where the change needs no row because nobody waits for it. */
  #skips(origin: string): boolean {
    this.#load();
    if (origin.length > LONGEST_ORIGIN) throw new RangeError('origin too long');
    this.#sequence++;
    this.#isChanged = true;
    if (this.isHeard(origin)) return false;
    if (origin === '') {
      this.#floor = this.#sequence;
      return true;
    }
    if (this.#skippedOrigin !== origin) this.#floor = Math.max(this.#floor, this.#skippedUntil);
    this.#skippedOrigin = origin;
    this.#skippedUntil = this.#sequence;
    return true;
  }

  #purge(transaction: (work: () => void) => void): void {
    const lowest = Math.min(this.#sequence, ...this.#consumers.values());
    for (let isDone = false; !isDone; ) {
      transaction(() => {
        this.#load();
        const rows = this.#environment.page(logKey(0), logKey(lowest + 1), PURGE_ROWS);
        for (const { key } of rows) this.#environment.remove(key);
        const last = rows.at(-1);
        const purged = rows.length < PURGE_ROWS || last === undefined ? lowest : sequenceAt(last.key, 1);
        if (purged > this.#floor) {
          this.#floor = purged;
          this.#isChanged = true;
        }
        isDone = purged === lowest;
      });
    }
  }

  #pathAt(place: Place, known: Map<number, BytePath | null>): BytePath | null {
    if (place.name === '') return '' as BytePath;
    const directory = this.#tree.pathOf(place.parent, known);
    return directory === null ? null : joinPath(directory, place.name);
  }

  #load(): void {
    if (this.#loadedEpoch === this.#environment.epoch) return;
    const fact = this.#environment.get(LOG_FACT);
    if (fact !== null) {
      const from = new ByteReader(fact);
      this.#sequence = from.u53();
      this.#floor = from.u53();
      this.#skippedUntil = from.u53();
      this.#skippedOrigin = from.string(LONGEST_ORIGIN);
    }
    this.#consumers = new Map();
    for (const { key, value } of this.#environment.rows(CONSUMER, `${CONSUMER}\xff`)) {
      this.#consumers.set(key.slice(CONSUMER.length), new ByteReader(value).u53());
    }
    this.#loadedEpoch = this.#environment.epoch;
  }
}

interface LogRow {
  readonly origin: string;
  readonly place: Place | null;
  readonly path: BytePath | null;
  readonly identity: string | null;
}

function readRow(value: Buffer): LogRow {
  const from = new ByteReader(value);
  const kind = from.u8();
  const origin = from.rawString(from.u8());
  if (kind === KIND.written) {
    const place = placeAt(from.rawString(from.remaining), 0);
    return { origin, place, path: null, identity: null };
  }
  const identity = from.u8() === 1 ? from.rawString(IDENTITY_BYTES) : null;
  return { origin, place: null, path: from.rawString(from.remaining) as BytePath, identity };
}
