/** What one listed object is to the index: the record that follows from its stat and the options of the scan. */

import type { BytePath } from '../platform/core/byte-path.ts';
import { errnoOf } from '../platform/core/errors.ts';
import {
  isDirectory,
  isRegularFile,
  isSymlink,
  modeOf,
  mtimeNsOf,
  specialTypeOf,
} from '../platform/core/stat-codec.ts';
import type { Fd, FileSystem, ListedEntry } from '../platform/filesystem.ts';
import { type Digests, type Entry, UNKNOWN_DIGESTS } from './core/entry.ts';
import { entryFromStat, type IndexRecord, isRacy, type StatWindow } from './core/index-record.ts';
import { MAX_TARGET_BYTES, MAX_XATTR_BYTES } from './core/limits.ts';
import type { CheckpointOptions } from './core/look.ts';
import { isSyncedXattr, packXattrs } from './core/xattrs.ts';
import { VERDICT } from './walk.ts';

/** What deriving a record may need to know or read. */
export interface EntryContext {
  readonly fileSystem: FileSystem;
  readonly root: Fd;
  readonly options: Pick<CheckpointOptions, 'metadata' | 'symlinks'>;
  /** When the listing was made. */
  readonly window: StatWindow;
}

/** The record of `listed` at `path` (where it lies on disk: `onDisk`), with `digests` if it is a file. */
export function recordOf(
  context: EntryContext,
  path: BytePath,
  listed: ListedEntry,
  verdict: number,
  digests: Digests = UNKNOWN_DIGESTS,
  onDisk: BytePath = path,
): IndexRecord {
  const entry = entryOf(context, path, listed, verdict, digests, onDisk);
  // The stat of what is not synced proves nothing and would make a change of every touch of it.
  if (entry.kind === 'untracked' || entry.kind === 'problem') return { entry, packedStat: null, racy: false };
  const racy = entry.kind === 'file' && isRacy(listed.packedStat, context.window);
  return { entry, packedStat: listed.packedStat, racy };
}

export function problemRecord(code: string, message: string): IndexRecord {
  return { entry: { kind: 'problem', code, message }, packedStat: null, racy: false };
}

/** What went wrong with looking at something, as an entry: what vanished meanwhile has merely changed. */
export function lookProblem(errno: string): IndexRecord {
  const hasMoved = errno === 'ENOENT' || errno === 'ENOTDIR' || errno === 'ELOOP' || errno === 'ESTALE';
  return hasMoved
    ? problemRecord('changed', 'changed while it was looked at')
    : problemRecord(errno, `cannot be read: ${errno}`);
}

function entryOf(
  context: EntryContext,
  path: BytePath,
  listed: ListedEntry,
  verdict: number,
  digests: Digests,
  onDisk: BytePath,
): Entry {
  if (verdict === VERDICT.ignored) return { kind: 'untracked', what: 'ignored' };
  if (verdict === VERDICT.mount) return { kind: 'untracked', what: 'mount' };
  if (verdict === VERDICT.tooDeep) return problemRecord('ENAMETOOLONG', 'nested too deeply').entry;
  if (listed.error !== null) return lookProblem(listed.error).entry;
  const mode = modeOf(listed.packedStat);
  if (isSymlink(mode)) return symlinkEntry(context, path, listed);
  if (!isRegularFile(mode) && !isDirectory(mode)) return { kind: 'untracked', what: specialTypeOf(mode) };
  return withExtras(context, onDisk, listed, entryFromStat(listed.packedStat, digests) as Entry);
}

function symlinkEntry({ options }: EntryContext, path: BytePath, listed: ListedEntry): Entry {
  if (options.symlinks === 'ignore') return { kind: 'untracked', what: 'symlink' };
  const { target } = listed;
  if (target === null || target === '' || target.length > MAX_TARGET_BYTES) {
    return problemRecord('EINVAL', 'symlink without a usable target').entry;
  }
  if (options.symlinks === 'portable' && !staysInside(path, target)) {
    return problemRecord('not-portable', 'symlink that leads out of the root').entry;
  }
  const owner = options.metadata.owner ? { owner: ownerOf(listed.packedStat) } : {};
  return { kind: 'symlink', target, ...owner, mtimeNs: mtimeNsOf(listed.packedStat) };
}

/** False for absolute targets and those that climb above the root, taken by their text alone. */
function staysInside(path: BytePath, target: string): boolean {
  if (target.startsWith('/')) return false;
  let depth = path.split('/').length - 1;
  for (const component of target.split('/')) {
    if (component === '..') depth--;
    else if (component !== '' && component !== '.') depth++;
    if (depth < 0) return false;
  }
  return true;
}

/** Adds owner and attributes where the session syncs them. */
function withExtras(context: EntryContext, onDisk: BytePath, listed: ListedEntry, entry: Entry): Entry {
  const { metadata } = context.options;
  const owner = metadata.owner ? { owner: ownerOf(listed.packedStat) } : {};
  if (!metadata.xattrs && !metadata.acls) return { ...entry, ...owner } as Entry;
  let present: Map<string, string>;
  try {
    present = context.fileSystem.getXattrs(context.root, onDisk);
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === 'ENOTSUP' || errno === 'EOPNOTSUPP') return { ...entry, ...owner } as Entry;
    return lookProblem(errno).entry;
  }
  const synced = new Map([...present].filter(([name]) => isSyncedXattr(name, metadata)));
  const xattrs = packXattrs(synced);
  if (xattrs === null) return problemRecord('E2BIG', `more than ${MAX_XATTR_BYTES} bytes of attributes`).entry;
  // Known to have none is something else than not known: only what is known on both sides is compared.
  return { ...entry, ...owner, xattrs: xattrs ?? '' } as Entry;
}

function ownerOf(packedStat: Uint8Array): string {
  const view = new DataView(packedStat.buffer, packedStat.byteOffset, packedStat.length);
  return `${view.getUint32(16, true)}:${view.getUint32(20, true)}`;
}
