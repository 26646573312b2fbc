/**
 * Real trees in a small notation, for tests that look at a tree before and after.
 *
 * Words separated by blanks; `%xx` is a byte, everything else UTF-8.
 * `a=text` file (parents are made), `a=*8M:3` file of 8 MiB pseudo-random bytes of seed 3, `a=*4G:0` hole of 4 GiB,
 * `d/` directory, `l->target` symlink, `p|` FIFO; after any of them `!755` mode and `@7` mtime in seconds.
 * As edits also: `a!600`, `a@7` metadata alone, `a=>b` rename, `-a` removal with everything below.
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  closeSync,
  ftruncateSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmdirSync,
  symlinkSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';

const HIDDEN = '.tidemark';
const DEFAULT_MODES = { file: 0o644, directory: 0o755 } as const;
/** Modification times before this were set on purpose and are listed; all others are those of the moment. */
const OLD_SECONDS = 1_500_000_000;
/** Modification time of symlinks made here. */
const LINK_SECONDS = 1_600_000_000;
const LISTED_CONTENT_BYTES = 64;
/** Larger ones are known by their size only. */
const HUGE_BYTES = 1 << 28;

/** A tree on disk. `salt` goes in front of every content, so that trees made alike share none. */
export class Tree {
  readonly root: string;
  readonly #salt: string;

  constructor(root: string, salt = '') {
    this.root = root;
    this.#salt = salt;
  }

  /** Carries out the words in order; the root itself is made if missing. */
  edit(words: string): void {
    mkdirSync(this.root, { recursive: true });
    for (const word of wordsOf(words)) this.#editOne(word);
  }

  /**
   * The tree in the same notation, one word per entry, sorted; directories only if empty or with a mode of their own.
   * `exactTimes` adds the nanoseconds of files.
   */
  list(exactTimes = false): string[] {
    const lines: string[] = [];
    this.#listInto(lines, '', exactTimes);
    return lines.sort();
  }

  /** What {@link list} gives for a tree made by `words`. */
  expected(words: string): string[] {
    const lines = wordsOf(words).map((word) => this.#normalWord(parseWord(word)));
    return lines.sort();
  }

  /** The absolute path of a path in the notation. */
  at(path: string): Buffer {
    return absolute(this.root, bytesOf(path).toString('latin1'));
  }

  /** Everything there is to know of every entry, the hidden folder included: equal before and after means untouched. */
  snapshot(): string[] {
    return snapshotOf(this.root);
  }

  #editOne(word: Word): void {
    const { path, kind, mode, mtimeSeconds } = parseWord(word);
    const target = this.at(path);
    if (kind.kind === 'remove') {
      remove(target);
      return;
    }
    if (kind.kind === 'rename') {
      this.#makeParents(kind.to);
      renameSync(target, this.at(kind.to));
      return;
    }
    this.#makeParents(path);
    switch (kind.kind) {
      case 'file':
        writeContent(target, kind.content, this.#salt);
        break;
      case 'directory':
        mkdirSync(target, { recursive: true });
        break;
      case 'symlink':
        symlinkSync(bytesOf(kind.target), target);
        // One time for all, as two sides made one after the other would differ by it or not as chance has it.
        lutimesSync(target, LINK_SECONDS, LINK_SECONDS);
        break;
      case 'fifo':
        spawnSync('mkfifo', [join(this.root, path)]);
        break;
      case 'metadata':
        break;
    }
    if (mode !== null) chmodSync(target, mode);
    if (mtimeSeconds !== null) utimesSync(target, mtimeSeconds, mtimeSeconds);
  }

  #makeParents(path: string): void {
    const slash = path.replace(/\/$/, '').lastIndexOf('/');
    if (slash > 0) mkdirSync(this.at(path.slice(0, slash)), { recursive: true });
  }

