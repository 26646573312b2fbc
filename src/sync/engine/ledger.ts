/**
 * What a run really did: outcomes become archive entries, counters, reports and the list of paths to look at again.
 *
 * The archive may lag the trees and never leads them. An entry is recorded only after its outcome came, and where a
 * path is put on both sides only after both outcomes came: with one of them missing, the old ancestor makes the next
 * run see two one-sided changes again, while a new one would make the unfinished side look like a fresh edit.
 */

import type { Side, TrackedEntry } from '../../journal/core/entry.ts';
import { isTracked, otherSide } from '../../journal/core/entry.ts';
import { type BytePath, isWithin } from '../../platform/core/byte-path.ts';
import type { Outcome } from '../core/operation.ts';
import type { Renaming } from '../core/plan.ts';
import type { ActionEvent, Conflict, Deferred, Failed, RunEvent } from '../report.ts';
import type { Step } from './plan.ts';
import type { Prepared } from './transfer.ts';

/** What the ledger writes to: the archive of the session. */
export interface LedgerArchive {
  transaction<T>(work: () => T): T;
  put(path: BytePath, entry: TrackedEntry): void;
  remove(path: BytePath): void;
  rename(from: BytePath, to: BytePath): void;
}

/** Codes of problems that mean "not now": the path is deferred, not failed. */
const DEFERRING: ReadonlyMap<string, string> = new Map([
  ['open-for-writing', 'open for writing'],
  ['changed', 'changed while it was read'],
]);

/** Archive entries written in one transaction. */
const WRITES_PER_TRANSACTION = 2048;

type Counter = 'created' | 'modified' | 'deleted' | 'renamed' | 'metadata';
export type Counters = { [counter in Counter]: number };

export class Ledger {
  readonly counters: { readonly [side in Side]: Counters } = { alpha: noCounts(), beta: noCounts() };
  readonly bytes = { literal: 0, matched: 0, reused: 0 };
  readonly conflicts: Conflict[] = [];
  readonly failed: Failed[] = [];
  readonly deferred: Deferred[] = [];
  /** Paths that the next run must look at again, with the reason. */
  readonly pending = new Map<BytePath, string>();
  /** True where a further round may settle more: a path changed under us, or the rules that a side ignores paths by. */
  mayRetry = false;
  filesDone = 0;
  /** Entries that this round added to a side, less those it removed. */
  readonly growth: { [side in Side]: number } = { alpha: 0, beta: 0 };
  readonly #archive: LedgerArchive;
  readonly #report: (event: RunEvent) => void;
  readonly #isRuleFile: (path: BytePath) => boolean;
  readonly #writes: (() => void)[] = [];
  /** Paths put on both sides of which one outcome is still to come. */
  readonly #halfDone = new Set<BytePath>();
  /** Places that were to be arranged and are not: what was decided at and below them is void. */
  readonly #unarranged: BytePath[] = [];

  constructor(
    archive: LedgerArchive,
    report: (event: RunEvent) => void,
    isRuleFile: (path: BytePath) => boolean = () => false,
  ) {
    this.#archive = archive;
    this.#report = report;
    this.#isRuleFile = isRuleFile;
  }

  conflict(conflict: Conflict): void {
    this.pending.set(conflict.path, 'conflict');
    this.conflicts.push(conflict);
  }

  /** A path that was not even tried: unreadable, open for writing, not representable. */
  problem(path: BytePath, side: Side, code: string, message: string): void {
    this.pending.set(path, code);
    const reason = DEFERRING.get(code);
    if (reason === undefined) this.#fail({ path, side, error: code, message });
    else this.#defer(path, code === 'changed' ? reason : message || reason, code === 'changed');
  }

  /** Both sides agree on `entry` at `path`. */
  agreed(path: BytePath, entry: TrackedEntry | null): void {
    this.#write(() => (entry === null ? this.#archive.remove(path) : this.#archive.put(path, entry)));
  }

  /** Moves the archive's entries after the trees, in the order of the plan; where a rename failed, nothing moves. */
  arranged(renamings: readonly Renaming[]): void {
    for (const { from, to } of renamings) {
      if (this.isVoid(from) || this.isVoid(to)) continue;
      this.#write(() => this.#archive.rename(from, to));
    }
    this.flush();
  }

  /** True where a rename that this decision relies on did not happen. The next run looks at the whole place again. */
  isVoid(path: BytePath): boolean {
    return this.#unarranged.some((place) => isWithin(path, place));
  }

  /** What came of one step. */
  outcome({ step, operation }: Prepared, outcome: Outcome): void {
    const path = step.kind === 'rename' ? step.to : step.path;
    if (outcome.status !== 'done' && isArrangement(step)) this.#abandon(step);
    switch (outcome.status) {
      case 'done':
        this.bytes.literal += outcome.bytes.literal;
        this.bytes.matched += outcome.bytes.matched;
        this.bytes.reused += outcome.bytes.reused;
        this.#done(step, outcome.entry);
        return;
      case 'changed': {
        this.pending.set(path, 'changed');
        const isOpen = outcome.reason === 'open for writing';
        this.#defer(path, outcome.reason, !isOpen);
        return;
      }
      case 'failed': {
        this.pending.set(path, outcome.problem.code);
        const side = outcome.side === 'target' ? step.side : otherSide(step.side);
        this.#fail({ path: operation.path, side, error: outcome.problem.code, message: outcome.problem.message });
        return;
      }
    }
  }

