/**
 * Gathers what a scan finds and writes it to the index in transactions of bounded size: removals first, then records,
 * parents before what they hold. What is lost with a crash in between is found again by the next scan.
 */
import { type BytePath, comparePaths } from '../platform/core/byte-path.ts';
import { encodeRecord, type IndexRecord } from './core/index-record.ts';
import type { ScanProblem } from './scan.ts';
import type { CompareSink } from './scan-compare.ts';
import type { TreeNode } from './store/tree-store.ts';

/** What a scan compares the tree with and writes to: an index, or a journal's own. */
export interface ScanStore {
  get(path: BytePath): IndexRecord | null;
  node(path: BytePath): TreeNode | null;
  /** What the directory `path` holds, in name order. */
  nodes(path: BytePath): Iterator<TreeNode>;
  transaction<T>(work: () => T): T;
  put(path: BytePath, record: IndexRecord, origin: string): void;
  /** Removes at most `limit` paths at and below `path`; true once all are gone. */
  removeSome(path: BytePath, origin: string, limit: number): boolean;
  /** Removes all of these with everything below, in as few transactions as it likes; where missing, one by one. */
  removeAll?(paths: readonly BytePath[]): void;
}

/** Records of one transaction: some megabytes of pages, and one fsync for all. */
const RECORDS_PER_TRANSACTION = 8192;

/** Most problems told one by one; a tree with more is told by its first. */
export const MAX_PROBLEMS = 10_000;

/** The world's changes. */
const WORLD = '';

export class ScanWriter implements CompareSink {
  readonly problems: ScanProblem[] = [];
  readonly #index: ScanStore;
  readonly #links: Map<string, BytePath[]> | null;
  readonly #removals: BytePath[] = [];
  readonly #puts: { readonly path: BytePath; readonly record: IndexRecord }[] = [];
  readonly #unproven = new Map<BytePath, IndexRecord>();

  readonly #onLinked: ((path: BytePath, packedStat: Uint8Array) => void) | null;

  /** `groupsLinks`: names of one file are to be recorded as such. `onLinked` hears of each name of such a file. */
  constructor(
    index: ScanStore,
    groupsLinks: boolean,
    onLinked: ((path: BytePath, packedStat: Uint8Array) => void) | null = null,
  ) {
    this.#index = index;
    this.#onLinked = onLinked;
    this.#links = groupsLinks ? new Map() : null;
  }

  put(path: BytePath, record: IndexRecord): void {
    this.#noteProblem(path, record);
    this.#puts.push({ path, record });
    if (this.#puts.length >= RECORDS_PER_TRANSACTION) this.flush();
  }

  remove(path: BytePath): void {
    this.#removals.push(path);
    if (this.#removals.length >= RECORDS_PER_TRANSACTION) this.flush();
  }

  stays(path: BytePath, record: IndexRecord): void {
    this.#noteProblem(path, record);
  }

  mayBeReadable(path: BytePath, record: IndexRecord): void {
    this.#unproven.set(path, record);
  }

  linked(path: BytePath, packedStat: Uint8Array): void {
    this.#onLinked?.(path, packedStat);
    if (this.#links === null) return;
    const bytes = Buffer.from(packedStat.buffer, packedStat.byteOffset, packedStat.length);
    const inode = bytes.toString('latin1', 0, 8) + bytes.toString('latin1', 24, 32);
    const names = this.#links.get(inode);
    if (names === undefined) this.#links.set(inode, [path]);
    else names.push(path);
  }

  /** A directory was listed completely. */
  isListed(path: BytePath): void {
    const record = this.#unproven.get(path);
    if (record === undefined) return;
    this.#unproven.delete(path);
    this.put(path, record);
  }

  /** A directory could not be listed: it becomes a problem, and what was known below stays. */
  cannotList(path: BytePath, problem: IndexRecord): void {
    this.#unproven.delete(path);
    const known = this.#index.get(path);
    const isQueued = this.#puts.some((put) => put.path === path);
    if (known !== null && !isQueued && encodeRecord(known).equals(encodeRecord(problem))) {
      this.#noteProblem(path, problem);
      return;
    }
    this.put(path, problem);
  }

  flush(): void {
    const removals = this.#removals.splice(0);
    if (this.#index.removeAll !== undefined) this.#index.removeAll(removals);
    else for (const path of removals) while (!this.#index.removeSome(path, WORLD, RECORDS_PER_TRANSACTION));
    const puts = this.#puts.splice(0);
    if (puts.length === 0) return;
    this.#index.transaction(() => {
      for (const { path, record } of puts) this.#index.put(path, record, WORLD);
    });
  }

  /** Records which names are one file: all but the first in path order point to that. Memory: all such names. */
  groupLinks(): void {
    for (const all of this.#links?.values() ?? []) {
      // A name that is ignored or could not be looked at is none that the other side could link to.
      const names = all.filter((path) => this.#index.get(path)?.entry.kind === 'file');
      const [first, ...others] = names.sort(comparePaths);
      if (first === undefined) continue;
      this.#link(first, undefined);
      for (const path of others) this.#link(path, first);
    }
    this.flush();
  }

  #link(path: BytePath, linkTo: BytePath | undefined): void {
    const record = this.#index.get(path);
    if (record?.entry.kind !== 'file' || record.entry.linkTo === linkTo) return;
    const { linkTo: _, ...entry } = record.entry;
    this.put(path, { ...record, entry: linkTo === undefined ? entry : { ...entry, linkTo } });
  }

  #noteProblem(path: BytePath, { entry }: IndexRecord): void {
    if (entry.kind !== 'problem' || this.problems.length >= MAX_PROBLEMS) return;
    this.problems.push({ path, code: entry.code, message: entry.message });
  }
}
