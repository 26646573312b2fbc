/** The tool for distrust: reads the whole tree and compares it with what the journal has recorded. */
import { type BytePath, joinPath } from '../platform/core/byte-path.ts';
import {
  isDirectory,
  isRegularFile,
  isSymlink,
  permissionBits,
  specialTypeOf,
  unpackStat,
} from '../platform/core/stat-codec.ts';
import type { Fd, FileSystem, ListedEntry } from '../platform/filesystem.ts';
import type { JournalDifference, JournalVerification } from './core/answers.ts';
import type { Entry } from './core/entry.ts';
import { entryFromStat, type IndexRecord } from './core/index-record.ts';
import { digestFiles } from './digest-files.ts';
import { RECORD_ALL } from './journal-scan.ts';
import type { JournalStore } from './store/journal-store.ts';
import type { TreeNode } from './store/tree-store.ts';
import { VERDICT, type WalkedDirectory, walkTree } from './walk.ts';

export interface CompareOptions {
  /** Places that wait to be settled: what is recorded of them may be old. */
  readonly waiting: ReadonlySet<BytePath>;
  readonly hiddenName: string;
  readonly excluded: ReadonlySet<BytePath>;
}

/** Differences told one by one, at most. */
const MAX_DIFFERENCES = 10_000;

/** Files hashed in one call. */
const FILES_PER_CALL = 256;

/** Compares everything below the root; digests that were not known are recorded. Synchronous; needs `initHashing`. */
export function compareWithJournal(
  fileSystem: FileSystem,
  root: Fd,
  store: JournalStore,
  options: CompareOptions,
): JournalVerification {
  return new Comparison(fileSystem, root, store, options).run();
}

class Comparison {
  readonly #fileSystem: FileSystem;
  readonly #root: Fd;
  readonly #store: JournalStore;
  readonly #options: CompareOptions;
  readonly #differences: JournalDifference[] = [];
  readonly #hot: BytePath[] = [];
  #entries = 0;
  #compared = 0;
  #firstHashed = 0;

  constructor(fileSystem: FileSystem, root: Fd, store: JournalStore, options: CompareOptions) {
    this.#fileSystem = fileSystem;
    this.#root = root;
    this.#store = store;
    this.#options = options;
  }

  run(): JournalVerification {
    const { hiddenName, excluded } = this.#options;
    const walk = walkTree(this.#fileSystem, this.#root, { ...RECORD_ALL, hiddenName, excluded });
    for (const batch of walk) {
      const files: BytePath[] = [];
      for (const directory of batch) files.push(...this.#compareDirectory(directory));
      for (let start = 0; start < files.length; start += FILES_PER_CALL) {
        this.#compareContents(files.slice(start, start + FILES_PER_CALL));
      }
    }
    return {
      differences: this.#differences,
      entries: this.#entries,
      compared: this.#compared,
      firstHashed: this.#firstHashed,
      hot: this.#hot,
    };
  }

  /** Returns the files whose stat is the recorded one: their content is to be compared. */
  #compareDirectory({ listing, verdicts }: WalkedDirectory): BytePath[] {
    const recorded = new Map<string, TreeNode>();
    for (const node of this.#store.tree.nodesOf(this.#store.tree.numberOf(listing.path))) recorded.set(node.name, node);
    const files: BytePath[] = [];
    listing.entries.forEach((listed, index) => {
      if (verdicts[index] === VERDICT.hidden) return;
      this.#entries++;
      const path = joinPath(listing.path, listed.name);
      const node = recorded.get(listed.name);
      recorded.delete(listed.name);
      if (this.#options.waiting.has(path)) return;
      const record = node === undefined ? null : this.#store.record(node);
      const difference = compareEntry(record, listed);
      if (difference !== null) this.#differ(path, difference.recorded, difference.found);
      else if (record?.entry.kind === 'file') files.push(path);
    });
    if (listing.error !== null) return files;
    for (const name of recorded.keys()) {
      const path = joinPath(listing.path, name);
      if (!this.#options.waiting.has(path))
        this.#differ(path, describeNode(this.#store, recorded.get(name)), 'nothing');
    }
    return files;
  }

  #compareContents(files: readonly BytePath[]): void {
    const requests = files.map((path) => ({ path, packedStat: null, strong: false }));
    const learned: { readonly path: BytePath; readonly fast: string | null; readonly packedStat: Uint8Array }[] = [];
    for (const result of digestFiles(this.#fileSystem, this.#root, requests, 'xxh64')) {
      if (result.problem !== null) {
        if (result.problem.code === 'open-for-writing' || result.problem.code === 'changed')
          this.#hot.push(result.path);
        continue;
      }
      const node = this.#store.tree.get(result.path);
      const record = node === null ? null : this.#store.record(node);
      if (record?.entry.kind !== 'file') continue;
      const known = record.entry.digests.fast;
      if (known === null) {
        learned.push({ path: result.path, fast: result.digests.fast, packedStat: result.packedStat });
        continue;
      }
      this.#compared++;
      if (known !== result.digests.fast) this.#differ(result.path, 'another content', 'content with another digest');
    }
    this.#learn(learned);
  }

  /** Records digests that were not known, where the file is still the recorded one. */
  #learn(
    learned: readonly { readonly path: BytePath; readonly fast: string | null; readonly packedStat: Uint8Array }[],
  ): void {
    if (learned.length === 0) return;
    this.#store.transaction(() => {
      for (const { path, fast, packedStat } of learned) {
        const node = this.#store.tree.get(path);
        const record = node === null ? null : this.#store.record(node);
        if (node === null || record?.entry.kind !== 'file' || record.entry.digests.fast !== null) continue;
        const entry = entryFromStat(packedStat, { fast, strong: null });
        if (entry === null) continue;
        this.#store.putAt(node, { entry, packedStat, racy: false }, null);
        this.#firstHashed++;
      }
    });
  }

  #differ(path: BytePath, recorded: string, found: string): void {
    if (this.#differences.length < MAX_DIFFERENCES) this.#differences.push({ path, recorded, found });
  }
}

function compareEntry(record: IndexRecord | null, listed: ListedEntry): { recorded: string; found: string } | null {
  const found = describeListed(listed);
  if (record === null) return { recorded: 'nothing', found };
  const recorded = describeEntry(record.entry);
  return recorded === found ? null : { recorded, found };
}

function describeNode(store: JournalStore, node: TreeNode | undefined): string {
  return node === undefined ? 'nothing' : describeEntry(store.record(node).entry);
}

function describeEntry(entry: Entry): string {
  switch (entry.kind) {
    case 'file':
      return `file of ${entry.sizeBytes} bytes, mode ${octal(entry.mode)}, modified ${entry.mtimeNs}`;
    case 'directory':
      return `directory, mode ${octal(entry.mode)}`;
    case 'symlink':
      return `symlink to ${entry.target}`;
    case 'untracked':
      return entry.what;
    case 'problem':
      return `unreadable: ${entry.code}`;
  }
}

function describeListed({ packedStat, target, error }: ListedEntry): string {
  if (error !== null) return `unreadable: ${error}`;
  const stat = unpackStat(packedStat);
  const mode = octal(permissionBits(stat.mode));
  if (isRegularFile(stat.mode)) return `file of ${stat.sizeBytes} bytes, mode ${mode}, modified ${stat.mtimeNs}`;
  if (isDirectory(stat.mode)) return `directory, mode ${mode}`;
  if (isSymlink(stat.mode)) return `symlink to ${target ?? ''}`;
  return specialTypeOf(stat.mode);
}

function octal(mode: number): string {
  return mode.toString(8).padStart(4, '0');
}
