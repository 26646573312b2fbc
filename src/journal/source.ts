/**
 * Where knowledge of changes comes from: one interface for every backend of the journal.
 *
 * A source says *where to look*, never what is there: what it names is looked at again by a scan of those places. Its
 * promise: whatever was changed before {@link ChangeSource.checkpoint} was called, by anyone, lies within what that
 * checkpoint or a later one names. Where it cannot promise that for some places, it names a gap with their scope.
 */
import type { BytePath } from '../platform/core/byte-path.ts';

/** Backends, best first. */
export type BackendName = 'fanotify-filesystem' | 'fanotify-directory' | 'chokidar' | 'scan';

/** What happened at a path, as far as the backend can tell. */
export type ChangeKind = 'content' | 'metadata' | 'entries' | 'subtree' | 'removed';

/** A path to look at again. `subtree`: with everything below. */
export interface DirtyPath {
  readonly path: BytePath;
  readonly kinds: readonly ChangeKind[];
  /** True while somebody has it open for writing: it stays in the next period, too. */
  readonly hot: boolean;
}

/** Why a source cannot vouch for what lies at and below `scope`. */
export interface Gap {
  readonly kind:
    | 'overflow'
    | 'daemon-down'
    | 'unclean-boot'
    | 'unmounted'
    | 'mark-lost'
    /** The backend sees no changes at all: everything has to be looked at. */
    | 'backend-blind';
  readonly scope: BytePath;
}

/** What there is to look at since the period before. */
export interface SourceCheckpoint {
  /** Counts up from 1 with each checkpoint of this source. */
  readonly period: number;
  /** In path order, without what lies in a gap. */
  readonly dirty: readonly DirtyPath[];
  readonly gaps: readonly Gap[];
}

export interface ChangeSource {
  readonly backend: BackendName;
  /** Why no better backend is at work here, one line for people; null for the best. */
  readonly whyNotBetter: string | null;
  /** Ends the running period for what lies at and below `scope` and begins the next. */
  checkpoint(scope: BytePath): Promise<SourceCheckpoint>;
  /** Everything up to `period` was looked at and durably recorded: the source may forget it. */
  settled(period: number): Promise<void>;
  close(): Promise<void>;
}
