/**
 * Makes complete objects in the staging folder: content, mode, time, owner and attributes are all set before an object
 * gets its name in the tree. Every staged name is new and unguessable, and created exclusively.
 */
import { hash } from 'node:crypto';
import type { FileEntry } from '../../journal/core/entry.ts';
import { type BytePath, joinPath } from '../../platform/core/byte-path.ts';
import { errnoOf } from '../../platform/core/errors.ts';
import type { Fd } from '../../platform/filesystem.ts';
import type { PutOperation } from '../core/operation.ts';
import { ContentWriter } from './content-writer.ts';
import { type ApplyContext, locate, STAGING } from './context.ts';
import { hashFile, readPieces } from './file-content.ts';
import { extrasFor, newMode, newMtimeNs, type Replaced, setExtras } from './metadata.ts';
import { changed, failed, failedBy, type Result, sourceChanged } from './outcome.ts';
import { isSameContent } from './packed-stat.ts';
import { differ } from './verify.ts';

/** A put of a file: what staging needs to know of it. */
export type FilePut = PutOperation & { readonly after: FileEntry };

export type Staged =
  | { readonly path: BytePath; readonly content: FileEntry; readonly fault: null }
  | { readonly path: null; readonly fault: Result };

/** Mode of a staged file while it is being made: nobody else may read content whose own mode is not set yet. */
export const STAGED_MODE = 0o600;

export function stagedName(context: ApplyContext): BytePath {
  return joinPath(STAGING, context.randomName());
}

/** Stages a small file from memory. `entry` is what the source read, with its SHA-256. */
export function stageSmall(context: ApplyContext, operation: FilePut, entry: FileEntry, bytes: Buffer): Staged {
  const fault = sourceFault(operation, entry) ?? digestFault(entry, hash('sha256', bytes, 'binary'));
  if (fault !== null) return { path: null, fault };
  const name = context.randomName();
  const path = joinPath(STAGING, name);
  try {
    const replaced = replacedBy(context, operation);
    const extras = extrasFor(context, operation.after, replaced);
    const mode = newMode(context, operation.after, replaced?.stat ?? null);
    const mtimeNs = newMtimeNs(context, operation.after);
    const first = extras === null ? mode : STAGED_MODE;
    context.fileSystem.writeSmallFile(context.staging, name as BytePath, bytes, first, mtimeNs);
    if (extras !== null) {
      setExtras(context, path, extras);
      context.fileSystem.setMode(context.root, path, mode);
    }
    return { path, content: entry, fault };
  } catch (error) {
    discard(context, path);
    return { path: null, fault: failedBy(error, 'could not be written') };
  }
}

/** Stages a copy of another file of this tree: a reflink where the file system has them. Verified by SHA-256. */
export function stageCopy(context: ApplyContext, operation: FilePut, copyFrom: BytePath): Staged {
  const strong = operation.after.digests.strong;
  if (strong === null) return { path: null, fault: failed('EINVAL', 'a copy without a SHA-256 to verify it by') };
  const path = stagedName(context);
  let from: Fd | null = null;
  try {
    from = context.fileSystem.openFile(context.root, locate(context, copyFrom));
    const before = context.fileSystem.fstat(from);
    if (before.sizeBytes !== operation.after.sizeBytes)
      return { path: null, fault: changed('the content to copy changed') };
    const copied = copyContent(context, from, path, before.sizeBytes);
    if (copied !== strong || !isSameContent(context.fileSystem.fstat(from), before)) {
      discard(context, path);
      return { path: null, fault: changed('the content to copy changed') };
    }
    finishStaged(context, path, operation);
    return { path, content: operation.after, fault: null };
  } catch (error) {
    discard(context, path);
    const gone = from === null && errnoOf(error) === 'ENOENT';
    return {
      path: null,
      fault: gone ? changed('the content to copy is gone') : failedBy(error, 'could not be copied'),
    };
  } finally {
    if (from !== null) context.fileSystem.close(from);
  }
}

/** Sets everything but the content on a staged file whose content is complete. */
export function finishStaged(context: ApplyContext, path: BytePath, operation: FilePut): void {
  const { fileSystem, root } = context;
  const replaced = replacedBy(context, operation);
  const extras = extrasFor(context, operation.after, replaced);
  if (extras !== null) setExtras(context, path, extras);
  fileSystem.setMode(root, path, newMode(context, operation.after, replaced?.stat ?? null));
  fileSystem.setMtime(root, path, newMtimeNs(context, operation.after));
}

/** Removes a staged object; nothing happens where there is none. */
export function discard(context: ApplyContext, path: BytePath): void {
  try {
    context.fileSystem.removeFile(context.root, path);
  } catch (error) {
    if (errnoOf(error) === 'EISDIR' || errnoOf(error) === 'EPERM') discardDirectory(context, path);
    // Whatever else stands in the way, the next start clears the folder.
  }
}

/** Why the content that came is not the content the plan is about. */
export function sourceFault(operation: FilePut, entry: FileEntry): Result | null {
  const { after } = operation;
  if (entry.sizeBytes === after.sizeBytes && !differ(entry.digests, after.digests)) return null;
  return sourceChanged('it changed after the plan was made');
}

export function digestFault(entry: FileEntry, strong: string): Result | null {
  if (entry.digests.strong === strong) return null;
  return failed('digest-mismatch', 'the content that arrived is not what the other side sent');
}

/** The live object that a put will replace, as it is now; null for a creation. */
export function replacedBy(context: ApplyContext, operation: PutOperation): Replaced | null {
  if (operation.before === null) return null;
  const path = locate(context, operation.path);
  const stat = context.fileSystem.stat(context.root, path);
  return stat === null ? null : { path, stat };
}

/** Fills a new file at `path` with the content of `from` and returns its SHA-256. */
function copyContent(context: ApplyContext, from: Fd, path: BytePath, sizeBytes: number): string {
  const { fileSystem, root } = context;
  const to = fileSystem.createFile(root, path, STAGED_MODE);
  try {
    fileSystem.advise(from, 'sequential');
    if (sizeBytes > 0 && isCloned(context, from, to)) return hashFile(to, sizeBytes, 'strong').strong ?? '';
    return copyPieces(context, from, to, sizeBytes);
  } finally {
    fileSystem.close(to);
  }
}

function isCloned(context: ApplyContext, from: Fd, to: Fd): boolean {
  try {
    context.fileSystem.clone(from, to);
    return true;
  } catch (error) {
    if (errnoOf(error) === 'ENOSPC' || errnoOf(error) === 'EIO') throw error;
    return false;
  }
}

function copyPieces(context: ApplyContext, from: Fd, to: Fd, sizeBytes: number): string {
  const writer = new ContentWriter(to, sizeBytes);
  try {
    let offset = 0;
    while (offset < sizeBytes) {
      const data = context.fileSystem.nextData(from, offset, sizeBytes) ?? { start: sizeBytes, end: sizeBytes };
      writer.hole(data.start - offset);
      for (const piece of readPieces(from, data.start, data.end)) writer.write(piece);
      // Shorter than it was: no digest of it can match.
      if (writer.receivedBytes !== data.end) return '';
      offset = data.end;
    }
    return writer.finish();
  } finally {
    writer.dispose();
  }
}

function discardDirectory(context: ApplyContext, path: BytePath): void {
  try {
    context.fileSystem.removeDirectory(context.root, path);
  } catch {
    // Not empty or not there: start-up decides.
  }
}
