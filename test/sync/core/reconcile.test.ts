import { describe, expect, test } from 'vitest';
import { fromText } from '../../../src/platform/core/byte-path.ts';
import { type Entry, UNKNOWN_DIGESTS } from '../../../src/sync/core/entry.ts';
import type { Decision, Row } from '../../../src/sync/core/plan.ts';
import { reconcile } from '../../../src/sync/core/reconcile.ts';
import type { ConflictPolicy, Mode } from '../../../src/sync/options.ts';
import {
  applyAll,
  decisionText,
  fileOf,
  NO_METADATA,
  optionsWith,
  rowsOf,
  treeText,
  withNeededDigests,
  world,
} from '../../support/tree-model.ts';

/** Trees as in tree-model.ts (`-`: no archive), then every decision expected, in order. */
interface Case {
  readonly name: string;
  readonly trees: readonly [ancestor: string, alpha: string, beta: string];
  readonly conflict?: ConflictPolicy;
  readonly expected: readonly string[];
}

const ROOT_RECORDED = 'record /';

const firstSync: Case[] = [
  { name: 'both empty', trees: ['-', '', ''], expected: [ROOT_RECORDED] },
  { name: 'equal files match', trees: ['-', 'a=1', 'a=1'], expected: [ROOT_RECORDED, 'record a=1'] },
  {
    name: 'one-sided files go across, parents first',
    trees: ['-', 'd/x=1', 'e/y=2'],
    expected: [
      ROOT_RECORDED,
      'put beta d/ create',
      'put beta d/x=1 create',
      'put alpha e/ create',
      'put alpha e/y=2 create',
    ],
  },
  {
    name: 'different files conflict',
    trees: ['-', 'a=1', 'a=2'],
    expected: [ROOT_RECORDED, 'conflict a (created file | created file)'],
  },
  {
    name: 'file against directory: nothing below happens',
    trees: ['-', 'a=1', 'a/x=2 b=3'],
    expected: [ROOT_RECORDED, 'conflict a (created file | created directory)', 'put alpha b=3 create'],
  },
  {
    name: 'same time and size is no equality',
    trees: ['-', 'a=1@5', 'a=2@5'],
    expected: [ROOT_RECORDED, 'conflict a (created file | created file)'],
  },
  {
    name: 'equal content: later time, alpha mode',
    trees: ['-', 'a=1!600@5', 'a=1!640@7'],
    expected: [ROOT_RECORDED, 'put alpha a=1!600@7 metadata', 'put beta a=1!600@7 metadata'],
  },
  {
    name: 'missing root is created',
    trees: ['-', '.missing', 'a=1'],
    expected: ['put alpha / create', 'put alpha a=1 create'],
  },
  { name: 'root is one file', trees: ['-', '.file=1', '.missing'], expected: ['put beta =1 create'] },
];

