/**
 * What the reconciler reads and what it decides: rows in, decisions out.
 *
 * Both are streams. Rows come in path order (`comparePaths`: a directory directly before what it holds). Decisions come
 * in an order that an executor can follow as they arrive, though better in stages, as `stageOf` (plan-order.ts) sorts them:
 *
 * 1. `rename`, `record-rename` and puts with `isEarly` come from `pairRenames`, before all rows; they are carried out
 *    first, in the order given. Every other decision speaks of both trees as they are after that. So where one of them
 *    fails, decisions of any kind at or below its paths (`from`, `to`, `path`) must not be carried out or recorded;
 *    those paths are looked at again in the next run.
 * 2. Per side: `keep-loser` and removals with `makesRoom` come directly before the `put` that needs the room (children
 *    before parents) and must be done before it. Creations come parents first.
 * 3. Other removals come children before parents. They may be done as they come, but better after all puts of that
 *    side: until then their content can be reused for files that were moved without being recognised.
 * 4. A directory that its owner may not write to is filled all the same: the applier widens its mode for the while.
 *
 * Nothing is emitted for a path where both sides and the ancestor agree: reconciling reconciled trees is empty.
 * A decision is about one path. Nothing may be derived for paths it does not name, except that `rename` moves whatever
 * the directory holds.
 */

import type { Entry, FileEntry, Side, TrackedEntry } from '../../journal/core/entry.ts';
import type { DigestName, MetadataOptions } from '../../journal/core/look.ts';
import type { BytePath } from '../../platform/core/byte-path.ts';
import type { ConflictPolicy, Mode } from '../options.ts';

/**
 * One path to be looked at: the archive's entry and what each side holds.
 *
 * A path without a row is unchanged on both sides. A path whose parent has no row has a parent directory on both sides
 * (the parent's ancestor, alpha and beta are directories). Below a directory that is gone, or no longer a directory, on
 * one side, every path that the other side or the archive holds must have a row.
 */
export interface Row {
  readonly path: BytePath;
  /** What both sides agreed on last; null: never agreed, or agreed on nothing. */
  readonly ancestor: TrackedEntry | null;
  readonly alpha: Entry | null;
  readonly beta: Entry | null;
  /** Inode and birth time on that side, of the removed object where the entry is null; null where unknown. */
  readonly alphaIdentity: string | null;
  readonly betaIdentity: string | null;
  /** Where that side holds the entry until the planned renames are carried out, if not at `path`; set by `pairRenames`. */
  readonly alphaPath?: BytePath;
  readonly betaPath?: BytePath;
}

export interface ReconcileOptions {
  readonly mode: Mode;
  readonly conflict: ConflictPolicy;
  readonly metadata: MetadataOptions;
  /** Session digest. With `sha256` only `strong` digests are looked at. */
  readonly digest: DigestName;
  /** UTC time for names of conflict copies, ready for a file name: `20250131T235959Z`. */
  readonly conflictTime: string;
  /** True where something is at `path` on either side: a name for a conflict copy must be free on both. */
  readonly isTaken: (path: BytePath) => boolean;
  /** Paths that must not be created on a side because another name folds to the same there (collision.ts); empty where neither side folds. */
  readonly collisions: ReadonlyMap<BytePath, Collision>;
}

/** A name that is not distinct from another one in the same directory on the sides listed. */
export interface Collision {
  readonly with: BytePath;
  readonly sides: readonly Side[];
}

/** What a put does: `create` where nothing was, `content` a file or symlink changes, `replace` another kind, `metadata` only mode, times, owner, xattrs or link. */
export type PutReason = 'create' | 'content' | 'replace' | 'metadata';

/** Makes `side` hold `after` at `path`. */
export interface PutDecision {
  readonly kind: 'put';
  readonly side: Side;
  readonly path: BytePath;
  readonly reason: PutReason;
  /** What that side holds now. With `replace` of a directory it is empty by then. */
  readonly before: Entry | null;
  /** Content and merged metadata. With --no-perms `mode` of a creation is a proposal, otherwise the side's own. */
  readonly after: TrackedEntry;
  /** What the other side holds at this path and the content has to be read from; null where the file content stays, and for directories and symlinks. With `metadata` only for a name that is to be no hard link any more and needs a file of its own. */
  readonly source: FileEntry | null;
  /** A directory that a rename needs: carried out among the renames, in their order. */
  readonly isEarly?: true;
}

/** Removes `path` from `side`; everything it held has been removed by earlier decisions. */
export interface RemoveDecision {
  readonly kind: 'remove';
  readonly side: Side;
  readonly path: BytePath;
  readonly before: TrackedEntry;
  /** True: a put at this path or above follows on this side and needs the room. */
  readonly makesRoom: boolean;
}

/** Both sides agree already; only the archive changes. null drops its entry. */
export interface RecordDecision {
  readonly kind: 'record';
  readonly path: BytePath;
  readonly entry: TrackedEntry | null;
}

/** The sides stay as they are, at this path and below it unless other decisions name paths there. The archive keeps what it has. */
export interface ConflictDecision {
  readonly kind: 'conflict';
  readonly path: BytePath;
  readonly alpha: Entry | null;
  readonly beta: Entry | null;
  /** Words such as "modified file", "deleted", "created directory", "changed mode 0644". */
  readonly alphaText: string;
  readonly betaText: string;
}

/** Something could not be looked at; nothing happens at or below `path` on either side. */
export interface ProblemDecision {
  readonly kind: 'problem';
  readonly path: BytePath;
  readonly side: Side;
  readonly code: string;
  readonly message: string;
}

/** Moves `from` with all it holds to `to` on `side`; the other side did so itself. Once done, the archive moves its entries likewise. */
export interface RenameDecision {
  readonly kind: 'rename';
  readonly side: Side;
  readonly from: BytePath;
  readonly to: BytePath;
  readonly before: TrackedEntry;
}

/** Both sides moved `from` to `to`; only the archive moves its entries (those at and below `from`). */
export interface RecordRenameDecision {
  readonly kind: 'record-rename';
  readonly from: BytePath;
  readonly to: BytePath;
}

/** Moves the loser of a conflict aside on its own side; puts of both contents under both names follow. The archive does not change. */
export interface KeepLoserDecision {
  readonly kind: 'keep-loser';
  readonly side: Side;
  readonly path: BytePath;
  readonly to: BytePath;
  readonly before: TrackedEntry;
}

/** What `pairRenames` decides. */
export type Renaming = RenameDecision | RecordRenameDecision;

export type Decision =
  | PutDecision
  | RemoveDecision
  | RecordDecision
  | ConflictDecision
  | ProblemDecision
  | Renaming
  | KeepLoserDecision;

/** A reconciliation fed row by row, for callers whose rows arrive asynchronously. */
export interface Reconciler {
  /** The next row, later in path order than the one before; decisions that are ripe now. */
  step(row: Row): readonly Decision[];
  /** No more rows; the decisions that were waiting for that. */
  finish(): readonly Decision[];
}

/** Content that must be digested before a row can be reconciled. */
export interface DigestNeed {
  readonly side: Side;
  /** Where it is now: the row's `alphaPath` or `betaPath`, else its `path`. */
  readonly path: BytePath;
  readonly strong: boolean;
}
