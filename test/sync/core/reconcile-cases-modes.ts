import { type Case, ROOT_RECORDED } from './reconcile-cases.ts';

export const resolved: Case[] = [
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

export const oneWaySafe: Case[] = [
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

export const replica: Case[] = [
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
  { name: 'xattrs nobody knew are alpha’s', trees: ['a=1', 'a=1+', 'a=1+k'], expected: ['put beta a=1+ metadata'] },
];

export const metadata: Case[] = [
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
  {
    name: 'xattrs looked at for the first time',
    trees: ['a=1', 'a=1+k', 'a=1+'],
    expected: ['put beta a=1+k metadata'],
  },
  { name: 'xattrs on beta, the first time', trees: ['a=1', 'a=1+', 'a=1+k'], expected: ['put alpha a=1+k metadata'] },
  { name: 'other xattrs, the first time', trees: ['a=1', 'a=1+k', 'a=1+l'], expected: ['put beta a=1+k metadata'] },
  { name: 'no xattrs, the first time', trees: ['a=1', 'a=1+', 'a=1+'], expected: ['record a=1+'] },
  { name: 'xattrs removed', trees: ['a=1+k', 'a=1+k', 'a=1+'], expected: ['put alpha a=1+ metadata'] },
  {
    name: 'other xattrs on both',
    trees: ['a=1+', 'a=1+k', 'a=1+l'],
    expected: ['conflict a (changed extended attributes | changed extended attributes)'],
  },
  { name: 'a side without xattrs keeps to itself', trees: ['a=1+k', 'a=1+l', 'a=1'], expected: [] },
  { name: 'hard link made', trees: ['a=1 b=1', 'a=1 b=1^a', 'a=1 b=1'], expected: ['put beta b=1^a metadata'] },
  { name: 'hard link broken', trees: ['a=1 b=1^a', 'a=1 b=1', 'a=1 b=1^a'], expected: ['put beta b=1 metadata anew'] },
  {
    name: 'a linked file edited in place',
    trees: ['a=1 b=1^a c=1^a', 'a=2@5 b=2@5^a c=2@5^a', 'a=1 b=1^a c=1^a'],
    expected: ['put beta a=2@5 content', 'put beta b=2@5^a content', 'put beta c=2@5^a content'],
  },
  {
    name: 'the same, interrupted after the first name',
    trees: ['a=1 b=1^a c=1^a', 'a=2@5 b=2@5^a c=2@5^a', 'a=2@5 b=1 c=1^b'],
    expected: ['record a=2@5', 'put beta b=2@5^a content', 'put beta c=2@5^a content'],
  },
  {
    name: 'one name of a linked file edited apart',
    trees: ['a=1 b=1^a', 'a=1 b=1^a', 'a=1 b=2@5'],
    expected: ['put alpha b=2@5 content'],
  },
  {
    name: 'the first name edited apart: the second takes over',
    trees: ['a=1 b=1^a c=1^a', 'a=2@5 b=1 c=1^b', 'a=1 b=1^a c=1^a'],
    expected: ['put beta a=2@5 content', 'put beta b=1 metadata', 'put beta c=1^b metadata'],
  },
  {
    name: 'the first name edited apart, the others parted',
    trees: ['a=1 b=1^a c=1^a', 'a=2@5 b=1 c=1', 'a=1 b=1^a c=1^a'],
    expected: ['put beta a=2@5 content', 'put beta b=1 metadata', 'put beta c=1 metadata anew'],
  },
  {
    name: 'the first name deleted: the second takes over',
    trees: ['a=1 b=1^a c=1^a', 'b=1 c=1^b', 'a=1 b=1^a c=1^a'],
    expected: ['remove beta a', 'put beta b=1 metadata', 'put beta c=1^b metadata'],
  },
  {
    name: 'the first name linked to something else',
    trees: ['a=1 b=2 c=2^b', 'a=1 b=1^a c=2', 'a=1 b=2 c=2^b'],
    expected: ['put beta b=1^a content', 'put beta c=2 metadata'],
  },
];

export const policies: Case[] = [
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
