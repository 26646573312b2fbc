/**
 * Looks for names that are one on a side that folds them (core/collision.ts), before anything is decided. Where no side
 * folds, nothing is looked at.
 *
 * What a side is known to hold beside the rows are the names in the archive. A name that is in neither, such as an
 * ignored one, is found by the applier, which never replaces what the plan did not see: that path is then deferred.
 */
import { type BytePath, joinPath } from '../../platform/core/byte-path.ts';
import { createCollisionFinder, type Foldings, findCollisions, folds } from '../core/collision.ts';
import type { Collision, Row } from '../core/plan.ts';

export type Collisions = ReadonlyMap<BytePath, Collision>;

export const NO_COLLISIONS: Collisions = new Map();

/** The names that an archive knows of a directory. */
export interface KnownNames {
  children(directory: BytePath): Iterable<{ readonly name: string }>;
}

/** Among the paths that changed; `known` for their siblings. Costs the names of the directories with something new. */
export function collisionsAmong(rows: readonly Row[], foldings: Foldings, known: KnownNames): Collisions {
  if (!foldsAnywhere(foldings)) return NO_COLLISIONS;
  return findCollisions(rows, foldings, (directory) => namesOf(known, directory));
}

/** The same after renames were paired: names of `before` that moved away are no longer in the way. */
export function collisionsAfterRenames(
  before: readonly Row[],
  after: readonly Row[],
  foldings: Foldings,
  known: KnownNames,
): Collisions {
  if (!foldsAnywhere(foldings)) return NO_COLLISIONS;
  const moved = new Set(before.map(({ path }) => path));
  for (const { path } of after) moved.delete(path);
  return findCollisions(after, foldings, (directory) =>
    namesOf(known, directory).filter((name) => !moved.has(joinPath(directory, name))),
  );
}

/** In whole trees: a pass of its own over all names. `trees` is not called where no side folds. */
export async function collisionsInTrees(
  trees: () => AsyncIterable<readonly Row[]>,
  foldings: Foldings,
): Promise<Collisions> {
  if (!foldsAnywhere(foldings)) return NO_COLLISIONS;
  const finder = createCollisionFinder(foldings, () => []);
  for await (const batch of trees()) for (const row of batch) finder.add(row);
  return finder.finish();
}

function foldsAnywhere({ alpha, beta }: Foldings): boolean {
  return folds(alpha) || folds(beta);
}

function namesOf(known: KnownNames, directory: BytePath): string[] {
  return Array.from(known.children(directory), ({ name }) => name);
}
