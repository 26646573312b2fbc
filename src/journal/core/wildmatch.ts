/**
 * Shell patterns as gitignore(5) has them, on byte strings, in time bounded by pattern × text.
 *
 * A pattern is compiled to components (split at slashes), each a row of single-byte tests and `*`. Within a component
 * `*` is matched by going back to the last star only, which is enough for stars and makes the time quadratic at worst;
 * across components `**` is treated likewise. There is no recursion and nothing exponential.
 *
 *   `?` any byte but a slash · `*` any bytes but slashes · `[…]` one byte of a set: ranges, `!` or `^` negates,
 *   `[:alpha:]` classes · `\` takes the next byte literally · `**` as a whole component: any number of components
 *   (in the end: at least one); other runs of stars count as one. What cannot be a pattern (`[` left open, `\` at the
 *   end) matches nothing.
 */

/** One byte to match: itself, any, or one of a set. */
type Token = number | typeof ANY | typeof STAR | ByteSet;

/** 256 bits: which bytes match. */
type ByteSet = Uint8Array;

const ANY = -1;
const STAR = -2;

/** A component of a pattern: tokens, or `**`. */
type Component = readonly Token[] | typeof ANY_COMPONENTS;

const ANY_COMPONENTS = '**';

/** A pattern ready to match. */
export interface PathPattern {
  readonly components: readonly Component[];
}

/** A pattern matched against a single name; slashes in it never match. */
export interface NamePattern {
  readonly tokens: readonly Token[];
}

/** Compiles a pattern for whole paths; null where it can match nothing. */
export function compilePath(pattern: string): PathPattern | null {
  const components: Component[] = [];
  let tokens: Token[] = [];
  let start = 0;
  const finish = (end: number, escapedSlash: boolean) => {
    const isDeep = /^\*\*+$/.test(pattern.slice(start, end));
    if (!isDeep) components.push(tokens);
    else if (components.at(-1) !== ANY_COMPONENTS) components.push(ANY_COMPONENTS);
    // An oddity of git: only a plain slash lets `**` stand for nothing.
    if (isDeep && escapedSlash) components.push([STAR]);
    tokens = [];
  };
  for (let at = 0; at < pattern.length; ) {
    const begin = at;
    const read = readToken(pattern, at);
    if (read === null) return null;
    at = read.next;
    if (read.token === SLASH) {
      const isEscaped = at - begin === 2;
      finish(begin, isEscaped);
      start = at;
    } else pushToken(tokens, read.token);
  }
  finish(pattern.length, false);
  return { components };
}

/** Compiles a pattern for names; null where it can match nothing. */
export function compileName(pattern: string): NamePattern | null {
  const tokens: Token[] = [];
  for (let at = 0; at < pattern.length; ) {
    const read = readToken(pattern, at);
    if (read === null) return null;
    at = read.next;
    pushToken(tokens, read.token);
  }
  return { tokens };
}

export function matchesName(pattern: NamePattern, name: string): boolean {
  return matchesTokens(pattern.tokens, name, 0, name.length);
}

/** `path` has no slash at either end. */
export function matchesPath(pattern: PathPattern, path: string): boolean {
  const { components } = pattern;
  const last = components.length - 1;
  let component = 0;
  let start = 0;
  // Where to go on when what follows the last `**` does not fit: one component further.
  let deepComponent = -1;
  let deepStart = 0;
  while (start <= path.length) {
    const wanted = components[component];
    if (wanted === ANY_COMPONENTS) {
      if (component === last) return true;
      deepComponent = component++;
      deepStart = start;
      continue;
    }
    const end = endOfComponent(path, start);
    if (wanted !== undefined && matchesTokens(wanted, path, start, end)) {
      const isPathEnd = end === path.length;
      if (component === last ? isPathEnd : !isPathEnd) {
        if (isPathEnd) return true;
        component++;
        start = end + 1;
        continue;
      }
    }
    if (deepComponent < 0) return false;
    deepStart = endOfComponent(path, deepStart) + 1;
    component = deepComponent + 1;
    start = deepStart;
  }
  return false;
}

/** True where `text` from `start` to `end` matches all tokens. */
function matchesTokens(tokens: readonly Token[], text: string, start: number, end: number): boolean {
  let at = start;
  let token = 0;
  let starToken = -1;
  let starAt = 0;
  while (at < end) {
    const wanted = tokens[token];
    if (wanted === STAR) {
      if (token === tokens.length - 1) return true;
      starToken = token++;
      starAt = at;
    } else if (wanted !== undefined && matchesByte(wanted, text.charCodeAt(at))) {
      token++;
      at++;
    } else if (starToken >= 0) {
      token = starToken + 1;
      at = ++starAt;
    } else return false;
  }
  while (tokens[token] === STAR) token++;
  return token === tokens.length;
}

