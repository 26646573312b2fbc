/**
 * The plan of a run: the reconciler's decisions, sorted into stages by side, with what the safety guard counts.
 *
 * Stages run one after another, both sides at once within a stage: `arrange` (renames and losers moved aside), `fill`
 * (everything that creates or changes, with the removals that make room for it), `clear` (all other removals),
 * `finish` (directories that become read-only). A later stage may rely on an earlier one on either side.
 */

import type { Side, TrackedEntry } from '../../journal/core/entry.ts';
import { readEntry, readPath, readTrackedEntry, writeEntry, writePath } from '../../journal/core/entry-codec.ts';
import type { BytePath } from '../../platform/core/byte-path.ts';
import type { ByteReader, ByteWriter } from '../../platform/core/bytes.ts';
import type {
  ConflictDecision,
  Decision,
  KeepLoserDecision,
  ProblemDecision,
  PutDecision,
  PutReason,
  RecordDecision,
  RemoveDecision,
  RenameDecision,
  Renaming,
} from '../core/plan.ts';
import { STAGES, type Stage, stageOf } from '../core/plan-order.ts';
import { Spool } from './spool.ts';

/** A decision to be carried out on one side. `paired`: the same path is also put on the other side. */
export type Step = (PutDecision | RemoveDecision | RenameDecision | KeepLoserDecision) & { readonly paired?: boolean };

const SIDES: readonly Side[] = ['alpha', 'beta'];

export class Plan {
  readonly #stages = new Map<string, Spool<Step>>();
  readonly records = new Spool<RecordDecision>(writeRecordDecision, readRecordDecision);
  /** What moves in the archive, in this order, once the renames among them are done. */
  readonly renamings: Renaming[] = [];
  readonly conflicts: ConflictDecision[] = [];
  readonly problems: ProblemDecision[] = [];
  readonly deletions: { [side in Side]: number } = { alpha: 0, beta: 0 };
  filesToTransfer = 0;
  bytesToTransfer = 0;

  constructor() {
    for (const side of SIDES)
      for (const stage of STAGES) this.#stages.set(side + stage, new Spool(writeStep, readStep));
  }

  /** Takes in what one row (or the pairing of renames) led to. */
  add(decisions: readonly Decision[]): void {
    for (const decision of decisions) this.#addOne(decision, decisions);
  }

  /** Takes in the renames and the directories they need, in their order: before everything else. */
  arrange(decisions: readonly (Renaming | PutDecision)[]): void {
    for (const decision of decisions) {
      if (decision.kind !== 'record-rename') this.#stage(decision.side, 'arrange').append(decision);
      if (decision.kind !== 'put') this.renamings.push(decision);
    }
  }

  steps(side: Side, stage: Stage): Spool<Step> {
    return this.#stage(side, stage);
  }

  /** True where nothing is to be done to either side. */
  get isIdle(): boolean {
    return [...this.#stages.values()].every((spool) => spool.count === 0);
  }

  close(): void {
    for (const spool of this.#stages.values()) spool.close();
    this.records.close();
  }

  #addOne(decision: Decision, all: readonly Decision[]): void {
    switch (decision.kind) {
      case 'put': {
        const paired = all.some(
          (other) => other.kind === 'put' && other.side !== decision.side && other.path === decision.path,
        );
        this.#stage(decision.side, stageOf(decision)).append({ ...decision, paired });
        if (decision.source !== null) {
          this.filesToTransfer++;
          this.bytesToTransfer += decision.source.sizeBytes;
        }
        return;
      }
      case 'remove':
        this.deletions[decision.side]++;
        this.#stage(decision.side, stageOf(decision)).append(decision);
        return;
      case 'keep-loser':
        this.#stage(decision.side, stageOf(decision)).append(decision);
        return;
      case 'record':
        this.records.append(decision);
        return;
      case 'rename':
      case 'record-rename':
        throw new Error('renames are paired before rows are reconciled');
      case 'conflict':
        this.conflicts.push(decision);
        return;
      case 'problem':
        this.problems.push(decision);
        return;
    }
  }

  #stage(side: Side, stage: Stage): Spool<Step> {
    const spool = this.#stages.get(side + stage);
    if (spool === undefined) throw new Error(`no stage ${stage}`);
    return spool;
  }
}

