/** What an index counts and looks up beside its tree: how many entries are tracked, and larger files by size. */
import { type BytePath, joinPath, ROOT } from '../../platform/core/byte-path.ts';
import { ByteReader, ByteWriter } from '../../platform/core/bytes.ts';
import { type Entry, type FileEntry, isTracked } from '../core/entry.ts';
import { REUSE_MIN_BYTES } from '../core/limits.ts';
import { factKey, MAX_KEYED_SIZE, type Place, placeAt, SIZE_PREFIX_BYTES, sizeKey } from '../core/tree-key.ts';
import type { Environment } from './environment.ts';
import type { TreeStore } from './tree-store.ts';

const COUNT_FACT = factKey('count');
/** The table of sizes is all in its keys. */
const NOTHING = Buffer.alloc(1);
const LAST_DIRECTORY = 2 ** 40 - 1;

export class IndexTally {
  readonly #environment: Environment;
  readonly #tree: TreeStore;
  #entries = 0;
  #loadedEpoch = -1;
  #isChanged = false;

  constructor(environment: Environment, tree: TreeStore) {
    this.#environment = environment;
    this.#tree = tree;
    environment.onRollback(() => {
      this.#loadedEpoch = -1;
      this.#isChanged = false;
    });
  }

  /** Tracked entries below the root. */
  get entries(): number {
    this.#load();
    return this.#entries;
  }

  /** Within a transaction: what `place` holds changes from `before` to `after`. */
  account(place: Place, before: Entry | null, after: Entry | null): void {
    if (before !== null && isKeyed(before)) this.#environment.remove(keyOf(place, before));
    if (after !== null && isKeyed(after)) this.#environment.put(keyOf(place, after), NOTHING);
    const difference = (isTracked(after) ? 1 : 0) - (isTracked(before) ? 1 : 0);
    // The root itself does not count.
    if (difference === 0 || place.name === '') return;
    this.#load();
    this.#entries += difference;
    this.#isChanged = true;
  }

  /** Up to `limit` files of exactly this size, of at least REUSE_MIN_BYTES. */
  filesOfSize(sizeBytes: number, limit: number): BytePath[] {
    if (sizeBytes < REUSE_MIN_BYTES || sizeBytes > MAX_KEYED_SIZE) return [];
    const rows = this.#environment.page(sizeKey(sizeBytes, 0, ''), sizeKey(sizeBytes, LAST_DIRECTORY, ''), limit);
    const known = new Map<number, BytePath | null>();
    return rows.flatMap(({ key }) => {
      const { parent, name } = placeAt(key, SIZE_PREFIX_BYTES);
      const directory = name === '' ? ROOT : this.#tree.pathOf(parent, known);
      return directory === null ? [] : [joinPath(directory, name)];
    });
  }

  /** Writes the count; to be called before a transaction commits. */
  flush(): void {
    if (!this.#isChanged) return;
    this.#environment.put(COUNT_FACT, new ByteWriter(8).u53(this.#entries).take());
    this.#isChanged = false;
  }

  #load(): void {
    if (this.#loadedEpoch === this.#environment.epoch) return;
    const fact = this.#environment.get(COUNT_FACT);
    this.#entries = fact === null ? 0 : new ByteReader(fact).u53();
    this.#loadedEpoch = this.#environment.epoch;
  }
}

function keyOf({ parent, name }: Place, entry: FileEntry): string {
  return sizeKey(entry.sizeBytes, parent, name);
}

function isKeyed(entry: Entry): entry is FileEntry {
  return entry.kind === 'file' && entry.sizeBytes >= REUSE_MIN_BYTES && entry.sizeBytes <= MAX_KEYED_SIZE;
}
