/** Removes a folder of ours with everything in it. */
import { type BytePath, joinPath, MAX_DEPTH } from '../../platform/core/byte-path.ts';
import { isDirectory, modeOf } from '../../platform/core/stat-codec.ts';
import type { Fd, FileSystem } from '../../platform/filesystem.ts';

/**
 * Removes `path` and all below; never called on anything but the inside of the hidden folder. True where all of it is
 * gone; what cannot be removed stays.
 */
export function removeTree(fileSystem: FileSystem, root: Fd, path: BytePath, depth = 0): boolean {
  if (depth > MAX_DEPTH) return false;
  const listing = fileSystem.readDirectories(root, [path])[0];
  if (listing === undefined || listing.error !== null) return false;
  let isGone = true;
  for (const { name, packedStat } of listing.entries) {
    const child = joinPath(path, name);
    const removed = isDirectory(modeOf(packedStat))
      ? removeTree(fileSystem, root, child, depth + 1)
      : isRemoved(() => fileSystem.removeFile(root, child));
    isGone = removed && isGone;
  }
  return isGone && isRemoved(() => fileSystem.removeDirectory(root, path));
}

function isRemoved(remove: () => void): boolean {
  try {
    remove();
    return true;
  } catch {
    return false;
  }
}
