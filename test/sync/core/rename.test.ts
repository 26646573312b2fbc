import { describe, expect, test } from 'vitest';
import type { Side } from '../../../src/journal/core/entry.ts';
import { type BytePath, isWithin, ROOT } from '../../../src/platform/core/byte-path.ts';
import type { Collision } from '../../../src/sync/core/plan.ts';
import { reconcile } from '../../../src/sync/core/reconcile.ts';
import { pairRenames, renameDigestsNeeded } from '../../../src/sync/core/rename.ts';
import type { Mode } from '../../../src/sync/options.ts';
import { applyAll, decisionText, optionsWith, rowsOf, treeText, type World, world } from '../../support/tree-model.ts';

/** Trees, which objects moved (`a>b`, with all below), the decisions expected and what both sides hold then. */
interface Case {
  readonly name: string;
  readonly trees: readonly [ancestor: string, alpha: string, beta: string];
  readonly moved?: { readonly [side in Side]?: readonly string[] };
  readonly expected: readonly string[];
  readonly both?: string;
}

const byIdentity: Case[] = [
  {
    name: 'a file',
    trees: ['a=1', 'b=1', 'a=1'],
    moved: { alpha: ['a>b'] },
    expected: ['rename beta a b'],
    both: 'b=1',
  },
  { name: 'a file on beta', trees: ['a=1', 'a=1', 'b=1'], moved: { beta: ['a>b'] }, expected: ['rename alpha a b'] },
  { name: 'a symlink', trees: ['a->x', 'b->x', 'a->x'], moved: { alpha: ['a>b'] }, expected: ['rename beta a b'] },
  {
    name: 'a directory is one operation',
    trees: ['d/e/x=1 d/y=2', 'f/e/x=1 f/y=2', 'd/e/x=1 d/y=2'],
    moved: { alpha: ['d>f'] },
    expected: ['rename beta d f'],
    both: 'f/ f/e/ f/e/x=1 f/y=2',
  },
  {
    name: 'renamed and edited there',
    trees: ['a=1', 'b=2', 'a=1'],
    moved: { alpha: ['a>b'] },
    expected: ['rename beta a b', 'put beta b=2 content'],
  },
  {
    name: 'an edit arrives under the new name',
    trees: ['a=1', 'b=1', 'a=2'],
    moved: { alpha: ['a>b'] },
    expected: ['rename beta a b', 'put alpha b=2 content'],
    both: 'b=2',
  },
  {
    name: 'both edited: the conflict is at the new name',
    trees: ['a=1', 'b=3', 'a=2'],
    moved: { alpha: ['a>b'] },
    expected: ['rename beta a b', 'conflict b (modified file | modified file)'],
  },
  {
    name: 'edits, additions and deletions inside a renamed directory',
    trees: ['d/x=1 d/y=2 d/z=3', 'f/x=1 f/y=2', 'd/n=5 d/x=4 d/y=2 d/z=3'],
    moved: { alpha: ['d>f'] },
    expected: ['rename beta d f', 'put alpha f/n=5 create', 'put alpha f/x=4 content', 'remove beta f/z'],
    both: 'f/ f/n=5 f/x=4 f/y=2',
  },
  {
    name: 'a rename inside a renamed directory',
    trees: ['d/x=1', 'f/y=1', 'd/x=1'],
    moved: { alpha: ['d>f', 'd/x>f/y'] },
    expected: ['rename beta d f', 'rename beta f/x f/y'],
    both: 'f/ f/y=1',
  },
  {
    name: 'a rename inside a directory renamed on the other side',
    trees: ['d/x=1', 'f/x=1', 'd/y=1'],
    moved: { alpha: ['d>f'], beta: ['d/x>d/y'] },
    expected: ['rename beta d f', 'rename alpha f/x f/y'],
    both: 'f/ f/y=1',
  },
  {
    name: 'out of a deleted directory',
    trees: ['d/x=1 d/y=2', 'x=1', 'd/x=1 d/y=2'],
    moved: { alpha: ['d/x>x'] },
    expected: ['rename beta d/x x', 'remove beta d/y', 'remove beta d'],
    both: 'x=1',
  },
  {
    name: 'into new directories',
    trees: ['x=1', 'n/m/x=1', 'x=1'],
    moved: { alpha: ['x>n/m/x'] },
    expected: ['put beta n/ create', 'put beta n/m/ create', 'rename beta x n/m/x'],
    both: 'n/ n/m/ n/m/x=1',
  },
  {
    name: 'to different names: both names on both sides',
    trees: ['a=1', 'b=1', 'c=1'],
    moved: { alpha: ['a>b'], beta: ['a>c'] },
    expected: ['record -a', 'put beta b=1 create', 'put alpha c=1 create'],
    both: 'b=1 c=1',
  },
  {
    name: 'the same move on both sides, edited on one',
    trees: ['d/x=1', 'f/x=2', 'f/x=1'],
    moved: { alpha: ['d>f'], beta: ['d>f'] },
    expected: ['record-rename d f', 'put beta f/x=2 content'],
    both: 'f/ f/x=2',
  },
  {
    name: 'moved against deleted',
    trees: ['a=1', 'b=1', ''],
    moved: { alpha: ['a>b'] },
    expected: ['record -a', 'put beta b=1 create'],
    both: 'b=1',
  },
  {
    name: 'the target is taken',
    trees: ['a=1', 'b=1', 'a=1 b=2'],
    moved: { alpha: ['a>b'] },
    expected: ['remove beta a', 'conflict b (created file | created file)'],
  },
  {
    name: 'each into the other: as contents',
    trees: ['d/ e/', 'e/ e/d/', 'd/ d/e/'],
    moved: { alpha: ['d>e/d'], beta: ['e>d/e'] },
    expected: ['put alpha d/ create', 'put alpha d/e/ create', 'put beta e/ create', 'put beta e/d/ create'],
    both: 'd/ d/e/ e/ e/d/',
  },
  {
    name: 'a swap: as contents',
    trees: ['a=1 b=2', 'a=2 b=1', 'a=1 b=2'],
    moved: { alpha: ['a>b', 'b>a'] },
    expected: ['put beta a=2 content', 'put beta b=1 content'],
  },
  {
    name: 'another kind is no pair',
    trees: ['a=1', 'b->x', 'a=1'],
    moved: { alpha: ['a>b'] },
    expected: ['remove beta a', 'put beta b->x create'],
  },
  {
    name: 'below something ignored nothing counts as moved',
    trees: ['d/x=1', 'd~ignored x=1', 'd/x=1'],
    moved: { alpha: ['d/x>x'] },
    expected: ['record -d', 'record -d/x', 'put beta x=1 create'],
  },
];

