/** Our ignore rules against git's own, on generated patterns: `git check-ignore` is the judge. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type IgnoreScope, isIgnored, NO_RULES, nestedScope } from '../../../src/journal/core/ignore.ts';
import { type BytePath, componentsOf, fromText, toBuffer } from '../../../src/platform/core/byte-path.ts';

const hasGit = spawnSync('git', ['--version']).status === 0;

/** Files of each case; directories are what stands between. */
const FILES = [
  'a',
  'b',
  'ab',
  'ba',
  'a b',
  'a.b',
  '.a',
  '*',
  'a\\b',
  '#a',
  '!a',
  'é',
  ' a',
  'a ',
  '[',
  ']',
  'a-b',
  'c/a',
  'c/b',
  'c/c/a',
  'c/c/ab',
  'c/d/b',
  'd/a/b',
  'd/c/d/a',
  'aab/ab',
  'aab/a/b',
  'bab/c/d/c/b',
  'A',
];
const CASES = 40;
const ROUNDS = 6;

let repository: string;

beforeAll(() => {
  if (!hasGit) return;
  repository = mkdtempSync(join(tmpdir(), 'tidemark-ignore-'));
  git(['init', '-q']);
  for (let index = 0; index < CASES; index++) for (const file of FILES) touch(`case${index}/${file}`);
});

afterAll(() => {
  if (hasGit) rmSync(repository, { recursive: true });
});

function touch(path: string): void {
  const absolute = join(repository, path);
  mkdirSync(dirname(absolute), { recursive: true });
  writeFileSync(absolute, '');
}

function git(args: readonly string[], input = Buffer.alloc(0)): Buffer {
  const env = {
    ...process.env,
    GIT_CONFIG_GLOBAL: '/dev/null',
    GIT_CONFIG_SYSTEM: '/dev/null',
    GIT_CEILING_DIRECTORIES: tmpdir(),
  };
  return spawnSync('git', args, { cwd: repository, input, env }).stdout;
}

/** What git ignores of `paths`. */
function judged(paths: readonly BytePath[]): Set<string> {
  const input = Buffer.concat(paths.flatMap((path) => [toBuffer(path), Buffer.from([0])]));
  const output = git(['-c', 'core.ignorecase=false', 'check-ignore', '--no-index', '-z', '--stdin'], input);
  return new Set(
    output
      .toString('latin1')
      .split('\0')
      .filter((path) => path !== ''),
  );
}

/** A file rather than a directory: no other path goes through it. */
function isDirectory(path: BytePath, all: readonly BytePath[]): boolean {
  return all.some((other) => other.startsWith(`${path}/`));
}

function ignoredHere(scopes: (directory: BytePath) => IgnoreScope, path: BytePath, all: readonly BytePath[]): boolean {
  let walked = '' as BytePath;
  for (const component of componentsOf(path)) {
    const directory = walked;
    walked = (walked === '' ? component : `${walked}/${component}`) as BytePath;
    if (isIgnored(scopes(directory), walked, isDirectory(walked, all))) return true;
  }
  return false;
}

const piece = fc.constantFrom(
  'a',
  'b',
  'c',
  'd',
  'ab',
  'A',
  'é',
  '*',
  '*',
  '?',
  '**',
  '***',
  '/',
  '/',
  '/',
  '/**',
  '**/',
  '/**/',
  '.',
  ' ',
  '\\ ',
  '\\a',
  '\\*',
  '\\\\',
  '\\/',
  '\\',
  '!',
  '#',
  '-',
  '[ab]',
  '[!a]',
  '[^b]',
  '[a-c]',
  '[-a]',
  '[a-]',
  '[]a]',
  '[!]a]',
  '[[:alpha:]]',
  '[![:upper:]]',
  '[[:nope:]]',
  '[[:alpha]',
  '[a\\]b]',
  '[\\a-b]',
  '[b-a]',
  '[',
  ']',
  '[a/b]',
);
const pattern = fc
  .tuple(
    fc.constantFrom('', '', '', '!'),
    fc.array(piece, { minLength: 1, maxLength: 5 }),
    fc.constantFrom('', '', '/'),
  )
  .map(([not, pieces, slash]) => not + pieces.join('') + slash)
  .filter((text) => !GIT_QUIRK.test(text));

/**
 * Stars run together behind plain letters: git's fast path cuts the letters off and then takes `**` for a whole
 * component, against its own manual ("other consecutive asterisks are regular asterisks"). We do as the manual says.
 */
const GIT_QUIRK = /[^*?[\\/!]\*\*/;

const rules = fc.array(pattern, { minLength: 1, maxLength: 4 }).map((lines) => lines.join('\n'));

describe('ignore rules', () => {
  test.skipIf(!hasGit)('agree with git', { timeout: 60_000 }, () => {
    const prefix = (index: number) => `case${index}`;
    for (let round = 0; round < ROUNDS; round++) {
      const seed = Number(process.env.TIDEMARK_SEED ?? 1) * 1000 + round;
      const cases = fc.sample(fc.tuple(rules, rules), { numRuns: CASES, seed });
      cases.forEach(([outer, inner], index) => {
        writeFileSync(join(repository, prefix(index), '.gitignore'), outer);
        writeFileSync(join(repository, prefix(index), 'c/.gitignore'), inner);
      });
      const all = cases.flatMap((_, index) =>
        [...FILES, 'c', 'c/c', 'aab', 'bab', 'd/c'].map((file) => fromText(`${prefix(index)}/${file}`)),
      );
      const verdict = judged(all);
      cases.forEach(([outer, inner], index) => {
        const base = fromText(prefix(index));
        const outerScope = nestedScope(NO_RULES, base, fromText(outer));
        const innerScope = nestedScope(outerScope, `${base}/c` as BytePath, fromText(inner));
        const scopes = (directory: BytePath) =>
          directory === '' ? NO_RULES : `${directory}/`.startsWith(`${base}/c/`) ? innerScope : outerScope;
        const own = all.filter((path) => path.startsWith(`${base}/`));
        const differences = own
          .filter((path) => ignoredHere(scopes, path, all) !== verdict.has(path))
          .map(
            (path) =>
              `${JSON.stringify(path)}: git ${verdict.has(path) ? 'ignores' : 'keeps'} it, with ${JSON.stringify(outer)} and in c ${JSON.stringify(inner)}`,
          );
        expect(differences).toEqual([]);
      });
    }
  });
});
