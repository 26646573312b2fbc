/**
 * Renames: what one side removed here and has there, so that the other side can follow without content on the wire.
 *
 * A pair is proven by identity (the same inode and birth time), for files also by content (same size and SHA-256, when
 * identity does not tell: other file systems, copies). It counts only where the other side still has the source, of the
 * same kind, and neither that side nor the archive has anything at the target. A directory moves as one, whatever it
 * holds; what happened inside is then seen under the new names. Where both sides made the same move only the archive
 * follows. The same object moved to two names, a move against a deletion, a chain or a swap is no pair: the contents
 * go the usual way and both names end up on both sides.
 *
 * The returned rows are those after the renames, on the side that follows and in the archive, ready for `reconcile`.
 * In one-way modes only alpha's renames count. All rows are in memory; time is O(rows log rows).
 */

import { type Digests, isTracked, otherSide, type Side, type TrackedEntry } from '../../journal/core/entry.ts';
import type { DigestName, MetadataOptions } from '../../journal/core/look.ts';
import { type BytePath, nameOf } from '../../platform/core/byte-path.ts';
import type { Mode } from '../options.ts';
import { changeOf, pathOn } from './compare.ts';
import { entryToCreate } from './compare-metadata.ts';
import type { Collision, DigestNeed, PutDecision, Renaming, Row } from './plan.ts';
import {
  identityOf,
  isRemoved,
  missingParents,
  moveRows,
  type RowTable,
  rowsIn,
  setRow,
  tableOf,
} from './rename-table.ts';

export interface RenameOptions {
  readonly mode: Mode;
  readonly metadata: MetadataOptions;
  readonly digest: DigestName;
  readonly collisions: ReadonlyMap<BytePath, Collision>;
}

/** Renames and the directories they need, to be carried out in this order before anything else, and what is left. */
export interface Pairing {
  readonly renames: readonly (Renaming | PutDecision)[];
  readonly rows: readonly Row[];
}

/** Pairs removed with new paths on each side. */
export function pairRenames(rows: readonly Row[], options: RenameOptions): Pairing {
  const search: Search = { table: tableOf(rows), options, renames: [] };
  for (const mover of moversOf(options.mode)) {
    pairByIdentity(search, mover);
    pairByContent(search, mover);
  }
  return { renames: search.renames, rows: search.renames.length === 0 ? rows : rowsIn(search.table) };
}

/** The SHA-256 digests that pairing by content needs: of new files that have the size of a removed one, and of those. */
export function renameDigestsNeeded(rows: readonly Row[], options: RenameOptions): DigestNeed[] {
  const search: Search = { table: tableOf(rows), options, renames: [] };
  const needs: DigestNeed[] = [];
  for (const mover of moversOf(options.mode)) {
    pairByIdentity(search, mover);
    const removed = groupedBy(removedFiles(search, mover), ({ sizeBytes }) => sizeBytes);
    for (const [sizeBytes, added] of groupedBy(newFiles(search, mover), ({ sizeBytes }) => sizeBytes)) {
      const sources = removed.get(sizeBytes) ?? [];
      for (const { heldAt: path } of mayMatch(added, sources)) needs.push({ side: mover, path, strong: true });
      for (const { heldAt: path } of mayMatch(sources, added)) {
        needs.push({ side: otherSide(mover), path, strong: true });
      }
    }
  }
  return needs;
}

interface Search {
  readonly table: RowTable;
  readonly options: RenameOptions;
  readonly renames: (Renaming | PutDecision)[];
}

function moversOf(mode: Mode): readonly Side[] {
  return mode === 'two-way-safe' || mode === 'two-way-resolved' ? ['alpha', 'beta'] : ['alpha'];
}

/** Parents come first, so that a moved directory takes along what would otherwise be renames of its own. */
function pairByIdentity(search: Search, mover: Side): void {
  const { rows } = search.table;
  const removed = rowsIn(search.table).filter((row) => isRemoved(search.table, row, mover));
  const present = newPathsByIdentity(search, mover);
  const waiting = removed.map(({ path }) => path);
  // Grows while it is walked: what was removed from a directory that moved is looked at again under its new name.
  for (const from of waiting) {
    const row = rows.get(from);
    if (row === undefined || !isRemoved(search.table, row, mover)) continue;
    const candidates = present.get(identityOf(row, mover)) ?? [];
    const to = candidates.find((path) => isPair(search, row, path, mover));
    if (to === undefined) continue;
    for (const path of rename(search, row, to, mover)) {
      const below = rows.get(path);
      if (below !== undefined && path !== to && isRemoved(search.table, below, mover)) waiting.push(path);
    }
  }
}

function newPathsByIdentity({ table }: Search, mover: Side): Map<string | null, BytePath[]> {
  const added = rowsIn(table).filter((row) => row.ancestor === null && isTracked(row[mover]));
  const groups = groupedBy(added, (row) => identityOf(row, mover));
  groups.delete(null);
  return new Map([...groups].map(([identity, rows]) => [identity, rows.map(({ path }) => path)]));
}

