/**
 * Puts the content of files on the disk, for settling.
 *
 * A few files are synced one by one. From {@link SYNCFS_FILES} on, one syncfs does it for all: it also writes what
 * others have made dirty, which can take seconds on a busy disk, but each fdatasync costs a commit of the file system's
 * journal, some milliseconds, and a thousand of them cost more than that. Where syncfs cannot stand for a file, the file
 * is synced by itself: on another file system than the root's, or where its stamps cannot tell a later change.
 */
import { fdatasyncSync } from 'node:fs';
import type { BytePath } from '../platform/core/byte-path.ts';
import { errnoOf, type Problem } from '../platform/core/errors.ts';
import { unpackStat } from '../platform/core/stat-codec.ts';
import type { Fd, FileSystem, Stat } from '../platform/filesystem.ts';
import { opening, RECENT_NS, ReadRefused, refusing } from './held-file.ts';
import type { Sighted } from './settle.ts';
import type { Ground } from './settle-ground.ts';

/** From so many files on one syncfs instead of an fdatasync each. */
export const SYNCFS_FILES = 64;

/**
 * Before Linux 6.13, stamps move with the kernel's tick, 10 ms at most: within that time of its last change a file can
 * change without a sign. Since then every change that follows a look gets a stamp of its own.
 */
const TICK_NS = 20_000_000n;

/** What a failed writeback is told by, once. */
export const WRITEBACK_FAULTS: ReadonlySet<string> = new Set(['EIO', 'ENOSPC', 'EDQUOT']);

/** What file systems say that have nothing to sync. */
const CANNOT_SYNC: ReadonlySet<string> = new Set(['EINVAL', 'ENOSYS', 'EOPNOTSUPP', 'ENOTSUP', 'EROFS']);

const SECOND_NS = 1_000_000_000n;

/** `suspect`: writing it back failed once; what is cached has to be compared with what is on the disk. */
export type SyncFault = Problem | 'suspect';

/**
 * What failed, by {@link Sighted.at}. A file that is gone by now or is another one is no failure here: the reading finds
 * out.
 */
export function makeDurable(
  fileSystem: FileSystem,
  root: Fd,
  files: readonly Sighted[],
  ground: Ground,
): ReadonlyMap<number, SyncFault> {
  const mustBeSynced = files.filter(
    ({ packedStat }) => !ground.isInMemory || unpackStat(packedStat).dev !== ground.dev,
  );
  const isSyncedAtOnce = mustBeSynced.length >= SYNCFS_FILES && syncAll(fileSystem, root);
  const failed = new Map<number, SyncFault>();
  for (const one of mustBeSynced) {
    if (isSyncedAtOnce && isCoveredBySyncfs(one, ground)) continue;
    const fault = syncOne(fileSystem, root, one.request.path);
    if (fault !== null) failed.set(one.at, fault);
  }
  return failed;
}

/** False where it cannot be done or failed: an error of any file at all makes it fail. */
function syncAll(fileSystem: FileSystem, root: Fd): boolean {
  try {
    fileSystem.syncFileSystem(root);
    return true;
  } catch {
    return false;
  }
}

/**
 * True where no change after the look can have come before the reading without moving a stamp: the last change is so
 * long ago that the next one gets another stamp. That nobody was in the middle of a write at the look is what its lease
 * says; where there was none, what is read is `closed` or `unproven`, and its being on disk is no more than that.
 */
function isCoveredBySyncfs({ packedStat, seenNs }: Sighted, ground: Ground): boolean {
  const stat = unpackStat(packedStat);
  if (stat.dev !== ground.dev) return false;
  const latest = seenNs - (hasCoarseStamps(stat) ? RECENT_NS : TICK_NS);
  return stat.mtimeNs <= latest && stat.ctimeNs <= latest;
}

/** FAT keeps two seconds, some old file systems one. */
function hasCoarseStamps({ mtimeNs, ctimeNs }: Stat): boolean {
  return mtimeNs % SECOND_NS === 0n && ctimeNs % SECOND_NS === 0n;
}

/**
 * null where it is on disk, or gone. A failure is told once, and after it the pages count as clean: asking again says
 * nothing of them, but it brings the rest to the disk.
 */
function syncOne(fileSystem: FileSystem, root: Fd, path: BytePath): SyncFault | null {
  try {
    const fd = opening(() => fileSystem.openFile(root, path));
    try {
      return refusing(() => syncTwice(fd));
    } finally {
      fileSystem.close(fd);
    }
  } catch (error) {
    if (!(error instanceof ReadRefused)) throw error;
    return error.why === 'failed' ? error.problem : null;
  }
}

function syncTwice(fd: Fd): 'suspect' | null {
  try {
    fdatasyncSync(fd);
    return null;
  } catch (error) {
    const code = errnoOf(error);
    if (CANNOT_SYNC.has(code)) return null;
    if (!WRITEBACK_FAULTS.has(code)) throw error;
    fdatasyncSync(fd);
    return 'suspect';
  }
}
