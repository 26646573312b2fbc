/**
 * The stack of directories above the row at hand.
 *
 * A frame says what has been decided for a directory and so for the rows below it. Directories without a row have no
 * frame: they exist on both sides. Memory is the depth of the tree, except in a `replacing` frame, which holds the rows
 * below one directory that is to make room for a file, until it is known that nothing there is worth keeping.
 */

import type { Side } from '../../journal/core/entry.ts';
import type { BytePath } from '../../platform/core/byte-path.ts';
import type { ConflictDecision, Decision, ReconcileOptions, Row } from './plan.ts';
import type { Departures } from './reconcile-links.ts';

/** The directory is, or will be, on both sides. */
export interface OpenFrame {
  readonly kind: 'open';
  readonly path: BytePath;
  /** The side that wins everything below. */
  readonly forced: Side | null;
}

/**
 * Everything below stays as it is. `problem`: nothing at all is decided there. `ignored`: the archive forgets what it
 * knows below, so that nothing counts as deleted when it comes back into view. `conflict`: the archive stays.
 * `obstructed`: something that is not synced stands on the other side; changes below become a conflict at `row`.
 */
export interface SkipFrame {
  readonly kind: 'skip';
  readonly path: BytePath;
  readonly cause: 'problem' | 'ignored' | 'conflict' | 'obstructed';
  readonly row: Row;
  /** With `obstructed`: the side that holds the directory, and whether news were seen in it. */
  readonly side: Side;
  hasNews: boolean;
}

/** `side` still holds a directory that the other side no longer has: it goes, unless something in it stays. */
export interface LeavingFrame {
  readonly kind: 'leaving';
  readonly path: BytePath;
  readonly side: Side;
  readonly row: Row;
  readonly forced: Side | null;
  /** Something in it goes back to the other side, which has got the directory again. */
  isRescued: boolean;
  /** Something in it is the side's own affair (one-way-safe). */
  isKept: boolean;
  /** What is in the way of the removal, in words. */
  blockedBy: string | null;
  /** Conflicts of directories in it, to be listed only if this one is not itself listed. */
  waiting: ConflictDecision[];
}

/** `side` holds a directory that is to make room for what the other side holds. */
export interface ReplacingFrame {
  readonly kind: 'replacing';
  readonly path: BytePath;
  readonly side: Side;
  readonly row: Row;
  /** True: whatever is in it has lost already. */
  readonly isCertain: boolean;
  readonly rows: Row[];
}

export type Frame = OpenFrame | SkipFrame | LeavingFrame | ReplacingFrame;

/** A reconciliation under way. */
export interface Context {
  readonly options: ReconcileOptions;
  readonly stack: Frame[];
  /** Decisions not yet handed out. */
  out: Decision[];
  /** The row before. */
  last: BytePath | null;
  /** Names given to conflict copies in this run. */
  readonly given: Set<BytePath>;
  readonly departures: Departures;
}

/** The side that wins everything at this place, or null. */
export function forcedBy(frame: Frame | undefined): Side | null {
  return frame?.kind === 'open' || frame?.kind === 'leaving' ? frame.forced : null;
}

export function pushOpen(context: Context, path: BytePath, forced: Side | null): void {
  context.stack.push({ kind: 'open', path, forced });
}

export function pushSkip(context: Context, row: Row, cause: SkipFrame['cause'], side: Side = 'alpha'): void {
  context.stack.push({ kind: 'skip', path: row.path, cause, row, side, hasNews: false });
}

export function pushLeaving(context: Context, row: Row, side: Side, forced: Side | null): void {
  const path = row.path;
  const fresh = { isRescued: false, isKept: false, blockedBy: null, waiting: [] };
  context.stack.push({ kind: 'leaving', path, side, row, forced, ...fresh });
}

/** Something in the directory above cannot be removed. */
export function blockParent(context: Context, reason: string): void {
  const top = context.stack.at(-1);
  if (top?.kind === 'leaving') top.blockedBy ??= reason;
}

/** Something in the directory above stays on its side alone. */
export function keepParent(context: Context): void {
  const top = context.stack.at(-1);
  if (top?.kind === 'leaving') top.isKept = true;
}
