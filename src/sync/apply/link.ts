/** Hard links between synced files. */
import type { BytePath } from '../../platform/core/byte-path.ts';
import type { FileEntry } from '../core/entry.ts';
import type { PutOperation } from '../core/operation.ts';
import { locate } from './context.ts';
import { changed, failed, type Result } from './outcome.ts';
import { isSameContent, isUntouched } from './packed-stat.ts';
import { stagedName } from './staging.ts';
import { differ } from './verify.ts';
import { recordPut, type Workshop } from './workshop.ts';

/** Why the file at `copyFrom` is not the one to be linked to, or null where it is. */
export function linkFault(shop: Workshop, copyFrom: BytePath, after: FileEntry): Result | null {
  const { fileSystem, root } = shop.context;
  const record = shop.ledger.lookup(copyFrom);
  if (record === null || record.entry.kind !== 'file' || record.packedStat === null) {
    return changed('the file to link to is not there');
  }
  if (record.entry.sizeBytes !== after.sizeBytes || differ(record.entry.digests, after.digests)) {
    return changed('the file to link to has other content');
  }
  const stat = fileSystem.stat(root, locate(shop.context, copyFrom));
  return stat !== null && isUntouched(stat, record.packedStat) ? null : changed('the file to link to was edited');
}

/** Makes `path` another name of `copyFrom`. */
export function createLink(shop: Workshop, operation: PutOperation & { after: FileEntry }): Result {
  const { fileSystem, root } = shop.context;
  const { path, after, copyFrom } = operation;
  if (copyFrom === undefined) return failed('EINVAL', 'a link to nothing');
  const fault = linkFault(shop, copyFrom, after);
  if (fault !== null) return fault;
  const startedMs = shop.context.clock();
  const from = locate(shop.context, copyFrom);
  const place = locate(shop.context, path);
  const staged = stagedName(shop.context);
  const expected = fileSystem.stat(root, from);
  fileSystem.hardLink(root, from, staged);
  try {
    const linked = fileSystem.stat(root, staged);
    if (linked === null || expected === null || !isSameContent(linked, expected)) {
      fileSystem.removeFile(root, staged);
      return changed('the file to link to was edited');
    }
    shop.widening.attempt([place], () => fileSystem.renameNoReplace(root, staged, place));
  } catch (error) {
    fileSystem.removeFile(root, staged);
    throw error;
  }
  return recordLink(shop, operation, startedMs);
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
  if (stat !== null && copyFrom !== undefined) shop.links.add(shop.ledger, path, copyFrom, stat);
  return result;
}
