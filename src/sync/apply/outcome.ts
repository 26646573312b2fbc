/** Outcomes, made from what happened. */

import type { TrackedEntry } from '../../journal/core/entry.ts';
import { errnoOf } from '../../platform/core/errors.ts';
import { type ContentBytes, NO_BYTES, type Outcome } from '../core/operation.ts';

/** What became of an operation, without its id. */
export type Result =
  | { readonly status: 'done'; readonly entry: TrackedEntry | null }
  | { readonly status: 'changed'; readonly side: 'source' | 'target'; readonly reason: string }
  | { readonly status: 'failed'; readonly side: 'source' | 'target'; readonly code: string; readonly message: string };

export function done(entry: TrackedEntry | null): Result {
  return { status: 'done', entry };
}

/** The target is no longer what the plan saw. */
export function changed(reason: string): Result {
  return { status: 'changed', side: 'target', reason };
}

export function sourceChanged(reason: string): Result {
  return { status: 'changed', side: 'source', reason };
}

export function failed(code: string, message: string): Result {
  return { status: 'failed', side: 'target', code, message };
}

/** A thrown system error as a result of the target. */
export function failedBy(error: unknown, doing: string): Result {
  const code = errnoOf(error);
  const detail = error instanceof Error ? error.message : String(error);
  return failed(code, `${doing}: ${MEANINGS.get(code) ?? detail}`);
}

export function toOutcome(id: number, result: Result, bytes: ContentBytes = NO_BYTES): Outcome {
  switch (result.status) {
    case 'done':
      return { id, status: 'done', entry: result.entry, bytes };
    case 'changed':
      return { id, status: 'changed', side: result.side, reason: result.reason };
    case 'failed':
      return { id, status: 'failed', side: result.side, problem: { code: result.code, message: result.message } };
  }
}

const MEANINGS = new Map([
  ['EACCES', 'permission denied'],
  ['EDQUOT', 'the disk quota is used up'],
  ['EFBIG', 'the file is too large for this file system'],
  ['EIO', 'input/output error'],
  ['ENAMETOOLONG', 'the name is too long for this file system'],
  ['ENOSPC', 'no space left on the device'],
  ['EPERM', 'not permitted'],
  ['EROFS', 'the file system is read-only'],
]);
