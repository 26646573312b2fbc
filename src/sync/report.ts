/**
 * What a run reports: facts while it goes on, and a summary at its end.
 *
 * The engine and the composition above it emit {@link RunEvent}s and return one {@link Summary}; printers turn both
 * into words (src/cli/output). Nothing here knows a terminal, a language or JSON: paths stay bytes, times are numbers.
 */

import type { Side } from '../journal/core/entry.ts';
import type { BytePath } from '../platform/core/byte-path.ts';
import type { Backend } from './endpoint.ts';
import type { Mode } from './options.ts';

/** What was really done to one path of one side (in a dry run: what would be done). */
export interface ActionEvent {
  readonly type: 'action';
  /** The side it was done *to*. */
  readonly side: Side;
  readonly operation: 'create' | 'modify' | 'delete' | 'rename' | 'metadata';
  readonly kind: 'file' | 'directory' | 'symlink';
  /** Where it is now; of a deletion, where it was. */
  readonly path: BytePath;
  /** Only of a rename: where it was. */
  readonly from?: BytePath;
  /** Size of the file's new content; absent where no content was put in place. */
  readonly bytes?: number;
}

export type Phase = 'connecting' | 'scanning' | 'hashing' | 'planning' | 'transferring' | 'finishing';

/** How far the run is. Emitted as often as the engine likes; printers thin it out. Totals are 0 while unknown. */
export interface ProgressEvent {
  readonly type: 'progress';
  readonly phase: Phase;
  readonly filesDone: number;
  readonly filesTotal: number;
  readonly bytesDone: number;
  readonly bytesTotal: number;
  /** The large file being worked on, where one file takes long enough to be worth naming. */
  readonly current?: { readonly path: BytePath; readonly bytesDone: number; readonly bytesTotal: number };
}

/** Both sides changed the same path differently; neither was touched (or both survive, with a `copy` policy). */
export interface Conflict {
  readonly path: BytePath;
  /** What stands on that side, a few words: `modified file`, `deleted`, `created directory`. */
  readonly alpha: string;
  readonly beta: string;
}

/** A path left for a later run. */
export interface Deferred {
  readonly path: BytePath;
  /** A few words: `open for writing`, `changed while it was read`. */
  readonly reason: string;
}

/** A path that could not be brought over. */
export interface Failed {
  readonly path: BytePath;
  readonly side: Side;
  /** errno name or one of tidemark's own words. */
  readonly error: string;
  /** One line for people, without the path. */
  readonly message: string;
}

/** Something to know that is no path of this run: a degraded backend, a clock far off, leftovers cleared. */
export interface NoteEvent {
  readonly type: 'note';
  /** `warning` is shown by default, `detail` only with -v. */
  readonly level: 'warning' | 'detail';
  readonly message: string;
}

export type RunEvent =
  | ActionEvent
  | ProgressEvent
  | ({ readonly type: 'conflict' } & Conflict)
  | ({ readonly type: 'deferred' } & Deferred)
  | ({ readonly type: 'failed' } & Failed)
  | NoteEvent;

/** What the run did to one side, and how changes are noticed there. */
export interface SideSummary {
  /** The endpoint as the user would write it, canonical: text, already harmless to print (formatEndpointAddress). */
  readonly root: string;
  readonly backend: Backend;
  readonly cursor: string;
  readonly created: number;
  readonly modified: number;
  readonly deleted: number;
  readonly renamed: number;
  readonly metadata: number;
}

export type HaltReason = 'root-missing' | 'root-emptied' | 'root-type' | 'root-identity' | 'max-delete';

/** Why a run stopped before it touched anything. */
export interface Halt {
  readonly reason: HaltReason;
  readonly side: Side;
  /** One line for people. */
  readonly detail: string;
}

export type Result = 'in-sync' | 'conflicts' | 'deferred' | 'failed' | 'halted' | 'dry-run';

export interface Summary {
  readonly result: Result;
  readonly mode: Mode;
  readonly alpha: SideSummary;
  readonly beta: SideSummary;
  readonly conflicts: readonly Conflict[];
  readonly deferred: readonly Deferred[];
  readonly failed: readonly Failed[];
  readonly halt: Halt | null;
  readonly bytes: {
    /** File data sent as such. */
    readonly literal: number;
    /** Taken from the old version of the same file. */
    readonly matched: number;
    /** Taken from other local content (renames, copies). */
    readonly reused: number;
    /** On the wire after compression, with framing; both directions as this end counts them. */
    readonly sent: number;
    readonly received: number;
  };
  /** Entries stat'ed, so that an O(changes) run is visible. */
  readonly scanned: { readonly alpha: number; readonly beta: number };
  readonly hashed: { readonly alpha: number; readonly beta: number };
  /** Tracked entries below the root now; only people see it. */
  readonly entries: { readonly alpha: number; readonly beta: number };
  readonly elapsedMs: number;
}

/**
 * The result a run's facts add up to, gravest first: halted, then dry run, failed, conflicts, deferred, in sync.
 */
export function resultOf(facts: {
  readonly halt: Halt | null;
  readonly dryRun: boolean;
  readonly failed: readonly unknown[];
  readonly conflicts: readonly unknown[];
  readonly deferred: readonly unknown[];
}): Result {
  if (facts.halt !== null) return 'halted';
  if (facts.dryRun) return 'dry-run';
  if (facts.failed.length > 0) return 'failed';
  if (facts.conflicts.length > 0) return 'conflicts';
  return facts.deferred.length > 0 ? 'deferred' : 'in-sync';
}

/**
 * The exit code of a finished run: 5 after a halt, 3 where paths failed, 1 where conflicts or deferred paths remain,
 * else 0. A dry run answers for what it saw: 3 or 1 where the real run would meet failures or conflicts, otherwise 0.
 */
export function exitCodeFor(summary: Pick<Summary, 'halt' | 'failed' | 'conflicts' | 'deferred'>): 0 | 1 | 3 | 5 {
  if (summary.halt !== null) return 5;
  if (summary.failed.length > 0) return 3;
  return summary.conflicts.length > 0 || summary.deferred.length > 0 ? 1 : 0;
}
