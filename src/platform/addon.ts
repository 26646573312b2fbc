/**
 * Loads the native addon, `tidemark.node`.
 *
 * It lies beside the running bundle (`dist/`, or wherever the agent was put), or in `dist/` when the sources run
 * directly. `TIDEMARK_NO_ADDON=1` keeps it out, for tests and for finding faults.
 */
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Fd } from './filesystem.ts';

/** Raised with every change of the functions below; `native/module.c` says the same number. */
const INTERFACE_VERSION = 3;

/**
 * The addon's functions for file systems. Paths are byte strings relative to a root descriptor; failures throw errors
 * with `code`, `errno` and `syscall`. See the comment at each function in `native/*.c`.
 */
export interface Addon extends FanotifyAddon, SocketAddon {
  readonly interfaceVersion: number;
  errnoName(error: number): string;
  /** What a call that failed with `error` throws. */
  errorOf(error: number, operation: string): Error;
  openRoot(path: string): Fd;
  close(fd: Fd): void;
  /** Paths joined by NUL; the block is described in `native/walk.c`. */
  readDirectories(root: Fd, paths: string): ArrayBuffer;
  stat(root: Fd, path: string, packed: Uint8Array): boolean;
  fstat(fd: Fd, packed: Uint8Array): void;
  openFile(root: Fd, path: string): Fd;
  openDirectory(root: Fd, path: string): Fd;
  createFile(root: Fd, path: string, mode: number): Fd;
  openForUpdate(root: Fd, path: string, create: boolean): Fd;
  /**
   * Paths joined by NUL; reads while `into` has room for a file of `most` bytes. `facts`, of each file: stat before, stat
   * after, u32 errno, u32 lease (0 held, 1 refused, 2 unsupported), u32 bytes read, u32 1 where the digests follow:
   * SHA-256, xxh64. The number of files it got to.
   */
  readSmallFiles(
    root: Fd,
    paths: string,
    most: number,
    into: Uint8Array,
    facts: Uint8Array,
    checkWriteback: boolean,
  ): number;
  writeSmallFile(root: Fd, path: string, contents: Uint8Array, mode: number, mtimeNs: bigint): void;
  makeDirectory(root: Fd, path: string, mode: number): void;
  removeFile(root: Fd, path: string): void;
  removeDirectory(root: Fd, path: string): void;
  makeSymlink(root: Fd, path: string, target: string): void;
  readSymlink(root: Fd, path: string): string;
  hardLink(root: Fd, from: string, to: string): void;
  rename(root: Fd, from: string, to: string): void;
  renameNoReplace(root: Fd, from: string, to: string): void;
  placeNew(staging: Fd, name: string, root: Fd, path: string, packed: Uint8Array): void;
  exchange(root: Fd, left: string, right: string): void;
  setMode(root: Fd, path: string, mode: number): void;
  setMtime(root: Fd, path: string, mtimeNs: bigint): void;
  setOwner(root: Fd, path: string, uid: number, gid: number): void;
  /** Name, value, name, value, … */
  getXattrs(root: Fd, path: string): string[];
  setXattr(root: Fd, path: string, name: string, value: string): void;
  removeXattr(root: Fd, path: string, name: string): void;
  syncDirectory(root: Fd, path: string): void;
  syncFileSystem(fd: Fd): void;
  clone(from: Fd, to: Fd): void;
  /** `range`: start and end as two f64; false past the last data. */
  nextData(fd: Fd, offset: number, sizeBytes: number, range: Uint8Array): boolean;
  advise(fd: Fd, drop: boolean): void;
  copyBytes(from: Uint8Array, to: Uint8Array, at: number): void;
  tryLock(fd: Fd, isShared: boolean): boolean;
  /** 0 held, 1 refused, 2 unsupported. */
  takeReadLease(fd: Fd): number;
  holdsReadLease(fd: Fd): boolean;
  releaseLease(fd: Fd): void;
  handle(root: Fd, path: string): string | null;
  checkWriteback(fd: Fd): void;
  openDirect(fd: Fd): Fd | null;
  readDirect(fd: Fd, into: Uint8Array, position: number): number;
  /** The block is described in `native/census.c`. */
  openWriters(device: bigint, prefix: string): ArrayBuffer;
  /** `numbers`: free bytes, total bytes, read-only, longest name, type as five f64. */
  traits(fd: Fd, numbers: Uint8Array): void;
}

