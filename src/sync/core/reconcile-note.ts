/** Decisions that need no winner: removals, conflicts, problems, and what the archive forgets. */

import { type Entry, isTracked, otherSide, type ProblemEntry, type Side } from '../../journal/core/entry.ts';
import { describeChange } from './conflict.ts';
import type { ConflictDecision, Row } from './plan.ts';
import type { Context } from './reconcile-frames.ts';
import { noteDeparture } from './reconcile-links.ts';

/** Lists a conflict; the texts default to what each side did. */
export function emitConflict(context: Context, row: Row, texts: { readonly [side in Side]?: string } = {}): void {
  const { path, ancestor, alpha, beta } = row;
  const alphaText = texts.alpha ?? describeChange(alpha, ancestor, context.options);
  const betaText = texts.beta ?? describeChange(beta, ancestor, context.options);
  context.out.push({ kind: 'conflict', path, alpha, beta, alphaText, betaText });
}

/** Removes what `side` holds there, if anything tracked. */
export function remove(context: Context, row: Row, side: Side, makesRoom: boolean): void {
  const before = row[side];
  noteDeparture(context, side, row.path, before);
  if (isTracked(before)) context.out.push({ kind: 'remove', side, path: row.path, before, makesRoom });
}

/** The archive drops the path. */
export function forget(context: Context, row: Row): void {
  if (row.ancestor !== null) context.out.push({ kind: 'record', path: row.path, entry: null });
}

/** The conflict at a directory of `side` that should go and cannot: "directory with untracked content". */
export function conflictIn(context: Context, row: Row, side: Side, what: string): ConflictDecision {
  const { path, ancestor, alpha, beta } = row;
  const text = what === 'unreadable' ? 'directory with unreadable content' : `directory with ${what}`;
  const otherText = describeChange(row[otherSide(side)], ancestor, context.options);
  const [alphaText, betaText] = side === 'alpha' ? [text, otherText] : [otherText, text];
  return { kind: 'conflict', path, alpha, beta, alphaText, betaText };
}

/** Lists what could not be looked at; true where there was something. */
export function emitProblems(context: Context, row: Row): boolean {
  for (const side of ['alpha', 'beta'] as const) {
    const entry = row[side];
    if (!isProblem(entry)) continue;
    context.out.push({ kind: 'problem', path: row.path, side, code: entry.code, message: entry.message });
  }
  return isProblem(row.alpha) || isProblem(row.beta);
}

function isProblem(entry: Entry | null): entry is ProblemEntry {
  return entry?.kind === 'problem';
}
