/**
 * Before a batch is synced: every operation that displaces something gets a slot in the version store, its new object
 * is moved there (or made there), and the manifest says so. Creations need nothing of this.
 */

import { isTracked, type TrackedEntry } from '../../journal/core/entry.ts';
import type { BytePath } from '../../platform/core/byte-path.ts';
import { unpackStat } from '../../platform/core/stat-codec.ts';
import type { PutOperation } from '../core/operation.ts';
import { locate } from './context.ts';
import { isLinked, stageLink } from './link.ts';
import { changed, failed, failedBy, type Result } from './outcome.ts';
import { isInPlace, type Task } from './task.ts';
import { planFault } from './verify.ts';
import { dropStaged, type Workshop } from './workshop.ts';

/** Prepares one task; where it cannot be done, its `result` says why and nothing is left staged. */
export function prepare(shop: Workshop, task: Task): void {
  const { operation } = task;
  if (operation.kind === 'rename') return;
  if (operation.kind === 'put') {
    if (operation.before === null || isInPlace(operation) || isLinked(shop, operation)) return;
  }
  const { before } = operation;
  try {
    task.result = isTracked(before)
      ? displace(shop, task, operation.path, before)
      : failed('EEXIST', 'something that is not synced is in the way');
  } catch (error) {
    task.result = failedBy(error, 'could not be staged');
  }
  if (task.result !== null) dropStaged(shop.context, task);
}

function displace(shop: Workshop, task: Task, path: BytePath, before: TrackedEntry): Result | null {
  const { context, versions } = shop;
  const record = shop.ledger.lookup(path);
  const fault = planFault(before, record);
  if (fault !== null || record === null) return changed(fault ?? 'nothing is recorded here any more');
  task.record = record;
  if (task.operation.kind === 'remove' && before.kind === 'directory' && !context.options.backup) return null;
  const slot = versions.reserve();
  task.slot = slot;
  if (task.operation.kind === 'put') {
    const refusal = stageInSlot(shop, task, task.operation, slot.path);
    if (refusal !== null) return refusal;
    task.staged = slot.path;
    task.stagedInode = context.fileSystem.stat(context.root, slot.path)?.ino ?? null;
  }
  versions.announce(slot, {
    path: locate(context, path),
    reason: task.operation.kind === 'remove' ? 'deleted' : 'overwritten',
    entry: before,
    displacedInode: record.packedStat === null ? 0n : unpackStat(record.packedStat).ino,
    stagedInode: task.stagedInode ?? 0n,
  });
  return null;
}

/** Puts the new object at the slot, from where it is exchanged into the tree. */
function stageInSlot(shop: Workshop, task: Task, operation: PutOperation, slot: BytePath): Result | null {
  const { fileSystem, root } = shop.context;
  const { after } = operation;
  if (after.kind === 'symlink') fileSystem.makeSymlink(root, slot, after.target);
  else if (after.kind === 'directory') fileSystem.makeDirectory(root, slot, 0o700);
  else if (operation.content === 'link' && operation.copyFrom !== undefined) {
    return stageLink(shop, operation.copyFrom, after, slot);
  } else if (task.staged !== null) fileSystem.renameNoReplace(root, task.staged, slot);
  else return failed('EINVAL', 'a file without content');
  return null;
}
