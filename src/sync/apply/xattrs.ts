/** Extended attributes of staged objects, and of those that stay. */

import type { TrackedEntry } from '../../journal/core/entry.ts';
import { isSyncedXattr, unpackXattrs } from '../../journal/core/xattrs.ts';
import type { BytePath } from '../../platform/core/byte-path.ts';
import { errnoOf } from '../../platform/core/errors.ts';
import type { ApplyContext } from './context.ts';

export const NO_XATTRS: ReadonlyMap<string, string> = new Map();

/** Attributes that the session syncs and `after` holds. Throws MalformedError where they are not in canonical form. */
export function wantedXattrs(context: ApplyContext, after: TrackedEntry): ReadonlyMap<string, string> {
  if (after.kind === 'symlink' || after.xattrs === undefined) return NO_XATTRS;
  return synced(context, unpackXattrs(after.xattrs));
}

/** Attributes of the object being replaced that the session does not sync, and that therefore stay. */
export function keptXattrs(context: ApplyContext, replaced: BytePath): ReadonlyMap<string, string> {
  const { metadata } = context.options;
  const kept = new Map<string, string>();
  for (const [name, value] of presentXattrs(context, replaced)) {
    // `security.*` and `trusted.*` say something about content that is no longer there.
    if (isSyncedXattr(name, { xattrs: true, acls: true }) && !isSyncedXattr(name, metadata)) kept.set(name, value);
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

/** Makes the synced attributes of an object that stays what `after` says; where that does not know them, they stay. */
export function syncXattrs(context: ApplyContext, path: BytePath, after: TrackedEntry): void {
  const { fileSystem, root, options } = context;
  if (!options.metadata.xattrs && !options.metadata.acls) return;
  if (after.kind === 'symlink' || after.xattrs === undefined) return;
  const wanted = wantedXattrs(context, after);
  const present = synced(context, presentXattrs(context, path));
  for (const [name, value] of wanted) {
    if (present.get(name) !== value) fileSystem.setXattr(root, path, name, value);
  }
  for (const name of present.keys()) if (!wanted.has(name)) fileSystem.removeXattr(root, path, name);
}

/** Unreadable or unsupported attributes count as none: what is replaced keeps them as a version. */
function presentXattrs(context: ApplyContext, path: BytePath): ReadonlyMap<string, string> {
  try {
    return context.fileSystem.getXattrs(context.root, path);
  } catch {
    return NO_XATTRS;
  }
}

function synced(context: ApplyContext, xattrs: ReadonlyMap<string, string>): ReadonlyMap<string, string> {
  return new Map([...xattrs].filter(([name]) => isSyncedXattr(name, context.options.metadata)));
}
