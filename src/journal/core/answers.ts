/** What the journal of a root tells its consumers. Plain values; paths are byte strings relative to the root. */
import type { BytePath } from '../../platform/core/byte-path.ts';

/** As a cursor: the oldest position the journal still knows of. Never a fresh instance. */
export const OLDEST_CURSOR = 'oldest';

/** How changes are noticed, best first. */
export type BackendName = 'fanotify-filesystem' | 'fanotify-directory' | 'chokidar' | 'scan';

/** What happened at a path. `entries`: names of a directory; `subtree`: everything at and below has to be looked at. */
export type ChangeKind = 'content' | 'metadata' | 'entries' | 'subtree' | 'removed';

/**
 * Why what is recorded of a path may be believed.
 * `leased`: read while a lease kept every writer out. `closed`: no lease to be had, but no writer was left and two looks
 * agree. `unproven`: two looks agree, nothing more can be said here. `scan`: found by looking at the tree; the content was
 * not read. `pending`: not settled yet, what is recorded may be old.
 */
export type Proof = 'leased' | 'closed' | 'unproven' | 'scan' | 'pending';

/** Why the journal knows nothing of some time at and below `scope`. */
export type GapKind =
  | 'overflow'
  | 'daemon-down'
  | 'unclean-boot'
  | 'unmounted'
  | 'mark-lost'
  /** The backend sees no changes here at all. */
  | 'backend-blind';

export interface Gap {
  readonly kind: GapKind;
  readonly scope: BytePath;
}

/** One path that changed; each path once in an answer. */
export interface JournalChange {
  readonly path: BytePath;
  readonly kinds: readonly ChangeKind[];
  /** Where the object was before, if it was moved here. */
  readonly renamedFrom: BytePath | null;
  /** True while somebody has it open for writing: it is told again by every answer until it settles. */
  readonly hot: boolean;
  readonly proof: Proof;
}

export interface CheckpointAnswer {
  /** `journal id . epoch . sequence`; opaque to consumers. */
  readonly cursor: string;
  readonly period: number;
  /** Objects recorded in the period that ended. */
  readonly dirty: number;
  readonly hot: readonly BytePath[];
  /** Gaps met since the checkpoint before; each was closed by a look at its scope. */
  readonly gaps: readonly Gap[];
}

export interface ChangesAnswer {
  readonly cursor: string;
  readonly backend: BackendName;
  /** True: the cursor is unknown, foreign or expired; `changes` lists the whole tree. */
  readonly freshInstance: boolean;
  /** Gaps between the two cursors. */
  readonly gaps: readonly Gap[];
  /** In path order, in batches. */
  readonly changes: Iterable<readonly JournalChange[]>;
}

export interface JournalStatus {
  readonly recording: boolean;
  readonly backend: BackendName;
  /** Why no better backend is at work, one line for people; null for the best. */
  readonly whyNotBetter: string | null;
  readonly period: number;
  /** Objects recorded in the running period. */
  readonly dirty: number;
  readonly hot: readonly BytePath[];
  /** Gaps that no look has closed yet. */
  readonly gaps: readonly Gap[];
  readonly events: { readonly received: number; readonly foreign: number; readonly silencedObjects: number };
}

/** One path at which the journal's index and the tree differ. */
export interface JournalDifference {
  readonly path: BytePath;
  /** What the index says, and what is there: a few words each. */
  readonly recorded: string;
  readonly found: string;
}

export interface JournalVerification {
  readonly differences: readonly JournalDifference[];
  readonly entries: number;
  /** Files whose content was compared with a recorded digest. */
  readonly compared: number;
  /** Files whose content had not been hashed before: recorded now, compared the next time. */
  readonly firstHashed: number;
  /** Files that are open for writing and could not be compared. */
  readonly hot: readonly BytePath[];
}