  #normalWord({ path, kind, mode, mtimeSeconds }: ParsedWord): string {
    const suffix = (kindMode: number) =>
      `${mode !== null && mode !== kindMode ? `!${mode.toString(8)}` : ''}${mtimeSeconds === null ? '' : `@${mtimeSeconds}`}`;
    const name = escapeBytes(bytesOf(path));
    if (kind.kind === 'file') {
      return `${name}=${describeExpected(kind.content, this.#salt)}${suffix(DEFAULT_MODES.file)}`;
    }
    if (kind.kind === 'directory') return `${name}/${suffix(DEFAULT_MODES.directory)}`;
    if (kind.kind === 'symlink') return `${name}->${escapeBytes(bytesOf(kind.target))}`;
    return `${name}|`;
  }

  #listInto(lines: string[], path: string, exactTimes: boolean): void {
    for (const name of readdirSync(absolute(this.root, path), { encoding: 'buffer' })) {
      if (path === '' && name.toString('latin1') === HIDDEN) continue;
      const below = path === '' ? name.toString('latin1') : `${path}/${name.toString('latin1')}`;
      const target = absolute(this.root, below);
      const stat = lstatSync(target);
      const shown = escapeBytes(Buffer.from(below, 'latin1'));
      const mode = stat.mode & 0o7777;
      if (stat.isDirectory()) {
        const isEmpty = readdirSync(target).length === 0;
        const ownMode = mode === DEFAULT_MODES.directory ? '' : `!${mode.toString(8)}`;
        if (isEmpty || ownMode !== '') lines.push(`${shown}/${ownMode}`);
        this.#listInto(lines, below, exactTimes);
      } else if (stat.isSymbolicLink()) {
        lines.push(`${shown}->${escapeBytes(readlinkSync(target, { encoding: 'buffer' }))}`);
      } else if (stat.isFile()) {
        const ownMode = mode === DEFAULT_MODES.file ? '' : `!${mode.toString(8)}`;
        const seconds = Math.floor(stat.mtimeMs / 1000);
        const content = stat.size > HUGE_BYTES ? `#${stat.size}` : describeContent(readFileSync(target));
        const exact = exactTimes ? ` ${lstatSync(target, { bigint: true }).mtimeNs}` : '';
        lines.push(`${shown}=${content}${ownMode}${seconds < OLD_SECONDS ? `@${seconds}` : ''}${exact}`);
      } else lines.push(`${shown}|`);
    }
  }
}

/** Every entry below `root`, it included, with all facts that a touch would change; content by digest. */
export function snapshotOf(root: string): string[] {
  const lines: string[] = [];
  const visit = (path: Buffer) => {
    const stat = lstatSync(path, { bigint: true, throwIfNoEntry: false });
    if (stat === undefined) {
      lines.push(`${escapeBytes(path)} missing`);
      return;
    }
    const facts = [stat.ino, stat.mode.toString(8), stat.nlink, stat.size, stat.mtimeNs, stat.ctimeNs].join(' ');
    const content = stat.isFile() && stat.size < HUGE_BYTES ? sha256(readFileSync(path)) : '';
    lines.push(`${escapeBytes(path)} ${facts} ${content}`);
    if (!stat.isDirectory()) return;
    const names = readdirSync(path, { encoding: 'buffer' }).sort(Buffer.compare);
    for (const name of names) visit(Buffer.concat([path, Buffer.from('/'), name]));
  };
  visit(Buffer.from(root));
  return lines;
}

/** Why the independent comparator is missing here, or null where it is not. */
export function whyNoRsync(): string | null {
  return spawnSync('rsync', ['--version']).error === undefined ? null : 'rsync is not installed';
}

/**
 * What the independent comparator says about two trees: lines of `rsync -naHAXic --delete`, none where they are equal.
 * Times of directories are none of tidemark's promises. Without rsync a plainer look at names, kinds, contents, modes
 * and times has to do.
 */
export function rsyncDifferences(from: string, to: string, extra: readonly string[] = []): string[] {
  const words = ['-naHAXic', '--omit-dir-times', '--delete', `--exclude=/${HIDDEN}`, ...extra];
  const run = spawnSync('rsync', [...words, from, to], { encoding: 'latin1', maxBuffer: 1 << 28 });
  if (run.error !== undefined) return plainDifferences(from, to);
  return `${run.stdout}${run.stderr}`.split('\n').filter((line) => line !== '');
}

function plainDifferences(from: string, to: string): string[] {
  const factsOf = (root: string) => new Set(new Tree(root.replace(/\/$/, '')).list(true));
  const [left, right] = [factsOf(from), factsOf(to)];
  const missing = [...left].filter((line) => !right.has(line)).map((line) => `> ${line}`);
  return [...missing, ...[...right].filter((line) => !left.has(line)).map((line) => `< ${line}`)];
}

/** Names in the staging folder of a root: litter, where no run is going on. */
export function litterIn(root: string): string[] {
  try {
    return readdirSync(join(root, HIDDEN, 'staging'));
  } catch {
    return [];
  }
}

/** Bytes that look random and are the same for the same seed. */
export function noise(sizeBytes: number, seed: number): Buffer {
  const bytes = Buffer.allocUnsafe(sizeBytes);
  let state = (seed * 2654435761 + 88172645) >>> 0 || 1;
  for (let at = 0; at + 4 <= sizeBytes; at += 4) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    bytes.writeUInt32LE(state >>> 0, at);
  }
  for (let at = sizeBytes & ~3; at < sizeBytes; at++) bytes[at] = (state >>> (8 * (at & 3))) & 0xff;
  return bytes;
}

