/**
 * The binary form of paths and entries: one codec for the wire, the index and the archive.
 *
 * Readers validate after the last decoding and refuse, never normalise. Everything is little-endian; see
 * docs/protocol.md for the same in prose.
 */
import { type BytePath, componentsOf, MAX_DEPTH, nameFault } from '../../platform/core/byte-path.ts';
import { type ByteReader, type ByteWriter, MalformedError } from '../../platform/core/bytes.ts';
import type { Entry, TrackedEntry, UntrackedEntry } from './entry.ts';
import { MAX_MESSAGE_BYTES, MAX_PATH_BYTES, MAX_TARGET_BYTES, MAX_XATTR_BYTES } from './limits.ts';

const KIND = { none: 0, file: 1, directory: 2, symlink: 3, untracked: 4, problem: 5 } as const;
const WHAT: readonly UntrackedEntry['what'][] = ['ignored', 'fifo', 'socket', 'device', 'mount', 'symlink'];
const HAS = { fast: 1, strong: 2, owner: 4, xattrs: 8, linkTo: 16, mtime: 32 } as const;
/** The flags each kind may carry. */
const FILE_FLAGS = HAS.fast | HAS.strong | HAS.owner | HAS.xattrs | HAS.linkTo;
const DIRECTORY_FLAGS = HAS.owner | HAS.xattrs;
const SYMLINK_FLAGS = HAS.owner | HAS.mtime;

/** Text for people as UTF-8, cut at a whole character where it is longer than `maxBytes`. */
export function writeText(out: ByteWriter, text: string, maxBytes = MAX_MESSAGE_BYTES): void {
  const bytes = Buffer.from(text, 'utf8');
  let end = Math.min(bytes.length, maxBytes);
  while (end < bytes.length && ((bytes[end] as number) & 0xc0) === 0x80) end--;
  out.bytes(bytes.subarray(0, end));
}

/** The inverse of {@link writeText}; what is not UTF-8 becomes replacement characters. Refuses more than `maxBytes`. */
export function readText(from: ByteReader, maxBytes = MAX_MESSAGE_BYTES): string {
  return from.bytes(maxBytes).toString('utf8');
}

/** A path as u16 count of components, each u8 length and bytes. */
export function writePath(out: ByteWriter, path: BytePath): void {
  const components = componentsOf(path);
  out.u16(components.length);
  for (const component of components) out.u8(component.length).rawString(component);
}

/** Reads a path; refuses empty names, `.`, `..`, `/`, NUL and more than {@link MAX_DEPTH} components. */
export function readPath(from: ByteReader): BytePath {
  const count = from.u16();
  if (count > MAX_DEPTH) throw new MalformedError(`path of ${count} components`);
  const components: string[] = [];
  let length = 0;
  for (let index = 0; index < count; index++) {
    const name = from.rawString(from.u8());
    const fault = nameFault(name);
    if (fault !== null) throw new MalformedError(`path refused: ${fault}`);
    length += name.length + 1;
    if (length > MAX_PATH_BYTES) throw new MalformedError('path too long');
    components.push(name);
  }
  return components.join('/') as BytePath;
}

export function writeEntry(out: ByteWriter, entry: Entry | null): void {
  if (entry === null) {
    out.u8(KIND.none);
    return;
  }
  out.u8(KIND[entry.kind]);
  switch (entry.kind) {
    case 'file': {
      const { fast, strong } = entry.digests;
      const has =
        (fast === null ? 0 : HAS.fast) |
        (strong === null ? 0 : HAS.strong) |
        optionFlags(entry) |
        (entry.linkTo === undefined ? 0 : HAS.linkTo);
      out.u8(has).u16(entry.mode).u53(entry.sizeBytes).i64(entry.mtimeNs);
      if (fast !== null) out.rawString(fast);
      if (strong !== null) out.rawString(strong);
      writeOptions(out, entry);
      if (entry.linkTo !== undefined) writePath(out, entry.linkTo as BytePath);
      return;
    }
    case 'directory':
      out.u8(optionFlags(entry)).u16(entry.mode);
      writeOptions(out, entry);
      return;
    case 'symlink':
      out.u8(optionFlags(entry) | (entry.mtimeNs === undefined ? 0 : HAS.mtime)).string(entry.target);
      writeOptions(out, entry);
      if (entry.mtimeNs !== undefined) out.i64(entry.mtimeNs);
      return;
    case 'untracked':
      out.u8(WHAT.indexOf(entry.what));
      return;
    case 'problem':
      writeText(out.string(entry.code), entry.message);
      return;
  }
}

