import { describe, expect, test } from 'vitest';
import {
  hasRules,
  type IgnoreSettings,
  isIgnored,
  MAX_PATTERN_BYTES,
  MAX_PATTERNS,
  MAX_RULE_FILE_BYTES,
  NO_RULES,
  nestedScope,
  rootScope,
  ruleLines,
} from '../../../src/journal/core/ignore.ts';
import { compileName, compilePath, matchesName, matchesPath } from '../../../src/journal/core/wildmatch.ts';
import { type BytePath, fromText, ROOT } from '../../../src/platform/core/byte-path.ts';

const SETTINGS: IgnoreSettings = { patterns: [], file: '.tidemarkignore', gitignore: true, vcs: false };

function ignores(patterns: readonly string[], path: string, isDirectory = false): boolean {
  return isIgnored(rootScope({ ...SETTINGS, patterns }, null), fromText(path), isDirectory);
}

describe('one pattern', () => {
  test.each([
    // pattern, what it matches, what it does not; a path with a slash at the end is a directory
    ['foo', ['foo', 'a/foo', 'foo/'], ['food', 'Foo', 'foo/x']],
    ['/foo', ['foo'], ['a/foo']],
    ['a/b', ['a/b'], ['x/a/b', 'a/b/c']],
    ['foo/', ['foo/', 'a/foo/'], ['foo']],
    ['a/b/', ['a/b/'], ['a/b', 'x/a/b/']],
    ['*.o', ['.o', 'a.o', 'd/a.o'], ['a.oo', 'o']],
    ['a*c', ['ac', 'abc', 'abbc'], ['abcd', 'xac']],
    ['*/x', ['a/x'], ['x', 'a/b/x']],
    ['a/*', ['a/x'], ['a', 'a/b/c']],
    ['**/x', ['x', 'a/x', 'a/b/x'], ['ax']],
    ['a/**', ['a/x', 'a/b/c'], ['a', 'b/a/x']],
    ['a/**/z', ['a/z', 'a/b/z', 'a/b/c/z'], ['z', 'az', 'a/bz']],
    ['**/a/**/b/**', ['a/b/c', 'x/a/y/b/z'], ['a/b', 'b/a/c']],
    ['a**z', ['az', 'abcz'], ['a/z']],
    ['/a**b/c', ['ab/c', 'axb/c'], ['a/b/c']],
    ['?', ['a'], ['ab']],
    ['[a-c]x', ['ax', 'cx'], ['dx', 'x']],
    ['[!a-c]x', ['dx'], ['ax', 'x']],
    ['[^a]', ['b'], ['a']],
    ['[]-]', [']', '-'], ['a']],
    ['[a-]', ['a', '-'], ['b']],
    ['[[:digit:][:upper:]]', ['1', 'A'], ['a']],
    ['[\\]]', [']'], ['\\']],
    ['a[/]b', [], ['a/b']],
    ['[a', [], ['[a', 'a']],
    ['[[:nope:]]', [], ['n', ':']],
    ['\\*', ['*'], ['a']],
    ['\\!x', ['!x'], ['x']],
    ['a\\', [], ['a', 'a\\']],
    ['', [], ['a']],
    ['/', [], ['a', 'a/']],
    ['!', [], ['a']],
  ])('%j', (pattern, matching, others) => {
    const verdict = (path: string) =>
      path.endsWith('/') ? ignores([pattern], path.slice(0, -1), true) : ignores([pattern], path);
    expect(matching.filter((path) => !verdict(path))).toEqual([]);
    expect(others.filter(verdict)).toEqual([]);
  });

  test('a name is bytes: `?` is one of them', () => {
    expect(ignores(['??'], 'é')).toBe(true);
    expect(ignores(['?'], 'é')).toBe(false);
    expect(isIgnored(rootScope({ ...SETTINGS, patterns: ['[\x80-\xff]'] }, null), '\xff' as BytePath, false)).toBe(
      true,
    );
  });
});