const byContent: Case[] = [
  { name: 'a file', trees: ['a=1', 'b=1', 'a=1'], expected: ['rename beta a b'] },
  {
    name: 'among equal contents the same name',
    trees: ['d/a=1 d/b=1', 'e/a=1 e/b=1', 'd/a=1 d/b=1'],
    expected: ['put beta e/ create', 'rename beta d/a e/a', 'rename beta d/b e/b', 'remove beta d'],
  },
  { name: 'empty files are all alike', trees: ['a=', 'b=', 'a='], expected: ['remove beta a', 'put beta b= create'] },
  {
    name: 'edited there: no proof is needed, the archive knows',
    trees: ['a=1', 'b=1', 'a=2'],
    expected: ['rename beta a b', 'put alpha b=2 content'],
  },
];

const oneWay: Case[] = [
  { name: 'alpha', trees: ['a=1', 'b=1', 'a=1'], moved: { alpha: ['a>b'] }, expected: ['rename beta a b'] },
  { name: 'beta', trees: ['a=1', 'a=1', 'b=1'], moved: { beta: ['a>b'] }, expected: ['put beta a=1 create'] },
  {
    name: 'beta edited it',
    trees: ['a=1', 'b=1', 'a=2'],
    moved: { alpha: ['a>b'] },
    expected: ['record -a', 'put beta b=1 create'],
  },
];