const KINDS = ['put', 'remove', 'rename', 'keep-loser'] as const;
const REASONS: readonly PutReason[] = ['create', 'content', 'replace', 'metadata'];

function writeStep(out: ByteWriter, step: Step): void {
  out.u8(KINDS.indexOf(step.kind)).u8(step.side === 'alpha' ? 0 : 1);
  switch (step.kind) {
    case 'put':
      out.u8(REASONS.indexOf(step.reason)).u8(putMarks(step));
      writePath(out, step.path);
      writeEntry(out, step.before);
      writeEntry(out, step.after);
      if (!isSourceAfter(step)) writeEntry(out, step.source);
      return;
    case 'remove':
      out.u8(step.makesRoom ? 1 : 0);
      writePath(out, step.path);
      writeEntry(out, step.before);
      return;
    case 'rename':
    case 'keep-loser':
      writePath(out, step.kind === 'rename' ? step.from : step.path);
      writePath(out, step.to);
      writeEntry(out, step.before);
      return;
  }
}

/** Most files arrive as they are at their source: one entry then stands for both, on disk and in memory. */
const MARK = { paired: 1, early: 2, sourceIsAfter: 4 } as const;

function putMarks(step: PutDecision & { readonly paired?: boolean }): number {
  return (
    (step.paired === true ? MARK.paired : 0) |
    (step.isEarly === true ? MARK.early : 0) |
    (isSourceAfter(step) ? MARK.sourceIsAfter : 0)
  );
}

function isSourceAfter({ source, after }: PutDecision): boolean {
  return (
    source !== null &&
    after.kind === 'file' &&
    source.digests === after.digests &&
    source.sizeBytes === after.sizeBytes &&
    source.mtimeNs === after.mtimeNs &&
    source.mode === after.mode &&
    source.owner === after.owner &&
    source.xattrs === after.xattrs &&
    source.linkTo === after.linkTo
  );
}

function readStep(from: ByteReader): Step {
  const kind = KINDS[from.u8()];
  const side: Side = from.u8() === 0 ? 'alpha' : 'beta';
  switch (kind) {
    case 'put': {
      const reason = REASONS[from.u8()] ?? 'create';
      const flags = from.u8();
      const marks = { paired: (flags & MARK.paired) !== 0, ...(flags & MARK.early ? { isEarly: true as const } : {}) };
      const path = readPath(from);
      const before = readEntry(from);
      const after = readTrackedEntry(from);
      const source = flags & MARK.sourceIsAfter ? after : readEntry(from);
      return { kind, side, path, reason, before, after, source: source?.kind === 'file' ? source : null, ...marks };
    }
    case 'remove': {
      const makesRoom = from.u8() === 1;
      return { kind, side, path: readPath(from), before: readTrackedEntry(from), makesRoom };
    }
    case 'rename':
    case 'keep-loser': {
      const path = readPath(from);
      const to = readPath(from);
      const before = readTrackedEntry(from);
      return kind === 'rename' ? { kind, side, from: path, to, before } : { kind, side, path, to, before };
    }
    default:
      throw new Error('a plan with an unknown step');
  }
}

function writeRecordDecision(out: ByteWriter, { path, entry }: { path: BytePath; entry: TrackedEntry | null }): void {
  writePath(out, path);
  writeEntry(out, entry);
}

function readRecordDecision(from: ByteReader): RecordDecision {
  const path = readPath(from);
  const entry = readEntry(from);
  return { kind: 'record', path, entry: entry as TrackedEntry | null };
}
