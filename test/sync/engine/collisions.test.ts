import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type BytePath, comparePaths, joinPath, nameOf, parentOf, ROOT } from '../../../src/platform/core/byte-path.ts';
import { findCollisions, foldName } from '../../../src/sync/core/collision.ts';
import type { Row } from '../../../src/sync/core/plan.ts';
import { collisionsAfterRenames, collisionsAmong, collisionsInTrees } from '../../../src/sync/engine/collisions.ts';
import { rowsOf, world } from '../../support/tree-model.ts';

const PLAIN = { foldsCase: false, foldsNormalization: false };
const CASE = { foldsCase: true, foldsNormalization: false };
const NONE_FOLDS = { alpha: PLAIN, beta: PLAIN };
const BETA_FOLDS = { alpha: PLAIN, beta: CASE };

const names = (...known: string[]) => ({ children: () => known.map((name) => ({ name })) });

async function* inBatches(rows: readonly Row[], size: number): AsyncGenerator<readonly Row[]> {
  for (let start = 0; start < rows.length; start += size) yield rows.slice(start, start + size);
}

describe('where no side folds', () => {
  const rows = rowsOf(world('', 'A=1 a=2', ''));
  const refuse = (): never => {
    throw new Error('asked for nothing');
  };

  test('nothing is found and nothing looked at', async () => {
    expect(collisionsAmong(rows, NONE_FOLDS, { children: refuse }).size).toBe(0);
    expect(collisionsAfterRenames(rows, rows, NONE_FOLDS, { children: refuse }).size).toBe(0);
    expect((await collisionsInTrees(refuse, NONE_FOLDS)).size).toBe(0);
  });

  test('and with a side that folds, there is something to find', async () => {
    const found = ['A', 'a'];
    expect([...collisionsAmong(rows, BETA_FOLDS, names()).keys()]).toEqual(found);
    expect([...collisionsAfterRenames(rows, rows, BETA_FOLDS, names()).keys()]).toEqual(found);
    expect([...(await collisionsInTrees(() => inBatches(rows, 1), BETA_FOLDS)).keys()]).toEqual(found);
  });
});

describe('names that the archive knows', () => {
  test('are in the way of new ones', () => {
    const rows = rowsOf(world('', 'a=2', ''));
    expect([...collisionsAmong(rows, BETA_FOLDS, names('A', 'b')).keys()]).toEqual(['a']);
    expect([...collisionsAmong(rows, BETA_FOLDS, names('b')).keys()]).toEqual([]);
  });

  test('are asked for in directories with something new only', () => {
    const asked: BytePath[] = [];
    const rows = rowsOf(world('d/x=1 e/y=1', 'd/x=2 e/y=1 e/z=3', 'd/x=1 e/y=1'));
    const children = (directory: BytePath) => {
      asked.push(directory);
      return [];
    };
    collisionsAmong(rows, BETA_FOLDS, { children });
    expect(asked).toEqual(['e']);
  });

  test('are out of the way once they were renamed', () => {
    const before = rowsOf(world('A=1', 'b=1 a=2', 'A=1'));
    const after = rowsOf(world('b=1', 'b=1 a=2', 'b=1'));
    expect([...collisionsAmong(before, BETA_FOLDS, names('A')).keys()]).toEqual(['a']);
    expect([...collisionsAfterRenames(before, after, BETA_FOLDS, names('A')).keys()]).toEqual([]);
  });
});

test('directory by directory, it finds what looking at all names at once finds', () => {
  const name = fc.constantFrom('a', 'A', 'b', 'B', 'a.', 'A.', 'a-', 'b0');
  const path = fc.array(name, { minLength: 1, maxLength: 4 }).map((parts) => parts.join('/') as BytePath);
  const standing = fc.record({ path, isHeld: fc.boolean() });
  fc.assert(
    fc.property(fc.uniqueArray(standing, { selector: (item) => item.path, maxLength: 40 }), (items) => {
      const rows = items
        .sort((left, right) => comparePaths(left.path, right.path))
        .map(({ path: at, isHeld }) => rowAt(at, isHeld));
      const found = findCollisions(rows, BETA_FOLDS, () => []);
      expect(new Set(found.keys())).toEqual(atOnce(rows));
    }),
  );
});

function rowAt(path: BytePath, isHeld: boolean): Row {
  const entry = { kind: 'directory', mode: 0o755 } as const;
  return { path, ancestor: null, alpha: entry, beta: isHeld ? entry : null, alphaIdentity: null, betaIdentity: null };
}

/** New on beta, with another name in the same directory that folds to the same. */
function atOnce(rows: readonly Row[]): Set<BytePath> {
  const keyOf = (path: BytePath) => joinPath(parentOf(path), foldName(nameOf(path), CASE));
  const collides = ({ path, beta }: Row) =>
    path !== ROOT && beta === null && rows.some((other) => other.path !== path && keyOf(other.path) === keyOf(path));
  return new Set(rows.filter(collides).map(({ path }) => path));
}