/** Files that kept their name are paired first: among equal contents that is what most likely moved where. */
function pairByContent(search: Search, mover: Side): void {
  for (const withName of [true, false]) {
    const keyOf = ({ path, strong }: KnownFile) => (withName ? `${strong}${nameOf(path)}` : strong);
    const removed = groupedBy(removedFiles(search, mover).toReversed(), keyOf);
    for (const added of newFiles(search, mover)) {
      const sources = added.strong === null ? undefined : removed.get(keyOf(added));
      const from = sources?.at(-1);
      const row = from === undefined ? undefined : search.table.rows.get(from.path);
      if (row === undefined || !isPair(search, row, added.path, mover)) continue;
      sources?.pop();
      rename(search, row, added.path, mover);
    }
  }
}

/** A file that is new or was removed. `strong` of a removed one may be proven by the other side's copy of it. */
interface KnownFile extends Digests {
  readonly path: BytePath;
  /** Where the side holds it that can be asked for its digest. */
  readonly heldAt: BytePath;
  readonly sizeBytes: number;
}

/** Those of `files` that have no SHA-256 yet and could be the same as one of `others`, by size and fast digest. */
function mayMatch(files: readonly KnownFile[], others: readonly KnownFile[]): KnownFile[] {
  const fasts = new Set(others.map(({ fast }) => fast));
  return files.filter(({ fast, strong }) => {
    return strong === null && (fasts.has(null) || (fast === null ? fasts.size > 0 : fasts.has(fast)));
  });
}

function groupedBy<T, K>(items: readonly T[], keyOf: (item: T) => K): Map<K, T[]> {
  const groups = new Map<K, T[]>();
  for (const item of items) {
    const key = keyOf(item);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [item]);
    else group.push(item);
  }
  return groups;
}

/** Files that `mover` removed and the other side still has, whose archived content is, or can be, known. Not empty ones: they are all alike. */
function removedFiles({ table, options }: Search, mover: Side): KnownFile[] {
  return rowsIn(table).flatMap((row) => {
    const follower = otherSide(mover);
    const { path, ancestor, [follower]: other } = row;
    if (ancestor?.kind !== 'file' || other?.kind !== 'file' || ancestor.sizeBytes === 0) return [];
    if (!isRemoved(table, row, mover)) return [];
    const { sizeBytes, digests } = ancestor;
    const known = { path, heldAt: pathOn(row, follower), sizeBytes };
    if (digests.strong !== null) return [{ ...known, ...digests }];
    const isCopy = changeOf(other, ancestor, options.digest) === 'same';
    return isCopy ? [{ ...known, fast: digests.fast, strong: other.digests.strong }] : [];
  });
}

function newFiles({ table }: Search, mover: Side): KnownFile[] {
  return rowsIn(table).flatMap((row) => {
    const { path, ancestor, [mover]: entry, [otherSide(mover)]: other } = row;
    if (ancestor !== null || other !== null || entry?.kind !== 'file' || entry.sizeBytes === 0) return [];
    return [{ path, heldAt: pathOn(row, mover), sizeBytes: entry.sizeBytes, ...entry.digests }];
  });
}

/** True where `mover` moved the object of `row` to `to` and the other side can follow, or has done the same. */
function isPair(search: Search, row: Row, to: BytePath, mover: Side): boolean {
  const { table, options } = search;
  const target = table.rows.get(to);
  const follower = otherSide(mover);
  const moved = target?.[mover];
  if (target === undefined || target.ancestor !== null || moved?.kind !== row.ancestor?.kind) return false;
  if (isSameMove(row, target, follower)) return true;
  const source = row[follower];
  if (source?.kind !== moved?.kind || target[follower] !== null) return false;
  // In one-way-safe what beta changed stays where beta has it.
  if (options.mode === 'one-way-safe' && changeOf(source as TrackedEntry, row.ancestor, options.digest) !== 'same') {
    return false;
  }
  const parents = missingParents(table, to, follower);
  return parents !== null && [target, ...parents].every(({ path }) => isFree(options, path, row.path, follower));
}

function isSameMove(row: Row, target: Row, follower: Side): boolean {
  const identity = identityOf(row, follower);
  const isMoved = row[follower] === null && identity !== null && identityOf(target, follower) === identity;
  return isMoved && target[follower]?.kind === row.ancestor?.kind;
}

/** No other name folds to the same there; the old name of the object itself may. */
function isFree(options: RenameOptions, path: BytePath, from: BytePath, side: Side): boolean {
  const collision = options.collisions.get(path);
  return collision === undefined || !collision.sides.includes(side) || collision.with === from;
}

/** Decides the rename and moves the rows; their new paths. */
function rename(search: Search, row: Row, to: BytePath, mover: Side): BytePath[] {
  const { table, options, renames } = search;
  const side = otherSide(mover);
  const before = row[side];
  if (before === null) {
    renames.push({ kind: 'record-rename', from: row.path, to });
  } else if (isTracked(before)) {
    for (const parent of missingParents(table, to, side) ?? []) createParent(search, parent, side, options);
    renames.push({ kind: 'rename', side, from: row.path, to, before });
  }
  return moveRows(table, row.path, to, mover, before === null);
}

function createParent({ table, renames }: Search, row: Row, side: Side, options: RenameOptions): void {
  const model = row[otherSide(side)];
  if (!isTracked(model)) return;
  const after = entryToCreate(model, options.metadata);
  renames.push({
    kind: 'put',
    side,
    path: row.path,
    reason: 'create',
    before: null,
    after,
    source: null,
    isEarly: true,
  });
  // Counts as agreed upon already: the put's own outcome is what gets recorded, and only that.
  setRow(table, { ...row, ancestor: after, [side]: after });
}
