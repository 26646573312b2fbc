/**
 * The file system on node:fs alone, for machines where the addon does not load. What it cannot do:
 * - no leases, xattrs, reflinks, exchange, handles, syncfs and holes, each as documented at {@link FileSystem};
 * - modification times are set to the microsecond, not to the nanosecond;
 * - a directory is renamed without replacing only after a check, which leaves a gap (files have none: hard links);
 * - off Linux, symlinks in the middle of a path are looked for first and could be put there afterwards.
 */
import * as fs from 'node:fs';
import type { BytePath } from './core/byte-path.ts';
import { toBuffer } from './core/byte-path.ts';
import { errnoOf } from './core/errors.ts';
import { isDirectory, isRegularFile } from './core/stat-codec.ts';
import { fileSystemTypeName } from './file-system-types.ts';
import type { DirectoryListing, Fd, FileSystem, FileSystemTraits, LeaseState, SmallFile, Stat } from './filesystem.ts';
import { readSmallFileAt, writeSmallFileAt } from './portable-content.ts';
import { listDirectory } from './portable-listing.ts';
import { tryLockByHelper } from './portable-lock.ts';
import { createNew, openDirectoryAt, openOrCreate, openRegular } from './portable-open.ts';
import type { Places } from './portable-places.ts';
import { openPlaces } from './portable-places.ts';
import { statFrom, timeFrom } from './portable-stat.ts';
import { portableOpenWriters } from './portable-writers.ts';
import { systemError } from './system-error.ts';

