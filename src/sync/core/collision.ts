/**
 * Names that are two on one side and one on the other.
 *
 * A file system that folds case, or that takes NFC and NFD forms for the same, cannot hold both `A` and `a`. Whichever
 * came second would land on the first. So a name is not created on a folding side while another name that folds to the
 * same is there, or would be created there too: all of those that are new are listed as conflicts. Names that are not
 * valid UTF-8 fold to themselves only.
 */
import { type BytePath, nameOf, parentOf, ROOT } from '../../platform/core/byte-path.ts';
import { isTracked, otherSide, type Side } from './entry.ts';
import type { Collision, Row } from './plan.ts';

/** What a side's file system takes for the same name. */
export interface Folding {
  readonly foldsCase: boolean;
  readonly foldsNormalization: boolean;
}

/**
 * The paths that must not be created, for `ReconcileOptions.collisions`. Rows as they are after renames were paired,
 * in path order. `namesIn` gives the names that a directory is known to hold (those of the archive), for siblings
 * without a row. Needed only where a side folds; memory is that of the directories with something new.
 */
export function findCollisions(
  rows: Iterable<Row>,
  folding: Readonly<Record<Side, Folding>>,
  namesIn: (directory: BytePath) => Iterable<string>,
): Map<BytePath, Collision> {
  const collisions = new Map<BytePath, { with: BytePath; sides: Side[] }>();
  for (const [directory, siblings] of directoriesWithNews(rows)) {
    for (const side of ['alpha', 'beta'] as const) {
      if (!folding[side].foldsCase && !folding[side].foldsNormalization) continue;
      const names = namesOn(side, siblings, namesIn(directory));
      for (const [path, other] of collisionsAmong(directory, names, folding[side])) {
        const known = collisions.get(path);
        if (known === undefined) collisions.set(path, { with: other, sides: [side] });
        else known.sides.push(side);
      }
    }
  }
  return collisions;
}

/** The name as a folding file system compares it; itself where it is not UTF-8. Approximates what each of them does. */
export function foldName(name: string, folding: Folding): string {
  const text = decode(name);
  if (text === null) return name;
  const normal = folding.foldsNormalization ? text.normalize('NFC') : text;
  // Upper case first: it takes together what has several lower cases, such as σ and ς, or ß and SS.
  const folded = folding.foldsCase ? normal.toUpperCase().toLowerCase() : normal;
  return folding.foldsNormalization ? folded.normalize('NFC') : folded;
}

/** Rows of each directory in which a side lacks something that the other has. */
function directoriesWithNews(rows: Iterable<Row>): Map<BytePath, Row[]> {
  const siblings = new Map<BytePath, Row[]>();
  for (const row of rows) {
    if (row.path === ROOT) continue;
    const parent = parentOf(row.path);
    const others = siblings.get(parent);
    if (others === undefined) siblings.set(parent, [row]);
    else others.push(row);
  }
  for (const [directory, list] of siblings) {
    if (!list.some((row) => isNewOn('alpha', row) || isNewOn('beta', row))) siblings.delete(directory);
  }
  return siblings;
}

function isNewOn(side: Side, row: Row): boolean {
  return row[side] === null && isTracked(row[otherSide(side)]);
}

/** Names that `side` holds (false) or would be given (true). */
function namesOn(side: Side, rows: readonly Row[], known: Iterable<string>): Map<string, boolean> {
  const names = new Map<string, boolean>();
  for (const name of known) names.set(name, false);
  for (const row of rows) {
    const name = nameOf(row.path);
    if (isNewOn(side, row)) names.set(name, true);
    else if (row[side] === null) names.delete(name);
    else names.set(name, false);
  }
  return names;
}

function* collisionsAmong(
  directory: BytePath,
  names: ReadonlyMap<string, boolean>,
  folding: Folding,
): Generator<[path: BytePath, other: BytePath]> {
  const prefix = directory === ROOT ? '' : `${directory}/`;
  const groups = new Map<string, string[]>();
  for (const name of names.keys()) {
    const folded = foldName(name, folding);
    const group = groups.get(folded);
    if (group === undefined) groups.set(folded, [name]);
    else group.push(name);
  }
  for (const group of groups.values()) {
    for (const name of group) {
      const other = group.find((candidate) => candidate !== name);
      if (other !== undefined && names.get(name) === true)
        yield [(prefix + name) as BytePath, (prefix + other) as BytePath];
    }
  }
}

/** The text of a name, null where its bytes are not UTF-8. */
function decode(name: string): string | null {
  const bytes = Buffer.from(name, 'latin1');
  const text = bytes.toString('utf8');
  return Buffer.from(text, 'utf8').equals(bytes) ? text : null;
}
