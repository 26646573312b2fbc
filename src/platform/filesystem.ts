/**
 * The file system as tidemark needs it: every name a byte string, every operation relative to a held root directory,
 * no symlink followed in any component.
 *
 * Two implementations: `native` on the addon (openat2 with RESOLVE_BENEATH|NO_SYMLINKS|NO_MAGICLINKS and the *at
 * family) and `portable` on node:fs (through `/proc/self/fd` on Linux, checked paths elsewhere). All calls are
 * synchronous and meant for worker threads. They throw errors with `code` set to the errno name, unless said otherwise.
 */
import type { BytePath } from './core/byte-path.ts';

/** An open file descriptor. */
export type Fd = number;

/**
 * What `statx` says of one object. Packed form (64 bytes, little-endian), as listings and the index hold it:
 * dev u64 · nlink u32 · mode u32 · uid u32 · gid u32 · ino u64 · size u64 · mtimeNs i64 · ctimeNs i64 · birthNs i64.
 * birthNs is 0 where the file system keeps none.
 */
export interface Stat {
  readonly dev: bigint;
  readonly nlink: number;
  /** Full st_mode: type and permission bits. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly ino: bigint;
  readonly sizeBytes: number;
  readonly mtimeNs: bigint;
  readonly ctimeNs: bigint;
  readonly birthNs: bigint;
}

/** One directory of a listing, in the order asked. Entries come in byte order of their names. */
export interface DirectoryListing {
  readonly path: BytePath;
  /** errno name where the directory could not be read *completely*; then `entries` is empty and means nothing. */
  readonly error: string | null;
  readonly entries: readonly ListedEntry[];
}

/** One object of a directory. */
export interface ListedEntry {
  readonly name: string;
  /** Packed {@link Stat}: a view into the listing's buffer, compared bytewise with what the index holds. */
  readonly packedStat: Uint8Array;
  /** Target of a symlink as a byte string, else null. */
  readonly target: string | null;
  /** errno name where this entry could not be stat'ed (it vanished entries are left out), else null. */
  readonly error: string | null;
}

/** What happened to a read lease request. */
export type LeaseState = 'held' | 'refused' | 'unsupported';

/** Contents of a small file read in one call. */
export interface SmallFile {
  readonly before: Stat;
  /** `before` as listings and the index hold it; valid as long as `contents`. */
  readonly packedBefore: Uint8Array;
  readonly after: Stat;
  /** `refused`: somebody has the file open for writing. `held`: nobody had, while it was read. */
  readonly lease: LeaseState;
  readonly contents: Buffer;
  /** xxh64 and SHA-256 of `contents` as byte strings, where hashing came with the reading. */
  readonly digests: { readonly fast: string; readonly strong: string } | null;
}

/** Held by one, or by any number of others that hold it so. */
export type LockKind = 'exclusive' | 'shared';

/** What one file system offers, found by trying in the given directory. */
export interface FileSystemTraits {
  /** statfs type name (`ext4`, `xfs`, `btrfs`, `tmpfs`, `overlay`, …) or its hexadecimal number. */
  readonly type: string;
  readonly freeBytes: number;
  readonly totalBytes: number;
  readonly readOnly: boolean;
  readonly maxNameBytes: number;
}

/** One descriptor, mapping or loop device through which a file can be written. */
export interface WriterRow {
  readonly dev: bigint;
  readonly ino: bigint;
  readonly nlink: number;
  /** Number of the mount it was opened through, as in mountinfo; 0 where the kernel does not tell. */
  readonly mount: number;
  /** 0: the kernel itself. */
  readonly pid: number;
  readonly process: string;
  readonly how: 'descriptor' | 'mapping' | 'loop';
  readonly isDirect: boolean;
  /** Its name as the kernel tells it, a byte string: right in the mount namespace of the process, if at all. */
  readonly name: string;
}

export interface OpenWriters {
  readonly rows: readonly WriterRow[];
  /** Processes that could not be looked into for want of rights. */
  readonly hiddenProcesses: number;
  /** False where there may be processes of which /proc shows nothing at all. */
  readonly seesAllProcesses: boolean;
}

export interface FileSystem {
  readonly kind: 'native' | 'portable';

  /** Opens a directory given by an absolute OS path (symlinks in it are followed: the user named it). */
  openRoot(absolutePath: string | Buffer): Fd;
  /** Every descriptor handed out here is closed here, never with node:fs: worker threads of Node count only their own. */
  close(fd: Fd): void;

  /** Lists directories in bulk (getdents64 + statx by held descriptors, several threads in the native version). */
  readDirectories(root: Fd, paths: readonly BytePath[]): DirectoryListing[];
  /** null where nothing is there (ENOENT, ENOTDIR). Never follows; `ELOOP` for a symlink in the middle of the path, as everywhere here. */
  stat(root: Fd, path: BytePath): Stat | null;
  fstat(fd: Fd): Stat;