/** The root is agreed upon in all that follow. */
const twoWaySafe: Case[] = [
  { name: 'nothing changed', trees: ['a=1 d/x=2', 'a=1 d/x=2', 'a=1 d/x=2'], expected: [] },
  { name: 'created on alpha', trees: ['', 'a=1', ''], expected: ['put beta a=1 create'] },
  { name: 'modified on beta', trees: ['a=1', 'a=1', 'a=2'], expected: ['put alpha a=2 content'] },
  { name: 'deleted on alpha', trees: ['a=1', '', 'a=1'], expected: ['remove beta a'] },
  { name: 'deleted on both', trees: ['a=1', '', ''], expected: ['record -a'] },
  { name: 'modified to the same', trees: ['a=1', 'a=2', 'a=2'], expected: ['record a=2'] },
  {
    name: 'modified differently',
    trees: ['a=1', 'a=2', 'a=3'],
    expected: ['conflict a (modified file | modified file)'],
  },
  { name: 'deleted against modified', trees: ['a=1', '', 'a=2'], expected: ['put alpha a=2 create'] },
  { name: 'modified against deleted', trees: ['a=1', 'a=2', ''], expected: ['put beta a=2 create'] },
  { name: 'deleted against touched', trees: ['a=1', '', 'a=1@9!600'], expected: ['remove beta a'] },
  { name: 'deleted against other xattrs', trees: ['a=1+k', '', 'a=1+l'], expected: ['put alpha a=1+l create'] },
  { name: 'symlink retargeted', trees: ['l->a', 'l->b', 'l->a'], expected: ['put beta l->b content'] },
  { name: 'symlink for file', trees: ['a=1', 'a->x', 'a=1'], expected: ['put beta a->x replace'] },
  {
    name: 'symlink for modified file',
    trees: ['a=1', 'a->x', 'a=2'],
    expected: ['conflict a (file replaced by symlink | modified file)'],
  },
  { name: 'both deleted a directory', trees: ['d/x=1', '', ''], expected: ['record -d', 'record -d/x'] },
  {
    name: 'directory deleted',
    trees: ['d/x=1 d/e/y=2', '', 'd/x=1 d/e/y=2'],
    expected: ['remove beta d/e/y', 'remove beta d/e', 'remove beta d/x', 'remove beta d'],
  },
  {
    name: 'directory deleted against a new file deep inside: it and what is above return, the rest goes',
    trees: ['d/a=1 d/e/y=2 d/f/z=3', '', 'd/a=1 d/e/n=4 d/e/y=2 d/f/z=3'],
    expected: [
      'remove beta d/a',
      'put alpha d/ create',
      'put alpha d/e/ create',
      'put alpha d/e/n=4 create',
      'remove beta d/e/y',
      'remove beta d/f/z',
      'remove beta d/f',
    ],
  },
  { name: 'directory deleted against chmod of it', trees: ['d/', '', 'd/!700'], expected: ['remove beta d'] },
  {
    name: 'directory deleted, ignored content in it: one conflict at the topmost, the rest goes',
    trees: ['d/a=1 d/e/y=2', '', 'd/a=1 d/e/i~ignored d/e/y=2'],
    expected: [
      'remove beta d/a',
      'remove beta d/e/y',
      'conflict d (deleted directory | directory with untracked content)',
    ],
  },
  {
    name: 'directory deleted, unreadable content in it',
    trees: ['d/p/ d/x=1', '', 'd/p~problem d/x=1'],
    expected: [
      'problem beta d/p',
      'remove beta d/x',
      'conflict d (deleted directory | directory with unreadable content)',
    ],
  },
  {
    name: 'blocked directory below a rescued one is listed itself',
    trees: ['d/e/y=2', '', 'd/e/i~fifo d/e/y=2 d/n=3'],
    expected: [
      'remove beta d/e/y',
      'put alpha d/ create',
      'put alpha d/n=3 create',
      'conflict d/e (deleted directory | directory with untracked content)',
    ],
  },
  {
    name: 'file for directory',
    trees: ['d/x=1 d/e/y=2', 'd=9', 'd/x=1 d/e/y=2'],
    expected: [
      'remove beta d/x for room',
      'remove beta d/e/y for room',
      'remove beta d/e for room',
      'put beta d=9 replace',
    ],
  },
  {
    name: 'file for directory with a modified file',
    trees: ['d/x=1 d/y=2', 'd=9', 'd/x=1 d/y=3'],
    expected: ['conflict d (directory replaced by file | directory with modified content)'],
  },
  {
    name: 'file for directory with a new file',
    trees: ['d/x=1', 'd=9', 'd/x=1 d/n=3'],
    expected: ['conflict d (directory replaced by file | directory with modified content)'],
  },
  {
    name: 'file for directory with something ignored',
    trees: ['d/x=1', 'd=9', 'd/i~ignored d/x=1'],
    expected: ['conflict d (directory replaced by file | directory with untracked content)'],
  },
  {
    name: 'file for directory with fewer files',
    trees: ['d/x=1 d/y=2', 'd=9', 'd/x=1'],
    expected: ['record -d/y', 'remove beta d/x for room', 'put beta d=9 replace'],
  },
  {
    name: 'directory for file',
    trees: ['a=1', 'a/x=2', 'a=1'],
    expected: ['put beta a/ replace', 'put beta a/x=2 create'],
  },
  {
    name: 'directory for modified file',
    trees: ['a=1', 'a/x=2', 'a=3'],
    expected: ['conflict a (file replaced by directory | modified file)'],
  },
  {
    name: 'directory for deleted file',
    trees: ['a=1', 'a/x=2', ''],
    expected: ['put beta a/ create', 'put beta a/x=2 create'],
  },
  {
    name: 'both replaced a directory by the same file',
    trees: ['d/x=1', 'd=9', 'd=9'],
    expected: ['record d=9', 'record -d/x'],
  },
  {
    name: 'conflict leaves everything below alone',
    trees: ['', 'd/n=1', 'd=9'],
    expected: ['conflict d (created directory | created file)'],
  },
];

