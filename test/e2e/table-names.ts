/** Names and symlinks that make trouble. */
import type { Situation } from './situation.ts';

/** Names of files, directories and symlinks. */
export const NAMES: readonly Situation[] = [
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

/** Symlinks that lead nowhere, out, or in circles. */
export const LINKS: readonly Situation[] = [
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

/** Made on alpha at first, then one more of each kind of change with such names is left to other situations. */
function names(name: string, words: string): Situation {
  return { name, before: 'k=', alpha: words, both: `k= ${words}` };
}
