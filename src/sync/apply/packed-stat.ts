/** How stats of live objects are compared with each other and with what the index recorded. */
import { identityOf, packStat, sameStat } from '../../platform/core/stat-codec.ts';
import type { Stat } from '../../platform/filesystem.ts';

export { packStat };

const TYPE_MASK = 0o170000;
const TYPES = { file: 0o100000, directory: 0o040000, symlink: 0o120000 } as const;

/** Type of an object by its mode; `other` for what is never synced. */
export function typeOf(stat: Stat): 'file' | 'directory' | 'symlink' | 'other' {
  switch (stat.mode & TYPE_MASK) {
    case TYPES.file:
      return 'file';
    case TYPES.directory:
      return 'directory';
    case TYPES.symlink:
      return 'symlink';
    default:
      return 'other';
  }
}

/** True where nothing that tells of a change differs from what was recorded: the object was not touched since. */
export function isUntouched(stat: Stat, recorded: Uint8Array): boolean {
  return sameStat(packStat(stat), recorded);
}

/** True where `recorded` is of the same object as `stat`, whatever happened to it since. */
export function isSameObject(stat: Stat, recorded: Uint8Array): boolean {
  return identityOf(packStat(stat)) === identityOf(recorded);
}

/**
 * True where both are the same object with the same content, as far as a stat can tell. Link count and ctime are left
 * out: a rename moves ctime, and so do the hard links made by the applier itself.
 */
export function isSameContent(left: Stat, right: Stat): boolean {
  return (
    left.ino === right.ino &&
    left.dev === right.dev &&
    left.sizeBytes === right.sizeBytes &&
    left.mtimeNs === right.mtimeNs &&
    left.mode === right.mode
  );
}
