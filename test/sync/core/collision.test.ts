import { expect, test } from 'vitest';
import { type BytePath, fromText } from '../../../src/platform/core/byte-path.ts';
import { findCollisions, foldName } from '../../../src/sync/core/collision.ts';
import { reconcile } from '../../../src/sync/core/reconcile.ts';
import { applyAll, decisionText, optionsWith, rowsOf, world } from '../../support/tree-model.ts';

const PLAIN = { foldsCase: false, foldsNormalization: false };
const CASE = { foldsCase: true, foldsNormalization: false };
const FORMS = { foldsCase: false, foldsNormalization: true };
const BOTH = { foldsCase: true, foldsNormalization: true };

test.each<[string, string, string, boolean, typeof BOTH]>([
  ['case', 'Readme', 'README', true, CASE],
  ['case is no form', 'Readme', 'README', false, FORMS],
  ['forms', 'caf\u00e9', 'cafe\u0301', true, FORMS],
  ['forms are no case', 'caf\u00e9', 'cafe\u0301', false, CASE],
  ['both at once', 'CAF\u00c9', 'cafe\u0301', true, BOTH],
  ['sharp s', 'STRASSE', 'straße', true, CASE],
  ['final sigma', 'ΟΔΟΣ', 'οδος', true, CASE],
  ['nothing folds', 'A', 'a', false, PLAIN],
])('%s', (_name, left, right, same, folding) => {
  expect(foldName(fromText(left), folding) === foldName(fromText(right), folding)).toBe(same);
});

test('names that are not UTF-8 fold to themselves', () => {
  expect(foldName('\xe9A', BOTH)).toBe('\xe9A');
});

interface Case {
  readonly name: string;
  readonly trees: readonly [ancestor: string, alpha: string, beta: string];
  /** Names in the archive that have no row. */
  readonly unchanged?: readonly string[];
  readonly expected: readonly string[];
}

const NAME_TAKEN = 'another name that is the same there';

/** Beta folds case. */
const cases: Case[] = [
  { name: 'one name', trees: ['', 'A=1', ''], expected: ['put beta A=1 create'] },
  {
    name: 'two new names',
    trees: ['', 'A=1 a=2 b=3', ''],
    expected: [
      `conflict A (created file | ${NAME_TAKEN})`,
      `conflict a (created file | ${NAME_TAKEN})`,
      'put beta b=3 create',
    ],
  },
  {
    name: 'new against held',
    trees: ['A=1', 'A=1 a=2', 'A=1'],
    expected: [`conflict a (created file | ${NAME_TAKEN})`],
  },
  {
    name: 'new against held without a row',
    trees: ['', 'a=2', ''],
    unchanged: ['A'],
    expected: [`conflict a (created file | ${NAME_TAKEN})`],
  },
  {
    name: 'new against what goes in this run',
    trees: ['A=1', 'a=2', 'A=1'],
    expected: ['remove beta A', `conflict a (created file | ${NAME_TAKEN})`],
  },
  { name: 'new against what is gone', trees: ['A=1', 'a=2', ''], expected: ['record -A', 'put beta a=2 create'] },
  {
    name: 'a directory: nothing below either',
    trees: ['', 'A=1 a/x=2', ''],
    expected: [`conflict A (created file | ${NAME_TAKEN})`, `conflict a (created directory | ${NAME_TAKEN})`],
  },
  {
    name: 'in a directory that cannot come back',
    trees: ['d/x=1', 'd/n=3 d/x=1', 'D=2'],
    expected: [
      'put alpha D=2 create',
      `conflict d/n (created file | ${NAME_TAKEN})`,
      'remove alpha d/x',
      'conflict d (directory with conflicts | deleted directory)',
    ],
  },
  {
    name: 'alpha, which does not fold, gets both',
    trees: ['', '', 'A=1 a=2'],
    expected: ['put alpha A=1 create', 'put alpha a=2 create'],
  },
];

test.each(cases)('$name', ({ trees, unchanged = [], expected }) => {
  const start = world(...trees);
  const rows = rowsOf(start);
  const collisions = findCollisions(rows, { alpha: PLAIN, beta: CASE }, (directory) =>
    directory === '' ? unchanged : [],
  );
  const decisions = [...reconcile(rows, optionsWith({ collisions }))];
  expect(decisions.map(decisionText)).toEqual(expected);
  applyAll(start, decisions);
});

test('each collision names the other and the sides', () => {
  const rows = rowsOf(world('', 'd/A=1', 'd/a=2'));
  const collisions = findCollisions(rows, { alpha: CASE, beta: CASE }, () => []);
  expect([...collisions]).toEqual([
    ['d/a' as BytePath, { with: 'd/A', sides: ['alpha'] }],
    ['d/A' as BytePath, { with: 'd/a', sides: ['beta'] }],
  ]);
});
