/**
 * What people do to two synced trees, and what must come of it. Written in the notation of test/support/trees.ts.
 *
 * A situation runs alone, or many share one pair, each in a folder of its own: paths here are relative to that folder.
 */
import type { Pair } from '../support/situations.ts';

export interface Situation {
  readonly name: string;
  readonly options?: readonly string[];
  /** Made on alpha and synced first; absent: the pair was never synced when the edits are there. */
  readonly before?: string;
  readonly alpha?: string;
  readonly beta?: string;
  /** What both sides are afterwards. */
  readonly both?: string;
  /** What they are where they differ. */
  readonly apart?: { readonly alpha: string; readonly beta: string };
  readonly conflicts?: readonly string[];
  readonly deferred?: readonly string[];
  readonly failed?: readonly string[];
  /** Exactly what was done: `beta rename a→b`, `alpha delete x`; in any order. */
  readonly actions?: readonly string[];
  /** Means something else in a folder of a larger tree. */
  readonly alone?: boolean;
  /** What the notation has no word for. `within` is the folder of the situation, below the root, with its slash. */
  readonly check?: (pair: Pair, within: string) => void;
}

/** One edit of one side, once on each: `TO` and `FROM` in actions stand for the other side and the edited one. */
interface OneSided {
  readonly name: string;
  readonly before: string;
  readonly edit: string;
  readonly both: string;
  readonly actions?: readonly string[];
}

