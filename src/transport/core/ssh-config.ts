/**
 * The part of ssh_config(5) a connection of ours depends on: parsing and evaluation, pure.
 *
 * For each option the first value obtained wins. `Match exec` would run programs and is skipped with a warning, as is
 * `Match canonical`, since names are not canonicalised here. Files are read by the caller through `include`.
 */
import { matchesPatterns } from './known-hosts.ts';

/** One file of a configuration, as `include` hands it over. */
export interface ConfigText {
  readonly file: string;
  readonly text: string;
}

/** What a configuration says about one host; defaults are left to the caller, tokens are not expanded. */
export interface SshConfigValues {
  /** First value of each single-valued option, by lower-case keyword. */
  readonly single: ReadonlyMap<string, string>;
  /** All values of IdentityFile and CertificateFile, in order, by lower-case keyword. */
  readonly multiple: ReadonlyMap<string, readonly string[]>;
  readonly warnings: readonly string[];
}

/** The facts conditions are matched against. */
export interface SshConfigQuery {
  /** As typed by the user. */
  readonly host: string;
  /** From the endpoint address; wins over the configuration. */
  readonly user: string | null;
  readonly localUser: string;
  /** Reads what an Include pattern names; empty where there is nothing. */
  readonly include: (pattern: string, from: string) => readonly ConfigText[];
}

/** Files may include each other this deep (ssh: 16). */
const MAX_INCLUDE_DEPTH = 16;

/** Lines over all files: a bound for evaluation, far above real configurations. */
const MAX_LINES = 100_000;

/** Options that collect all their values. */
const MULTIPLE = new Set(['identityfile', 'certificatefile']);

/** Options whose value is the rest of the line. */
const REST_OF_LINE = new Set(['proxycommand', 'localcommand', 'remotecommand', 'knownhostscommand']);

/** Options with several words in one value. */
const WORD_LIST = new Set(['userknownhostsfile', 'globalknownhostsfile']);

/** Evaluates the files, in order, for one host. */
export function evaluateSshConfig(files: readonly ConfigText[], query: SshConfigQuery): SshConfigValues {
  const state = newState(query);
  for (const file of files) evaluateFile(state, file, 0, true);
  if (state.sawFinal) {
    state.final = true;
    for (const file of files) evaluateFile(state, file, 0, true);
  }
  return { single: state.single, multiple: state.multiple, warnings: [...state.warnings] };
}

/**
 * The words of a configuration line, with ssh's quoting: double or single quotes, a backslash before a quote, a
 * backslash or a space; `#` at the start of a word ends the line. Null where a quote is not closed.
 */
export function splitConfigWords(line: string): string[] | null {
  const words: string[] = [];
  let word: string | null = null;
  let quote = '';
  for (let index = 0; index < line.length; index++) {
    const character = line.charAt(index);
    const next = line.charAt(index + 1);
    if (character === '\\' && (next === '\\' || next === '"' || next === "'" || (quote === '' && next === ' '))) {
      word = (word ?? '') + next;
      index++;
    } else if (quote !== '') {
      if (character === quote) quote = '';
      else word = (word ?? '') + character;
    } else if (character === '"' || character === "'") {
      quote = character;
      word ??= '';
    } else if (/\s/.test(character)) {
      if (word !== null) words.push(word);
      word = null;
    } else if (character === '#' && word === null) break;
    else word = (word ?? '') + character;
  }
  if (quote !== '') return null;
  if (word !== null) words.push(word);
  return words;
}

/** Replaces `%x` tokens; an unknown token stays as it is, `%%` becomes `%`. */
export function expandTokens(text: string, tokens: ReadonlyMap<string, string>): string {
  return text.replace(/%(.)/g, (whole, letter: string) => (letter === '%' ? '%' : (tokens.get(letter) ?? whole)));
}

interface State {
  readonly query: SshConfigQuery;
  readonly single: Map<string, string>;
  readonly multiple: Map<string, string[]>;
  readonly warnings: Set<string>;
  sawFinal: boolean;
  final: boolean;
  lines: number;
}

function newState(query: SshConfigQuery): State {
  const single = new Map<string, string>();
  return { query, single, multiple: new Map(), warnings: new Set(), sawFinal: false, final: false, lines: 0 };
}