const untracked: Case[] = [
  {
    name: 'ignored on alpha, the same on beta: forgotten',
    trees: ['a=1', 'a~ignored', 'a=1'],
    expected: ['record -a'],
  },
  { name: 'ignored on alpha, modified on beta', trees: ['a=1', 'a~ignored', 'a=2'], expected: ['record -a'] },
  { name: 'ignored on alpha, deleted on beta', trees: ['a=1', 'a~ignored', ''], expected: ['record -a'] },
  { name: 'ignored on both', trees: ['a=1', 'a~ignored', 'a~ignored'], expected: ['record -a'] },
  { name: 'ignored and unknown', trees: ['', 'a~ignored', 'a=2'], expected: [] },
  { name: 'in view again: equal', trees: ['', 'a=1', 'a=1'], expected: ['record a=1'] },
  {
    name: 'ignored directory: nothing below is deleted',
    trees: ['d/x=1', 'd~ignored', 'd/x=1 d/n=2'],
    expected: ['record -d', 'record -d/x'],
  },
  { name: 'fifo for file', trees: ['a=1', 'a~fifo', 'a=1'], expected: [] },
  {
    name: 'fifo against modified file',
    trees: ['a=1', 'a~fifo', 'a=2'],
    expected: ['conflict a (fifo | modified file)'],
  },
  { name: 'socket against new file', trees: ['', 'a=1', 'a~socket'], expected: ['conflict a (created file | socket)'] },
  { name: 'fifo alone', trees: ['', 'a~fifo', ''], expected: [] },
  { name: 'fifo for directory', trees: ['d/x=1', 'd~fifo', 'd/x=1'], expected: [] },
  {
    name: 'fifo for directory with news',
    trees: ['d/x=1', 'd~fifo', 'd/n=2 d/x=1'],
    expected: ['conflict d (fifo | directory with modified content)'],
  },
  { name: 'problem on one side', trees: ['d/x=1', 'd~problem', ''], expected: ['problem alpha d'] },
  { name: 'problem against changes below', trees: ['d/x=1', 'd~problem', 'd/n=2'], expected: ['problem alpha d'] },
];

const resolved: Case[] = [
  { name: 'modified differently', trees: ['a=1', 'a=2', 'a=3'], expected: ['put beta a=2 content'] },
  { name: 'deletion beats modification', trees: ['a=1', '', 'a=2'], expected: ['remove beta a'] },
  { name: 'modification beats deletion', trees: ['a=1', 'a=2', ''], expected: ['put beta a=2 create'] },
  { name: 'beta alone', trees: ['a=1', 'a=1', 'a=2 b=3'], expected: ['put alpha a=2 content', 'put alpha b=3 create'] },
  {
    name: 'directory deletion beats creation',
    trees: ['d/x=1', '', 'd/n=2 d/x=1'],
    expected: ['remove beta d/n', 'remove beta d/x', 'remove beta d'],
  },
  {
    name: 'beta deleted a directory alpha added to',
    trees: ['d/x=1', 'd/n=2 d/x=1', ''],
    expected: ['put beta d/ create', 'put beta d/n=2 create', 'remove alpha d/x'],
  },
  {
    name: 'file beats directory with news',
    trees: ['d/x=1', 'd=9', 'd/x=2'],
    expected: ['remove beta d/x for room', 'put beta d=9 replace'],
  },
  {
    name: 'directory with news beats file',
    trees: ['d/x=1 d/y=2', 'd/x=3 d/y=2', 'd=9'],
    expected: ['put beta d/ replace', 'put beta d/x=3 create', 'put beta d/y=2 create'],
  },
  {
    name: 'first sync',
    trees: ['-', 'a=1', 'a=2 b=3'],
    expected: [ROOT_RECORDED, 'put beta a=1 content', 'put alpha b=3 create'],
  },
  { name: 'mode changed differently', trees: ['a=1', 'a=1!600', 'a=1!640'], expected: ['put beta a=1!600 metadata'] },
];