const ONE_SIDED: readonly OneSided[] = [
  { name: 'new file', before: 'k=', edit: 'a=one', both: 'k= a=one', actions: ['TO create a'] },
  { name: 'new empty file', before: 'k=', edit: 'a=', both: 'k= a=', actions: ['TO create a'] },
  { name: 'new file of one byte', before: 'k=', edit: 'a=*1:7', both: 'k= a=*1:7', actions: ['TO create a'] },
  { name: 'new file with mode and time', before: 'k=', edit: 'a=one!640@1000000000', both: 'k= a=one!640@1000000000' },
  { name: 'new large file', before: 'k=', edit: 'a=*3M:5', both: 'k= a=*3M:5', actions: ['TO create a'] },
  { name: 'new directory', before: 'k=', edit: 'd/x=one d/e/y=two', both: 'k= d/x=one d/e/y=two' },
  { name: 'new empty directory', before: 'k=', edit: 'd/', both: 'k= d/', actions: ['TO create d'] },
  { name: 'new empty directories below each other', before: 'k=', edit: 'd/e/f/', both: 'k= d/e/f/' },
  { name: 'new directory with a mode', before: 'k=', edit: 'd/x=one d!700', both: 'k= d/!700 d/x=one' },
  { name: 'new symlink', before: 'k=', edit: 'l->k', both: 'k= l->k', actions: ['TO create l'] },
  { name: 'edit', before: 'a=one', edit: 'a=longer', both: 'a=longer', actions: ['TO modify a'] },
  { name: 'edit of the same size', before: 'a=one', edit: 'a=two', both: 'a=two', actions: ['TO modify a'] },
  { name: 'edit to nothing', before: 'a=one', edit: 'a=', both: 'a=', actions: ['TO modify a'] },
  { name: 'edit of an empty file', before: 'a=', edit: 'a=one', both: 'a=one', actions: ['TO modify a'] },
  { name: 'edit by replacing', before: 'a=one', edit: 't=two t=>a', both: 'a=two', actions: ['TO modify a'] },
  { name: 'edit and mode', before: 'a=one', edit: 'a=two!600', both: 'a=two!600' },
  { name: 'delete file', before: 'k= a=one', edit: '-a', both: 'k=', actions: ['TO delete a'] },
  { name: 'delete symlink', before: 'k= l->k', edit: '-l', both: 'k=', actions: ['TO delete l'] },
  { name: 'delete directory', before: 'k= d/x=one d/e/y=two', edit: '-d', both: 'k=' },
  { name: 'delete empty directory', before: 'k= d/', edit: '-d', both: 'k=', actions: ['TO delete d'] },
  { name: 'delete all in a directory', before: 'k= d/x=one d/y=two', edit: '-d/x -d/y', both: 'k= d/' },
  { name: 'delete and make again', before: 'a=one', edit: '-a a=two', both: 'a=two' },
  { name: 'rename file', before: 'a=one', edit: 'a=>b', both: 'b=one', actions: ['TO rename a→b'] },
  { name: 'rename into a new directory', before: 'a=one', edit: 'a=>d/e/b', both: 'd/e/b=one' },
  { name: 'rename by case', before: 'a=one', edit: 'a=>A', both: 'A=one' },
  { name: 'rename symlink', before: 'k= l->k', edit: 'l=>m', both: 'k= m->k' },
  { name: 'rename empty directory', before: 'k= d/', edit: 'd=>e', both: 'k= e/', actions: ['TO rename d→e'] },
  {
    name: 'rename directory',
    before: 'k= d/x=one d/y=two d/e/z=three',
    edit: 'd=>f',
    both: 'k= f/x=one f/y=two f/e/z=three',
    actions: ['TO rename d→f'],
  },
  {
    name: 'rename directory and edit in it',
    before: 'd/x=one d/y=two',
    edit: 'd=>f f/x=more',
    both: 'f/x=more f/y=two',
  },
  { name: 'rename directory and delete in it', before: 'd/x=one d/y=two', edit: 'd=>f -f/x', both: 'f/y=two' },
  { name: 'rename directory into another', before: 'd/x=one e/y=two', edit: 'd=>e/d', both: 'e/d/x=one e/y=two' },
  { name: 'rename and edit', before: 'a=one', edit: 'a=>b b=quite+different', both: 'b=quite+different' },
  { name: 'rename and mode', before: 'a=one', edit: 'a=>b b!600', both: 'b=one!600' },
  { name: 'rename over another', before: 'a=one b=two', edit: 'a=>b', both: 'b=one' },
  { name: 'swap', before: 'a=one b=two', edit: 'a=>t b=>a t=>b', both: 'a=two b=one' },
  { name: 'swap directories', before: 'a/x=one b/y=two', edit: 'a=>t b=>a t=>b', both: 'a/y=two b/x=one' },
  { name: 'chain of renames', before: 'a=one b=two', edit: 'b=>c a=>b', both: 'b=one c=two' },
  { name: 'parent and child change places', before: 'p/q/x=one', edit: 'p/q=>t p=>t/p t=>q', both: 'q/p/ q/x=one' },
  { name: 'mode of a file', before: 'a=one', edit: 'a!600', both: 'a=one!600', actions: ['TO metadata a'] },
  { name: 'executable', before: 'a=one', edit: 'a!755', both: 'a=one!755', actions: ['TO metadata a'] },
  { name: 'mode 0', before: 'a=one', edit: 'a!0', both: 'a=one!0' },
  { name: 'mode of a directory', before: 'd/x=one', edit: 'd!700', both: 'd/!700 d/x=one', actions: ['TO metadata d'] },
  { name: 'mtime', before: 'a=one', edit: 'a@1000000000', both: 'a=one@1000000000', actions: ['TO metadata a'] },
  { name: 'mtime of 1970', before: 'a=one', edit: 'a@0', both: 'a=one@0' },
  { name: 'mtime far ahead', before: 'a=one', edit: 'a@4000000000', both: 'a=one' },
  { name: 'file becomes directory', before: 'a=one', edit: '-a a/x=two', both: 'a/x=two' },
  { name: 'file becomes empty directory', before: 'a=one', edit: '-a a/', both: 'a/' },
  { name: 'file becomes symlink', before: 'a=one k=', edit: '-a a->k', both: 'a->k k=' },
  { name: 'directory becomes file', before: 'd/x=one d/e/y=two', edit: '-d d=three', both: 'd=three' },
  { name: 'directory becomes symlink', before: 'd/x=one k/y=two', edit: '-d d->k', both: 'd->k k/y=two' },
  { name: 'symlink becomes file', before: 'k= l->k', edit: '-l l=one', both: 'k= l=one' },
  { name: 'symlink becomes directory', before: 'k/y=two l->k', edit: '-l l/x=one', both: 'k/y=two l/x=one' },
  { name: 'symlink gets another target', before: 'k= l->k', edit: '-l l->elsewhere', both: 'k= l->elsewhere' },
  { name: 'directory moves aside, file takes its name', before: 'd/x=one', edit: 'd=>e d=two', both: 'e/x=one d=two' },
  { name: 'directory becomes symlink to its new place', before: 'd/x=one', edit: 'd=>e d->e', both: 'd->e e/x=one' },
];