/** Errors of link(2) that mean "not this object" or "not on this file system", not "there is something". */
const CANNOT_LINK = new Set(['EPERM', 'EMLINK', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS']);

/** The portable file system, for one thread. Descriptors it opens are closed with its own `close`. */
export function portableFileSystem(places: Places = openPlaces()): FileSystem {
  return {
    kind: 'portable',
    ...objects(places),
    ...names(places),
    ...metadata(places),
    ...descriptors(places),
  };
}

function objects(places: Places) {
  return {
    openRoot(absolutePath: string | Buffer): Fd {
      const fd = fs.openSync(absolutePath, fs.constants.O_RDONLY | fs.constants.O_DIRECTORY);
      places.adopt(fd, Buffer.from(absolutePath as string));
      return fd;
    },
    openDirectory: (root: Fd, path: BytePath): Fd => openDirectoryBelow(places, root, path),
    close: (fd: Fd): void => close(places, fd),
    readDirectories: (root: Fd, paths: readonly BytePath[]): DirectoryListing[] =>
      paths.map((path) => listDirectory(places, root, path)),
    stat: (root: Fd, path: BytePath): Stat | null => statOrNull(places, root, path),
    fstat: (fd: Fd): Stat => statFrom(fs.fstatSync(fd, { bigint: true })),
    openFile: (root: Fd, path: BytePath): Fd =>
      places.at(root, path, (place) => openRegular(place, fs.constants.O_RDONLY)),
    createFile: (root: Fd, path: BytePath, mode: number): Fd =>
      places.at(root, path, (place) => createNew(place, mode)),
    openForUpdate: (root: Fd, path: BytePath, create: boolean): Fd =>
      places.at(root, path, (place) => openOrCreate(place, create)),
    readSmallFile: (root: Fd, path: BytePath, maxBytes: number): SmallFile =>
      places.at(root, path, (place) => readSmallFileAt(place, maxBytes)),
    *readSmallFiles(root: Fd, paths: readonly BytePath[], maxBytes: number): Generator<SmallFile | Error> {
      for (const path of paths) yield attempt(() => this.readSmallFile(root, path, maxBytes));
    },
    writeSmallFile: (root: Fd, path: BytePath, contents: Uint8Array, mode: number, mtimeNs: bigint): void =>
      places.at(root, path, (place) => writeSmallFileAt(place, contents, mode, mtimeNs)),
  };
}

function openDirectoryBelow(places: Places, root: Fd, path: BytePath): Fd {
  return places.at(root, path, (place) => {
    const fd = openDirectoryAt(place);
    places.adopt(fd, place);
    return fd;
  });
}

function close(places: Places, fd: Fd): void {
  places.forget(fd);
  fs.closeSync(fd);
}

function statOrNull(places: Places, root: Fd, path: BytePath): Stat | null {
  try {
    return places.at(root, path, statAt);
  } catch (error) {
    const code = errnoOf(error);
    if (code === 'ENOENT' || code === 'ENOTDIR') return null;
    throw error;
  }
}

function statAt(place: Buffer): Stat {
  return statFrom(fs.lstatSync(place, { bigint: true }));
}

function names(places: Places) {
  const onPair = (root: Fd, from: BytePath, to: BytePath, act: (from: Buffer, to: Buffer) => void): void =>
    places.at(root, from, (left) => places.at(root, to, (right) => act(left, right)));
  return {
    makeDirectory: (root: Fd, path: BytePath, mode: number): void =>
      places.at(root, path, (place) => void fs.mkdirSync(place, { mode: mode & 0o7777 })),
    removeFile: (root: Fd, path: BytePath): void => places.at(root, path, (place) => fs.unlinkSync(place)),
    removeDirectory: (root: Fd, path: BytePath): void => places.at(root, path, (place) => fs.rmdirSync(place)),
    makeSymlink: (root: Fd, path: BytePath, target: string): void =>
      places.at(root, path, (place) => fs.symlinkSync(toBuffer(target), place)),
    readSymlink: (root: Fd, path: BytePath): string =>
      places.at(root, path, (place) => fs.readlinkSync(place, { encoding: 'buffer' }).toString('latin1')),
    hardLink: (root: Fd, from: BytePath, to: BytePath): void => onPair(root, from, to, fs.linkSync),
    rename: (root: Fd, from: BytePath, to: BytePath): void => onPair(root, from, to, fs.renameSync),
    renameNoReplace: (root: Fd, from: BytePath, to: BytePath): void => onPair(root, from, to, renameNoReplaceAt),
    placeNew: (staging: Fd, name: BytePath, root: Fd, path: BytePath): Stat =>
      places.at(staging, name, (from) =>
        places.at(root, path, (to) => {
          renameNoReplaceAt(from, to);
          return statAt(to);
        }),
      ),
    exchange(): void {
      throw systemError('ENOSYS', 'rename');
    },
  };
}

/**
 * A hard link refuses an existing name by itself; a crash in between leaves two names, not none. What cannot be linked
 * (directories first of all) is checked and renamed: in that gap an empty directory could be replaced.
 */
function renameNoReplaceAt(from: Buffer, to: Buffer): void {
  try {
    // Elsewhere than on Linux link() follows a symlink, and the file behind it would get the name.
    if (process.platform !== 'linux' && fs.lstatSync(from).isSymbolicLink()) throw systemError('EPERM', 'link');
    fs.linkSync(from, to);
  } catch (error) {
    if (!CANNOT_LINK.has(errnoOf(error))) throw error;
    if (fs.lstatSync(to, { throwIfNoEntry: false }) !== undefined) throw systemError('EEXIST', 'rename');
    fs.renameSync(from, to);
    return;
  }
  try {
    fs.unlinkSync(from);
  } catch (error) {
    fs.unlinkSync(to);
    throw error;
  }
}

function metadata(places: Places) {
  const unsupported = (): never => {
    throw systemError('ENOSYS', 'xattr');
  };
  return {
    setMode: (root: Fd, path: BytePath, mode: number): void =>
      places.through(root, path, (place) => changeMode(place, mode)),
    setMtime: (root: Fd, path: BytePath, mtimeNs: bigint): void =>
      places.at(root, path, (place) => changeMtime(place, mtimeNs)),
    setOwner: (root: Fd, path: BytePath, uid: number, gid: number): void =>
      places.at(root, path, (place) => fs.lchownSync(place, uid, gid)),
    getXattrs: unsupported,
    setXattr: unsupported,
    removeXattr: unsupported,
    handle: (): string | null => null,
  };
}

function changeMode(place: Buffer, mode: number): void {
  const { mode: found } = statFrom(fs.statSync(place, { bigint: true }));
  if (!isRegularFile(found) && !isDirectory(found)) throw systemError('EINVAL', 'chmod');
  fs.chmodSync(place, mode & 0o7777);
}

/** node:fs sets both times or none: the access time is put back as it was, to the microsecond. */
function changeMtime(place: Buffer, mtimeNs: bigint): void {
  const { atimeNs } = fs.lstatSync(place, { bigint: true });
  fs.lutimesSync(place, timeFrom(atimeNs), timeFrom(mtimeNs));
}

function descriptors(places: Places) {
  return {
    syncDirectory(root: Fd, path: BytePath): void {
      const fd = openDirectoryBelow(places, root, path);
      try {
        fs.fsyncSync(fd);
      } finally {
        close(places, fd);
      }
    },
    syncFileSystem(): void {
      throw systemError('ENOSYS', 'syncfs');
    },
    checkWriteback(): void {},
    openDirect: (): Fd | null => null,
    readDirect(): number {
      throw systemError('ENOSYS', 'read');
    },
    openWriters: portableOpenWriters,
    clone(): void {
      throw systemError('ENOSYS', 'ioctl');
    },
    nextData: (_fd: Fd, offset: number, sizeBytes: number) =>
      offset < sizeBytes ? { start: offset, end: sizeBytes } : null,
    advise(): void {},
    tryLock: tryLockByHelper,
    takeReadLease: (): LeaseState => 'unsupported',
    holdsReadLease: (): boolean => false,
    releaseLease(): void {},
    traits: (root: Fd): FileSystemTraits => traitsAt(places.directory(root)),
  };
}

function traitsAt(place: Buffer): FileSystemTraits {
  const found = fs.statfsSync(place);
  return {
    type: fileSystemTypeName(found.type),
    freeBytes: found.bavail * found.bsize,
    totalBytes: found.blocks * found.bsize,
    readOnly: isReadOnly(place),
    maxNameBytes: 255,
  };
}

function isReadOnly(place: Buffer): boolean {
  try {
    fs.accessSync(place, fs.constants.W_OK);
    return false;
  } catch (error) {
    return errnoOf(error) === 'EROFS';
  }
}

function attempt<Result>(call: () => Result): Result | Error {
  try {
    return call();
  } catch (error) {
    return error as Error;
  }
}
