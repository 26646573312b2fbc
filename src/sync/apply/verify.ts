/**
 * Is the target still what the plan saw? Three questions: does the index agree with the plan, does the object's stat
 * agree with the index, and, while the answer matters, does anybody have the file open for writing?
 */

import type { Digests, Entry, Metadata, TrackedEntry } from '../../journal/core/entry.ts';
import type { IndexRecord } from '../../journal/store/index.ts';
import type { BytePath } from '../../platform/core/byte-path.ts';
import { errnoOf } from '../../platform/core/errors.ts';
import type { Fd, Stat } from '../../platform/filesystem.ts';
import type { ApplyContext } from './context.ts';
import { holdsContent } from './file-content.ts';
import { isSameContent, isSameObject, isUntouched, typeOf } from './packed-stat.ts';

/** An object that was found to be what the plan saw, and is watched while it is replaced. Must be released. */
export interface Guard {
  readonly stat: Stat;
  /** Open with a read lease where one could be had; null where the object cannot be opened or is no file. */
  readonly fd: Fd | null;
  readonly leased: boolean;
}

export type Guarded =
  | { readonly guard: Guard; readonly reason: null }
  | { readonly guard: null; readonly reason: string };

/** Why the index no longer says what the plan says about a path, or null where it does. */
export function planFault(before: TrackedEntry, record: IndexRecord | null): string | null {
  if (record === null) return 'nothing is recorded here any more';
  return isSameEntry(before, record.entry) ? null : 'it changed since the plan was made';
}

/**
 * Checks the live object at `path` (a file system path) against its record and guards it.
 * Takes a read lease of a file where possible: a refused one means that somebody is writing to it.
 */
export function guardObject(context: ApplyContext, path: BytePath, before: TrackedEntry, record: IndexRecord): Guarded {
  const { fileSystem, root } = context;
  const stat = fileSystem.stat(root, path);
  if (stat === null) return refused('it was removed');
  const packed = record.packedStat;
  if (packed === null) return refused('it was not looked at closely enough');
  if (typeOf(stat) !== before.kind) return refused(`it is no longer a ${before.kind}`);
  if (before.kind === 'directory') {
    return isSameObject(stat, packed) ? unleased(stat) : refused('it is another directory now');
  }
  if (before.kind === 'symlink') {
    if (!isSameObject(stat, packed)) return refused('it is another symlink now');
    return fileSystem.readSymlink(root, path) === before.target ? unleased(stat) : refused('it points elsewhere now');
  }
  if (!isUntouched(stat, packed)) return refused('it was edited');
  return guardFile(context, path, stat, record);
}

/** True where the guarded object still has the content it had when it was guarded, and nobody is about to write to it. */
export function isUndisturbed(context: ApplyContext, guard: Guard, now: Stat | null): boolean {
  if (now === null || !isSameContent(now, guard.stat)) return false;
  if (guard.fd === null) return true;
  if (!isSameContent(context.fileSystem.fstat(guard.fd), guard.stat)) return false;
  return !guard.leased || context.fileSystem.holdsReadLease(guard.fd);
}

/** Ends the lease, at which a writer waiting for it goes on, and closes the file. */
export function release(context: ApplyContext, guard: Guard): void {
  if (guard.fd === null) return;
  try {
    if (guard.leased) context.fileSystem.releaseLease(guard.fd);
  } finally {
    context.fileSystem.close(guard.fd);
  }
}

/** True where both say the same, digests counting where both know them. */
export function isSameEntry(left: Entry, right: Entry): boolean {
  if (left.kind === 'file') {
    return (
      right.kind === 'file' &&
      left.sizeBytes === right.sizeBytes &&
      left.mtimeNs === right.mtimeNs &&
      !differ(left.digests, right.digests) &&
      isSameMetadata(left, right)
    );
  }
  if (left.kind === 'directory') return right.kind === 'directory' && isSameMetadata(left, right);
  if (left.kind === 'symlink') {
    if (right.kind !== 'symlink' || left.target !== right.target) return false;
    return left.owner === right.owner && left.mtimeNs === right.mtimeNs;
  }
  return left.kind === right.kind;
}

/** True where two digests of the same kind are known and not equal. */
export function differ(left: Digests, right: Digests): boolean {
  if (left.strong !== null && right.strong !== null) return left.strong !== right.strong;
  return left.fast !== null && right.fast !== null && left.fast !== right.fast;
}

function isSameMetadata(left: Metadata, right: Metadata): boolean {
  return left.mode === right.mode && left.owner === right.owner && left.xattrs === right.xattrs;
}

function guardFile(context: ApplyContext, path: BytePath, stat: Stat, record: IndexRecord): Guarded {
  const { fileSystem, root } = context;
  let fd: Fd;
  try {
    fd = fileSystem.openFile(root, path);
  } catch (error) {
    const code = errnoOf(error);
    // Not ours to read: what it is follows from its stat alone.
    if ((code === 'EACCES' || code === 'EPERM') && !record.racy) return unleased(stat);
    return refused(`it can no longer be opened (${code})`);
  }
  const lease = fileSystem.takeReadLease(fd);
  const guard = { stat, fd, leased: lease === 'held' };
  const reason = lease === 'refused' ? 'it is open for writing' : contentFault(context, guard, record);
  if (reason === null) return { guard, reason };
  release(context, guard);
  return refused(reason);
}

/** The stat was taken before the lease, so it is compared again; a racy record is proven by reading the file. */
function contentFault(context: ApplyContext, guard: Guard & { fd: Fd }, record: IndexRecord): string | null {
  if (!isSameContent(context.fileSystem.fstat(guard.fd), guard.stat)) return 'it was edited';
  if (!record.racy || record.entry.kind !== 'file') return null;
  return holdsContent(guard.fd, guard.stat.sizeBytes, record.entry.digests) ? null : 'it was edited';
}

function unleased(stat: Stat): Guarded {
  return { guard: { stat, fd: null, leased: false }, reason: null };
}

function refused(reason: string): Guarded {
  return { guard: null, reason };
}