/** `%xx` as bytes, the rest as UTF-8. */
export function bytesOf(text: string): Buffer {
  const parts = text.split(/(%[0-9a-f]{2})/);
  return Buffer.concat(
    parts.map((part) => (/^%[0-9a-f]{2}$/.test(part) ? Buffer.from(part.slice(1), 'hex') : Buffer.from(part))),
  );
}

type Word = string;

type WordKind =
  | { readonly kind: 'file'; readonly content: string }
  | { readonly kind: 'symlink'; readonly target: string }
  | { readonly kind: 'rename'; readonly to: string }
  | { readonly kind: 'directory' | 'fifo' | 'remove' | 'metadata' };

interface ParsedWord {
  readonly path: string;
  readonly kind: WordKind;
  readonly mode: number | null;
  readonly mtimeSeconds: number | null;
}

function wordsOf(words: string): Word[] {
  return words.split(/\s+/).filter((word) => word !== '');
}

const WORD =
  /^(?<path>[^=!@|]*?)(?:(?<arrow>->|=>)(?<target>[^!@]*)|=(?<content>[^!@]*)|(?<kind>[/|]))?(?:!(?<mode>[0-7]+))?(?:@(?<mtime>\d+))?$/;

function parseWord(word: Word): ParsedWord {
  if (word.startsWith('-')) return { path: word.slice(1), kind: { kind: 'remove' }, mode: null, mtimeSeconds: null };
  const groups = WORD.exec(word)?.groups;
  if (groups === undefined) throw new Error(`not a word of the tree notation: ${word}`);
  const { path = '', mode, mtime } = groups;
  return {
    path,
    kind: kindOf(groups),
    mode: mode === undefined ? null : Number.parseInt(mode, 8),
    mtimeSeconds: mtime === undefined ? null : Number(mtime),
  };
}

function kindOf({ arrow, target = '', content, kind }: Record<string, string | undefined>): WordKind {
  if (arrow === '->') return { kind: 'symlink', target };
  if (arrow === '=>') return { kind: 'rename', to: target };
  if (content !== undefined) return { kind: 'file', content };
  if (kind === '/') return { kind: 'directory' };
  return { kind: kind === '|' ? 'fifo' : 'metadata' };
}

const UNITS: Readonly<Record<string, number>> = { '': 1, K: 1 << 10, M: 1 << 20, G: 1 << 30 };

/** Size and seed of generated content; null for plain text. */
function generated(content: string): { readonly sizeBytes: number; readonly seed: number } | null {
  const match = /^\*(\d+)([KMG]?):(\d+)$/.exec(content);
  if (match === null) return null;
  return { sizeBytes: Number(match[1]) * (UNITS[match[2] ?? ''] ?? 1), seed: Number(match[3]) };
}

function contentOf(content: string, salt: string): Buffer {
  const made = generated(content);
  if (made === null) return content === '' ? Buffer.alloc(0) : Buffer.concat([Buffer.from(salt), bytesOf(content)]);
  return made.seed === 0 ? Buffer.alloc(made.sizeBytes) : noise(made.sizeBytes, made.seed);
}

function writeContent(target: Buffer, content: string, salt: string): void {
  const made = generated(content);
  if (made === null || made.seed !== 0) {
    writeFileSync(target, contentOf(content, salt));
    return;
  }
  const fd = openSync(target, 'w');
  ftruncateSync(fd, made.sizeBytes);
  closeSync(fd);
}

function describeExpected(content: string, salt: string): string {
  const made = generated(content);
  if (made !== null && made.sizeBytes > HUGE_BYTES) return `#${made.sizeBytes}`;
  return describeContent(contentOf(content, salt));
}

function describeContent(content: Buffer): string {
  if (content.length > LISTED_CONTENT_BYTES) return `#${content.length}:${sha256(content).slice(0, 12)}`;
  return escapeBytes(content);
}

function remove(target: Buffer): void {
  const stat = lstatSync(target);
  if (!stat.isDirectory()) {
    unlinkSync(target);
    return;
  }
  chmodSync(target, 0o700);
  for (const name of readdirSync(target, { encoding: 'buffer' })) {
    remove(Buffer.concat([target, Buffer.from('/'), name]));
  }
  rmdirSync(target);
}

function absolute(root: string, path: string): Buffer {
  return Buffer.concat([Buffer.from(root), Buffer.from(path === '' ? '' : `/${path}`, 'latin1')]);
}

/** Bytes as `%xx` where they are no plain character, so that a list reads like the notation. */
function escapeBytes(bytes: Buffer): string {
  let text = '';
  for (const byte of bytes) {
    const isPlain = byte > 0x20 && byte < 0x7f && byte !== 0x25;
    text += isPlain ? String.fromCharCode(byte) : `%${byte.toString(16).padStart(2, '0')}`;
  }
  return text;
}

function sha256(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}
