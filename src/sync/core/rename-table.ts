/** Rows by path, with the moves of renames applied to the archive and to the side that is to follow. */

import { type Entry, isTracked, otherSide, type Side, type TrackedEntry } from '../../journal/core/entry.ts';
import { type BytePath, comparePaths, parentOf, ROOT } from '../../platform/core/byte-path.ts';
import { pathOn } from './compare.ts';
import type { Row } from './plan.ts';

export interface RowTable {
  readonly rows: Map<BytePath, Row>;
  /** Rows by their directory; without it every move would have to look at all rows. */
  readonly below: Map<BytePath, Set<BytePath>>;
}

export function tableOf(rows: readonly Row[]): RowTable {
  const table: RowTable = { rows: new Map(), below: new Map() };
  for (const row of rows) setRow(table, row);
  return table;
}

/** All rows in path order. */
export function rowsIn(table: RowTable): Row[] {
  return [...table.rows.values()].sort((left, right) => comparePaths(left.path, right.path));
}

export function setRow(table: RowTable, row: Row): void {
  table.rows.set(row.path, row);
  if (row.path === ROOT) return;
  const parent = parentOf(row.path);
  const siblings = table.below.get(parent);
  if (siblings === undefined) table.below.set(parent, new Set([row.path]));
  else siblings.add(row.path);
}

/**
 * Moves `from` and all below it to `to`, in the archive and on the side that has not moved it itself (`mover`'s other
 * side; on none where both moved it). What `mover` holds at `to` stays. The new paths, parents first. O(rows moved).
 */
export function moveRows(table: RowTable, from: BytePath, to: BytePath, mover: Side, isOnBoth: boolean): BytePath[] {
  const moved = takeSubtree(table, from);
  return moved.map((old) => {
    const path = (to + old.path.slice(from.length)) as BytePath;
    const held = table.rows.get(path);
    const row = isOnBoth ? mergeBoth(path, old, held) : mergeOne(path, old, held, mover);
    setRow(table, row);
    return path;
  });
}

/** What `mover` removed and where, as far as that is certain: not where something hides it. */
export function isRemoved(table: RowTable, row: Row, mover: Side): row is Row & { readonly ancestor: TrackedEntry } {
  if (row.path === ROOT || row.ancestor === null || row[mover] !== null) return false;
  for (let parent = parentOf(row.path); ; parent = parentOf(parent)) {
    const entry: Entry | null | undefined = table.rows.get(parent)?.[mover];
    if (entry !== undefined && entry !== null && !isTracked(entry)) return false;
    if (parent === ROOT) return true;
  }
}

/**
 * The directories that `follower` lacks above `to`, topmost first, all of them new on the other side.
 * null: something there does not allow for `to`.
 */
export function missingParents(table: RowTable, to: BytePath, follower: Side): Row[] | null {
  const missing: Row[] = [];
  for (let path = parentOf(to); ; path = parentOf(path)) {
    const row = table.rows.get(path);
    if (row !== undefined) {
      const [entry, model] = [row[follower], row[otherSide(follower)]];
      if (model?.kind !== 'directory') return null;
      if (entry === null && row.ancestor === null) missing.unshift(row);
      else if (entry?.kind !== 'directory') return null;
    }
    if (path === ROOT) return missing;
  }
}

function takeSubtree(table: RowTable, path: BytePath): Row[] {
  const taken: Row[] = [];
  const waiting: BytePath[] = [path];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const row = table.rows.get(next);
    if (row !== undefined) taken.push(row);
    for (const child of table.below.get(next) ?? []) waiting.push(child);
    table.rows.delete(next);
    table.below.delete(next);
  }
  table.below.get(parentOf(path))?.delete(path);
  return taken;
}

type Half = { readonly entry: Entry | null; readonly identity: string | null; readonly heldAt: BytePath };

function mergeOne(path: BytePath, old: Row, held: Row | undefined, mover: Side): Row {
  const halves = { [mover]: halfAfterMove(old, held, mover), [otherSide(mover)]: halfOf(old, otherSide(mover)) };
  return join(path, old.ancestor, halves.alpha ?? NOTHING, halves.beta ?? NOTHING);
}

function mergeBoth(path: BytePath, old: Row, held: Row | undefined): Row {
  return join(path, old.ancestor, halfAfterMove(old, held, 'alpha'), halfAfterMove(old, held, 'beta'));
}

const NOTHING: Half = { entry: null, identity: null, heldAt: ROOT };

function halfOf(row: Row, side: Side): Half {
  return { entry: row[side], identity: identityOf(row, side), heldAt: pathOn(row, side) };
}

/** What a side that moved holds at the new path; where nothing, the identity of what it held at the old one. */
function halfAfterMove(old: Row, held: Row | undefined, side: Side): Half {
  return held === undefined || held[side] === null ? halfOf(old, side) : halfOf(held, side);
}

function join(path: BytePath, ancestor: TrackedEntry | null, alpha: Half, beta: Half): Row {
  return {
    path,
    ancestor,
    alpha: alpha.entry,
    beta: beta.entry,
    alphaIdentity: alpha.identity,
    betaIdentity: beta.identity,
    ...(alpha.entry === null || alpha.heldAt === path ? {} : { alphaPath: alpha.heldAt }),
    ...(beta.entry === null || beta.heldAt === path ? {} : { betaPath: beta.heldAt }),
  };
}

/** The identity a row has on a side: of what is there, or of what was. */
export function identityOf(row: Row, side: Side): string | null {
  return side === 'alpha' ? row.alphaIdentity : row.betaIdentity;
}
