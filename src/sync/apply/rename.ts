/** Moves objects within the tree, with all they hold. */

import type { IndexRecord } from '../../journal/store/index.ts';
import { type BytePath, joinPath, parentOf } from '../../platform/core/byte-path.ts';
import { errnoOf } from '../../platform/core/errors.ts';
import type { Stat } from '../../platform/filesystem.ts';
import type { RenameOperation } from '../core/operation.ts';
import { type ApplyContext, locate } from './context.ts';
import { changed, done, failed, type Result } from './outcome.ts';
import { isSameContent, isSameObject, isUntouched, packStat, typeOf } from './packed-stat.ts';
import { planFault } from './verify.ts';
import { targetFailure, type Workshop } from './workshop.ts';

/** Carries out a rename. A file that is being written may be moved: its inode, and whoever writes to it, go along. */
export function rename(shop: Workshop, operation: RenameOperation): Result {
  const { before, path, to } = operation;
  if (path === '' || to === '') return failed('EBUSY', 'the root itself cannot be renamed');
  const { context, ledger, widening } = shop;
  const record = ledger.lookup(path);
  const fault = planFault(before, record);
  if (fault !== null || record === null) return changed(fault ?? 'nothing is recorded here any more');
  if (!ledger.knowsParentOf(to)) return changed('the directory it belongs into is not known');
  const from = locate(context, path);
  const place = locate(context, to);
  try {
    const live = context.fileSystem.stat(context.root, from);
    if (live === null || !isRecorded(live, record)) return changed('it was edited');
    // Moving a directory rewrites its "..": it must let its owner write, too.
    widening.attempt([from, place], () => move(context, from, place, live));
    ledger.touchDirectory(parentOf(from));
    ledger.touchDirectory(parentOf(place));
    return settle(shop, operation, record, live);
  } catch (error) {
    return targetFailure(error, 'could not be renamed');
  }
}

/**
 * Where two spellings are one name, the object itself is in the way of its new one: it takes a step aside, within its
 * directory. A crash in between leaves it there under a name of ours, complete, for the next look to find.
 */
function move({ fileSystem, root, randomName }: ApplyContext, from: BytePath, place: BytePath, live: Stat): void {
  try {
    fileSystem.renameNoReplace(root, from, place);
  } catch (error) {
    if (errnoOf(error) !== 'EEXIST' || !isOneName(live, fileSystem.stat(root, place))) throw error;
    const aside = joinPath(parentOf(from), `.tidemark-${randomName()}`);
    fileSystem.renameNoReplace(root, from, aside);
    try {
      fileSystem.renameNoReplace(root, aside, place);
    } catch (secondError) {
      fileSystem.renameNoReplace(root, aside, from);
      throw secondError;
    }
  }
}

/** Two names of one object that has but one: files with further hard links are left alone. */
function isOneName(live: Stat, there: Stat | null): boolean {
  if (there === null || there.ino !== live.ino || there.dev !== live.dev) return false;
  return typeOf(live) === 'directory' || live.nlink === 1;
}

function settle(shop: Workshop, { path, to }: RenameOperation, record: IndexRecord, live: Stat): Result {
  const { context, ledger, widening } = shop;
  const place: BytePath = locate(context, to);
  const moved = context.fileSystem.stat(context.root, place);
  if (moved === null || moved.ino !== live.ino) {
    if (moved !== null) context.fileSystem.renameNoReplace(context.root, place, locate(context, path));
    return changed('it was replaced by something else');
  }
  widening.moved(locate(context, path), place);
  if (ledger.lookup(to) !== null) ledger.remove(to);
  ledger.rename(path, to);
  const isSame = record.entry.kind === 'directory' || isSameContent(moved, live);
  const packedStat = isSame ? packStat(moved) : null;
  if (live.nlink > 1 && record.entry.kind === 'file' && isSame && record.packedStat !== null) {
    shop.links.touch(to, record.packedStat, moved);
  }
  ledger.put(to, { entry: record.entry, packedStat, racy: record.racy || !isSame });
  const { entry } = record;
  return entry.kind === 'untracked' || entry.kind === 'problem' ? failed('EINVAL', 'not synced') : done(entry);
}

function isRecorded(live: Stat, record: IndexRecord): boolean {
  const { entry, packedStat } = record;
  if (packedStat === null || typeOf(live) !== entry.kind) return false;
  return entry.kind === 'file' ? isUntouched(live, packedStat) : isSameObject(live, packedStat);
}
