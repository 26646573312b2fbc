/**
 * Which paths are ignored: gitignore(5) rules from several sources, decided as one walks down the tree.
 *
 * Sources from lowest to highest precedence: version control folders, nested .gitignore files (deeper ones over those
 * above), the ignore file at the root, patterns of the command line. Within and across sources the last match wins. A
 * walk does not enter an ignored directory, so nothing below one can be taken back by `!`.
 *
 * {@link IgnoreScope} is immutable: a directory with a rule file of its own makes a scope for what is below it.
 */
import { type BytePath, nameOf, ROOT } from '../../platform/core/byte-path.ts';
import { TidemarkError } from '../../platform/core/errors.ts';
import { compileName, compilePath, matchesName, matchesPath, type NamePattern, type PathPattern } from './wildmatch.ts';

/** What is ignored, as the user said it. */
export interface IgnoreSettings {
  /** Patterns as byte strings, lowest precedence first. */
  readonly patterns: readonly string[];
  /** Name of the ignore file at the root, a byte string. */
  readonly file: string;
  /** Honour nested .gitignore files. */
  readonly gitignore: boolean;
  /** Ignore version control folders. */
  readonly vcs: boolean;
}

/** Name of nested rule files. */
export const GITIGNORE = '.gitignore';

/** Longest pattern: a path cannot be longer than PATH_MAX, a pattern for it hardly. */
export const MAX_PATTERN_BYTES = 4096;

/** Most patterns of one source: each is tried on each name. */
export const MAX_PATTERNS = 10_000;

/** Largest rule file read. */
export const MAX_RULE_FILE_BYTES = 1024 * 1024;

/** What version control systems keep in a working tree. A `.git` may be a file (worktrees, submodules). */
const VCS_PATTERNS = ['.git', '.hg/', '.svn/', '.bzr/', '_darcs/', '.jj/', '.pijul/', 'CVS/', '.fslckout', '_FOSSIL_'];

type Test =
  /** The name is exactly this. */
  | { readonly on: 'name'; readonly equals: string }
  /** The name ends with this (`*.o`). */
  | { readonly on: 'name-end'; readonly ends: string }
  | { readonly on: 'name-pattern'; readonly pattern: NamePattern }
  /** The path below the rules' directory matches. */
  | { readonly on: 'path'; readonly pattern: PathPattern };

interface Rule {
  readonly isNegated: boolean;
  readonly directoriesOnly: boolean;
  readonly test: Test;
}

/** Rules of one source, for what is below `base`. */
export interface RuleList {
  readonly base: BytePath;
  readonly rules: readonly Rule[];
}

/** Rules that hold in one directory: lists from highest to lowest precedence. */
export interface IgnoreScope {
  readonly above: readonly RuleList[];
  readonly nested: readonly RuleList[];
  readonly below: readonly RuleList[];
}

export const NO_RULES: IgnoreScope = { above: [], nested: [], below: [] };

/**
 * The rules that hold at the root. `ignoreFile` are the bytes of the ignore file at the root, null where there is none.
 * Throws `usage` (`ignore-rules`) where patterns are too long or too many.
 */
export function rootScope(settings: IgnoreSettings, ignoreFile: string | null): IgnoreScope {
  const commandLine = { base: ROOT, rules: checkedRules(settings.patterns, '--ignore') };
  const file = { base: ROOT, rules: ignoreFile === null ? [] : parseChecked(ignoreFile, settings.file) };
  const vcs = { base: ROOT, rules: settings.vcs ? checkedRules(VCS_PATTERNS, 'vcs') : [] };
  const present = (lists: readonly RuleList[]) => lists.filter(({ rules }) => rules.length > 0);
  return { above: present([commandLine, file]), nested: [], below: present([vcs]) };
}

/**
 * The rules below directory `base`, which has a rule file of its own. Throws `usage` (`ignore-rules`) like
 * {@link rootScope}.
 */
export function nestedScope(scope: IgnoreScope, base: BytePath, ruleFile: string): IgnoreScope {
  const rules = parseChecked(ruleFile, base === ROOT ? GITIGNORE : `${base}/${GITIGNORE}`);
  return rules.length === 0 ? scope : { ...scope, nested: [{ base, rules }, ...scope.nested] };
}

/** True where what stands at `path` decides what is ignored elsewhere. */
export function isRuleFile(settings: Pick<IgnoreSettings, 'file' | 'gitignore'>, path: BytePath): boolean {
  return path === settings.file || (settings.gitignore && nameOf(path) === GITIGNORE);
}