export function readEntry(from: ByteReader): Entry | null {
  const kind = from.u8();
  switch (kind) {
    case KIND.none:
      return null;
    case KIND.file: {
      const has = readFlags(from, FILE_FLAGS);
      const mode = readMode(from);
      const sizeBytes = from.u53();
      const mtimeNs = from.i64();
      const fast = has & HAS.fast ? from.rawString(8) : null;
      const strong = has & HAS.strong ? from.rawString(32) : null;
      const options = readOptions(from, has);
      const linkTo = has & HAS.linkTo ? { linkTo: readPath(from) } : {};
      return { kind: 'file', mode, sizeBytes, mtimeNs, digests: { fast, strong }, ...options, ...linkTo };
    }
    case KIND.directory: {
      const has = readFlags(from, DIRECTORY_FLAGS);
      const mode = readMode(from);
      return { kind: 'directory', mode, ...readOptions(from, has) };
    }
    case KIND.symlink: {
      const has = readFlags(from, SYMLINK_FLAGS);
      const target = from.string(MAX_TARGET_BYTES);
      if (target.length === 0 || target.includes('\0')) throw new MalformedError('symlink target empty or with NUL');
      const options = readOptions(from, has);
      const mtime = has & HAS.mtime ? { mtimeNs: from.i64() } : {};
      return { kind: 'symlink', target, ...options, ...mtime };
    }
    case KIND.untracked: {
      const what = WHAT[from.u8()];
      if (what === undefined) throw new MalformedError('unknown kind of untracked entry');
      return { kind: 'untracked', what };
    }
    case KIND.problem:
      return { kind: 'problem', code: from.string(64), message: readText(from) };
    default:
      throw new MalformedError(`unknown kind of entry ${kind}`);
  }
}

/** Like {@link readEntry}, for places where only a file, directory or symlink makes sense. */
export function readTrackedEntry(from: ByteReader): TrackedEntry {
  const entry = readEntry(from);
  if (entry === null || entry.kind === 'untracked' || entry.kind === 'problem') {
    throw new MalformedError('file, directory or symlink expected');
  }
  return entry;
}

function readFlags(from: ByteReader, allowed: number): number {
  const has = from.u8();
  if (has & ~allowed) throw new MalformedError(`unknown flags ${has}`);
  return has;
}

function readMode(from: ByteReader): number {
  const mode = from.u16();
  if (mode > 0o7777) throw new MalformedError('mode with type bits');
  return mode;
}

function optionFlags(entry: { owner?: string; xattrs?: string }): number {
  return (entry.owner === undefined ? 0 : HAS.owner) | (entry.xattrs === undefined ? 0 : HAS.xattrs);
}

function writeOptions(out: ByteWriter, entry: { owner?: string; xattrs?: string }): void {
  if (entry.owner !== undefined) out.string(entry.owner);
  if (entry.xattrs !== undefined) out.string(entry.xattrs);
}

function readOptions(from: ByteReader, has: number): { owner?: string; xattrs?: string } {
  const owner = has & HAS.owner ? { owner: from.string(32) } : {};
  const xattrs = has & HAS.xattrs ? { xattrs: from.string(MAX_XATTR_BYTES) } : {};
  return { ...owner, ...xattrs };
}
