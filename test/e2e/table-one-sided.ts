/** One side is edited, each of the two in turn. */
import type { Situation } from './situation.ts';

/** One edit of one side, once on each: `TO` and `FROM` in actions stand for the other side and the edited one. */
interface OneSided {
  readonly name: string;
  readonly before: string;
  readonly edit: string;
  readonly both: string;
  readonly actions?: readonly string[];
}

const EDITS: readonly OneSided[] = [
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

/** Each edit once on alpha and once on beta. */
export const ONE_SIDED: readonly Situation[] = EDITS.flatMap(onEachSide);

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
