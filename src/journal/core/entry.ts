/**
 * What a tree holds at a path, as the reconciler, the index, the archive and the wire see it.
 *
 * Values are plain and read-only. Strings named `…Bytes` or typed BytePath are byte strings (see byte-path.ts).
 */

/**
 * Content digests of a file, each null while unknown.
 * `fast` (xxh64, 8 bytes as a byte string) is enough to see that one path changed. `strong` (SHA-256, 32 bytes)
 * decides wherever equality lets content be taken from another path or lets one of two contents go.
 */
export interface Digests {
  readonly fast: string | null;
  readonly strong: string | null;
}

/** Metadata shared by files and directories. Absent fields are not synced in this session. */
export interface Metadata {
  /** Permission bits (07777 at most). */
  readonly mode: number;
  /** `uid:gid`, only with --owner. */
  readonly owner?: string;
  /** Extended attributes in canonical packed form (see xattrs.ts), only with --xattrs or --acls. */
  readonly xattrs?: string;
}

export interface FileEntry extends Metadata {
  readonly kind: 'file';
  readonly sizeBytes: number;
  readonly mtimeNs: bigint;
  readonly digests: Digests;
  /** With --hard-links: the first path (in path order) of the group of names this file shares its inode with, unless it is that one. */
  readonly linkTo?: string;
}

export interface DirectoryEntry extends Metadata {
  readonly kind: 'directory';
}

export interface SymlinkEntry {
  readonly kind: 'symlink';
  /** As is, a byte string. */
  readonly target: string;
  readonly owner?: string;
  /** Metadata only: no content, and never a reason for a conflict. Absent where it is not known. */
  readonly mtimeNs?: bigint;
}

/** Seen, never synced, and in the way: it blocks the deletion of its parent. */
export interface UntrackedEntry {
  readonly kind: 'untracked';
  readonly what: 'ignored' | 'fifo' | 'socket' | 'device' | 'mount' | 'symlink';
}

/** Something that could not be looked at. Everything at and below it is left alone on both sides. */
export interface ProblemEntry {
  readonly kind: 'problem';
  readonly code: string;
  readonly message: string;
}

export type TrackedEntry = FileEntry | DirectoryEntry | SymlinkEntry;
export type Entry = TrackedEntry | UntrackedEntry | ProblemEntry;

export type Side = 'alpha' | 'beta';

export const UNKNOWN_DIGESTS: Digests = { fast: null, strong: null };

export function otherSide(side: Side): Side {
  return side === 'alpha' ? 'beta' : 'alpha';
}

export function isTracked(entry: Entry | null): entry is TrackedEntry {
  return entry !== null && entry.kind !== 'untracked' && entry.kind !== 'problem';
}
