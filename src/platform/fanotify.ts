/**
 * Change notification by fanotify: a group whose events are read by a native thread into memory that outlives the
 * process, and handed over in decoded batches.
 *
 * Two descriptors make up a group: the kernel's, and a memory file (the *ring*) that holds what was read and not yet
 * committed. Whoever keeps both open keeps every event: a process that takes over from a killed one is handed the
 * uncommitted ones first.
 */
import type { Fd } from './filesystem.ts';
import { systemError } from './system-error.ts';

/** `file-systems` needs CAP_SYS_ADMIN: unlimited queue, marks on whole file systems. `directories` needs nothing. */
export type GroupKind = 'file-systems' | 'directories';

/** Both descriptors are inheritable. */
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
  /** Number of the directory that holds the name; for a rename, of the new one, 0 where it moved out of sight. */
  readonly directory: number;
  /** A byte string; empty for the directory itself. */
  readonly name: string;
  /** Key of the object itself where it is a directory or was renamed, else null. */
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
}

/** Stand-in until the native half is there. */
export function openGroup(_kind: GroupKind): GroupDescriptors {
  throw systemError('ENOSYS', 'fanotify_init');
}
