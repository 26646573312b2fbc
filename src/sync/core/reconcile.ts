/**
 * The reconciler: what must happen on each side so that both become equal, path by path, in one pass.
 *
 * A row is judged by the rules of the mode (reconcile-rules.ts) within what has been decided for the directories above
 * it (reconcile-frames.ts). What a directory comes to is often known only at its end: one that the other side deleted
 * goes if nothing in it stays, and is given back, with the directories above it, at the first thing in it that has to
 * be kept.
 *
 * Where one side holds something that is not synced:
 * - Ignored there, or a mount point: neither side changes, and the archive forgets the path and all below it. When it
 *   comes back into view it is as new: equal files match, others conflict, and nothing counts as deleted.
 * - A fifo, socket, device or refused symlink stands where the other side holds something: nothing happens while that
 *   is unchanged; changes or additions there become a conflict. The archive stays.
 * - In a directory that is to go, on the side where it is: the directory and those above it stay, listed as one
 *   conflict at the topmost; everything else in it goes.
 */

import type { Entry, Side, TrackedEntry } from '../../journal/core/entry.ts';
import { isTracked, otherSide } from '../../journal/core/entry.ts';
import { comparePaths, isWithin } from '../../platform/core/byte-path.ts';
import { TidemarkError } from '../../platform/core/errors.ts';
import { type Settlement, settleConflict } from './conflict.ts';
import type { Decision, ReconcileOptions, Reconciler, Row } from './plan.ts';
import {
  blockParent,
  type Context,
  forcedBy,
  keepParent,
  type LeavingFrame,
  pushLeaving,
  pushOpen,
  pushSkip,
  type ReplacingFrame,
  type SkipFrame,
} from './reconcile-frames.ts';
import { conflictIn, emitConflict, emitProblems, forget, remove } from './reconcile-note.ts';
import { emitAgreement, emitCopies, emitTransfer } from './reconcile-put.ts';
import { isNews, judge } from './reconcile-rules.ts';

/** Reconciles rows in path order. Lazy: decisions come as soon as they are certain. Throws on rows out of order and on missing digests. */
export function* reconcile(rows: Iterable<Row>, options: ReconcileOptions): Generator<Decision, void, undefined> {
  const reconciler = createReconciler(options);
  for (const row of rows) yield* reconciler.step(row);
  yield* reconciler.finish();
}

/** The same, fed row by row. */
export function createReconciler(options: ReconcileOptions): Reconciler {
  const context: Context = {
    options,
    stack: [],
    out: [],
    last: null,
    given: new Set(),
    departures: { alpha: new Map(), beta: new Map() },
  };
  return {
    step(row) {
      if (context.last !== null && comparePaths(context.last, row.path) >= 0) throw outOfOrder();
      context.last = row.path;
      takeRow(context, row);
      return handOut(context);
    },
    finish() {
      closeDownTo(context, 0);
      return handOut(context);
    },
  };
}

function handOut(context: Context): readonly Decision[] {
  const decisions = context.out;
  if (decisions.length > 0) context.out = [];
  return decisions;
}

function takeRow(context: Context, row: Row): void {
  const { stack } = context;
  for (let top = stack.at(-1); top !== undefined && !isWithin(row.path, top.path); top = stack.at(-1)) close(context);
  const top = stack.at(-1);
  if (top?.kind === 'replacing') top.rows.push(row);
  else if (top?.kind === 'skip') passOver(context, top, row);
  else decide(context, row);
}

/** A row below something that is left alone. */
function passOver(context: Context, frame: SkipFrame, row: Row): void {
  if (frame.cause === 'problem') return;
  if (emitProblems(context, row)) {
    pushSkip(context, row, 'problem');
    return;
  }
  const isGone = row.alpha === null && row.beta === null;
  if (isGone || frame.cause === 'ignored') forget(context, row);
  const entry = row[frame.side];
  if (frame.cause === 'obstructed' && isTracked(entry) && isNews(entry, row.ancestor, context.options)) {
    frame.hasNews = true;
  }
}

