/**
 * Closes a gap: looks at everything at and below one path and brings what the journal recorded up to it.
 *
 * Where the tree was never looked at (the baseline) rows are written and nothing is told. Later, what differs is told:
 * what is new and what is gone at once, what is changed by putting it among what waits to be settled, since only reading
 * it shows how it changed.
 */
import { type BytePath, parentOf, ROOT } from '../platform/core/byte-path.ts';
import { TidemarkError } from '../platform/core/errors.ts';
import { packStat } from '../platform/core/stat-codec.ts';
import type { Fd, FileSystem, ListedEntry } from '../platform/filesystem.ts';
import { differenceBetween } from './core/difference.ts';
import type { IndexRecord } from './core/index-record.ts';
import { TICK_NS } from './core/index-record.ts';
import { NOTICE } from './core/kinds.ts';
import type { CheckpointOptions } from './core/look.ts';
import { type Place, placeBytes } from './core/tree-key.ts';
import { type CompareContext, compareDirectory, compareObject } from './scan-compare.ts';
import { lookProblem } from './scan-entry.ts';
import { type ScanStore, ScanWriter } from './scan-writer.ts';
import type { JournalStore } from './store/journal-store.ts';
import { VERDICT, walkTree } from './walk.ts';

/** A journal records everything as it is; what a consumer leaves alone is the consumer's matter. */
export const RECORD_ALL: CheckpointOptions = {
  ignore: { patterns: [], file: '', gitignore: false, vcs: false },
  metadata: { perms: true, times: true, setid: true, owner: false, xattrs: false, acls: false, hardLinks: false },
  digest: 'xxh64',
  symlinks: 'posix-raw',
  oneFileSystem: false,
  rehash: false,
};

export interface JournalScanOptions {
  readonly scope: BytePath;
  /** True: the first look at this tree; nothing is told. */
  readonly isBaseline: boolean;
  /** True: an equal stat proves nothing; every file waits to be read. */
  readonly distrusts: boolean;
  /** True: there was a time of which nothing is known; attributes of directories may have changed in it. */
  readonly isGap: boolean;
  readonly hiddenName: string;
  readonly excluded: ReadonlySet<BytePath>;
  /** Clock in ns since 1970. */
  readonly now: () => bigint;
  /** Marks a directory before it is listed, where each needs a mark of its own. False: there was none left. */
  readonly mark?: (directory: BytePath) => boolean;
  /** By which key the kernel names the directory at a path; null where it has none. */
  readonly keyOf: (path: BytePath) => string | null;
  /** The same of a file. */
  readonly objectKeyOf: (path: BytePath) => string | null;
}

export interface JournalScanResult {
  /** Objects stat'ed. */
  readonly scanned: number;
  /** Keys of files with several names that were not followed yet; null: too many to name, ask the store. */
  readonly linked: readonly string[] | null;
  /** Places that were left to be settled; null: too many to name, ask the store. */
  readonly waiting: readonly string[] | null;
  /** Those of them that could not be listed for certain: they have to be scanned once more. */
  readonly again: readonly string[];
  /** Directories for which there was no mark left, the topmost of each tree. */
  readonly unmarked: readonly BytePath[];
}

/** Named one by one in a result, at most. */
const MAX_NAMED = 4096;

/** Names of files with several names that are held before they are written down. */
const LINKS_AT_ONCE = 4096;

/**
 * Looks at `options.scope` and everything below. What has to be settled is left in the store's dirty set.
 */
