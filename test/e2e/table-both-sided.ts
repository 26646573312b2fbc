/** Both sides are edited, or meet for the first time. */
import type { Situation } from './situation.ts';

/** Edits of both sides since the last sync. */
export const BOTH_SIDED: readonly Situation[] = [
  {
    name: 'both make the same',
    before: 'k=',
    alpha: 'a=one@1000000000',
    beta: 'a=one@1000000000',
    both: 'k= a=one@1000000000',
  },
  {
    name: 'both make the same at other times',
    before: 'k=',
    alpha: 'a=one@1000000000',
    beta: 'a=one@1000000009',
    both: 'k= a=one@1000000009',
  },
  { name: 'both make the same directory', before: 'k=', alpha: 'd/x=one', beta: 'd/y=two', both: 'k= d/x=one d/y=two' },
  { name: 'both make the same symlink', before: 'k=', alpha: 'l->k', beta: 'l->k', both: 'k= l->k', actions: [] },
  conflict('both make different files', 'k=', 'a=one', 'a=two', { alpha: 'k= a=one', beta: 'k= a=two' }, ['a']),
  conflict(
    'both make different files of one size',
    'k=',
    'a=one@1000000000',
    'a=two@1000000000',
    { alpha: 'k= a=one@1000000000', beta: 'k= a=two@1000000000' },
    ['a'],
  ),
  conflict('both make different symlinks', 'k=', 'l->k', 'l->m', { alpha: 'k= l->k', beta: 'k= l->m' }, ['l']),
  conflict('file here, directory there', 'k=', 'a=one', 'a/x=two', { alpha: 'k= a=one', beta: 'k= a/x=two' }, ['a']),
  conflict('file here, symlink there', 'k=', 'a=one', 'a->k', { alpha: 'k= a=one', beta: 'k= a->k' }, ['a']),
  {
    name: 'both edit alike',
    before: 'a=one',
    alpha: 'a=two@1000000000',
    beta: 'a=two@1000000000',
    both: 'a=two@1000000000',
  },
  conflict('both edit differently', 'a=one', 'a=two', 'a=three', { alpha: 'a=two', beta: 'a=three' }, ['a']),
  conflict(
    'both edit, others still go',
    'a=one',
    'a=two n=new',
    'a=three m=more',
    { alpha: 'a=two n=new m=more', beta: 'a=three n=new m=more' },
    ['a'],
  ),
  {
    name: 'edit here, delete there',
    before: 'k= a=one',
    alpha: 'a=two',
    beta: '-a',
    both: 'k= a=two',
    actions: ['beta create a'],
  },
  {
    name: 'delete here, edit there',
    before: 'k= a=one',
    alpha: '-a',
    beta: 'a=two',
    both: 'k= a=two',
    actions: ['alpha create a'],
  },
  { name: 'chmod here, delete there', before: 'k= a=one', alpha: 'a!600', beta: '-a', both: 'k=' },
  { name: 'both delete', before: 'k= a=one', alpha: '-a', beta: '-a', both: 'k=', actions: [] },
  { name: 'both delete a directory', before: 'k= d/x=one d/y=two', alpha: '-d', beta: '-d', both: 'k=', actions: [] },
  { name: 'rename here, edit there', before: 'a=one', alpha: 'a=>b', beta: 'a=two', both: 'b=two' },
  { name: 'edit here, rename there', before: 'a=one', alpha: 'a=two', beta: 'a=>b', both: 'b=two' },
  { name: 'rename to two names', before: 'a=one', alpha: 'a=>b', beta: 'a=>c', both: 'b=one c=one' },
  { name: 'rename to one name', before: 'a=one', alpha: 'a=>b', beta: 'a=>b', both: 'b=one', actions: [] },
  { name: 'rename here, delete there', before: 'k= a=one', alpha: 'a=>b', beta: '-a', both: 'k= b=one' },
  {
    name: 'rename directory here, new file in it there',
    before: 'd/x=one',
    alpha: 'd=>e',
    beta: 'd/n=new',
    both: 'e/x=one e/n=new',
  },
  {
    name: 'rename directory here, edit in it there',
    before: 'd/x=one d/y=two',
    alpha: 'd=>e',
    beta: 'd/x=more',
    both: 'e/x=more e/y=two',
  },
  {
    name: 'rename directory here, delete in it there',
    before: 'd/x=one d/y=two',
    alpha: 'd=>e',
    beta: '-d/x',
    both: 'e/y=two',
  },
  { name: 'rename directory to two names', before: 'd/x=one', alpha: 'd=>e', beta: 'd=>f', both: 'e/x=one f/x=one' },
  {
    name: 'rename into each other',
    before: 'd/x=one e/y=two',
    alpha: 'd=>e/d',
    beta: 'e=>d/e',
    check: keepsContents('x=', 'y='),
  },
  conflict('two files renamed to one name', 'a=one b=two', 'a=>c', 'b=>c', { alpha: 'c=one', beta: 'c=two' }, ['c']),
  {
    name: 'delete directory here, new file in it there',
    before: 'k= d/x=one d/e/y=two',
    alpha: '-d',
    beta: 'd/e/n=new',
    both: 'k= d/e/n=new',
  },
  {
    name: 'new file in it here, delete directory there',
    before: 'k= d/x=one d/e/y=two',
    alpha: 'd/n=new',
    beta: '-d',
    both: 'k= d/n=new',
  },
  {
    name: 'delete directory here, edit in it there',
    before: 'k= d/x=one d/y=two',
    alpha: '-d',
    beta: 'd/x=more',
    both: 'k= d/x=more',
  },
  { name: 'chmod here, edit there', before: 'a=one', alpha: 'a!600', beta: 'a=two', both: 'a=two!600' },
  { name: 'edit here, chmod there', before: 'a=one', alpha: 'a=two', beta: 'a!755', both: 'a=two!755' },
  {
    name: 'mtime here, chmod there',
    before: 'a=one',
    alpha: 'a@1000000000',
    beta: 'a!600',
    both: 'a=one!600@1000000000',
  },
  { name: 'both touch', before: 'a=one', alpha: 'a@1000000000', beta: 'a@1000000009', both: 'a=one@1000000009' },
  { name: 'both chmod alike', before: 'a=one', alpha: 'a!600', beta: 'a!600', both: 'a=one!600', actions: [] },
  conflict('both chmod differently', 'a=one', 'a!600', 'a!640', { alpha: 'a=one!600', beta: 'a=one!640' }, ['a']),
  conflict(
    'directory becomes file here, new file in it there',
    'd/x=one',
    '-d d=two',
    'd/n=new',
    { alpha: 'd=two', beta: 'd/n=new d/x=one' },
    ['d'],
  ),
  {
    name: 'file becomes directory on both',
    before: 'a=one',
    alpha: '-a a/x=two',
    beta: '-a a/y=three',
    both: 'a/x=two a/y=three',
  },
  {
    name: 'changes on both sides at once',
    before: 'a=one b=two c=three d/x=four',
    alpha: 'a=more -b e/n=new',
    beta: 'c!600 d=>f m=five',
    both: 'a=more c=three!600 e/n=new f/x=four m=five',
  },
];