declare const readerBrand: unique symbol;
/** A running reader, in C. */
export type ReaderHandle = { readonly [readerBrand]: true };

/** The addon's functions for `fanotify.ts`. */
export interface FanotifyAddon {
  openGroup(isUnlimited: boolean): Fd;
  createRing(bytes: number): Fd;
  markFileSystem(group: Fd, directory: Fd): void;
  unmarkFileSystem(group: Fd, directory: Fd): void;
  markDirectory(group: Fd, root: Fd, path: string): void;
  unmarkDirectory(group: Fd, root: Fd, path: string): void;
  silence(group: Fd, root: Fd, path: string): boolean;
  unsilence(group: Fd, root: Fd, path: string): boolean;
  unsilenceAll(group: Fd): void;
  directoryAt(root: Fd, path: string): string | null;
  objectAt(root: Fd, path: string): string | null;
  pathOfDirectory(mount: Fd, key: string): string | null;
  openObject(mount: Fd, key: string): Fd | null;
  /** `onNews` gets bits: 1 readable, 2 mounts changed, 4 barrier passed, 8 failed. */
  startReader(group: Fd, ring: Fd, directoryLimit: number, onNews: (bits: number) => void): ReaderHandle;
  stopReader(reader: ReaderHandle): void;
  holdLoop(reader: ReaderHandle, holds: boolean): void;
  /** The batch that is put `into` is described in `native/batch.h`. */
  takeEvents(reader: ReaderHandle, into: Uint8Array, limit: number): void;
  commitEvents(reader: ReaderHandle): void;
  ringUsage(reader: ReaderHandle): number;
  askBarrier(reader: ReaderHandle): number;
  passedBarriers(reader: ReaderHandle): number;
  setForeign(reader: ReaderHandle, directory: number): void;
  resetForeign(reader: ReaderHandle): void;
  keyOf(reader: ReaderHandle, directory: number): string | null;
  internKey(reader: ReaderHandle, key: string): number;
  followObject(reader: ReaderHandle, key: string, follows: boolean): void;
  /** Received, dropped as foreign. */
  eventCounts(reader: ReaderHandle): [number, number];
}

/** The addon's functions for `unix-socket.ts`. */
export interface SocketAddon {
  listenUnix(path: string, mode: number): Fd;
  peerUid(fd: Fd): number;
  notifyService(socketPath: string, state: string, passed: readonly Fd[]): void;
  setCloseOnExec(fd: Fd, closes: boolean): void;
  isOpen(fd: Fd): boolean;
}

/** The addon, or why there is none. */
export type LoadedAddon =
  | { readonly addon: Addon; readonly missing: null }
  | { readonly addon: null; readonly missing: string };

let loaded: LoadedAddon | undefined;

/** Loads once for each thread. Never throws: `missing` says in one line why there is no addon. */
export function loadAddon(): LoadedAddon {
  loaded ??= process.env.TIDEMARK_NO_ADDON === '1' ? without('TIDEMARK_NO_ADDON is set') : loadAddonFrom(addonPath());
  return loaded;
}

/** The addon of this thread. Throws an error with code ENOSYS that says why where there is none. */
export function requireAddon(): Addon {
  const { addon, missing } = loadAddon();
  if (addon === null) throw Object.assign(new Error(`ENOSYS: ${missing}`), { code: 'ENOSYS' });
  return addon;
}

/** Loads the addon from a given file. */
export function loadAddonFrom(path: string): LoadedAddon {
  let addon: Addon;
  try {
    addon = createRequire(import.meta.url)(path) as Addon;
  } catch (error) {
    const reason = error instanceof Error ? (error.message.split('\n', 1)[0] ?? '') : String(error);
    return without(`the native addon does not load: ${reason}`);
  }
  if (addon.interfaceVersion === INTERFACE_VERSION) return { addon, missing: null };
  return without(`the native addon is of another build (${addon.interfaceVersion}, not ${INTERFACE_VERSION})`);
}

/** Where the addon of this build lies. */
export function addonPath(): string {
  const folder = dirname(fileURLToPath(import.meta.url));
  const isSource = import.meta.url.endsWith('/src/platform/addon.ts');
  return isSource ? join(folder, '../../dist/tidemark.node') : join(folder, 'tidemark.node');
}

function without(missing: string): LoadedAddon {
  return { addon: null, missing };
}
