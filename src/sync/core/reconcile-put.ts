/** Decisions for one path whose winner is known: puts with merged metadata, records, conflict copies. */

import type { Entry, FileEntry, Side, TrackedEntry } from '../../journal/core/entry.ts';
import { isTracked, otherSide } from '../../journal/core/entry.ts';
import { type BytePath, ROOT } from '../../platform/core/byte-path.ts';
import { changeOf } from './compare.ts';
import { agreedEntry, entryToCreate, mergeEntries, sameMetadata } from './compare-metadata.ts';
import { settleConflict } from './conflict.ts';
import { conflictPath } from './conflict-name.ts';
import type { PutDecision, Row } from './plan.ts';
import type { Context } from './reconcile-frames.ts';
import { mustPart, noteDeparture } from './reconcile-links.ts';
import { emitConflict } from './reconcile-note.ts';

/** Both hold the same content: merges metadata, or records the agreement where the archive does not have it yet. */
export function emitAgreement(
  context: Context,
  row: Row,
  alpha: TrackedEntry,
  beta: TrackedEntry,
  forced: Side | null,
): void {
  const { metadata } = context.options;
  const clash = forced ?? clashWinner(context, alpha, beta);
  const alphaOnly = isOneWay(context);
  const merged = mergeEntries({ ancestor: row.ancestor, alpha, beta, winner: null, clash, alphaOnly }, metadata);
  if (merged.kind === 'clash') {
    emitConflict(context, row);
    return;
  }
  const puts = [
    ...metadataPut('alpha', row, alpha, merged.alpha, context),
    ...metadataPut('beta', row, beta, merged.beta, context),
  ];
  context.out.push(...puts);
  if (puts.length > 0) return;
  const agreed = agreedEntry(row.ancestor, merged.alpha, merged.beta, metadata);
  if (agreed !== null && !isRecorded(context, row.ancestor, agreed)) {
    context.out.push({ kind: 'record', path: row.path, entry: agreed });
  }
}

/**
 * Brings `winner`'s entry to the other side, whose own is not a directory unless it has been emptied.
 * `isContested`: both sides changed the content, so the winner's metadata wins clashes too.
 * False where that ended in a conflict: a clash of metadata or of names.
 */
export function emitTransfer(context: Context, row: Row, winner: Side, isContested: boolean): boolean {
  const entry = row[winner];
  const side = otherSide(winner);
  const before = row[side];
  if (!isTracked(entry)) return true;
  if (isTracked(before) && before.kind === entry.kind) return emitContent(context, row, winner, isContested);
  if (before === null && !(isDistinct(context, side, row.path) && rescueParents(context, side))) {
    emitCollision(context, row, side);
    return false;
  }
  noteDeparture(context, side, row.path, before);
  context.out.push({ ...creation(side, row.path, entry, context), reason: before ? 'replace' : 'create', before });
  return true;
}

/**
 * Keeps both contents of a conflict under two names on both sides. False where there is no name to give: the root.
 * The loser is never a directory.
 */
export function emitCopies(context: Context, row: Row, loser: Side): boolean {
  const { options, out, given } = context;
  const winner = otherSide(loser);
  const [lost, kept] = [row[loser], row[winner]];
  if (row.path === ROOT || !isTracked(lost) || !isTracked(kept)) return false;
  const to = conflictPath(row.path, loser, options.conflictTime, (path) => given.has(path) || options.isTaken(path));
  given.add(to);
  noteDeparture(context, loser, row.path, lost);
  out.push({ kind: 'keep-loser', side: loser, path: row.path, to, before: lost });
  out.push(
    { ...creation(winner, to, withoutLink(lost), context), source: fileOf(lost) },
    creation(loser, row.path, kept, context),
  );
  return true;
}

/** Gives a side its missing directories back. False where one of their names collides there. */
export function rescueParents(context: Context, side: Side): boolean {
  for (const frame of context.stack) {
    if (frame.kind !== 'leaving' || frame.side === side || frame.isRescued) continue;
    const entry = frame.row[frame.side];
    if (!isTracked(entry)) continue;
    if (!isDistinct(context, side, frame.path)) return false;
    context.out.push(creation(side, frame.path, entry, context));
    frame.isRescued = true;
  }
  return true;
}

function isOneWay(context: Context): boolean {
  return context.options.mode === 'one-way-safe' || context.options.mode === 'one-way-replica';
}

/** Who wins metadata that both sides changed differently. */
function clashWinner(context: Context, alpha: TrackedEntry, beta: TrackedEntry): Side | 'conflict' {
  if (context.options.mode !== 'two-way-safe') return 'alpha';
  const settlement = settleConflict(alpha, beta, context.options.conflict);
  return settlement.kind === 'winner' ? settlement.side : 'conflict';
}

/** Other content of the same kind: the winner's, under merged metadata, which may change the winner too. */
function emitContent(context: Context, row: Row, winner: Side, isContested: boolean): boolean {
  const { ancestor, alpha, beta, path } = row;
  if (!isTracked(alpha) || !isTracked(beta)) return true;
  const clash = isContested ? winner : clashWinner(context, alpha, beta);
  const input = { ancestor, alpha, beta, winner, clash, alphaOnly: isOneWay(context) };
  const merged = mergeEntries(input, context.options.metadata);
  if (merged.kind === 'clash') {
    emitConflict(context, row);
    return false;
  }
  const side = otherSide(winner);
  const source = fileOf(row[winner]);
  noteDeparture(context, side, path, row[side]);
  context.out.push({ kind: 'put', side, path, reason: 'content', before: row[side], after: merged[side], source });
  context.out.push(...metadataPut(winner, row, winner === 'alpha' ? alpha : beta, merged[winner], context));
  return true;
}

function metadataPut(side: Side, row: Row, before: TrackedEntry, after: TrackedEntry, context: Context): PutDecision[] {
  if (sameMetadata(before, after, context.options.metadata)) return [];
  const { path } = row;
  const source = mustPart(context, side, path, before, after) ? fileOf(row[otherSide(side)]) : null;
  if (after.kind === 'file' && after.linkTo !== undefined) noteDeparture(context, side, path, before);
  return [{ kind: 'put', side, path, reason: 'metadata', before, after, source }];
}

function creation(side: Side, path: BytePath, entry: TrackedEntry, context: Context): PutDecision {
  const after = entryToCreate(entry, context.options.metadata);
  return { kind: 'put', side, path, reason: 'create', before: null, after, source: fileOf(entry) };
}

/** The other names of a loser's file are moved aside one by one, and may stay where they are. */
function withoutLink(entry: TrackedEntry): TrackedEntry {
  if (entry.kind !== 'file') return entry;
  const { linkTo: _linkTo, ...rest } = entry;
  return rest;
}

function fileOf(entry: Entry | null): FileEntry | null {
  return entry?.kind === 'file' ? entry : null;
}

function isDistinct(context: Context, side: Side, path: BytePath): boolean {
  return !context.options.collisions.get(path)?.sides.includes(side);
}

function emitCollision(context: Context, row: Row, side: Side): void {
  emitConflict(context, row, { [side]: 'another name that is the same there' });
}

/** True where the archive's entry says all of `agreed` that can matter later. */
function isRecorded(context: Context, ancestor: TrackedEntry | null, agreed: TrackedEntry): boolean {
  const { digest, metadata } = context.options;
  return ancestor !== null && changeOf(agreed, ancestor, digest) === 'same' && sameMetadata(ancestor, agreed, metadata);
}
