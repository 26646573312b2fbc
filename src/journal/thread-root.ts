/** The root of a journal, opened for as long as one piece of work needs it: a held descriptor would keep it mounted. */
import { ROOT, toBuffer } from '../platform/core/byte-path.ts';
import { displayText } from '../platform/core/display.ts';
import { errnoOf, TidemarkError } from '../platform/core/errors.ts';
import { directoryAt } from '../platform/fanotify.ts';
import type { Fd, FileSystem } from '../platform/filesystem.ts';

/** Bytes of the file system's id at the beginning of a kernel key. It may change with every mount. */
const FSID_BYTES = 8;

/** The part of a kernel key that the object keeps over a mount. */
export function handlePart(key: string): string {
  return key.slice(FSID_BYTES);
}

/** Which directory this is, as long as it is mounted: the kernel's key, else inode and birth in the same form. */
export function rootKeyOf(fileSystem: FileSystem, root: Fd): string {
  const key = fileSystem.kind === 'native' ? directoryAt(root, ROOT) : null;
  if (key !== null) return key;
  const { ino, birthNs } = fileSystem.fstat(root);
  return `${'\0'.repeat(FSID_BYTES)}stat ${ino} ${birthNs}`;
}

/** Runs `work` with the directory at an absolute byte path open. */
export function withDirectory<Result>(fileSystem: FileSystem, path: string, work: (directory: Fd) => Result): Result {
  const directory = fileSystem.openRoot(toBuffer(path));
  try {
    return work(directory);
  } finally {
    fileSystem.close(directory);
  }
}

/** A journal's root: where it is, and which directory it must be. */
export interface RootPlace {
  /** Absolute path, a byte string. */
  readonly rootPath: string;
  readonly rootKey: string;
}

/**
 * Runs `work` with the root open. Throws `unavailable` (`root-missing`) where it is not there, or another directory is:
 * what was recorded would be taken for removed.
 */
export function withRoot<Result>(
  fileSystem: FileSystem,
  { rootPath, rootKey }: RootPlace,
  work: (root: Fd) => Result,
): Result {
  let root: Fd;
  try {
    root = fileSystem.openRoot(toBuffer(rootPath));
  } catch (error) {
    throw missing(rootPath, `cannot be opened: ${errnoOf(error)}`, error);
  }
  try {
    if (rootKeyOf(fileSystem, root) !== rootKey) throw missing(rootPath, 'is another directory now', null);
    return work(root);
  } finally {
    fileSystem.close(root);
  }
}

function missing(rootPath: string, why: string, cause: unknown): TidemarkError {
  return new TidemarkError('unavailable', 'root-missing', `${displayText(rootPath)} ${why}`, {
    cause,
    remedy: 'Mount or restore it; the journal then looks at all of it.',
  });
}
