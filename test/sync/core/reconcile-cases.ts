import type { ConflictPolicy } from '../../../src/sync/options.ts';

/** Trees as in tree-model.ts (`-`: no archive), then every decision expected, in order. */
export interface Case {
  readonly name: string;
  readonly trees: readonly [ancestor: string, alpha: string, beta: string];
  readonly conflict?: ConflictPolicy;
  readonly expected: readonly string[];
}

/** The root is recorded by every first sync. */
export const ROOT_RECORDED = 'record /';

export const firstSync: Case[] = [
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
export const twoWaySafe: Case[] = [
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

export const untracked: Case[] = [
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