/** Pairs that were never synced. */
export const FIRST_TABLE: readonly Situation[] = [
  { name: 'first: alpha has all', alpha: 'a=one d/x=two l->a e/', both: 'a=one d/x=two l->a e/' },
  { name: 'first: beta has all', beta: 'a=one d/x=two l->a e/', both: 'a=one d/x=two l->a e/' },
  {
    name: 'first: equal files match',
    alpha: 'a=one@1000000000',
    beta: 'a=one@1000000000',
    both: 'a=one@1000000000',
    actions: [],
  },
  {
    name: 'first: both have some',
    alpha: 'a=one d/x=two',
    beta: 'b=three d/y=four',
    both: 'a=one b=three d/x=two d/y=four',
  },
  firstConflict(
    'first: different files conflict',
    'a=one b=two',
    'a=three c=four',
    { alpha: 'a=one b=two c=four', beta: 'a=three b=two c=four' },
    ['a'],
  ),
  firstConflict(
    'first: other kinds conflict',
    'a=one b/',
    'a/x=three b=four',
    { alpha: 'a=one b/', beta: 'a/x=three b=four' },
    ['a', 'b'],
  ),
];

function conflict(
  name: string,
  before: string,
  alpha: string,
  beta: string,
  apart: NonNullable<Situation['apart']>,
  conflicts: readonly string[],
): Situation {
  return { name, before, alpha, beta, apart, conflicts };
}

function firstConflict(
  name: string,
  alpha: string,
  beta: string,
  apart: NonNullable<Situation['apart']>,
  conflicts: readonly string[],
): Situation {
  return { name, alpha, beta, apart, conflicts };
}

/** Whatever the outcome: each of these names is still somewhere on both sides. */
function keepsContents(...contents: readonly string[]): NonNullable<Situation['check']> {
  return (pair, within) => {
    for (const tree of [pair.alpha, pair.beta]) {
      const lines = tree.list().filter((line) => line.startsWith(within));
      for (const content of contents) {
        if (!lines.some((line) => line.includes(content))) throw new Error(`${content} is lost: ${lines.join(' ')}`);
      }
    }
  };
}
