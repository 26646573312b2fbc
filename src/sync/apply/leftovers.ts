/** Clears what a killed run left in the hidden folder. Only under the root's lock: then whatever is staged is ownerless. */
import { type BytePath, joinPath } from '../../platform/core/byte-path.ts';
import { isDirectory, modeOf, mtimeNsOf, sizeOf } from '../../platform/core/stat-codec.ts';
import type { Fd, FileSystem, ListedEntry } from '../../platform/filesystem.ts';
import { RESUME_MIN_BYTES } from '../core/limits.ts';
import { recoverVersions } from '../versions.ts';
import { HIDDEN, STAGING } from './context.ts';
import { restoreWidened } from './widening.ts';

/** Partial transfers wait this long to be resumed. */
const KEEP_PARTIALS_MS = 7 * 24 * 60 * 60 * 1000;
const PARTIAL = /^(partial-[0-9a-f]{32})\./;

/** Narrows widened directories, settles the version store, and removes what was staged, but for transfers worth resuming. */
export function clearLeftovers(fileSystem: FileSystem, root: Fd, nowMs: number): void {
  restoreWidened(fileSystem, root);
  recoverVersions(fileSystem, root);
  const staged = listingOf(fileSystem, root, STAGING);
  const kept = worthResuming(staged, nowMs);
  for (const entry of staged) {
    if (!kept.has(entry.name)) remove(fileSystem, root, joinPath(STAGING, entry.name), entry);
  }
  for (const entry of listingOf(fileSystem, root, HIDDEN)) {
    // A marker that never got its name.
    if (entry.name.startsWith('id-')) remove(fileSystem, root, joinPath(HIDDEN, entry.name), entry);
  }
}

/** Of each file and version the largest transfer, if it is large and young enough. */
function worthResuming(staged: readonly ListedEntry[], nowMs: number): Set<string> {
  const largest = new Map<string, ListedEntry>();
  for (const entry of staged) {
    const key = PARTIAL.exec(entry.name)?.[1];
    if (key === undefined || entry.error !== null || sizeOf(entry.packedStat) < RESUME_MIN_BYTES) continue;
    if (nowMs - Number(mtimeNsOf(entry.packedStat) / 1_000_000n) > KEEP_PARTIALS_MS) continue;
    const other = largest.get(key);
    if (other === undefined || sizeOf(other.packedStat) < sizeOf(entry.packedStat)) largest.set(key, entry);
  }
  return new Set([...largest.values()].map((entry) => entry.name));
}

function remove(fileSystem: FileSystem, root: Fd, path: BytePath, entry: ListedEntry): void {
  try {
    if (isDirectory(modeOf(entry.packedStat))) fileSystem.removeDirectory(root, path);
    else fileSystem.removeFile(root, path);
  } catch {
    // In nobody's way; the next start tries again.
  }
}

function listingOf(fileSystem: FileSystem, root: Fd, path: BytePath): readonly ListedEntry[] {
  const listing = fileSystem.readDirectories(root, [path])[0];
  return listing === undefined || listing.error !== null ? [] : listing.entries;
}
