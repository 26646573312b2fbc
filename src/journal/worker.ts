/**
 * What runs in the thread of a journal: looking at the tree, reading files under proof, the census.
 *
 * The main thread stays free for events and for consumers. Everything here is synchronous file system work; the thread
 * opens the journal's store by itself, the tree only while it works.
 */
import { loadAddon } from '../platform/addon.ts';
import { type BytePath, ROOT } from '../platform/core/byte-path.ts';
import { errnoOf } from '../platform/core/errors.ts';
import { unpackStat } from '../platform/core/stat-codec.ts';
import { directoryAt, type GroupDescriptors, markDirectory, objectAt } from '../platform/fanotify.ts';
import type { Fd, FileSystem } from '../platform/filesystem.ts';
import { openFileSystem } from '../platform/open-filesystem.ts';
import { isThread, serveThread } from '../platform/threads.ts';
import { type Census, takeCensus, writerView } from './census.ts';
import type { JournalVerification } from './core/answers.ts';
import { initHashing } from './hash.ts';
import { type JournalScanResult, scanIntoJournal } from './journal-scan.ts';
import { compareWithJournal } from './journal-verify.ts';
import { lookAtPlaces } from './look.ts';
import type { JournalPlace, LookAnswer, LookRequest } from './settle-plan.ts';
import { JournalStore } from './store/journal-store.ts';
import { withRoot } from './thread-root.ts';

/** What a scan is for. */
interface ScanRequest {
  readonly scope: BytePath;
  readonly isBaseline: boolean;
  /** True: there was a time of which nothing is known. */
  readonly isGap: boolean;
  /** True: equal stats prove nothing. */
  readonly distrusts: boolean;
}

let store: JournalStore | null = null;

function opened(place: JournalPlace): JournalStore {
  store ??= JournalStore.open(place.storeFolder);
  return store;
}

const functions = {
  scan(argument: JournalPlace & ScanRequest): JournalScanResult {
    const { fileSystem } = openFileSystem();
    return withRoot(fileSystem, argument, (root) =>
      scanIntoJournal(fileSystem, root, opened(argument), {
        scope: argument.scope,
        isBaseline: argument.isBaseline,
        isGap: argument.isGap,
        distrusts: argument.distrusts || (argument.isGap && hasSilentStores(fileSystem, root)),
        hiddenName: argument.hiddenName,
        excluded: new Set(argument.excluded),
        now: nowNs,
        keyOf: (path) => keyAt(root, path),
        objectKeyOf: (path) => (loadAddon().addon === null ? null : objectAt(root, path)),
        ...marking(argument.markGroup, root),
      }),
    );
  },

  /**
   * Names every directory of the store anew: the kernel calls its file system by another id since it was mounted, or
   * calls some by other keys since they were copied up. Events may be under way, so only a directory that is still the
   * recorded one (by inode: its birth may move with copying) has the key of what is at its path.
   */
  rename(argument: JournalPlace): void {
    const { fileSystem } = openFileSystem();
    const journal = opened(argument);
    withRoot(fileSystem, argument, (root) =>
      journal.transaction(() => {
        for (const { path, node } of journal.directories()) {
          const recorded = journal.record(node).packedStat;
          const stat = path === ROOT ? fileSystem.fstat(root) : fileSystem.stat(root, path);
          const key = keyAt(root, path);
          const isSame = stat !== null && recorded !== null && unpackStat(recorded).ino === stat.ino;
          if (key !== null && isSame) journal.setHandle(node.number, key);
        }
      }),
    );
  },

  async look(argument: JournalPlace & { requests: readonly LookRequest[]; census: Census }): Promise<LookAnswer[]> {
    await initHashing();
    const { fileSystem } = openFileSystem();
    return withRoot(fileSystem, argument, (root) =>
      lookAtPlaces(weakened(fileSystem, argument), root, argument.requests, {
        durable: true,
        strong: false,
        census: writerView(argument.census),
        keyOf: (path) => keyAt(root, path),
        objectKeyOf: (path) => (loadAddon().addon === null ? null : objectAt(root, path)),
      }),
    );
  },

  census(argument: JournalPlace): Census {
    if (argument.weakened.includes('census')) return { writers: [], hiddenProcesses: 0, isComplete: true };
    const { fileSystem } = openFileSystem();
    return withRoot(fileSystem, argument, (root) => takeCensus(fileSystem, argument.rootPath, root));
  },

  async verify(argument: JournalPlace & { waiting: readonly BytePath[] }): Promise<JournalVerification> {
    await initHashing();
    const { fileSystem } = openFileSystem();
    return withRoot(fileSystem, argument, (root) =>
      compareWithJournal(fileSystem, root, opened(argument), {
        waiting: new Set(argument.waiting),
        hiddenName: argument.hiddenName,
        excluded: new Set(argument.excluded),
      }),
    );
  },

  close(): void {
    store?.close();
    store = null;
  },
};

/** For negative controls: a file system on which no lease is ever refused. */
function weakened(fileSystem: FileSystem, { weakened: words }: JournalPlace): FileSystem {
  if (!words.includes('leases')) return fileSystem;
  return {
    ...fileSystem,
    takeReadLease: () => 'held',
    holdsReadLease: () => true,
    readSmallFile: (...call) => ({ ...fileSystem.readSmallFile(...call), lease: 'held' }),
  };
}

function marking(group: GroupDescriptors | null, root: Fd): { mark?: (path: BytePath) => boolean } {
  return group === null ? {} : { mark: (path) => markIfThere(group, root, path) };
}

/** In memory nothing is written back, so a store through a mapping moves no stamp: a stat does not show it. */
function hasSilentStores(fileSystem: FileSystem, root: Fd): boolean {
  const { type } = fileSystem.traits(root);
  return type === 'tmpfs' || type === 'ramfs';
}

/**
 * A directory that went meanwhile needs no mark; the listing that follows finds it gone, too. False where it cannot have
 * one: the user has no more (ENOSPC), may not read it, or its file system takes none.
 */
function markIfThere(group: GroupDescriptors, root: Fd, path: BytePath): boolean {
  try {
    markDirectory(group, root, path);
    return true;
  } catch (error) {
    const errno = errnoOf(error);
    if (['ENOENT', 'ENOTDIR', 'ELOOP', 'ESTALE'].includes(errno)) return true;
    if (['ENOSPC', 'ENOMEM', 'EACCES', 'EPERM', 'EOPNOTSUPP', 'ENODEV', 'EXDEV'].includes(errno)) return false;
    throw error;
  }
}

function keyAt(root: Fd, path: BytePath): string | null {
  return loadAddon().addon === null ? null : directoryAt(root, path);
}

function nowNs(): bigint {
  return BigInt(Date.now()) * 1_000_000n;
}

if (isThread()) serveThread(functions);