const BOTH_SIDED: readonly Situation[] = [
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

const FIRST: readonly Situation[] = [
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

const NAMES: readonly Situation[] = [
  names('names of 255 bytes', `${'n'.repeat(255)}=one ${'ä'.repeat(127)}x=two d${'d'.repeat(254)}/x=three`),
  names('depth 200', `${'d/'.repeat(200)}x=one`),
  names('long names deep down', `${`${'v'.repeat(250)}/`.repeat(10)}x=one`),
  names('names that are not UTF-8', '%ff=one a%80b=two %c3=three %c3%28/x=four l%fe->%ff'),
  names('two that only differ in bytes that are not UTF-8', '%ff=one %fe=two %ef%bf%bd=three'),
  names('newline, tab, escape, bell', 'a%0ab=one %09=two %1b[31mred=three %07=four %7f=five %c2%9b=six'),
  names(
    'names that mean something to JavaScript',
    '__proto__=one constructor=two toString/x=three prototype/__proto__=four',
  ),
  names(
    'leading dash, blanks, shell',
    '%2drf=one %20=two a%20b=three $HOME=four `id`=five "=six \'=seven \\=eight *=nine',
  ),
  names('leading dots', '.a=one ..b=two ...=three .tidemark.x=four d/.tidemark=five'),
  names('characters of other systems', 'a:b=one con=two a.=three a%20=four %3cx%3e=five'),
  names('emoji and both normal forms', '🎉=one é=two e%cc%81=three 👩‍👩‍👧=four %e2%80%ae=five'),
  names('only case differs', 'a=one A=two d/x=three D/x=four'),
];

const LINKS: readonly Situation[] = [
  names('dangling, absolute and cyclic symlinks', 'l->nowhere m->/etc/passwd n->n o->p p->o q->. r->.. s->../../..'),
  names('symlink with a long target', `l->${'t'.repeat(1000)}`),
  names('symlink to bytes', 'l->%ff%0a t->%20x%20'),
  {
    name: 'symlinks to directories are never followed',
    before: 'd/kept=one l->d m->d k=',
    alpha: '-l -m m/x=two n->../..',
    beta: 'o->d',
    both: 'd/kept=one m/x=two n->../.. o->d k=',
  },
];

/** All that need no more than two trees and the default options. */
export const TABLE: readonly Situation[] = [...ONE_SIDED.flatMap(onEachSide), ...BOTH_SIDED, ...NAMES, ...LINKS];
export const FIRST_TABLE = FIRST;

/** The other modes. */
export const MODES_TABLE: readonly Situation[] = [
  ...withOptions(
    ['--mode', 'two-way-resolved'],
    [
      { name: 'resolved: alpha wins a conflict', before: 'a=one', alpha: 'a=two', beta: 'a=three', both: 'a=two' },
      { name: 'resolved: beta alone still goes', before: 'a=one', beta: 'a=two b=three', both: 'a=two b=three' },
      { name: 'resolved: alpha wins other kinds', before: 'k=', alpha: 'a=one', beta: 'a/x=two', both: 'k= a=one' },
      { name: 'resolved: alpha deletes what beta edits', before: 'k= a=one', alpha: '-a', beta: 'a=two', both: 'k=' },
    ],
  ),
  ...withOptions(
    ['--mode', 'one-way-safe'],
    [
      { name: 'one way: alpha goes', before: 'a=one b=two', alpha: 'a=more -b c=new', both: 'a=more c=new' },
      {
        name: 'one way: beta alone stays there',
        before: 'a=one',
        beta: 'b=two',
        apart: { alpha: 'a=one', beta: 'a=one b=two' },
      },
      { name: 'one way: beta deleted, alpha brings it back', before: 'a=one k=', beta: '-a', both: 'a=one k=' },
      {
        name: 'one way: both edited conflicts',
        before: 'a=one',
        alpha: 'a=two',
        beta: 'a=three',
        apart: { alpha: 'a=two', beta: 'a=three' },
        conflicts: ['a'],
      },
    ],
  ),
  ...withOptions(
    ['--mode', 'one-way-replica'],
    [
      { name: 'replica: alpha goes', before: 'a=one b=two', alpha: 'a=more -b c=new', both: 'a=more c=new' },
      {
        name: 'replica: beta is made alpha',
        before: 'a=one b=two',
        beta: 'a=other -b c=new d/x=new',
        both: 'a=one b=two',
      },
      {
        name: 'replica: other kinds too',
        before: 'a=one d/x=two',
        beta: '-a a/y=three -d d=four',
        both: 'a=one d/x=two',
      },
      { name: 'replica: both edited, alpha wins', before: 'a=one', alpha: 'a=two', beta: 'a=three', both: 'a=two' },
    ],
  ),
];

const POLICY = {
  before: 'a=one b=one',
  alpha: 'a=newer+larger@1000000009 b=two@1000000000',
  beta: 'a=old@1000000000 b=three@1000000009',
};
const POLICIES: readonly Situation[] = [
  {
    ...POLICY,
    name: 'conflict newer',
    options: ['--conflict', 'newer'],
    both: 'a=newer+larger@1000000009 b=three@1000000009',
  },
  { ...POLICY, name: 'conflict older', options: ['--conflict', 'older'], both: 'a=old@1000000000 b=two@1000000000' },
  {
    ...POLICY,
    name: 'conflict larger',
    options: ['--conflict', 'larger'],
    both: 'a=newer+larger@1000000009 b=three@1000000009',
  },
  {
    ...POLICY,
    name: 'conflict alpha',
    options: ['--conflict', 'alpha'],
    both: 'a=newer+larger@1000000009 b=two@1000000000',
  },
  { ...POLICY, name: 'conflict beta', options: ['--conflict', 'beta'], both: 'a=old@1000000000 b=three@1000000009' },
  {
    name: 'conflict copy',
    options: ['--conflict', 'copy'],
    before: 'a.txt=one',
    alpha: 'a.txt=newer@1000000009',
    beta: 'a.txt=older@1000000000',
    check: keepsCopy('a.txt', /^a\.conflict-beta-\d{8}T\d{6}Z\.txt$/),
  },
];

const METADATA_OPTIONS: readonly Situation[] = [
  {
    name: 'no perms',
    options: ['--no-perms'],
    before: 'a=one b=two',
    alpha: 'a!600',
    beta: 'b!755',
    apart: { alpha: 'a=one!600 b=two', beta: 'a=one b=two!755' },
  },
  {
    name: 'no perms, edit goes without mode',
    options: ['--no-perms'],
    before: 'a=one!644',
    alpha: 'a=two!600',
    apart: { alpha: 'a=two!600', beta: 'a=two' },
  },
  {
    name: 'no times',
    options: ['--no-times'],
    before: 'a=one',
    alpha: 'a@1000000000',
    apart: { alpha: 'a=one@1000000000', beta: 'a=one' },
  },
  {
    name: 'setuid is not taken',
    before: 'k=',
    alpha: 'a=one!4755',
    apart: { alpha: 'k= a=one!4755', beta: 'k= a=one!755' },
  },
  {
    name: 'setuid is taken where asked for',
    options: ['--setid'],
    before: 'k=',
    alpha: 'a=one!4755',
    both: 'k= a=one!4755',
  },
];

const IGNORES: readonly Situation[] = alone([
  {
    name: 'ignore by pattern',
    options: ['--ignore', '*.o', '--ignore', '/build/'],
    alpha: 'a.c=one a.o=two build/x=three d/b.o=four',
    apart: { alpha: 'a.c=one a.o=two build/x=three d/b.o=four', beta: 'a.c=one d/' },
  },
  {
    name: 'ignore, except',
    options: ['--ignore', '*.o', '--ignore', '!keep.o'],
    alpha: 'keep.o=one other.o=two',
    apart: { alpha: 'keep.o=one other.o=two', beta: 'keep.o=one' },
  },
  {
    name: 'gitignore nested',
    options: ['--gitignore'],
    alpha: '.gitignore=*.o d/.gitignore=%2f*.x%0a a.o=one d/a.o=two d/a.x=three d/e/a.x=four',
    apart: {
      alpha: '.gitignore=*.o d/.gitignore=%2f*.x%0a a.o=one d/a.o=two d/a.x=three d/e/a.x=four',
      beta: '.gitignore=*.o d/.gitignore=%2f*.x%0a d/e/a.x=four',
    },
  },
  {
    name: 'version control',
    options: ['--ignore-vcs'],
    alpha: '.git/HEAD=one d/.git/HEAD=two a=three .gitignore=x',
    apart: { alpha: '.git/HEAD=one d/.git/HEAD=two a=three .gitignore=x', beta: 'a=three d/ .gitignore=x' },
  },
]);

/** Policies and options, which know nothing of ssh. */
export const OPTION_TABLE: readonly Situation[] = [...POLICIES, ...METADATA_OPTIONS, ...IGNORES];

function onEachSide({ name, before, edit, both, actions }: OneSided): Situation[] {
  return (['alpha', 'beta'] as const).map((side) => ({
    name: `${name} (${side})`,
    before,
    [side]: edit,
    both,
    ...(actions === undefined
      ? {}
      : { actions: actions.map((action) => action.replace('TO', side === 'alpha' ? 'beta' : 'alpha')) }),
  }));
}

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

/** Made on alpha at first, then one more of each kind of change with such names is left to other situations. */
function names(name: string, words: string): Situation {
  return { name, before: 'k=', alpha: words, both: `k= ${words}` };
}

function withOptions(options: readonly string[], situations: readonly Situation[]): Situation[] {
  return situations.map((situation) => ({ ...situation, options }));
}

function alone(situations: readonly Situation[]): Situation[] {
  return situations.map((situation) => ({ ...situation, alone: true }));
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

/** Two files on both sides: the winner under its name, the loser under a name like `pattern`. */
function keepsCopy(winner: string, pattern: RegExp): NonNullable<Situation['check']> {
  return (pair, within) => {
    for (const tree of [pair.alpha, pair.beta]) {
      const lines = tree.list().filter((line) => line.startsWith(within));
      const named = lines.map((line) => line.slice(within.length).split('=')[0] ?? '');
      if (named.length !== 2 || !named.includes(winner) || !named.some((name) => pattern.test(name))) {
        throw new Error(`not two contents: ${lines.join(' ')}`);
      }
    }
  };
}
