/**
 * What is to be done to one side, and what really came of it.
 *
 * Operations carry `before`, what the plan saw on that side; the applier refuses (`changed`) where the target is no
 * longer that. Outcomes carry what was *really* achieved, and only that is ever recorded.
 */

import type { Entry, TrackedEntry } from '../../journal/core/entry.ts';
import type { BytePath } from '../../platform/core/byte-path.ts';
import type { Problem } from '../../platform/core/errors.ts';

/**
 * Where the content of a file comes from: `keep` (content stays, metadata or nothing changes; also directories and
 * symlinks), `stream` (records with this operation's id follow), `copy` (from `copyFrom` on this same side, whose
 * SHA-256 the plan has compared; verified again while copying), `link` (hard link to `copyFrom`).
 */
export type ContentSource = 'keep' | 'stream' | 'copy' | 'link';

/** Makes `path` hold `after`: creates it, replaces it, or changes its metadata. */
export interface PutOperation {
  readonly kind: 'put';
  readonly id: number;
  readonly path: BytePath;
  readonly before: Entry | null;
  readonly after: TrackedEntry;
  readonly content: ContentSource;
  readonly copyFrom?: BytePath;
}

/** Removes `path`; a directory must be empty by then. */
export interface RemoveOperation {
  readonly kind: 'remove';
  readonly id: number;
  readonly path: BytePath;
  readonly before: TrackedEntry;
}

/** Moves `path` with all it holds to `to`, where nothing is. */
export interface RenameOperation {
  readonly kind: 'rename';
  readonly id: number;
  readonly path: BytePath;
  readonly to: BytePath;
  readonly before: TrackedEntry;
}

/** Operations of one side are carried out in the order they come; ids count up from 0 within one `apply`. */
export type Operation = PutOperation | RemoveOperation | RenameOperation;

export type Outcome =
  /** Done and durable. `entry` is what the path holds now (null after a removal; at `to` after a rename). */
  | { readonly id: number; readonly status: 'done'; readonly entry: TrackedEntry | null; readonly bytes: ContentBytes }
  /** The target, or the source, was no longer what the plan saw. Nothing was touched; look again. */
  | { readonly id: number; readonly status: 'changed'; readonly side: 'source' | 'target'; readonly reason: string }
  /** Not done; nothing was half-changed. */
  | { readonly id: number; readonly status: 'failed'; readonly side: 'source' | 'target'; readonly problem: Problem };

/** Bytes of one file by where they came from. */
export interface ContentBytes {
  /** Sent as such. */
  readonly literal: number;
  /** Taken from the old version of the same file, or from a partial transfer of it. */
  readonly matched: number;
  /** Taken from other local content. */
  readonly reused: number;
}

export const NO_BYTES: ContentBytes = { literal: 0, matched: 0, reused: 0 };