  /** O_RDONLY|O_NOFOLLOW|O_NONBLOCK|O_CLOEXEC|O_NOATIME (where allowed). Refuses anything but a regular file (`EINVAL`). */
  openFile(root: Fd, path: BytePath): Fd;
  /** Opens a directory below the root. */
  openDirectory(root: Fd, path: BytePath): Fd;
  /** O_RDWR|O_CREAT|O_EXCL|O_NOFOLLOW|O_CLOEXEC. */
  createFile(root: Fd, path: BytePath, mode: number): Fd;
  /** Opens an existing regular file of ours for reading and writing (partial transfers, locks); created where `create`. */
  openForUpdate(root: Fd, path: BytePath, create: boolean): Fd;
  /**
   * Opens, leases, stats, reads up to `maxBytes`, stats again, releases, closes — one call for a small file.
   * `contents` is valid until the next call in this thread, and shorter than `before.sizeBytes` where the file is larger than `maxBytes` or shrank.
   * `checkWriteback`: as {@link FileSystem.checkWriteback}, before the reading.
   */
  readSmallFile(root: Fd, path: BytePath, maxBytes: number, checkWriteback?: boolean): SmallFile;
  /**
   * {@link readSmallFile} of many, in order, by as few calls as fit; an error stands for a file that could not be read.
   * Each is valid until the next is asked for. Files are read ahead: what is found of one may be older than the asking.
   */
  readSmallFiles(root: Fd, paths: readonly BytePath[], maxBytes: number): Iterable<SmallFile | Error>;
  /** Creates, writes, sets mode and mtime, closes — one call for a small staged file. Not synced. */
  writeSmallFile(root: Fd, path: BytePath, contents: Uint8Array, mode: number, mtimeNs: bigint): void;

  makeDirectory(root: Fd, path: BytePath, mode: number): void;
  removeFile(root: Fd, path: BytePath): void;
  removeDirectory(root: Fd, path: BytePath): void;
  makeSymlink(root: Fd, path: BytePath, target: string): void;
  readSymlink(root: Fd, path: BytePath): string;
  hardLink(root: Fd, from: BytePath, to: BytePath): void;
  /** renameat2(RENAME_NOREPLACE): `EEXIST` where `to` exists. Portable: checked first, a documented race. */
  renameNoReplace(root: Fd, from: BytePath, to: BytePath): void;
  /**
   * {@link renameNoReplace} of `name` in the directory `staging` to `path` below `root`, and the stat of what is there
   * then: what every new file needs, in one call.
   */
  placeNew(staging: Fd, name: BytePath, root: Fd, path: BytePath): Stat;
  /** Plain rename, replacing `to`. */
  rename(root: Fd, from: BytePath, to: BytePath): void;
  /** renameat2(RENAME_EXCHANGE). Throws `ENOSYS` in the portable version or where the file system cannot. */
  exchange(root: Fd, left: BytePath, right: BytePath): void;

  /** Permission bits of a file or directory, by descriptor internally, never through a symlink. */
  setMode(root: Fd, path: BytePath, mode: number): void;
  /** Nanosecond mtime (atime untouched), never through a symlink. */
  setMtime(root: Fd, path: BytePath, mtimeNs: bigint): void;
  /** Owner of a file, directory or symlink itself. */
  setOwner(root: Fd, path: BytePath, uid: number, gid: number): void;

  /** Extended attributes, POSIX ACLs among them (`system.posix_acl_access`); names and values are byte strings. */
  getXattrs(root: Fd, path: BytePath): Map<string, string>;
  setXattr(root: Fd, path: BytePath, name: string, value: string): void;
  removeXattr(root: Fd, path: BytePath, name: string): void;

  /** fdatasync/fsync of a descriptor is node:fs; these take directories and whole file systems. */
  syncDirectory(root: Fd, path: BytePath): void;
  /** syncfs of the file system that holds `fd`. Portable: throws `ENOSYS`. Errors mean "redo from the source". */
  syncFileSystem(fd: Fd): void;
  /**
   * Throws what went wrong when the kernel wrote this file back, if nobody was told yet (`EIO`, `ENOSPC`); costs no disk
   * access. syncfs alone does not tell: a direct write that collided with a cached one is noted at the file only.
   * Portable: never throws.
   */
  checkWriteback(fd: Fd): void;
  /** Opens the very file again for reading past the page cache. null where that is not to be had. Portable: null. */
  openDirect(fd: Fd): Fd | null;
  /** Reads as much as the disk holds at `position` (a multiple of 64 KiB); fewer bytes only at the end of the file. */
  readDirect(fd: Fd, into: Uint8Array, position: number): number;
  /** FICLONE: `to` becomes a reflink of `from`. Throws `EOPNOTSUPP`, `EXDEV`, `ENOSYS` where impossible. */
  clone(from: Fd, to: Fd): void;
  /** Next data range at or after `offset` (SEEK_DATA/SEEK_HOLE), null past the last. Portable: the rest of the file is data. */
  nextData(fd: Fd, offset: number, sizeBytes: number): { readonly start: number; readonly end: number } | null;
  /** posix_fadvise; a hint, never fails. */
  advise(fd: Fd, advice: 'sequential' | 'dontneed'): void;
  /**
   * flock(LOCK_EX|LOCK_NB), or LOCK_SH: false where another holds it. Released with the descriptor. Changing the kind of
   * a lock that is held may fail, and then nothing is held.
   */
  tryLock(fd: Fd, kind?: LockKind): boolean;
  /** Read lease: granted only while nobody has the file open for writing. Portable: `unsupported`. */
  takeReadLease(fd: Fd): LeaseState;
  /** True while the lease is unbroken. */
  holdsReadLease(fd: Fd): boolean;
  releaseLease(fd: Fd): void;
  /** name_to_handle_at: (type, bytes) as one byte string, null where unsupported. */
  handle(root: Fd, path: BytePath): string | null;

  traits(root: Fd): FileSystemTraits;

  /**
   * Who can write at this moment to regular files that are on `device` or whose name begins with `prefix`, an absolute
   * byte path with a slash at its end. Linux only: elsewhere nobody is seen and the answer is not complete.
   */
  openWriters(device: bigint, prefix: string): OpenWriters;
}