describe('many patterns', () => {
  test('the last match wins', () => {
    expect(ignores(['*.a', '!x.a'], 'x.a')).toBe(false);
    expect(ignores(['!x.a', '*.a'], 'x.a')).toBe(true);
    expect(ignores(['*', '!*/'], 'd', true)).toBe(false);
  });

  test('sources have their precedence', () => {
    const scope = rootScope(
      { ...SETTINGS, vcs: true, patterns: ['!from-file', 'from-line'] },
      'from-file\n!.hg\n!from-line\n!.svn',
    );
    const nested = nestedScope(nestedScope(scope, ROOT, '!.git\nup\nboth'), 'd' as BytePath, '!both\n/here\n.svn\n');
    const ignored = (path: string, directory = false) => isIgnored(nested, path as BytePath, directory);
    expect(ignored('.git', true)).toBe(false);
    expect(ignored('d/.hg', true)).toBe(false);
    expect(ignored('d/CVS', true)).toBe(true);
    expect(ignored('d/CVS')).toBe(false);
    expect(ignored('d/_FOSSIL_')).toBe(true);
    expect(ignored('d/up')).toBe(true);
    expect(ignored('d/both')).toBe(false);
    expect(ignored('d/here')).toBe(true);
    expect(ignored('d/e/here')).toBe(false);
    expect(ignored('d/.svn')).toBe(false);
    expect(ignored('from-file')).toBe(false);
    expect(ignored('from-line')).toBe(true);
    expect(isIgnored(rootScope({ ...SETTINGS, vcs: true }, null), '.git' as BytePath, false)).toBe(true);
  });

  test('a scope without rules says so', () => {
    expect(hasRules(NO_RULES)).toBe(false);
    expect(hasRules(rootScope(SETTINGS, '# nothing\n\n'))).toBe(false);
    expect(nestedScope(NO_RULES, ROOT, '#\n')).toBe(NO_RULES);
    expect(hasRules(nestedScope(NO_RULES, ROOT, 'x'))).toBe(true);
  });
});

test('lines of a rule file', () => {
  const text = '\xef\xbb\xbfa\r\n#comment\n\\#not\n  \nb  \nc\\ \nd\\  \n e\nf\\';
  expect(ruleLines(text)).toEqual(['a', '\\#not', 'b', 'c\\ ', 'd\\ ', ' e', 'f\\']);
  // On the command line nothing is a comment.
  expect(ignores(['#x'], '#x')).toBe(true);
});

test('limits are refused as wrong use, with the source', () => {
  const refused = (work: () => unknown, source: string) =>
    expect(work).toThrow(
      expect.objectContaining({ fault: 'usage', code: 'ignore-rules', message: expect.stringContaining(source) }),
    );
  refused(() => rootScope({ ...SETTINGS, patterns: ['x'.repeat(MAX_PATTERN_BYTES + 1)] }, null), '--ignore');
  refused(() => rootScope({ ...SETTINGS, patterns: Array(MAX_PATTERNS + 1).fill('x') }, null), '--ignore');
  refused(() => rootScope(SETTINGS, 'x\n'.repeat(MAX_RULE_FILE_BYTES)), '.tidemarkignore');
  refused(() => nestedScope(NO_RULES, 'd' as BytePath, 'x\n'.repeat(MAX_PATTERNS + 1)), 'd/.gitignore');
});

describe('time', () => {
  /** Comparisons grow with pattern × text; the patterns below take a backtracking matcher longer than the sun has. */
  const stars = '*a'.repeat(1000);
  const deep = '**/a/'.repeat(400);

  test('is bounded for names', () => {
    const pattern = compileName(`${stars}b`);
    if (pattern === null) throw new Error('refused');
    expect(matchesName(pattern, 'a'.repeat(255))).toBe(false);
    expect(matchesName(pattern, 'a'.repeat(4000))).toBe(false);
  });

  test('is bounded for paths', () => {
    const pattern = compilePath(`${deep}b`);
    if (pattern === null) throw new Error('refused');
    expect(matchesPath(pattern, 'a/'.repeat(4000).slice(0, -1))).toBe(false);
    const mixed = compilePath('**/*a*a*a*a*a*a*a*a*b/'.repeat(50).slice(0, -1));
    if (mixed === null) throw new Error('refused');
    expect(matchesPath(mixed, `${'a'.repeat(250)}/`.repeat(100).slice(0, -1))).toBe(false);
  });
});
