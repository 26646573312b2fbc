/** Takes objects out of the tree: into the version store, or away where nothing is kept. */

import type { IndexRecord } from '../../journal/store/index.ts';
import { type BytePath, parentOf } from '../../platform/core/byte-path.ts';
import { errnoOf } from '../../platform/core/errors.ts';
import type { RemoveOperation } from '../core/operation.ts';
import type { Slot } from '../versions.ts';
import { locate } from './context.ts';
import { recordDisplaced } from './link.ts';
import { changed, done, failed, type Result } from './outcome.ts';
import type { Task } from './task.ts';
import { type Guard, guardObject, isUndisturbed, planFault, release } from './verify.ts';
import { targetFailure, type Workshop } from './workshop.ts';

/** Carries out a removal. Files and symlinks are prepared: the task has a slot. */
export function remove(shop: Workshop, task: Task, operation: RemoveOperation): Result {
  const { before, path } = operation;
  if (path === '' && shop.context.only === null) return failed('EBUSY', 'the root itself cannot be removed');
  const record = shop.ledger.lookup(path);
  const fault = planFault(before, record);
  if (fault !== null || record === null) return changed(fault ?? 'nothing is recorded here any more');
  const place = locate(shop.context, path);
  try {
    const result =
      before.kind === 'directory'
        ? removeDirectory(shop, operation, place, record)
        : removeObject(shop, task, operation, place, record);
    if (result.status === 'done') {
      shop.ledger.remove(path);
      shop.ledger.touchDirectory(parentOf(place));
    }
    return result;
  } catch (error) {
    return targetFailure(error, 'could not be removed');
  }
}

function removeDirectory(shop: Workshop, operation: RemoveOperation, place: BytePath, record: IndexRecord): Result {
  const { context, widening } = shop;
  const { guard, reason } = guardObject(context, place, operation.before, record);
  if (guard === null) return changed(reason);
  try {
    widening.attempt([place], () => context.fileSystem.removeDirectory(context.root, place));
    return done(null);
  } catch (error) {
    const code = errnoOf(error);
    if (code !== 'ENOTEMPTY' && code !== 'EEXIST') throw error;
    return failed('ENOTEMPTY', 'the directory holds something that is not synced');
  }
}

function removeObject(
  shop: Workshop,
  task: Task,
  operation: RemoveOperation,
  place: BytePath,
  record: IndexRecord,
): Result {
  if (task.slot === null) return failed('EINVAL', 'not prepared');
  const { guard, reason } = guardObject(shop.context, place, operation.before, record);
  if (guard === null) return changed(reason);
  try {
    const result = removeGuarded(shop, operation, place, task.slot, guard);
    if (result.status === 'done') recordDisplaced(shop, record, guard, task.slot.path);
    return result;
  } finally {
    release(shop.context, guard);
  }
}

function removeGuarded(shop: Workshop, operation: RemoveOperation, place: BytePath, slot: Slot, guard: Guard): Result {
  const { fileSystem, root, options } = shop.context;
  shop.widening.attempt([place], () => fileSystem.renameNoReplace(root, place, slot.path));
  if (!isStillExpected(shop, operation, slot.path, guard)) return putBack(shop, operation, place, slot);
  if (!options.backup) {
    // A writer that waits for the lease has this inode open: his edit is kept.
    if (!isStillExpected(shop, operation, slot.path, guard)) return putBack(shop, operation, place, slot);
    fileSystem.removeFile(root, slot.path);
  }
  return done(null);
}

function isStillExpected(shop: Workshop, { before }: RemoveOperation, slot: BytePath, guard: Guard): boolean {
  const { fileSystem, root } = shop.context;
  const now = fileSystem.stat(root, slot);
  if (now === null || now.ino !== guard.stat.ino) return false;
  if (before.kind === 'symlink') return fileSystem.readSymlink(root, slot) === before.target;
  return isUndisturbed(shop.context, guard, now);
}

function putBack(shop: Workshop, operation: RemoveOperation, place: BytePath, slot: Slot): Result {
  shop.ledger.touchDirectory(parentOf(place));
  try {
    shop.context.fileSystem.renameNoReplace(shop.context.root, slot.path, place);
    return changed('it was edited while it was removed');
  } catch (error) {
    if (errnoOf(error) !== 'EEXIST') throw error;
    shop.versions.keepConflict(slot, place, operation.before);
    return changed('it was replaced by something else; what was there before is kept as a version');
  }
}
