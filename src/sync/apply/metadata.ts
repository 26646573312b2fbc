/**
 * Permissions, times, owners and attributes: what a new object gets, and what is recorded of it.
 *
 * A staged file is complete before it is put in place. Whatever the session does not sync, a file that replaces another
 * takes over from it where permitted: owner, group, user attributes and ACLs belong to whoever set them here.
 */

import type { Digests, SymlinkEntry, TrackedEntry } from '../../journal/core/entry.ts';
import type { BytePath } from '../../platform/core/byte-path.ts';
import { errnoOf } from '../../platform/core/errors.ts';
import type { Stat } from '../../platform/filesystem.ts';
import type { ApplyContext } from './context.ts';
import { typeOf } from './packed-stat.ts';
import { keptXattrs, NO_XATTRS, setXattrs, wantedXattrs } from './xattrs.ts';

const PERMISSIONS = 0o777;
const PERMISSIONS_AND_SETID = 0o7777;
const CANNOT_SET_TIME = new Set(['ENOSYS', 'EOPNOTSUPP', 'ENOTSUP']);

/** The object that a staged one will replace. */
export interface Replaced {
  readonly path: BytePath;
  readonly stat: Stat;
}

/** Bits of the mode that this session syncs: never setuid, setgid or sticky unless asked for. */
export function syncedBits(context: ApplyContext): number {
  return context.options.metadata.setid ? PERMISSIONS_AND_SETID : PERMISSIONS;
}

/** Mode for a new object; `replaced` keeps its own where permissions are not synced. */
export function newMode(context: ApplyContext, after: { readonly mode: number }, replaced: Stat | null): number {
  if (context.options.metadata.perms) return after.mode & syncedBits(context);
  if (replaced !== null) return replaced.mode & PERMISSIONS;
  return after.mode & PERMISSIONS & ~context.umask;
}

/** Mode for an object that stays: bits that are not synced stay as they are. */
export function keptMode(context: ApplyContext, after: { readonly mode: number }, live: Stat): number {
  const bits = context.options.metadata.perms ? syncedBits(context) : 0;
  return (live.mode & PERMISSIONS_AND_SETID & ~bits) | (after.mode & bits);
}

/** mtime for a staged file: the source's, or now. */
export function newMtimeNs(context: ApplyContext, after: { readonly mtimeNs: bigint }): bigint {
  return context.options.metadata.times ? after.mtimeNs : BigInt(context.clock()) * 1_000_000n;
}

/** Sets the mtime of a symlink where times are synced; a file system that has none to set keeps its own. */
export function setSymlinkMtime(context: ApplyContext, path: BytePath, { mtimeNs }: SymlinkEntry): void {
  if (!context.options.metadata.times || mtimeNs === undefined) return;
  try {
    context.fileSystem.setMtime(context.root, path, mtimeNs);
  } catch (error) {
    if (!CANNOT_SET_TIME.has(errnoOf(error))) throw error;
  }
}

/** What has to be set on a staged object besides mode and mtime; null for the common case of nothing. */
export interface Extras {
  readonly uid: number;
  readonly gid: number;
  /** True: the session asks for this owner, and failing is a failure. */
  readonly ownerRequired: boolean;
  readonly setOwner: boolean;
  /** Attributes that the session syncs: failing to set one is a failure. */
  readonly wanted: ReadonlyMap<string, string>;
  /** Attributes taken over from the replaced object, where the file system lets us. */
  readonly kept: ReadonlyMap<string, string>;
}

/** Owner and attributes for a staged object. One listxattr where something is replaced, else no system call. */
export function extrasFor(context: ApplyContext, after: TrackedEntry, replaced: Replaced | null): Extras | null {
  const owner = ownerFor(context, after, replaced);
  const wanted = wantedXattrs(context, after);
  const sameKind = replaced !== null && typeOf(replaced.stat) === after.kind && after.kind !== 'symlink';
  const kept = sameKind ? keptXattrs(context, replaced.path) : NO_XATTRS;
  if (owner === null && wanted.size === 0 && kept.size === 0) return null;
  return { uid: 0, gid: 0, ownerRequired: false, setOwner: owner !== null, ...owner, wanted, kept };
}

/** Sets {@link Extras}. The object's mode must let its owner write, and has to be set afterwards: chown clears setuid. */
export function setExtras(context: ApplyContext, staged: BytePath, extras: Extras): void {
  if (extras.setOwner) {
    try {
      context.fileSystem.setOwner(context.root, staged, extras.uid, extras.gid);
    } catch (error) {
      if (extras.ownerRequired) throw error;
    }
  }
  setXattrs(context, staged, extras.kept, false);
  setXattrs(context, staged, extras.wanted, true);
}

/** `uid:gid` of an entry as numbers; null where it is malformed or not synced. */
export function parseOwner(owner: string | undefined): { uid: number; gid: number } | null {
  const match = /^(\d{1,10}):(\d{1,10})$/.exec(owner ?? '');
  if (match === null) return null;
  const uid = Number(match[1]);
  const gid = Number(match[2]);
  // The highest number means "leave alone" to chown and names nobody.
  return uid < 0xffff_ffff && gid < 0xffff_ffff ? { uid, gid } : null;
}

/** What a path really holds, as it goes into the index, the archive and the outcome. */
export function achieved(after: TrackedEntry, digests: Digests, stat: Stat): TrackedEntry {
  const owner = after.owner === undefined ? {} : { owner: `${stat.uid}:${stat.gid}` };
  if (after.kind === 'symlink') return { kind: 'symlink', target: after.target, ...owner, mtimeNs: stat.mtimeNs };
  const mode = stat.mode & PERMISSIONS_AND_SETID;
  const xattrs = after.xattrs === undefined ? {} : { xattrs: after.xattrs };
  if (after.kind === 'directory') return { kind: 'directory', mode, ...owner, ...xattrs };
  const linkTo = after.linkTo === undefined ? {} : { linkTo: after.linkTo };
  const { sizeBytes, mtimeNs } = stat;
  return { kind: 'file', mode, sizeBytes, mtimeNs, digests, ...owner, ...xattrs, ...linkTo };
}

/**
 * True where `mtimeNs` lies so close to `nowMs` that an edit right after could leave the same mtime: 20 ms, since kernels
 * stamp by a clock that ticks every 1–10 ms; 2.1 s for whole even seconds, which is how FAT rounds.
 */
export function isRecent(mtimeNs: bigint, nowMs: number): boolean {
  const windowMs = mtimeNs % 2_000_000_000n === 0n ? 2100 : 20;
  return mtimeNs > BigInt(nowMs - windowMs) * 1_000_000n;
}

function ownerFor(context: ApplyContext, after: TrackedEntry, replaced: Replaced | null) {
  if (context.options.metadata.owner) {
    const owner = parseOwner(after.owner);
    if (owner !== null) return { ...owner, ownerRequired: true };
  }
  if (replaced === null) return null;
  const { uid, gid } = replaced.stat;
  if (uid === process.geteuid?.() && gid === process.getegid?.()) return null;
  return { uid, gid, ownerRequired: false };
}