/** Walks one file; `active` says whether the enclosing block applies. */
function evaluateFile(state: State, file: ConfigText, depth: number, active: boolean): void {
  const enclosing = active;
  let applies = active;
  file.text.split('\n').forEach((raw, index) => {
    if (++state.lines > MAX_LINES) return;
    const at = `${file.file}:${index + 1}`;
    const directive = parseDirective(raw);
    if (directive === null) return;
    if (directive === 'unclosed') {
      state.warnings.add(`${at}: a quote is not closed; the line is ignored`);
      return;
    }
    const { keyword, words } = directive;
    if (keyword === 'host') applies = enclosing && matchesPatterns(words, hostForMatching(state));
    else if (keyword === 'match') applies = matchApplies(state, words, at) && enclosing;
    else if (keyword === 'include') includeFiles(state, words, file.file, at, depth, applies);
    else if (applies) recordValue(state, keyword, words, directive.rest);
  });
}

function parseDirective(raw: string): { keyword: string; words: string[]; rest: string } | 'unclosed' | null {
  const line = raw.trim();
  const shape = /^([A-Za-z][A-Za-z0-9]*)(?:\s*=\s*|\s+|$)(.*)$/s.exec(line);
  if (shape === null) return null;
  const keyword = (shape[1] ?? '').toLowerCase();
  const rest = shape[2] ?? '';
  if (REST_OF_LINE.has(keyword)) return { keyword, words: [rest], rest };
  const words = splitConfigWords(rest);
  return words === null ? 'unclosed' : { keyword, words, rest };
}

function includeFiles(
  state: State,
  patterns: string[],
  from: string,
  at: string,
  depth: number,
  active: boolean,
): void {
  if (depth >= MAX_INCLUDE_DEPTH) return void state.warnings.add(`${at}: files include each other too deeply`);
  for (const pattern of patterns) {
    for (const file of state.query.include(pattern, from)) evaluateFile(state, file, depth + 1, active);
  }
}

function recordValue(state: State, keyword: string, words: readonly string[], rest: string): void {
  const first = words[0];
  if (first === undefined) return;
  if (MULTIPLE.has(keyword)) {
    // The second pass for `Match final` meets the same lines again.
    const values = state.multiple.get(keyword) ?? [];
    if (!values.includes(first)) state.multiple.set(keyword, [...values, first]);
    return;
  }
  if (state.single.has(keyword)) return;
  // A proxy of either kind settles the other: whichever comes first counts.
  if (keyword === 'proxyjump' && state.single.has('proxycommand')) return;
  if (keyword === 'proxycommand' && state.single.has('proxyjump')) return;
  state.single.set(keyword, REST_OF_LINE.has(keyword) ? rest : WORD_LIST.has(keyword) ? words.join('\n') : first);
}

/** In the final pass conditions see the real host name, before it the name as typed. */
function hostForMatching(state: State): string {
  return state.final ? resolvedHostName(state) : state.query.host;
}

function resolvedHostName(state: State): string {
  const { host } = state.query;
  return expandTokens(state.single.get('hostname') ?? host, new Map([['h', host]]));
}

function matchApplies(state: State, words: readonly string[], at: string): boolean {
  let applies = words.length > 0;
  for (let index = 0; index < words.length; index++) {
    const word = (words[index] ?? '').toLowerCase();
    const negated = word.startsWith('!');
    const [condition = '', inline] = splitOnce(negated ? word.slice(1) : word, words[index] ?? '');
    const bare = condition === 'all' || condition === 'final' || condition === 'canonical';
    const argument = bare ? '' : (inline ?? words[++index] ?? '');
    const holds = conditionHolds(state, condition, argument, at);
    // A condition that cannot be judged never holds, negated or not.
    if (holds === null || holds === negated) applies = false;
  }
  return applies;
}

/** `host=pattern` is one word to ssh as well; the argument keeps its case. */
function splitOnce(condition: string, original: string): [string, string | undefined] {
  const equals = condition.indexOf('=');
  return equals < 0 ? [condition, undefined] : [condition.slice(0, equals), original.slice(original.indexOf('=') + 1)];
}

function conditionHolds(state: State, condition: string, argument: string, at: string): boolean | null {
  const patterns = argument.split(',');
  const { query } = state;
  switch (condition) {
    case 'all':
      return true;
    case 'final':
      state.sawFinal = true;
      return state.final;
    case 'canonical':
      return false;
    case 'host':
      return matchesPatterns(patterns, resolvedHostName(state));
    case 'originalhost':
      return matchesPatterns(patterns, query.host);
    case 'user':
      return matchesPatterns(patterns, query.user ?? state.single.get('user') ?? query.localUser);
    case 'localuser':
      return matchesPatterns(patterns, query.localUser);
    default:
      state.warnings.add(`${at}: "Match ${condition}" is not supported; the block is skipped`);
      return null;
  }
}