function decide(context: Context, row: Row): void {
  const { ancestor, alpha, beta } = row;
  if (emitProblems(context, row)) {
    blockParent(context, 'unreadable');
    pushSkip(context, row, 'problem');
  } else if (isKnown(alpha) && isKnown(beta)) {
    decideTracked(context, row, { ancestor, alpha, beta });
  } else {
    decideUntracked(context, row);
  }
}

function decideTracked(
  context: Context,
  row: Row,
  triple: { readonly [name in 'ancestor' | Side]: TrackedEntry | null },
): void {
  const forced = forcedBy(context.stack.at(-1));
  const verdict = judge(triple, context.options, forced);
  switch (verdict) {
    case 'gone':
      forget(context, row);
      return;
    case 'agree':
      if (triple.alpha !== null && triple.beta !== null) {
        emitAgreement(context, row, triple.alpha, triple.beta, forced);
        if (triple.alpha.kind === 'directory') pushOpen(context, row.path, forced);
      }
      return;
    case 'leave':
      forget(context, row);
      keepParent(context);
      pushSkip(context, row, 'ignored');
      return;
    case 'contest':
      settle(context, row);
      return;
    case 'alpha':
    case 'beta':
      carry(context, row, verdict, forced, false);
  }
}

/** Makes the other side like `winner`, as far as this row goes. */
function carry(context: Context, row: Row, winner: Side, forced: Side | null, isContested: boolean): void {
  const { mode } = context.options;
  const side = otherSide(winner);
  const [entry, loser] = [row[winner], row[side]];
  if (entry === null) {
    // In two-way-resolved alpha's deletion beats even what is new below.
    const forcedBelow = forced ?? (mode === 'two-way-resolved' && winner === 'alpha' ? 'alpha' : null);
    if (loser?.kind === 'directory') pushLeaving(context, row, side, forcedBelow);
    else remove(context, row, side, false);
  } else if (loser?.kind === 'directory') {
    const alphaWins = winner === 'alpha' && (mode === 'two-way-resolved' || mode === 'one-way-replica');
    const isCertain = isContested || forced !== null || alphaWins;
    context.stack.push({ kind: 'replacing', path: row.path, side, row, isCertain, rows: [] });
  } else if (!emitTransfer(context, row, winner, isContested)) {
    blockParent(context, 'conflicts');
    pushSkip(context, row, 'conflict');
  } else if (entry.kind === 'directory') {
    pushOpen(context, row.path, isContested ? winner : forced);
  }
}

/** Both sides hold something of their own. */
function settle(context: Context, row: Row): void {
  const settlement = settlementOf(context, row);
  if (settlement.kind === 'winner') {
    carry(context, row, settlement.side, null, true);
  } else if (settlement.kind === 'copy' && emitCopies(context, row, settlement.loser)) {
    const keeper = otherSide(settlement.loser);
    if (row[keeper]?.kind === 'directory') pushOpen(context, row.path, keeper);
  } else {
    emitConflict(context, row);
    pushSkip(context, row, 'conflict');
  }
}

function settlementOf(context: Context, { alpha, beta }: Row): Settlement {
  const { mode, conflict } = context.options;
  if (mode === 'two-way-resolved' || mode === 'one-way-replica') return { kind: 'winner', side: 'alpha' };
  if (mode === 'one-way-safe' || !isTracked(alpha) || !isTracked(beta)) return { kind: 'report' };
  return settleConflict(alpha, beta, conflict);
}

