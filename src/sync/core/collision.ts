/**
 * Names that are two on one side and one on the other.
 *
 * A file system that folds case, or that takes NFC and NFD forms for the same, cannot hold both `A` and `a`. Whichever
 * came second would land on the first. So a name is not created on a folding side while another name that folds to the
 * same is there, or would be created there too: all of those that are new are listed as conflicts. Names that are not
 * valid UTF-8 fold to themselves only.
 */

import { isTracked, otherSide, type Side } from '../../journal/core/entry.ts';
import { type BytePath, isWithin, nameOf, parentOf, ROOT } from '../../platform/core/byte-path.ts';
import type { Collision, Row } from './plan.ts';

/** What a side's file system takes for the same name. */
export interface Folding {
  readonly foldsCase: boolean;
  readonly foldsNormalization: boolean;
}

export type Foldings = Readonly<Record<Side, Folding>>;
type NamesIn = (directory: BytePath) => Iterable<string>;

/** Takes in rows one by one, in path order. */
export interface CollisionFinder {
  add(row: Row): void;
  /** No more rows; the paths that must not be created. */
  finish(): Map<BytePath, Collision>;
}

/**
 * The paths that must not be created, for `ReconcileOptions.collisions`. Rows as they are after renames were paired,
 * in path order. `namesIn` gives the names that a directory is known to hold (those of the archive), for siblings
 * without a row; it is asked only about directories with something new. Needed only where a side folds.
 */
export function findCollisions(rows: Iterable<Row>, folding: Foldings, namesIn: NamesIn): Map<BytePath, Collision> {
  const finder = createCollisionFinder(folding, namesIn);
  for (const row of rows) finder.add(row);
  return finder.finish();
}

/** The same, fed row by row. Memory is the names in the directories above the row at hand, and what was found. */
export function createCollisionFinder(folding: Foldings, namesIn: NamesIn): CollisionFinder {
  const stack: OpenDirectory[] = [];
  const found = new Map<BytePath, { with: BytePath; sides: Side[] }>();
  const close = (directory: OpenDirectory) => {
    for (const side of ['alpha', 'beta'] as const) {
      if (!directory.hasNews || !folds(folding[side])) continue;
      const names = namesOn(side, directory, namesIn(directory.path));
      for (const [path, other] of collisionsAmong(directory.path, names, folding[side])) {
        const known = found.get(path);
        if (known === undefined) found.set(path, { with: other, sides: [side] });
        else known.sides.push(side);
      }
    }
  };
  return {
    add(row) {
      if (row.path === ROOT) return;
      const parent = parentOf(row.path);
      let top = stack.at(-1);
      for (; top !== undefined && !isWithin(parent, top.path); top = stack.at(-1)) {
        stack.pop();
        close(top);
      }
      if (top?.path !== parent) {
        top = { path: parent, siblings: [], hasNews: false };
        stack.push(top);
      }
      const sibling = { name: nameOf(row.path), alpha: standingOn('alpha', row), beta: standingOn('beta', row) };
      top.siblings.push(sibling);
      top.hasNews ||= sibling.alpha === 'new' || sibling.beta === 'new';
    },
    finish() {
      for (let top = stack.pop(); top !== undefined; top = stack.pop()) close(top);
      return found;
    },
  };
}

/** True where names that differ can be one. */
export function folds({ foldsCase, foldsNormalization }: Folding): boolean {
  return foldsCase || foldsNormalization;
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

/** What a side holds under a name, or is to be given. */
type Standing = 'held' | 'new' | 'absent';

interface OpenDirectory {
  readonly path: BytePath;
  readonly siblings: ({ readonly name: string } & { readonly [side in Side]: Standing })[];
  hasNews: boolean;
}

function standingOn(side: Side, row: Row): Standing {
  if (row[side] !== null) return 'held';
  return isTracked(row[otherSide(side)]) ? 'new' : 'absent';
}

/** Names that `side` holds (false) or would be given (true). */
function namesOn(side: Side, { siblings }: OpenDirectory, known: Iterable<string>): Map<string, boolean> {
  const names = new Map<string, boolean>();
  for (const name of known) names.set(name, false);
  for (const { name, [side]: standing } of siblings) {
    if (standing === 'absent') names.delete(name);
    else names.set(name, standing === 'new');
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
