import { describe, expect, test } from 'vitest';
import { type Entry, UNKNOWN_DIGESTS } from '../../../src/journal/core/entry.ts';
import { fromText } from '../../../src/platform/core/byte-path.ts';
import type { Decision, Row } from '../../../src/sync/core/plan.ts';
import { reconcile } from '../../../src/sync/core/reconcile.ts';
import type { Mode } from '../../../src/sync/options.ts';
import {
  applyAll,
  decisionText,
  fileOf,
  NO_METADATA,
  optionsWith,
  rowsOf,
  treeText,
  type World,
  withNeededDigests,
  world,
} from '../../support/tree-model.ts';
import { type Case, firstSync, twoWaySafe, untracked } from './reconcile-cases.ts';
import { metadata, oneWaySafe, policies, replica, resolved } from './reconcile-cases-modes.ts';

const GROUPS: readonly (readonly [title: string, mode: Mode, cases: readonly Case[]])[] = [
  ['first sync', 'two-way-safe', firstSync],
  ['two-way-safe', 'two-way-safe', twoWaySafe],
  ['untracked', 'two-way-safe', untracked],
  ['two-way-resolved', 'two-way-resolved', resolved],
  ['one-way-safe', 'one-way-safe', oneWaySafe],
  ['one-way-replica', 'one-way-replica', replica],
  ['metadata', 'two-way-safe', metadata],
  ['policies', 'two-way-safe', policies],
];

describe.each(GROUPS)('%s', (_title, mode, cases) => {
  test.each(cases)('$name', (example) => {
    expect(decide(example, mode)).toEqual(example.expected);
  });
});

test('metadata that is not synced is neither compared nor changed', () => {
  const options = optionsWith({ metadata: NO_METADATA });
  const start = world('a=1 b=1', 'a=2!600@5 b=1!700@9+k', 'a=1!640 b=1');
  expect([...reconcile(rowsOf(start), options)].map(decisionText)).toEqual(['put beta a=2!640@5 content']);
});

test('owners are alpha’s the first time they are looked at, and may clash from then on', () => {
  const options = optionsWith({ metadata: { ...NO_METADATA, owner: true } });
  const decide = (start: World) => [...reconcile(rowsOf(start), options)].map(decisionText);
  expect(decide(world('a=1', 'a=1%1:2', 'a=1%0:0'))).toEqual(['put beta a=1%1:2 metadata']);
  expect(decide(world('a=1%0:0', 'a=1%1:2', 'a=1%3:4'))).toEqual([
    'conflict a (changed owner 1:2 | changed owner 3:4)',
  ]);
});

test('copies of a conflict are no links to what won it', () => {
  const start = world('a=1 b=1^a', 'a=2@5 b=2@5^a', 'a=3@4 b=3@4^a');
  expect([...reconcile(rowsOf(start), optionsWith({ conflict: 'copy' }))].map(decisionText)).toEqual([
    'keep-loser beta a a.conflict-beta-20250102T030405Z',
    'put alpha a.conflict-beta-20250102T030405Z=3@4 create',
    'put beta a=2@5 create',
    'keep-loser beta b b.conflict-beta-20250102T030405Z',
    'put alpha b.conflict-beta-20250102T030405Z=3@4 create',
    'put beta b=2@5^a create',
  ]);
});

test('rows out of order and rows without their digests are broken promises', () => {
  const rows = rowsOf(world('a=1 b=1', 'a=2 b=1', 'a=1 b=1'));
  expect(() => [...reconcile(rows.toReversed(), optionsWith())]).toThrow('path order');
  const undigested = rows.map((row) => ({ ...row, alpha: withoutDigests(row.alpha) }));
  expect(() => [...reconcile(undigested, optionsWith())]).toThrow('digests');
});

test('decisions come before the rows end, and a first sync keeps nothing but the path above', () => {
  let taken = 0;
  function* rows(): Generator<Row> {
    const directory = { kind: 'directory', mode: 0o755 } as const;
    for (let index = 100_000; index < 200_000; index++) {
      taken++;
      const path = fromText(`d${Math.floor(index / 100)}${index % 100 === 0 ? '' : `/f${index}`}`);
      const alpha = index % 100 === 0 ? directory : fileOf('x');
      yield { path, ancestor: null, alpha, beta: null, alphaIdentity: null, betaIdentity: null };
    }
  }
  let decided = 0;
  for (const decision of reconcile(rows(), optionsWith())) {
    decided++;
    expect(decision.kind).toBe('put');
    expect(taken - decided).toBeLessThanOrEqual(1);
  }
  expect(decided).toBe(100_000);
});

function withoutDigests(entry: Entry | null): Entry | null {
  return entry?.kind === 'file' ? { ...entry, digests: UNKNOWN_DIGESTS } : entry;
}

/** The decisions on what is fully known; checks that digests as asked for lead to the same, and that a second run has nothing to do. */
function decide(example: Case, mode: Mode): string[] {
  const options = optionsWith({ mode, conflict: example.conflict ?? 'report' });
  const start = world(...example.trees);
  const decisions = [...reconcile(rowsOf(start), options)];
  const after = applyAll(start, decisions, options.metadata);
  const lazily = [
    ...reconcile(
      rowsOf(start).map((row) => withNeededDigests(row, options)),
      options,
    ),
  ];
  const lazyAfter = applyAll(start, lazily, options.metadata);
  expect([treeText(lazyAfter.alpha), treeText(lazyAfter.beta)]).toEqual([treeText(after.alpha), treeText(after.beta)]);
  expect(actionsOf(reconcile(rowsOf(after), options)), 'a second run has nothing to do').toEqual([]);
  return decisions.map(decisionText);
}

function actionsOf(decisions: Iterable<Decision>): string[] {
  return [...decisions].filter(({ kind }) => kind !== 'conflict' && kind !== 'problem').map(decisionText);
}
