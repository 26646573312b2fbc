/**
 * Carries out a batch of complete tasks:
 *
 *   prepare (slots, manifest) → one sync of everything staged → commit one by one → one sync of the directories
 *   touched → one transaction of the index → outcomes
 *
 * A failed sync is never repeated: the kernel reports lost pages once and calls them clean afterwards. Everything
 * staged so far fails with it and is made anew from its source by a later run.
 */
import { fsyncSync } from 'node:fs';
import { create } from './create.ts';
import { changeInPlace } from './in-place.ts';
import { isFileSystemSynced, syncFolder, syncObject } from './ledger.ts';
import { failedBy, type Result } from './outcome.ts';
import { prepare } from './prepare.ts';
import { remove } from './remove.ts';
import { rename } from './rename.ts';
import { replace } from './replace.ts';
import { isInPlace, type Task } from './task.ts';
import { dropStaged, type Workshop } from './workshop.ts';

/** Up to this many staged files are synced one by one; for more, one syncfs is cheaper. */
const MAX_SINGLE_SYNCS = 4;

/** What became of the batch as a whole; `lost`: a sync failed, so that files still being received are lost as well. */
export interface BatchResult {
  readonly lost: Result | null;
}

/** Settles every task: afterwards each has a `result`, and nothing staged is left of those that failed. */
export function carryOut(shop: Workshop, tasks: readonly Task[]): BatchResult {
  for (const task of tasks) if (task.result === null) prepare(shop, task);
  const hasManifest = shop.versions.flush();
  const lost = attemptSync(() => syncStaged(shop, tasks, hasManifest));
  for (const task of tasks) {
    task.result ??= lost ?? commit(shop, task);
    dropStaged(shop.context, task);
  }
  if (lost === null) shop.links.refresh(shop.ledger);
  const unsure = attemptSync(() => shop.ledger.sync());
  if (unsure === null) {
    shop.ledger.record();
    return { lost };
  }
  // In place, but perhaps not for good: the index keeps what it knew, and the next look at the tree finds them.
  shop.ledger.clear();
  for (const task of tasks) if (task.result?.status === 'done') task.result = unsure;
  return { lost: unsure };
}

function commit(shop: Workshop, task: Task): Result {
  const { operation } = task;
  try {
    switch (operation.kind) {
      case 'remove':
        return remove(shop, task, operation);
      case 'rename':
        return rename(shop, operation);
      case 'put':
        if (operation.before === null) return create(shop, task, operation);
        return isInPlace(operation) ? changeInPlace(shop, operation) : replace(shop, task, operation);
    }
  } catch (error) {
    return failedBy(error, 'could not be done');
  }
}

function syncStaged(shop: Workshop, tasks: readonly Task[], hasManifest: boolean): void {
  const { context, versions } = shop;
  if (!context.options.durable) return;
  const unsynced = tasks.filter((task) => task.result === null && task.staged !== null && task.unsyncedBytes > 0);
  if (unsynced.length === 0 && !hasManifest) return;
  const folders = versions.takeNewFolders();
  if (unsynced.length > MAX_SINGLE_SYNCS && isFileSystemSynced(context)) return;
  for (const { staged } of unsynced) if (staged !== null) syncObject(context, staged);
  if (hasManifest && versions.manifest !== null) fsyncSync(versions.manifest);
  for (const folder of folders) syncFolder(context, folder);
}

function attemptSync(sync: () => void): Result | null {
  try {
    sync();
    return null;
  } catch (error) {
    return failedBy(error, 'could not be made durable');
  }
}