export function hasRules(scope: IgnoreScope): boolean {
  return scope.above.length > 0 || scope.nested.length > 0 || scope.below.length > 0;
}

/** True where `path`, whose parents are not ignored, is. Time: bytes of all patterns × bytes of the path. */
export function isIgnored(scope: IgnoreScope, path: BytePath, isDirectory: boolean): boolean {
  const name = nameOf(path);
  for (const lists of [scope.above, scope.nested, scope.below]) {
    for (const list of lists) {
      const rule = lastMatch(list, path, name, isDirectory);
      if (rule !== null) return !rule.isNegated;
    }
  }
  return false;
}

/** Lines of a rule file as patterns: comments, blank lines, a byte order mark and trailing spaces taken away. */
export function ruleLines(text: string): string[] {
  const start = text.startsWith('\xef\xbb\xbf') ? 3 : 0;
  return text
    .slice(start)
    .split('\n')
    .map((line) => (line.endsWith('\r') ? line.slice(0, -1) : line))
    .filter((line) => !line.startsWith('#'))
    .map(withoutTrailingSpaces)
    .filter((line) => line !== '');
}

function lastMatch(list: RuleList, path: BytePath, name: string, isDirectory: boolean): Rule | null {
  const { rules, base } = list;
  const pathStart = base === ROOT ? 0 : base.length + 1;
  for (let index = rules.length - 1; index >= 0; index--) {
    const rule = rules[index] as Rule;
    if (rule.directoriesOnly && !isDirectory) continue;
    if (matches(rule.test, path, pathStart, name)) return rule;
  }
  return null;
}

function matches(test: Test, path: BytePath, pathStart: number, name: string): boolean {
  switch (test.on) {
    case 'name':
      return test.equals === name;
    case 'name-end':
      return name.endsWith(test.ends);
    case 'name-pattern':
      return matchesName(test.pattern, name);
    case 'path':
      return matchesPath(test.pattern, pathStart === 0 ? path : path.slice(pathStart));
  }
}

function parseChecked(text: string, source: string): Rule[] {
  if (text.length > MAX_RULE_FILE_BYTES) throw refused(source, `larger than ${MAX_RULE_FILE_BYTES} bytes`);
  return checkedRules(ruleLines(text), source);
}

function checkedRules(patterns: readonly string[], source: string): Rule[] {
  if (patterns.length > MAX_PATTERNS) throw refused(source, `more than ${MAX_PATTERNS} patterns`);
  return patterns.flatMap((pattern) => {
    if (pattern.length > MAX_PATTERN_BYTES) throw refused(source, `a pattern longer than ${MAX_PATTERN_BYTES} bytes`);
    const rule = compileRule(pattern);
    return rule === null ? [] : [rule];
  });
}

/** One pattern; null where it can match nothing. */
function compileRule(pattern: string): Rule | null {
  const isNegated = pattern.startsWith('!');
  let body = isNegated ? pattern.slice(1) : pattern;
  const directoriesOnly = body.endsWith('/');
  if (directoriesOnly) body = body.slice(0, -1);
  const test = compileTest(body);
  return test === null ? null : { isNegated, directoriesOnly, test };
}

/** A slash anywhere but at the end ties a pattern to its directory; others are matched against names at any depth. */
function compileTest(body: string): Test | null {
  if (body === '') return null;
  if (body.includes('/')) {
    const pattern = compilePath(body.startsWith('/') ? body.slice(1) : body);
    return pattern === null ? null : { on: 'path', pattern };
  }
  if (!/[*?[\\]/.test(body)) return { on: 'name', equals: body };
  if (body.startsWith('*') && !/[*?[\\]/.test(body.slice(1))) return { on: 'name-end', ends: body.slice(1) };
  const pattern = compileName(body);
  return pattern === null ? null : { on: 'name-pattern', pattern };
}

/** Spaces at the end go unless the last one that stays is escaped. */
function withoutTrailingSpaces(line: string): string {
  let end = 0;
  for (let at = 0; at < line.length; at++) {
    if (line[at] === '\\') at++;
    else if (line[at] === ' ') continue;
    end = Math.min(at + 1, line.length);
  }
  return line.slice(0, end);
}

function refused(source: string, fault: string): TidemarkError {
  return new TidemarkError('usage', 'ignore-rules', `ignore rules refused: ${source}: ${fault}`, {
    remedy: 'Shorten the rules.',
  });
}