const oneWaySafe: Case[] = [
  { name: 'alpha created', trees: ['', 'a=1', ''], expected: ['put beta a=1 create'] },
  { name: 'beta created', trees: ['', '', 'a=1 d/x=2'], expected: [] },
  { name: 'beta deleted', trees: ['a=1', 'a=1', ''], expected: ['put beta a=1 create'] },
  {
    name: 'beta deleted a directory',
    trees: ['d/x=1', 'd/x=1', ''],
    expected: ['put beta d/ create', 'put beta d/x=1 create'],
  },
  { name: 'alpha modified', trees: ['a=1', 'a=2', 'a=1'], expected: ['put beta a=2 content'] },
  { name: 'beta modified', trees: ['a=1', 'a=1', 'a=2'], expected: ['conflict a (unchanged file | modified file)'] },
  {
    name: 'both created differently',
    trees: ['', 'a=1', 'a=2'],
    expected: ['conflict a (created file | created file)'],
  },
  { name: 'alpha deleted', trees: ['a=1', '', 'a=1'], expected: ['remove beta a'] },
  { name: 'alpha deleted, beta modified: kept', trees: ['a=1', '', 'a=2'], expected: ['record -a'] },
  {
    name: 'alpha deleted a directory, beta added to it',
    trees: ['d/x=1', '', 'd/n=2 d/x=1'],
    expected: ['remove beta d/x'],
  },
  {
    name: 'alpha deleted a directory with ignored content',
    trees: ['d/x=1', '', 'd/i~ignored d/x=1'],
    expected: ['remove beta d/x', 'conflict d (deleted directory | directory with untracked content)'],
  },
  { name: 'beta changed the mode', trees: ['a=1', 'a=1', 'a=1!600'], expected: ['put beta a=1 metadata'] },
  {
    name: 'file against changed directory',
    trees: ['d/x=1', 'd=9', 'd/x=2'],
    expected: ['conflict d (directory replaced by file | directory with modified content)'],
  },
  {
    name: 'beta replaced a directory by a file',
    trees: ['d/x=1', 'd/x=1', 'd=9'],
    expected: ['conflict d (unchanged directory | directory replaced by file)'],
  },
];

const replica: Case[] = [
  {
    name: 'beta created',
    trees: ['', '', 'a=1 d/x=2'],
    expected: ['remove beta a', 'remove beta d/x', 'remove beta d'],
  },
  { name: 'beta modified', trees: ['a=1', 'a=1', 'a=2'], expected: ['put beta a=1 content'] },
  { name: 'beta deleted', trees: ['a=1', 'a=1', ''], expected: ['put beta a=1 create'] },
  {
    name: 'first sync',
    trees: ['-', 'a=1', 'a=2 b=3'],
    expected: [ROOT_RECORDED, 'put beta a=1 content', 'remove beta b'],
  },
  {
    name: 'directory for file',
    trees: ['-', 'a/x=1', 'a=2'],
    expected: [ROOT_RECORDED, 'put beta a/ replace', 'put beta a/x=1 create'],
  },
  {
    name: 'file for directory',
    trees: ['-', 'a=2', 'a/x=1'],
    expected: [ROOT_RECORDED, 'remove beta a/x for room', 'put beta a=2 replace'],
  },
  {
    name: 'beta made a file of a directory',
    trees: ['d/x=1', 'd/x=1', 'd=9'],
    expected: ['put beta d/ replace', 'put beta d/x=1 create'],
  },
  {
    name: 'ignored content stays',
    trees: ['', '', 'd/i~ignored d/x=1'],
    expected: ['remove beta d/x', 'conflict d (nothing | directory with untracked content)'],
  },
  { name: 'metadata is alpha’s', trees: ['a=1', 'a=1@3', 'a=1!600@9'], expected: ['put beta a=1@3 metadata'] },
];

