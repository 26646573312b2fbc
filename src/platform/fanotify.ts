/**
 * Change notification by fanotify: a group whose events are read by a native thread into memory that outlives the
 * process, and handed over in decoded batches.
 *
 * Two descriptors make up a group: the kernel's, and a memory file (the *ring*) that holds what was read and not yet
 * committed. Whoever keeps both open keeps every event: a process that takes over from a killed one is handed the
 * uncommitted ones first.
 *
 * Events are hints. The kernel merges what one process does to one name while it is queued, renames included, and puts
 * it where the first of it was: neither the order of events nor where a rename says something went is proof of what is
 * there now. What an object's place is, only looking tells ({@link directoryAt}, {@link pathOfDirectory}).
 *
 * All functions throw errors with `code`; ENOSYS where there is no addon.
 */
import { requireAddon } from './addon.ts';
import type { Fd } from './filesystem.ts';
import { systemError } from './system-error.ts';

export { FanotifyReader, type ReaderListener, type ReaderOptions } from './fanotify-reader.ts';

/** `file-systems` needs CAP_SYS_ADMIN: unlimited queue, marks on whole file systems. `directories` needs nothing. */
export type GroupKind = 'file-systems' | 'directories';

/** Both descriptors are close-on-exec; a child gets them by `stdio` of `spawn`, which duplicates them. */
export interface GroupDescriptors {
  readonly kind: GroupKind;
  readonly group: Fd;
  readonly ring: Fd;
}

/** Bits of {@link FanotifyEvent.mask}. */
export const EVENT = {
  modify: 1,
  closeWrite: 2,
  attributes: 4,
  create: 8,
  remove: 16,
  rename: 32,
  /** The object is a directory. */
  directory: 64,
} as const;

/** What happened to one name, several events in one. */
export interface FanotifyEvent {
  readonly mask: number;
  /**
   * Number of the directory that holds the name; for a rename, of the new one, 0 where it moved out of sight. 0 also for
   * an object that is followed and changed without any name (its link count, as one of its names goes).
   */
  readonly directory: number;
  /** A byte string; empty for the directory itself. */
  readonly name: string;
  /**
   * Key of the object itself where it is a directory, was renamed, is followed ({@link FanotifyReader.follow}), or may
   * have got one name more; else null.
   */
  readonly target: string | null;
  /** Where it was before, for a rename; null where it came from out of sight. */
  readonly from: { readonly directory: number; readonly name: string } | null;
}

export interface FanotifyBatch {
  readonly events: readonly FanotifyEvent[];
  /** True: the kernel dropped events before these. */
  readonly overflowed: boolean;
  /** True where more can be taken at once. */
  readonly hasMore: boolean;
  /** True: numbers of directories given before this batch are void, and none is foreign any more. */
  readonly reset: boolean;
}

/** Some 150,000 events. */
const RING_BYTES = 16 << 20;

/**
 * A new group and its ring of `ringBytes` (64 KiB to 1 GiB). Throws EPERM without the right to this kind, EINVAL or
 * ENOSYS where the kernel is too old, EMFILE where the user has too many groups, ENOMEM.
 */
export function openGroup(kind: GroupKind, ringBytes = RING_BYTES): GroupDescriptors {
  const addon = requireAddon();
  const group = addon.openGroup(kind === 'file-systems');
  try {
    return { kind, group, ring: addon.createRing(ringBytes) };
  } catch (error) {
    addon.close(group);
    throw error;
  }
}

/**
 * From now on every event of the file system that `directory` lies on. Throws EOPNOTSUPP, EXDEV or ENODEV where it
 * cannot be marked (overlayfs, btrfs subvolumes, FUSE), EPERM without CAP_SYS_ADMIN.
 */
export function markFileSystem({ group }: GroupDescriptors, directory: Fd): void {
  requireAddon().markFileSystem(group, directory);
}

/** Throws ENOENT where it is not marked. */
export function unmarkFileSystem({ group }: GroupDescriptors, directory: Fd): void {
  requireAddon().unmarkFileSystem(group, directory);
}

/**
 * From now on every event of the directory at `path` and of what it names, not of what lies deeper. Marking again is no
 * error. Throws ENOSPC at the limit of marks, ENOENT, ENOTDIR, ELOOP.
 */
export function markDirectory({ group }: GroupDescriptors, root: Fd, path: string): void {
  requireAddon().markDirectory(group, root, path);
}

/** Throws ENOENT where it is not marked, or not there. */
export function unmarkDirectory({ group }: GroupDescriptors, root: Fd, path: string): void {
  requireAddon().unmarkDirectory(group, root, path);
}

/**
 * No events any more of changes to the content of the file at `path`, until it is unsilenced or the kernel forgets it
 * for want of memory. Whoever silences an object has it recorded already and reads it again only after unsilencing it.
 * Attributes stay audible: they tell of a new hard link. Returns false, and does nothing, for what is no regular file or
 * has several names. Throws ENOSPC at the limit of marks.
 */
export function silence({ group }: GroupDescriptors, root: Fd, path: string): boolean {
  return requireAddon().silence(group, root, path);
}

/** False where the object at `path` was not silenced (any more). Throws ENOENT where there is none. */
export function unsilence({ group }: GroupDescriptors, root: Fd, path: string): boolean {
  return requireAddon().unsilence(group, root, path);
}

/**
 * Makes all silenced objects audible in one step; marks of file systems stay. Events in flight may still be silenced:
 * let a {@link FanotifyReader.barrier} pass before reading contents. Throws EINVAL in a `directories` group, whose other
 * marks would be lost: unsilence one by one there.
 */
export function unsilenceAll({ kind, group }: GroupDescriptors): void {
  if (kind === 'directories') throw systemError('EINVAL', 'fanotify_mark');
  requireAddon().unsilenceAll(group);
}

/**
 * Key of the directory at `path`, as events have it: 8 bytes that stand for the file system while it is mounted, then
 * type and bytes of the file handle, as `FileSystem.handle` returns them. Null where there is no directory or the file
 * system has no handles.
 */
export function directoryAt(root: Fd, path: string): string | null {
  return requireAddon().directoryAt(root, path);
}

/** Like {@link directoryAt}, of whatever is there. */
export function objectAt(root: Fd, path: string): string | null {
  return requireAddon().objectAt(root, path);
}

/**
 * Where the directory of `key` is now: an absolute byte path that led there a moment ago, null where it is removed or
 * not reachable by a path. `mount`: any descriptor on its file system. Throws EPERM without CAP_DAC_READ_SEARCH.
 */
export function pathOfDirectory(mount: Fd, key: string): string | null {
  return requireAddon().pathOfDirectory(mount, key);
}

/** A descriptor (O_PATH) of the object of `key`, to be closed; null where it is gone. Otherwise as above. */
export function openObject(mount: Fd, key: string): Fd | null {
  return requireAddon().openObject(mount, key);
}