/** At least one side holds something that is not synced; no side holds a problem. */
function decideUntracked(context: Context, row: Row): void {
  const side: Side = row.alpha?.kind === 'untracked' ? 'alpha' : 'beta';
  const other = row[otherSide(side)];
  blockParent(context, 'untracked content');
  if (isHidden(row.alpha) || isHidden(row.beta) || !isTracked(other)) {
    forget(context, row);
    pushSkip(context, row, 'ignored');
  } else if (context.options.mode === 'one-way-safe' && side === 'alpha') {
    pushSkip(context, row, 'conflict');
  } else if (isNews(other, row.ancestor, context.options)) {
    emitConflict(context, row);
    pushSkip(context, row, 'conflict');
  } else {
    pushSkip(context, row, 'obstructed', otherSide(side));
  }
}

function close(context: Context): void {
  const frame = context.stack.pop();
  if (frame === undefined) return;
  switch (frame.kind) {
    case 'open':
      return;
    case 'skip':
      if (frame.hasNews) emitConflict(context, frame.row, { [frame.side]: 'directory with modified content' });
      return;
    case 'leaving':
      closeLeaving(context, frame);
      return;
    case 'replacing':
      closeReplacing(context, frame);
  }
}

function closeDownTo(context: Context, depth: number): void {
  while (context.stack.length > depth) close(context);
}

function closeLeaving(context: Context, frame: LeavingFrame): void {
  const { row, side } = frame;
  if (frame.isRescued || frame.isKept) {
    context.out.push(...frame.waiting);
    // The archive keeps a directory that stays for what is beta's own in it: once that is gone, so is the directory.
    if (frame.isKept) keepParent(context);
    return;
  }
  if (frame.blockedBy === null) {
    remove(context, row, side, false);
    return;
  }
  const conflict = conflictIn(context, row, side, frame.blockedBy);
  const parent = context.stack.at(-1);
  if (parent?.kind !== 'leaving') {
    context.out.push(conflict);
    return;
  }
  parent.blockedBy ??= frame.blockedBy;
  parent.waiting.push(conflict);
}

/** All rows below the directory are in: does it make room, or is there something in it that must not go? */
function closeReplacing(context: Context, frame: ReplacingFrame): void {
  const { row, rows, side } = frame;
  const { options } = context;
  const hasProblems = rows.map((below) => emitProblems(context, below)).includes(true);
  const isBlocked = hasProblems || rows.some((below) => below[side]?.kind === 'untracked');
  for (const below of rows) if (below.alpha === null && below.beta === null) forget(context, below);
  if (isBlocked) {
    context.out.push(conflictIn(context, row, side, hasProblems ? 'unreadable' : 'untracked content'));
    return;
  }
  const hasNews = rows.some(({ ancestor, [side]: entry }) => isTracked(entry) && isNews(entry, ancestor, options));
  const settlement: Settlement =
    frame.isCertain || !hasNews ? { kind: 'winner', side: otherSide(side) } : settlementOf(context, row);
  if (settlement.kind === 'winner' && settlement.side !== side) {
    for (const below of rows.toReversed()) remove(context, below, side, true);
    emitTransfer(context, row, settlement.side, hasNews);
  } else if (settlement.kind === 'winner' && emitTransfer(context, row, side, true)) {
    replay(context, frame);
  } else if (settlement.kind === 'copy' && emitCopies(context, row, settlement.loser)) {
    replay(context, frame);
  } else {
    context.out.push(conflictIn(context, row, side, 'modified content'));
  }
}

/** The directory stays after all, and wins with everything in it. */
function replay(context: Context, frame: ReplacingFrame): void {
  const depth = context.stack.length;
  pushOpen(context, frame.path, frame.side);
  for (const row of frame.rows) takeRow(context, row);
  closeDownTo(context, depth);
}

function isKnown(entry: Entry | null): entry is TrackedEntry | null {
  return entry === null || isTracked(entry);
}

/** Out of sight rather than absent: what is below or behind it may still be there. */
function isHidden(entry: Entry | null): boolean {
  return entry?.kind === 'untracked' && (entry.what === 'ignored' || entry.what === 'mount');
}

function outOfOrder(): TidemarkError {
  return new TidemarkError('internal', 'rows-out-of-order', 'rows of the reconciler must come in path order');
}
