/**
 * Replacing where the file system cannot exchange two names.
 *
 * A file or symlink: the old object gets a second name in the version store (a hard link, or a copy where there are
 * none), then the new one is renamed over it. The path is never empty. What remains is a window of microseconds between
 * the last look at the target and the rename, in which a *rename* by somebody else over the same path is lost; an edit
 * of the old file lands in the kept object all the same.
 *
 * Between a directory and something else there is no single step: the old object is moved away first, and a crash in
 * between leaves the path empty, with a file of the old object in the version store.
 */
import { fsyncSync, writeSync } from 'node:fs';
import { type BytePath, joinPath, nameOf, parentOf } from '../../platform/core/byte-path.ts';
import { errnoOf } from '../../platform/core/errors.ts';
import { STAGED_SUFFIX } from '../versions.ts';
import { readPieces } from './file-content.ts';
import { changed, failed, type Result } from './outcome.ts';
import { isSameContent } from './packed-stat.ts';
import { isExpected, type Replacement } from './replace-checks.ts';
import { discard } from './staging.ts';
import type { Task } from './task.ts';
import type { Workshop } from './workshop.ts';

/** Does it; null on success. On failure the staged object is gone or still the task's, the target as it was. */
export function replaceWithoutExchange(shop: Workshop, task: Task, replacement: Replacement): Result | null {
  const { fileSystem, root } = shop.context;
  const slot = replacement.slot.path;
  const waiting = joinPath(parentOf(slot), nameOf(slot) + STAGED_SUFFIX);
  fileSystem.renameNoReplace(root, slot, waiting);
  task.staged = waiting;
  const { before } = replacement;
  const isDirectoryInvolved = before.kind === 'directory' || (replacement.staged.mode & 0o170000) === 0o040000;
  const fault = isDirectoryInvolved ? moveAway(shop, replacement, waiting) : renameOver(shop, replacement, waiting);
  if (fault === null) task.staged = null;
  return fault;
}

function renameOver(shop: Workshop, replacement: Replacement, waiting: BytePath): Result | null {
  const { fileSystem, root } = shop.context;
  const { place, slot } = replacement;
  const isLinked = keepOld(shop, replacement);
  if (!isExpected(shop, replacement, place)) {
    discard(shop.context, slot.path);
    return changed('it was edited');
  }
  shop.widening.attempt([place], () => fileSystem.rename(root, waiting, place));
  if (!isLinked || isExpected(shop, replacement, slot.path)) return null;
  const now = fileSystem.stat(root, place);
  if (now === null || !isSameContent(now, replacement.staged)) {
    shop.versions.keepConflict(slot, place, replacement.before);
    return changed('it was replaced by something else; what was there before is kept as a version');
  }
  fileSystem.rename(root, slot.path, place);
  return changed('it was edited while it was replaced');
}

/** A second name for the old object, or else a copy of it. True for a second name. */
function keepOld(shop: Workshop, replacement: Replacement): boolean {
  const { fileSystem, root } = shop.context;
  const { place, slot, before, guard } = replacement;
  try {
    fileSystem.hardLink(root, place, slot.path);
    return true;
  } catch (error) {
    if (!CANNOT_LINK.has(errnoOf(error))) throw error;
  }
  if (before.kind === 'symlink') fileSystem.makeSymlink(root, slot.path, before.target);
  else if (guard.fd !== null && shop.context.options.backup) copyOld(shop, slot.path, guard.fd, guard.stat);
  return false;
}

function copyOld(
  shop: Workshop,
  to: BytePath,
  from: number,
  stat: { readonly sizeBytes: number; readonly mode: number; readonly mtimeNs: bigint },
): void {
  const { fileSystem, root, options } = shop.context;
  const fd = fileSystem.createFile(root, to, 0o600);
  try {
    let offset = 0;
    for (const piece of readPieces(from, 0, stat.sizeBytes)) {
      for (let written = 0; written < piece.length; ) {
        written += writeSync(fd, piece, written, piece.length - written, offset + written);
      }
      offset += piece.length;
    }
    if (options.durable) fsyncSync(fd);
  } finally {
    fileSystem.close(fd);
  }
  fileSystem.setMode(root, to, stat.mode & 0o777);
  fileSystem.setMtime(root, to, stat.mtimeNs);
}

function moveAway(shop: Workshop, replacement: Replacement, waiting: BytePath): Result | null {
  const { fileSystem, root } = shop.context;
  const { place, slot } = replacement;
  shop.widening.attempt([place], () => fileSystem.renameNoReplace(root, place, slot.path));
  if (!isExpected(shop, replacement, slot.path)) {
    fileSystem.renameNoReplace(root, slot.path, place);
    return changed('it was edited while it was replaced');
  }
  try {
    fileSystem.renameNoReplace(root, waiting, place);
    return null;
  } catch (error) {
    if (errnoOf(error) === 'EEXIST') {
      shop.versions.keepConflict(slot, place, replacement.before);
      return changed('it was replaced by something else; what was there before is kept as a version');
    }
    fileSystem.renameNoReplace(root, slot.path, place);
    return failed(errnoOf(error), 'could not be replaced');
  }
}

const CANNOT_LINK = new Set(['EPERM', 'ENOSYS', 'EOPNOTSUPP', 'ENOTSUP', 'EMLINK', 'EACCES']);