  count(action: ActionEvent): void {
    this.counters[action.side][COUNTER[action.operation]]++;
  }

  /** Writes what is gathered; called at the end of every stage. */
  flush(): void {
    if (this.#writes.length === 0) return;
    const writes = this.#writes.splice(0);
    this.#archive.transaction(() => {
      for (const write of writes) write();
    });
  }

  /** Drops what earlier rounds could not settle: the new round looks at those paths again. */
  startRound(): void {
    this.pending.clear();
    this.conflicts.length = 0;
    this.failed.length = 0;
    this.deferred.length = 0;
    this.#halfDone.clear();
    this.#unarranged.length = 0;
    this.mayRetry = false;
    this.growth.alpha = 0;
    this.growth.beta = 0;
  }

  #done(step: Step, achieved: TrackedEntry | null): void {
    this.#recordDone(step, achieved);
    this.#grow(step);
    const action = actionOf(step, achieved);
    if (action === null) return;
    this.count(action);
    if (action.bytes !== undefined) this.filesDone++;
    if ([action.path, action.from].some((path) => path !== undefined && this.#isRuleFile(path))) this.mayRetry = true;
    this.#report(action);
  }

  #grow(step: Step): void {
    if (step.kind === 'put' && step.before === null) this.growth[step.side]++;
    else if (step.kind === 'remove') this.growth[step.side]--;
  }

  #recordDone(step: Step, achieved: TrackedEntry | null): void {
    switch (step.kind) {
      case 'put':
        if (step.paired === true && !this.#halfDone.delete(step.path)) {
          this.#halfDone.add(step.path);
          return;
        }
        if (achieved !== null) this.agreed(step.path, agreedAfter(step.after, achieved));
        return;
      case 'remove':
        // Removals that make room are followed by a put of the path itself or of a directory above it.
        this.agreed(step.path, null);
        return;
      case 'rename':
      case 'keep-loser':
        // The archive moves when all renames are done.
        return;
    }
  }

  #abandon(step: Step): void {
    const places = step.kind === 'rename' ? [step.from, step.to] : [step.path];
    if (step.kind === 'keep-loser') places.push(step.to);
    this.#unarranged.push(...places);
    for (const place of places) this.pending.set(place, 'changed');
  }

  #write(write: () => void): void {
    this.#writes.push(write);
    if (this.#writes.length >= WRITES_PER_TRANSACTION) this.flush();
  }

  #defer(path: BytePath, reason: string, mayRetry: boolean): void {
    this.mayRetry ||= mayRetry;
    this.deferred.push({ path, reason });
  }

  #fail(failed: Failed): void {
    this.failed.push(failed);
  }

  /** Reports what is still open after the last round. */
  reportOpen(): void {
    for (const conflict of this.conflicts) this.#report({ type: 'conflict', ...conflict });
    for (const deferred of this.deferred) this.#report({ type: 'deferred', ...deferred });
    for (const failed of this.failed) this.#report({ type: 'failed', ...failed });
  }
}

/** Steps of the stage that everything after relies on. */
function isArrangement(step: Step): boolean {
  return step.kind === 'rename' || step.kind === 'keep-loser' || (step.kind === 'put' && step.isEarly === true);
}

const COUNTER: { readonly [operation in ActionEvent['operation']]: Counter } = {
  create: 'created',
  modify: 'modified',
  delete: 'deleted',
  rename: 'renamed',
  metadata: 'metadata',
};

/** The fact to report for a step, or null where nobody needs to know. */
export function actionOf(step: Step, achieved: TrackedEntry | null): ActionEvent | null {
  const { side } = step;
  switch (step.kind) {
    case 'put': {
      const kind = step.after.kind;
      const size = step.source !== null && achieved?.kind === 'file' ? { bytes: achieved.sizeBytes } : {};
      return { type: 'action', side, operation: operationOf(step.reason), kind, path: step.path, ...size };
    }
    case 'remove':
      return { type: 'action', side, operation: 'delete', kind: step.before.kind, path: step.path };
    case 'rename':
      return { type: 'action', side, operation: 'rename', kind: step.before.kind, path: step.to, from: step.from };
    case 'keep-loser':
      return { type: 'action', side, operation: 'rename', kind: step.before.kind, path: step.to, from: step.path };
  }
}

function operationOf(reason: Extract<Step, { kind: 'put' }>['reason']): ActionEvent['operation'] {
  switch (reason) {
    case 'create':
      return 'create';
    case 'content':
    case 'replace':
      return 'modify';
    case 'metadata':
      return 'metadata';
  }
}

/**
 * What both sides agree on now: what was achieved, with the digests that either the plan or the transfer knows. What was
 * achieved counts, not what was wanted: a file system that cannot keep a mode would otherwise look edited for ever.
 */
function agreedAfter(after: TrackedEntry, achieved: TrackedEntry): TrackedEntry {
  if (achieved.kind !== 'file' || after.kind !== 'file' || !isTracked(achieved)) return achieved;
  const digests = {
    fast: achieved.digests.fast ?? after.digests.fast,
    strong: achieved.digests.strong ?? after.digests.strong,
  };
  return { ...achieved, digests };
}

function noCounts(): Counters {
  return { created: 0, modified: 0, deleted: 0, renamed: 0, metadata: 0 };
}
