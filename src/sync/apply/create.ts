/** Puts new objects where nothing is. Every way of doing so fails with EEXIST where something is after all. */

import type { DirectoryEntry, SymlinkEntry } from '../../journal/core/entry.ts';
import { type BytePath, nameOf } from '../../platform/core/byte-path.ts';
import type { PutOperation } from '../core/operation.ts';
import { locate } from './context.ts';
import { createLink } from './link.ts';
import { extrasFor, newMode, setExtras, setSymlinkMtime, syncedBits } from './metadata.ts';
import { changed, failed, type Result } from './outcome.ts';
import { discard, stagedName } from './staging.ts';
import { filePutOf, type Task } from './task.ts';
import { recordPut, targetFailure, type Workshop } from './workshop.ts';

/** Carries out a put without `before`. */
export function create(shop: Workshop, task: Task, operation: PutOperation): Result {
  const { after, path } = operation;
  if (!shop.ledger.knowsParentOf(path)) return changed('the directory it belongs into is not known');
  try {
    if (after.kind === 'directory') return createDirectory(shop, operation, after);
    if (after.kind === 'symlink') return createSymlink(shop, operation, after);
    const link = operation.content === 'link' ? filePutOf(operation) : null;
    return link === null ? createFile(shop, task, operation) : createLink(shop, link);
  } catch (error) {
    return targetFailure(error, 'could not be created');
  }
}

function createFile(shop: Workshop, task: Task, operation: PutOperation): Result {
  const { fileSystem, root, clock, staging } = shop.context;
  const { staged, content } = task;
  if (staged === null || content === null) return failed('EINVAL', 'a file without content');
  const place = locate(shop.context, operation.path);
  const startedMs = clock();
  const stat = shop.widening.attempt([place], () =>
    fileSystem.placeNew(staging, nameOf(staged) as string as BytePath, root, place),
  );
  task.staged = null;
  return recordPut(shop, operation.path, operation.after, content, startedMs, stat);
}

/** Complete, with its time and owner, before it gets its name. */
function createSymlink(shop: Workshop, operation: PutOperation, after: SymlinkEntry): Result {
  const { context } = shop;
  const { fileSystem, root } = context;
  const place = locate(context, operation.path);
  const staged = stagedName(context);
  try {
    fileSystem.makeSymlink(root, staged, after.target);
    const extras = extrasFor(context, after, null);
    if (extras !== null) setExtras(context, staged, extras);
    setSymlinkMtime(context, staged, after);
    shop.widening.attempt([place], () => fileSystem.renameNoReplace(root, staged, place));
  } catch (error) {
    discard(context, staged);
    throw error;
  }
  return recordPut(shop, operation.path, after, null, context.clock());
}

/** A root directory exists by now: it is made before anything can be applied to it. */
function createDirectory(shop: Workshop, operation: PutOperation, after: DirectoryEntry): Result {
  const { context, ledger, widening } = shop;
  const { fileSystem, root } = context;
  const place = locate(context, operation.path);
  const mode = newMode(context, after, null);
  const extras = extrasFor(context, after, null);
  const first = extras === null ? mode : mode | 0o700;
  if (operation.path !== '' || context.only !== null) {
    widening.attempt([place], () => fileSystem.makeDirectory(root, place, first));
  }
  if (extras !== null) setExtras(context, place, extras);
  const bits = syncedBits(context);
  const made = (fileSystem.stat(root, place)?.mode ?? 0) & bits;
  // The umask took bits away, or a default ACL changed them.
  if (context.options.metadata.perms && made !== (mode & bits)) fileSystem.setMode(root, place, mode);
  ledger.touchDirectory(place);
  return recordPut(shop, operation.path, after, null, context.clock());
}
