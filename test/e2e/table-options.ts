/** What options change about decisions, metadata and ignored paths. */
import type { Situation } from './situation.ts';

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

function withOptions(options: readonly string[], situations: readonly Situation[]): Situation[] {
  return situations.map((situation) => ({ ...situation, options }));
}

function alone(situations: readonly Situation[]): Situation[] {
  return situations.map((situation) => ({ ...situation, alone: true }));
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
