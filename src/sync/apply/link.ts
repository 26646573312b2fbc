/** Hard links between synced files. */

import type { FileEntry } from '../../journal/core/entry.ts';
import type { IndexRecord } from '../../journal/store/index.ts';
import type { BytePath } from '../../platform/core/byte-path.ts';
import { unpackStat } from '../../platform/core/stat-codec.ts';
import type { PutOperation } from '../core/operation.ts';
import { locate } from './context.ts';
import { changeInPlace } from './in-place.ts';
import { changed, failed, type Result } from './outcome.ts';
import { isSameContent, isUntouched, typeOf } from './packed-stat.ts';
import { discard, stagedName } from './staging.ts';
import { filePutOf } from './task.ts';
import { differ, type Guard } from './verify.ts';
import { recordPut, type Workshop } from './workshop.ts';

/** Makes `path` another name of `copyFrom`, where nothing is. */
export function createLink(shop: Workshop, operation: PutOperation & { after: FileEntry }): Result {
  const { fileSystem, root } = shop.context;
  const { path, copyFrom } = operation;
  if (copyFrom === undefined) return failed('EINVAL', 'a link to nothing');
  const startedMs = shop.context.clock();
  const place = locate(shop.context, path);
  const staged = stagedName(shop.context);
  const fault = stageLink(shop, copyFrom, operation.after, staged);
  if (fault !== null) return fault;
  try {
    shop.widening.attempt([place], () => fileSystem.renameNoReplace(root, staged, place));
  } catch (error) {
    fileSystem.removeFile(root, staged);
    throw error;
  }
  return recordLink(shop, operation, startedMs);
}

/** Makes `staged` another name of the file at `copyFrom`; says why not where that is not the one to be linked to. */
export function stageLink(shop: Workshop, copyFrom: BytePath, after: FileEntry, staged: BytePath): Result | null {
  const { fileSystem, root } = shop.context;
  const record = shop.ledger.lookup(copyFrom);
  const fault = linkFault(shop, copyFrom, record, after);
  if (fault !== null || record?.packedStat == null) return fault;
  fileSystem.hardLink(root, locate(shop.context, copyFrom), staged);
  const linked = fileSystem.stat(root, staged);
  if (linked !== null && isSameContent(linked, unpackStat(record.packedStat))) {
    shop.links.touch(copyFrom, record.packedStat, linked);
    return null;
  }
  discard(shop.context, staged);
  return changed('the file to link to was edited');
}

/** Records a link that is in place. */
export function recordLink(
  shop: Workshop,
  operation: PutOperation & { readonly after: FileEntry },
  startedMs: number,
): Result {
  const { path, after, copyFrom } = operation;
  const source = copyFrom === undefined ? null : shop.ledger.lookup(copyFrom);
  const content = source?.entry.kind === 'file' ? source.entry : after;
  const result = recordPut(shop, path, after, content, startedMs);
  const stat = shop.context.fileSystem.stat(shop.context.root, locate(shop.context, path));
  // Somebody's edit in between must not be taken for ours: then the records of the other names stay as they are.
  if (stat !== null && source?.packedStat != null && isSameContent(stat, unpackStat(source.packedStat))) {
    shop.links.touch(path, source.packedStat, stat);
  }
  return result;
}

/** True for a put of a link whose two names are one file already: then only metadata can change. */
export function isLinked(shop: Workshop, operation: PutOperation): boolean {
  if (operation.content !== 'link' || operation.copyFrom === undefined) return false;
  const { fileSystem, root } = shop.context;
  const target = fileSystem.stat(root, locate(shop.context, operation.path));
  const source = fileSystem.stat(root, locate(shop.context, operation.copyFrom));
  return target !== null && source !== null && target.ino === source.ino && target.dev === source.dev;
}

/** Carries out such a put. The file must hold the content that the link is to bring, too. */
export function keepLink(shop: Workshop, operation: PutOperation): Result {
  const file = filePutOf(operation);
  if (file?.copyFrom === undefined) return failed('EINVAL', 'a link to nothing');
  const fault = linkFault(shop, file.copyFrom, shop.ledger.lookup(file.copyFrom), file.after);
  return fault ?? changeInPlace(shop, operation);
}

/** A name of the guarded file has left the tree (to `at`, or for good): our doing, and no edit of its other names. */
export function recordDisplaced(shop: Workshop, record: IndexRecord, guard: Guard, at: BytePath): void {
  if (guard.stat.nlink <= 1 || record.packedStat === null || typeOf(guard.stat) !== 'file') return;
  const { fileSystem, root } = shop.context;
  const now = guard.fd === null ? fileSystem.stat(root, at) : fileSystem.fstat(guard.fd);
  if (now !== null && isSameContent(now, guard.stat)) shop.links.touch(null, record.packedStat, now);
}

/** Why the file at `copyFrom` is not the one to be linked to, or null where it is. */
function linkFault(shop: Workshop, copyFrom: BytePath, record: IndexRecord | null, after: FileEntry): Result | null {
  const { fileSystem, root } = shop.context;
  if (record === null || record.entry.kind !== 'file' || record.packedStat === null) {
    return changed('the file to link to is not there');
  }
  if (record.entry.sizeBytes !== after.sizeBytes || differ(record.entry.digests, after.digests)) {
    return changed('the file to link to has other content');
  }
  const stat = fileSystem.stat(root, locate(shop.context, copyFrom));
  return stat !== null && isUntouched(stat, record.packedStat) ? null : changed('the file to link to was edited');
}