const metadata: Case[] = [
  { name: 'chmod on one side', trees: ['a=1', 'a=1', 'a=1!600'], expected: ['put alpha a=1!600 metadata'] },
  { name: 'chmod of a directory', trees: ['d/x=1', 'd/!700 d/x=1', 'd/x=1'], expected: ['put beta d/!700 metadata'] },
  {
    name: 'edit here, chmod there',
    trees: ['a=1', 'a=2@5', 'a=1!600'],
    expected: ['put beta a=2!600@5 content', 'put alpha a=2!600@5 metadata'],
  },
  { name: 'the same chmod on both', trees: ['a=1', 'a=1!600', 'a=1!600'], expected: ['record a=1!600'] },
  {
    name: 'chmod differently',
    trees: ['a=1', 'a=1!600', 'a=1!640'],
    expected: ['conflict a (changed mode 0600 | changed mode 0640)'],
  },
  {
    name: 'chmod of a directory differently: what is below goes on',
    trees: ['d/', 'd/!700 d/x=1', 'd/!750'],
    expected: ['conflict d (changed mode 0700 | changed mode 0750)', 'put beta d/x=1 create'],
  },
  {
    name: 'chmod differently, newer',
    trees: ['a=1', 'a=1!600@5', 'a=1!640@7'],
    conflict: 'newer',
    expected: ['put alpha a=1!640@7 metadata'],
  },
  { name: 'touch on one side', trees: ['a=1', 'a=1@5', 'a=1'], expected: ['put beta a=1@5 metadata'] },
  { name: 'touch back in time', trees: ['a=1@8', 'a=1@5', 'a=1@8'], expected: ['put beta a=1@5 metadata'] },
  { name: 'touch on both', trees: ['a=1', 'a=1@5', 'a=1@7'], expected: ['put alpha a=1@7 metadata'] },
  { name: 'setuid is not looked at', trees: ['a=1!755', 'a=1!4755', 'a=1!755'], expected: [] },
  { name: 'setuid does not travel', trees: ['', 'a=1!4755', ''], expected: ['put beta a=1!755 create'] },
  { name: 'xattrs', trees: ['a=1+k', 'a=1+l', 'a=1+k'], expected: ['put beta a=1+l metadata'] },
  { name: 'a side without xattrs keeps to itself', trees: ['a=1+k', 'a=1+l', 'a=1'], expected: [] },
  { name: 'hard link made', trees: ['a=1 b=1', 'a=1 b=1^a', 'a=1 b=1'], expected: ['put beta b=1^a metadata'] },
  { name: 'hard link broken', trees: ['a=1 b=1^a', 'a=1 b=1', 'a=1 b=1^a'], expected: ['put beta b=1 metadata'] },
];

const policies: Case[] = [
  { name: 'newer', conflict: 'newer', trees: ['', 'a=1@5', 'a=2@7'], expected: ['put alpha a=2@7 content'] },
  { name: 'older', conflict: 'older', trees: ['', 'a=1@5', 'a=2@7'], expected: ['put beta a=1@5 content'] },
  { name: 'larger', conflict: 'larger', trees: ['', 'a=1@5', 'a=22@4'], expected: ['put alpha a=22@4 content'] },
  { name: 'tie', conflict: 'newer', trees: ['', 'a=1', 'a=2'], expected: ['conflict a (created file | created file)'] },
  {
    name: 'newer of file and directory',
    conflict: 'newer',
    trees: ['', 'a=1', 'a/'],
    expected: ['conflict a (created file | created directory)'],
  },
  {
    name: 'alpha',
    conflict: 'alpha',
    trees: ['a=0', 'a=1', 'a=2!600'],
    expected: ['put beta a=1!600 content', 'put alpha a=1!600 metadata'],
  },
  {
    name: 'beta: directory for file',
    conflict: 'beta',
    trees: ['', 'a=1', 'a/x=2'],
    expected: ['put alpha a/ replace', 'put alpha a/x=2 create'],
  },
  {
    name: 'beta: file for directory',
    conflict: 'beta',
    trees: ['', 'a/x=2', 'a=1'],
    expected: ['remove alpha a/x for room', 'put alpha a=1 replace'],
  },
  {
    name: 'beta: directory with news for file',
    conflict: 'beta',
    trees: ['a/x=1 a/y=2', 'a=9', 'a/x=3 a/y=2'],
    expected: ['put alpha a/ replace', 'put alpha a/x=3 create', 'put alpha a/y=2 create'],
  },
  {
    name: 'deletion is no conflict: modification wins',
    conflict: 'alpha',
    trees: ['a=1', '', 'a=2'],
    expected: ['put alpha a=2 create'],
  },
  {
    name: 'copy: the older file moves aside',
    conflict: 'copy',
    trees: ['', 'd/a.txt=1@5', 'd/a.txt=2@7'],
    expected: [
      'record d/',
      'keep-loser alpha d/a.txt d/a.conflict-alpha-20250102T030405Z.txt',
      'put beta d/a.conflict-alpha-20250102T030405Z.txt=1@5 create',
      'put alpha d/a.txt=2@7 create',
    ],
  },
  {
    name: 'copy: the file makes way for the directory',
    conflict: 'copy',
    trees: ['a/x=1 a/y=2', 'a=9', 'a/x=3 a/y=2'],
    expected: [
      'keep-loser alpha a a.conflict-alpha-20250102T030405Z',
      'put beta a.conflict-alpha-20250102T030405Z=9 create',
      'put alpha a/ create',
      'put alpha a/x=3 create',
      'put alpha a/y=2 create',
    ],
  },
  {
    name: 'copy: the root has no other name',
    conflict: 'copy',
    trees: ['-', '.file=1', '.file=2'],
    expected: ['conflict  (created file | created file)'],
  },
];

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
