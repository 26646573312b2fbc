/** The file system through the native addon: most calls are one call of it. */
import type { Addon } from './addon.ts';
import type { BytePath } from './core/byte-path.ts';
import { isWithin } from './core/byte-path.ts';
import { errnoOf } from './core/errors.ts';
import { STAT_BYTES, unpackStat } from './core/stat-codec.ts';
import { fileSystemTypeName } from './file-system-types.ts';
import type { Fd, FileSystem, FileSystemTraits, LeaseState, LockKind, OpenWriters, Stat } from './filesystem.ts';
import { decodeListings } from './listing.ts';
import { joined, leaseState, narrow } from './native-arguments.ts';
import { smallFileReaders } from './native-small-files.ts';
import { systemError } from './system-error.ts';
import { decodeWriters } from './writer-rows.ts';

/**
 * The file system on `addon`. The object holds scratch space and belongs to one thread.
 * Descriptors it opens must be closed with its own `close`: Node does not know them.
 */
export function nativeFileSystem(addon: Addon): FileSystem {
  return { ...objects(addon), ...names(addon), ...metadata(addon), ...descriptors(addon) };
}

function objects(addon: Addon) {
  const packed = Buffer.alloc(STAT_BYTES);
  return {
    kind: 'native' as const,
    openRoot: (path: string | Buffer): Fd => addon.openRoot(Buffer.from(path as string).toString('latin1')),
    close: (fd: Fd) => addon.close(fd),
    readDirectories(root: Fd, paths: readonly BytePath[]) {
      if (paths.length === 0) return [];
      return decodeListings(paths, addon.readDirectories(root, joined(paths, 'getdents64')), addon.errnoName);
    },
    stat: (root: Fd, path: BytePath): Stat | null =>
      addon.stat(root, narrow(path), packed) ? unpackStat(packed) : null,
    fstat(fd: Fd): Stat {
      addon.fstat(fd, packed);
      return unpackStat(packed);
    },
    openFile: (root: Fd, path: BytePath): Fd => addon.openFile(root, narrow(path)),
    openDirectory: (root: Fd, path: BytePath): Fd => addon.openDirectory(root, narrow(path)),
    createFile: (root: Fd, path: BytePath, mode: number): Fd => addon.createFile(root, narrow(path), mode),
    openForUpdate: (root: Fd, path: BytePath, create: boolean): Fd => addon.openForUpdate(root, narrow(path), create),
    ...smallFileReaders(addon),
    writeSmallFile: (root: Fd, path: BytePath, contents: Uint8Array, mode: number, mtimeNs: bigint) =>
      addon.writeSmallFile(root, narrow(path), contents, mode, mtimeNs),
  };
}

function names(addon: Addon) {
  const packed = Buffer.alloc(STAT_BYTES);
  return {
    makeDirectory: (root: Fd, path: BytePath, mode: number) => addon.makeDirectory(root, narrow(path), mode),
    removeFile: (root: Fd, path: BytePath) => addon.removeFile(root, narrow(path)),
    removeDirectory: (root: Fd, path: BytePath) => addon.removeDirectory(root, narrow(path)),
    makeSymlink: (root: Fd, path: BytePath, target: string) => addon.makeSymlink(root, narrow(path), narrow(target)),
    readSymlink: (root: Fd, path: BytePath): string => addon.readSymlink(root, narrow(path)),
    hardLink: (root: Fd, from: BytePath, to: BytePath) => addon.hardLink(root, narrow(from), narrow(to)),
    renameNoReplace: (root: Fd, from: BytePath, to: BytePath) => addon.renameNoReplace(root, narrow(from), narrow(to)),
    placeNew(staging: Fd, name: BytePath, root: Fd, path: BytePath): Stat {
      addon.placeNew(staging, narrow(name), root, narrow(path), packed);
      return unpackStat(packed);
    },
    rename: (root: Fd, from: BytePath, to: BytePath) => addon.rename(root, narrow(from), narrow(to)),
    exchange(root: Fd, left: BytePath, right: BytePath) {
      try {
        addon.exchange(root, narrow(left), narrow(right));
      } catch (error) {
        // The kernel says EINVAL both for a file system that cannot and for a directory put into itself.
        const nested = isWithin(left, right) || isWithin(right, left);
        throw errnoOf(error) === 'EINVAL' && !nested ? systemError('ENOSYS', 'rename') : error;
      }
    },
  };
}

function metadata(addon: Addon) {
  return {
    setMode: (root: Fd, path: BytePath, mode: number) => addon.setMode(root, narrow(path), mode),
    setMtime: (root: Fd, path: BytePath, mtimeNs: bigint) => addon.setMtime(root, narrow(path), mtimeNs),
    setOwner: (root: Fd, path: BytePath, uid: number, gid: number) => addon.setOwner(root, narrow(path), uid, gid),
    getXattrs(root: Fd, path: BytePath): Map<string, string> {
      const list = addon.getXattrs(root, narrow(path));
      const found = new Map<string, string>();
      for (let index = 0; index < list.length; index += 2) found.set(list[index] ?? '', list[index + 1] ?? '');
      return found;
    },
    setXattr: (root: Fd, path: BytePath, name: string, value: string) =>
      addon.setXattr(root, narrow(path), narrow(name), narrow(value)),
    removeXattr: (root: Fd, path: BytePath, name: string) => addon.removeXattr(root, narrow(path), narrow(name)),
    handle: (root: Fd, path: BytePath): string | null => addon.handle(root, narrow(path)),
  };
}

function descriptors(addon: Addon) {
  const range = new Float64Array(2);
  const rangeBytes = new Uint8Array(range.buffer);
  return {
    syncDirectory: (root: Fd, path: BytePath) => addon.syncDirectory(root, narrow(path)),
    syncFileSystem: (fd: Fd) => addon.syncFileSystem(fd),
    checkWriteback: (fd: Fd) => addon.checkWriteback(fd),
    openDirect: (fd: Fd): Fd | null => addon.openDirect(fd),
    readDirect: (fd: Fd, into: Uint8Array, position: number): number => addon.readDirect(fd, into, position),
    openWriters: (device: bigint, prefix: string): OpenWriters =>
      decodeWriters(addon.openWriters(BigInt.asIntN(64, device), narrow(prefix))),
    clone: (from: Fd, to: Fd) => addon.clone(from, to),
    nextData: (fd: Fd, offset: number, sizeBytes: number) =>
      addon.nextData(fd, offset, sizeBytes, rangeBytes) ? { start: range[0] ?? 0, end: range[1] ?? 0 } : null,
    advise: (fd: Fd, advice: 'sequential' | 'dontneed') => addon.advise(fd, advice === 'dontneed'),
    tryLock: (fd: Fd, kind: LockKind = 'exclusive'): boolean => addon.tryLock(fd, kind === 'shared'),
    takeReadLease: (fd: Fd): LeaseState => leaseState(addon.takeReadLease(fd)),
    holdsReadLease: (fd: Fd): boolean => addon.holdsReadLease(fd),
    releaseLease: (fd: Fd) => addon.releaseLease(fd),
    traits(root: Fd): FileSystemTraits {
      const numbers = new Float64Array(5);
      addon.traits(root, new Uint8Array(numbers.buffer));
      const [freeBytes = 0, totalBytes = 0, readOnly = 0, maxNameBytes = 0, type = 0] = numbers;
      return { type: fileSystemTypeName(type), freeBytes, totalBytes, readOnly: readOnly === 1, maxNameBytes };
    },
  };
}