export function scanIntoJournal(
  fileSystem: FileSystem,
  root: Fd,
  store: JournalStore,
  options: JournalScanOptions,
): JournalScanResult {
  const target = new JournalScanStore(store, options);
  const links = new FoundLinks(store);
  const writer = new ScanWriter(target, false, (path, packedStat) => {
    const key = options.objectKeyOf(path);
    if (key !== null) links.add(key, packedStat);
  });
  const unmarked = new Set<BytePath>();
  const result = (scanned: number): JournalScanResult => {
    return { scanned, linked: links.end(), ...target.left(), unmarked: [...unmarked] };
  };
  const base = {
    fileSystem,
    root,
    options: RECORD_ALL,
    trustsRecords: true,
    rehash: options.distrusts,
    wantsXattrs: false,
    wantsDirectoryTimes: options.isGap,
  };
  const contextFrom = (fromNs: bigint): CompareContext => ({
    ...base,
    window: { fromNs, toNs: options.now(), granularityNs: TICK_NS },
  });
  const { scope } = options;
  // Its directory went meanwhile, which is told by itself.
  if (store.tree.placeOf(scope) === null) return result(0);
  if (!lookAt(contextFrom(options.now()), scope, store, writer)) {
    writer.flush();
    return result(1);
  }
  // The rows of the scope itself must be there before those below it.
  writer.flush();
  const { hiddenName, excluded, mark, keyOf } = options;
  const names = new ListedDirectories(keyOf);
  /** What could not be listed for certain: nothing below it is recorded now. */
  const skipped = new Set<BytePath>();
  const walk = walkTree(fileSystem, root, {
    ...RECORD_ALL,
    hiddenName,
    excluded,
    from: scope,
    onEnter(directories) {
      for (const path of directories) {
        if (mark === undefined || mark(path) || isBelowAny(path, unmarked)) continue;
        unmarked.add(path);
      }
      names.enter(directories);
    },
  });
  let scanned = 1;
  for (;;) {
    const fromNs = options.now();
    const step = walk.next();
    if (step.done) break;
    const context = contextFrom(fromNs);
    for (const directory of step.value) {
      const { listing } = directory;
      if (skipped.has(parentOf(listing.path)) && listing.path !== scope) {
        skipped.add(listing.path);
        names.forget(listing.path);
      } else if (!names.isStill(listing.path) || isGone(listing.error)) {
        // Another directory came to this path while it was listed, or none is there: once more, after the events.
        skipped.add(listing.path);
        names.forget(listing.path);
        target.lookAgain(listing.path);
      } else if (listing.error !== null) {
        writer.cannotList(listing.path, lookProblem(listing.error));
      } else {
        writer.isListed(listing.path);
        scanned += compareDirectory(context, directory, target.nodes(listing.path), writer);
      }
    }
    if (names.size >= NAMED_AT_ONCE) names.settle(writer, store);
  }
  names.settle(writer, store);
  return result(scanned);
}

/** Files with several names, written down some thousands at a time. */
class FoundLinks {
  readonly #store: JournalStore;
  #held: { readonly key: string; readonly packedStat: Uint8Array }[] = [];
  #fresh: string[] | null = [];

  constructor(store: JournalStore) {
    this.#store = store;
  }