function matchesByte(token: Token, byte: number): boolean {
  if (typeof token === 'number') return token === byte || token === ANY;
  return ((token[byte >> 3] as number) & (1 << (byte & 7))) !== 0;
}

function endOfComponent(path: string, start: number): number {
  const slash = path.indexOf('/', start);
  return slash < 0 ? path.length : slash;
}

function pushToken(tokens: Token[], token: Token): void {
  if (token !== STAR || tokens.at(-1) !== STAR) tokens.push(token);
}

const SLASH = 0x2f;
const BACKSLASH = 0x5c;
const OPEN = 0x5b;
const CLOSE = 0x5d;
const DASH = 0x2d;

/** The token at `at` and where the next begins; null where the pattern is broken. */
function readToken(pattern: string, at: number): { token: Token; next: number } | null {
  const byte = pattern.charCodeAt(at);
  switch (byte) {
    case BACKSLASH:
      return at + 1 < pattern.length ? { token: pattern.charCodeAt(at + 1), next: at + 2 } : null;
    case 0x2a:
      return { token: STAR, next: at + 1 };
    case 0x3f:
      return { token: ANY, next: at + 1 };
    case OPEN:
      return readSet(pattern, at + 1);
    default:
      return { token: byte, next: at + 1 };
  }
}

/** A set from behind its `[`. A `]` in the first place is a member. */
function readSet(pattern: string, start: number): { token: ByteSet; next: number } | null {
  const set = new Uint8Array(32);
  let at = start;
  const isNegated = pattern[at] === '!' || pattern[at] === '^';
  if (isNegated) at++;
  const first = at;
  // The byte before a `-`, where it can begin a range; a class or a range cannot.
  let previous = -1;
  while (at < pattern.length && (at === first || pattern.charCodeAt(at) !== CLOSE)) {
    const byte = pattern.charCodeAt(at);
    const className = byte === OPEN && pattern[at + 1] === ':' ? classAt(pattern, at + 2) : null;
    if (className !== null) {
      const members = CLASSES.get(className.name);
      if (members === undefined) return null;
      for (let member = 0; member < 128; member++) if (members.test(String.fromCharCode(member))) add(set, member);
      at = className.next;
      previous = -1;
      continue;
    }
    const opensRange = byte === DASH && previous > 0 && at + 1 < pattern.length && pattern.charCodeAt(at + 1) !== CLOSE;
    if (opensRange) at++;
    if (pattern.charCodeAt(at) === BACKSLASH) at++;
    if (at >= pattern.length) return null;
    const member = pattern.charCodeAt(at++);
    for (let each = opensRange ? previous : member; each <= member; each++) add(set, each);
    previous = opensRange ? -1 : member;
  }
  if (at >= pattern.length) return null;
  if (isNegated) for (let index = 0; index < set.length; index++) set[index] = ~(set[index] as number);
  return { token: set, next: at + 1 };
}

/** A class name up to its `:]`; null where the bracket is an ordinary member. */
function classAt(pattern: string, start: number): { name: string; next: number } | null {
  const end = pattern.indexOf(']', start);
  if (end <= start || pattern[end - 1] !== ':') return null;
  return { name: pattern.slice(start, end - 1), next: end + 1 };
}

function add(set: ByteSet, byte: number): void {
  set[byte >> 3] = (set[byte >> 3] as number) | (1 << (byte & 7));
}

/** POSIX classes in the C locale; members are below 128. */
const CLASSES: ReadonlyMap<string, RegExp> = new Map([
  ['alnum', /[A-Za-z0-9]/],
  ['alpha', /[A-Za-z]/],
  ['blank', /[ \t]/],
  // biome-ignore lint/suspicious/noControlCharactersInRegex: this is what the class means
  ['cntrl', /[\x00-\x1f\x7f]/],
  ['digit', /[0-9]/],
  ['graph', /[\x21-\x7e]/],
  ['lower', /[a-z]/],
  ['print', /[\x20-\x7e]/],
  ['punct', /[!-/:-@[-`{-~]/],
  ['space', /[ \t\n\v\f\r]/],
  ['upper', /[A-Z]/],
  ['xdigit', /[A-Fa-f0-9]/],
]);
