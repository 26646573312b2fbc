/**
 * Puts a new object in the place of another. At every moment the path holds the one or the other, complete.
 *
 * The new object lies in the version store's slot. It is exchanged with the target in one step, so that the old object
 * is in the slot at the very moment it leaves the tree; then it is looked at once more. A writer that came in between
 * (by a rename, or by an open that waits for our lease) has changed it: everything is exchanged back.
 *
 * Always a new inode: nothing is ever written through another name of a hard-linked file.
 */

import { isTracked } from '../../journal/core/entry.ts';
import { type BytePath, parentOf } from '../../platform/core/byte-path.ts';
import { errnoOf } from '../../platform/core/errors.ts';
import type { PutOperation } from '../core/operation.ts';
import { locate } from './context.ts';
import { isLinked, keepLink, recordDisplaced, recordLink } from './link.ts';
import { extrasFor, newMode, setExtras, setSymlinkMtime } from './metadata.ts';
import { changed, failed, type Result } from './outcome.ts';
import { isSameContent } from './packed-stat.ts';
import { isEmptyDirectory, isExpected, type Replacement } from './replace-checks.ts';
import { replaceWithoutExchange } from './replace-fallback.ts';
import { discard } from './staging.ts';
import { filePutOf, type Task } from './task.ts';
import { type Guard, guardObject, isUndisturbed, release } from './verify.ts';
import { recordPut, targetFailure, type Workshop } from './workshop.ts';

/** Carries out a put over another object. Prepared: the task has a slot with the new object in it, or needs none. */
export function replace(shop: Workshop, task: Task, operation: PutOperation): Result {
  const { context } = shop;
  const { slot } = task;
  // What is done to the file through its other names is done after the batch was prepared.
  const record = task.record === null ? null : shop.links.current(task.record);
  const { before, path } = operation;
  if (slot === null && isLinked(shop, operation)) return keepLink(shop, operation);
  if (slot === null || record === null || !isTracked(before)) return failed('EINVAL', 'not prepared');
  if (path === '' && context.only === null) return failed('EBUSY', 'the root itself cannot be replaced');
  const place = locate(context, path);
  try {
    const { guard, reason } = guardObject(context, place, before, record);
    if (guard === null) return changed(reason);
    try {
      finishMetadata(shop, operation, slot.path, guard);
      const staged = context.fileSystem.stat(context.root, slot.path);
      if (staged === null) return failed('ENOENT', 'what was staged is gone');
      return replaceGuarded(shop, task, operation, { place, slot, before, record, guard, staged });
    } finally {
      release(context, guard);
    }
  } catch (error) {
    return targetFailure(error, 'could not be replaced');
  }
}

function replaceGuarded(shop: Workshop, task: Task, operation: PutOperation, replacement: Replacement): Result {
  const { context, widening, ledger } = shop;
  const { place, slot, before } = replacement;
  if (before.kind === 'directory' && !isEmptyDirectory(shop, place)) {
    return failed('ENOTEMPTY', 'the directory holds something that is not synced');
  }
  const startedMs = context.clock();
  try {
    widening.attempt([place], () => context.fileSystem.exchange(context.root, slot.path, place));
  } catch (error) {
    if (!CANNOT_EXCHANGE.has(errnoOf(error))) throw error;
    const fault = replaceWithoutExchange(shop, task, replacement);
    return fault ?? settle(shop, task, operation, replacement, startedMs);
  }
  // From here the slot holds what was displaced: never to be discarded as staged.
  if (isExpected(shop, replacement, slot.path)) return settle(shop, task, operation, replacement, startedMs);
  ledger.touchDirectory(parentOf(place));
  return putBack(shop, replacement);
}

/** The old object is safe in the slot, the new one in place: records it, and lets the old one go where it is not kept. */
function settle(
  shop: Workshop,
  task: Task,
  operation: PutOperation,
  replacement: Replacement,
  startedMs: number,
): Result {
  const { context } = shop;
  const { slot, before, record, guard } = replacement;
  task.staged = null;
  const file = filePutOf(operation);
  const result =
    operation.content === 'link' && file !== null
      ? recordLink(shop, file, startedMs)
      : recordPut(shop, operation.path, operation.after, task.content, startedMs);
  if (before.kind === 'directory') discard(context, slot.path);
  // Asked again at the last moment: a writer that waits for the lease has this inode open, and his edit would go with it.
  else if (!context.options.backup && isUndisturbed(context, guard, context.fileSystem.stat(context.root, slot.path))) {
    context.fileSystem.removeFile(context.root, slot.path);
  }
  recordDisplaced(shop, record, guard, slot.path);
  return result;
}

/** Exchanges back, if the path still holds what was put there; else what was displaced stays as a version. */
function putBack(shop: Workshop, { place, slot, staged, before }: Replacement): Result {
  const { fileSystem, root } = shop.context;
  const now = fileSystem.stat(root, place);
  if (now !== null && isSameContent(now, staged)) {
    fileSystem.exchange(root, slot.path, place);
    return changed('it was edited while it was replaced');
  }
  shop.versions.keepConflict(slot, place, before);
  return changed('it was replaced by something else; what was there before is kept as a version');
}

/** Symlinks and directories are made in the slot bare; files are complete already. */
function finishMetadata(shop: Workshop, operation: PutOperation, slot: BytePath, guard: Guard): void {
  const { after, path } = operation;
  if (after.kind === 'file') return;
  const extras = extrasFor(shop.context, after, { path: locate(shop.context, path), stat: guard.stat });
  if (extras !== null) setExtras(shop.context, slot, extras);
  if (after.kind === 'symlink') setSymlinkMtime(shop.context, slot, after);
  else shop.context.fileSystem.setMode(shop.context.root, slot, newMode(shop.context, after, null));
}

/** How kernels and file systems say that they cannot exchange. */
const CANNOT_EXCHANGE = new Set(['ENOSYS', 'EINVAL', 'EOPNOTSUPP', 'ENOTSUP']);