  add(key: string, packedStat: Uint8Array): void {
    this.#held.push({ key, packedStat: Uint8Array.from(packedStat) });
    if (this.#held.length >= LINKS_AT_ONCE) this.#write();
  }

  /** Keys that are new; null: too many to name. */
  end(): readonly string[] | null {
    if (this.#held.length > 0) this.#write();
    return this.#fresh;
  }

  #write(): void {
    const held = this.#held;
    this.#held = [];
    const fresh = this.#store.transaction(() => held.filter((file) => this.#store.follow(file.key, file.packedStat)));
    if (this.#fresh === null || this.#fresh.length + fresh.length > MAX_NAMED) this.#fresh = null;
    else this.#fresh.push(...fresh.map(({ key }) => key));
  }
}

/** Removed in one transaction. */
const REMOVED_AT_ONCE = 1024;

/** Directories listed between two writings of their kernel keys. */
const NAMED_AT_ONCE = 2048;

function isBelowAny(path: BytePath, tops: ReadonlySet<BytePath>): boolean {
  for (let at = path; tops.size > 0 && at !== ROOT; at = parentOf(at)) if (tops.has(parentOf(at))) return true;
  return false;
}

function isGone(error: string | null): boolean {
  return error === 'ENOENT' || error === 'ENOTDIR' || error === 'ELOOP' || error === 'ESTALE';
}

/**
 * By which key the kernel names each directory that was listed: the same before and after the listing, so that what was
 * listed is in the directory that events call so.
 */
class ListedDirectories {
  readonly #keyOf: (path: BytePath) => string | null;
  readonly #keys = new Map<BytePath, string | null>();

  constructor(keyOf: (path: BytePath) => string | null) {
    this.#keyOf = keyOf;
  }

  get size(): number {
    return this.#keys.size;
  }

  /** To be called before directories are listed. */
  enter(paths: readonly BytePath[]): void {
    for (const path of paths) this.#keys.set(path, this.#keyOf(path));
  }

  /** False where another directory is at `path` than before the listing. */
  isStill(path: BytePath): boolean {
    return this.#keyOf(path) === (this.#keys.get(path) ?? null);
  }

  forget(path: BytePath): void {
    this.#keys.delete(path);
  }

  /** Writes down what was found, with the keys. */
  settle(writer: ScanWriter, store: JournalStore): void {
    writer.flush();
    store.transaction(() => {
      for (const [path, key] of this.#keys) {
        const number = store.tree.numberOf(path);
        if (number !== 0 && key !== null) store.setHandle(number, key);
      }
    });
    this.#keys.clear();
  }
}

/** Looks at the object at `scope` itself; true where it is a directory. */
function lookAt(context: CompareContext, scope: BytePath, store: JournalStore, writer: ScanWriter): boolean {
  const { fileSystem, root } = context;
  const stat = scope === ROOT ? fileSystem.fstat(root) : fileSystem.stat(root, scope);
  if (stat === null) {
    writer.remove(scope);
    return false;
  }
  const isLink = (stat.mode & 0o170000) === 0o120000;
  const target = isLink ? fileSystem.readSymlink(root, scope) : null;
  const listed: ListedEntry = { name: '', packedStat: packStat(stat), target, error: null };
  compareObject(context, scope, listed, VERDICT.keep, store.tree.get(scope), writer);
  return (stat.mode & 0o170000) === 0o040000;
}

/** The journal's store as a scan sees it. */
class JournalScanStore implements ScanStore {
  readonly #store: JournalStore;
  readonly #options: JournalScanOptions;
  #waiting: string[] | null = [];
  readonly #again: string[] = [];

  constructor(store: JournalStore, options: JournalScanOptions) {
    this.#store = store;
    this.#options = options;
  }

  /** What waits now because of this scan. */
  left(): Pick<JournalScanResult, 'waiting' | 'again'> {
    return { waiting: this.#waiting, again: this.#again };
  }

  get(path: BytePath): IndexRecord | null {
    const node = this.#store.tree.get(path);
    return node === null ? null : this.#store.record(node);
  }

  node(path: BytePath) {
    return this.#store.tree.get(path);
  }

  nodes(path: BytePath) {
    return this.#store.tree.nodesOf(this.#store.tree.numberOf(path));
  }

  transaction<T>(work: () => T): T {
    return this.#store.transaction(work);
  }

  put(path: BytePath, record: IndexRecord): void {
    const store = this.#store;
    const place = store.tree.placeOf(path);
    if (place === null) throw new TidemarkError('internal', 'journal-scan', `no directory recorded for ${path}`);
    const old = store.tree.at(place);
    const { isBaseline } = this.#options;
    const isFile = record.entry.kind === 'file';
    if (isFile && old !== null && store.record(old).entry.kind === 'file') {
      this.#wait(place, NOTICE.content | NOTICE.metadata);
      return;
    }
    // What no field shows is believed to have changed where the stamp that it moves did.
    const kinds = differenceBetween(old === null ? null : store.record(old), record, NOTICE.metadata);
    const row = { kind: 'written' as const, place, kinds, proof: 'scan' as const, isNew: old === null };
    store.putAt(place, record, isBaseline || kinds === 0 ? null : row);
    if (isFile && !isBaseline) this.#wait(place, NOTICE.content);
  }

  removeSome(path: BytePath): boolean {
    this.removeAll([path]);
    return true;
  }

  /** One transaction, with its fsync, for many. */
  removeAll(paths: readonly BytePath[]): void {
    for (let start = 0; start < paths.length; start += REMOVED_AT_ONCE) {
      this.#store.transaction(() => {
        for (const path of paths.slice(start, start + REMOVED_AT_ONCE)) {
          const place = this.#store.tree.placeOf(path);
          if (place !== null) this.#store.removeAt(place, !this.#options.isBaseline);
        }
      });
    }
  }

  /** What is at and below `path` has to be looked at once more. */
  lookAgain(path: BytePath): void {
    const place = this.#store.tree.placeOf(path);
    if (place === null) return;
    this.#store.transaction(() => this.#wait(place, NOTICE.entries | NOTICE.subtree));
    this.#again.push(placeBytes(place.parent, place.name));
  }

  /** Adds to what is written down: what waits already may wait for more than this. */
  #wait(place: Place, kinds: number): void {
    const key = placeBytes(place.parent, place.name);
    const known = this.#store.dirtyAt(key);
    this.#store.putDirty(key, {
      kinds: kinds | (known?.kinds ?? 0),
      isHot: known?.isHot ?? false,
      told: known?.told ?? 0,
    });
    if (this.#waiting === null || this.#waiting.length === MAX_NAMED) this.#waiting = null;
    else this.#waiting.push(key);
  }
}