describe.each<[string, Mode, readonly Case[]]>([
  ['by identity', 'two-way-safe', byIdentity],
  ['by content', 'two-way-safe', byContent],
  ['one way', 'one-way-safe', oneWay],
])('%s', (_title, mode, cases) => {
  test.each(cases)('$name', ({ trees, moved, expected, both }) => {
    const options = optionsWith({ mode });
    const start = withIdentities(world(...trees), moved);
    const { renames, rows } = pairRenames(rowsOf(start), options);
    const decisions = [...renames, ...reconcile(rows, options)];
    expect(decisions.map(decisionText)).toEqual(expected);
    const after = applyAll(start, decisions);
    if (both !== undefined) expect([treeText(after.alpha), treeText(after.beta)]).toEqual([both, both]);
    const again = [...reconcile(rowsOf(after), options)].filter(({ kind }) => kind !== 'conflict');
    expect(again.map(decisionText)).toEqual([]);
  });
});

test('a name that folds to another on the following side is not renamed to, except to change its case', () => {
  const start = withIdentities(world('a=1 b=2', 'A=1 B=2', 'a=1 b=2'), { alpha: ['a>A', 'b>B'] });
  const sides: readonly Side[] = ['beta'];
  const collisions = new Map<BytePath, Collision>([
    ['A' as BytePath, { with: 'a' as BytePath, sides }],
    ['B' as BytePath, { with: 'x' as BytePath, sides }],
  ]);
  const { renames } = pairRenames(rowsOf(start), optionsWith({ collisions }));
  expect(renames.map(decisionText)).toEqual(['rename beta a A']);
});

test('only digests that could prove a pair are asked for', () => {
  const start = world('a=1 b=22 c=4', 'd=1 e=333 f=5', 'a=1 b=22 c=4');
  const strong = (text: string) => `${text}`.padEnd(32, '#');
  const rows = rowsOf(start).map((row) => ({
    ...row,
    ancestor:
      row.ancestor?.kind === 'file'
        ? { ...row.ancestor, digests: { ...row.ancestor.digests, strong: null } }
        : row.ancestor,
    alpha: row.alpha?.kind === 'file' ? { ...row.alpha, digests: { ...row.alpha.digests, strong: null } } : row.alpha,
    beta: row.beta?.kind === 'file' ? { ...row.beta, digests: { ...row.beta.digests, strong: null } } : row.beta,
  }));
  const options = optionsWith();
  expect(renameDigestsNeeded(rows, options)).toEqual([
    { side: 'alpha', path: 'd', strong: true },
    { side: 'beta', path: 'a', strong: true },
  ]);
  expect(pairRenames(rows, options).renames).toEqual([]);
  const filled = rows.map((row) => ({
    ...row,
    alpha:
      row.path === 'd' && row.alpha?.kind === 'file'
        ? { ...row.alpha, digests: { fast: null, strong: strong('1') } }
        : row.alpha,
    beta:
      row.path === 'a' && row.beta?.kind === 'file'
        ? { ...row.beta, digests: { ...row.beta.digests, strong: strong('1') } }
        : row.beta,
  }));
  expect(pairRenames(filled, options).renames.map(decisionText)).toEqual(['rename beta a d']);
});

test('a moved row names where its entry still is', () => {
  const start = withIdentities(world('d/x=1', 'f/x=1', 'd/x=2'), { alpha: ['d>f'] });
  const { rows } = pairRenames(rowsOf(start), optionsWith());
  expect(rows.map(({ path, alphaPath, betaPath }) => [path, alphaPath, betaPath])).toEqual([
    ['', undefined, undefined],
    ['f', undefined, 'd'],
    ['f/x', undefined, 'd/x'],
  ]);
});

/** Every object is named after the path it had in the archive, or has now. */
function withIdentities(whole: World, moved: Case['moved'] = {}): World {
  return {
    ...whole,
    identities: { alpha: identitiesOf(whole, 'alpha', moved.alpha), beta: identitiesOf(whole, 'beta', moved.beta) },
  };
}

function identitiesOf(whole: World, side: Side, moves: readonly string[] = []): Map<BytePath, string> {
  const identities = new Map<BytePath, string>();
  for (const path of [...whole.ancestor.keys(), ...whole[side].keys()]) identities.set(path, `${side}:${path}`);
  const before = new Map(identities);
  for (const [from, to] of moves.map((move) => move.split('>') as [BytePath, BytePath])) {
    for (const path of whole[side].keys()) {
      if (path === ROOT || !isWithin(path, to)) continue;
      const object = before.get((from + path.slice(to.length)) as BytePath);
      if (object !== undefined) identities.set(path, object);
    }
  }
  return identities;
}
