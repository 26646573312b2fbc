/**
 * Carries out a plan, stage by stage, both sides at once.
 */

import { otherSide, type Side } from '../../journal/core/entry.ts';
import { STAGES } from '../core/plan-order.ts';
import type { ApplyOptions, Checkpoint } from '../endpoint.ts';
import type { SessionOptions } from '../options.ts';
import type { ProgressEvent } from '../report.ts';
import type { Ledger } from './ledger.ts';
import type { Plan, Step } from './plan.ts';
import type { SyncInput } from './synchronize.ts';
import { type Prepared, transfer } from './transfer.ts';

/** Runs all stages. Every outcome is in the ledger, and the archive durable, when a stage ends. */
export async function execute(
  input: SyncInput,
  plan: Plan,
  ledger: Ledger,
  checkpoints: Readonly<Record<Side, Checkpoint>>,
): Promise<void> {
  const progress = new Progress(input, plan, ledger);
  for (const stage of STAGES) {
    if (stage === 'fill') recordAgreements(plan, ledger);
    const sides = (['alpha', 'beta'] as const).filter((side) => plan.steps(side, stage).count > 0);
    await Promise.all(
      sides.map((side) =>
        transfer({
          target: input.sides[side],
          source: input.sides[otherSide(side)],
          steps: validSteps(plan.steps(side, stage).read(), ledger),
          apply: applyOptions(input.options),
          mayReuse: checkpoints[side].entries > 0,
          onOutcome: (prepared, outcome) => {
            ledger.outcome(prepared, outcome);
            progress.report();
          },
          onBytes: (bytes, largest) => progress.bytes(bytes, largest),
          signal: input.signal,
        }),
      ),
    );
    ledger.flush();
    progress.reportNow();
    input.signal.throwIfAborted();
  }
}

/** After the renames, before anything else: what both sides agree on already. */
function recordAgreements(plan: Plan, ledger: Ledger): void {
  ledger.arranged(plan.renamings);
  for (const { path, entry } of plan.records.read()) if (!ledger.isVoid(path)) ledger.agreed(path, entry);
  ledger.flush();
}

/** The steps without those that rely on a rename that did not happen. */
function* validSteps(steps: Iterable<Step>, ledger: Ledger): Generator<Step> {
  for (const step of steps) if (step.kind === 'rename' || !ledger.isVoid(step.path)) yield step;
}

function applyOptions(options: SessionOptions): ApplyOptions {
  const { durable, backup, keepVersionsSeconds, metadata } = options;
  return { durable, backup, keepVersionsSeconds, metadata };
}

/** Time between two events of progress; there may be thousands of outcomes in it. */
const REPORT_EVERY_MS = 50;

/** Counts what moves, and reports it now and then. */
class Progress {
  readonly #input: SyncInput;
  readonly #plan: Plan;
  readonly #ledger: Ledger;
  #bytesDone = 0;
  #reportedAtMs = Number.NEGATIVE_INFINITY;
  #current: { prepared: Prepared; startedAt: number } | null = null;

  constructor(input: SyncInput, plan: Plan, ledger: Ledger) {
    this.#input = input;
    this.#plan = plan;
    this.#ledger = ledger;
  }

  bytes(bytes: number, largest: Prepared | null): void {
    if (largest !== this.#current?.prepared) {
      this.#current = largest === null ? null : { prepared: largest, startedAt: this.#bytesDone };
    }
    this.#bytesDone += bytes;
    this.report();
  }

  report(): void {
    if (performance.now() - this.#reportedAtMs >= REPORT_EVERY_MS) this.reportNow();
  }

  reportNow(): void {
    this.#reportedAtMs = performance.now();
    const event: ProgressEvent = {
      type: 'progress',
      phase: 'transferring',
      filesDone: this.#ledger.filesDone,
      filesTotal: this.#plan.filesToTransfer,
      bytesDone: Math.min(this.#bytesDone, this.#plan.bytesToTransfer),
      bytesTotal: this.#plan.bytesToTransfer,
    };
    const current = this.#currentFile();
    this.#input.report(current === null ? event : { ...event, current });
  }

  #currentFile(): NonNullable<ProgressEvent['current']> | null {
    const step = this.#current?.prepared.step;
    if (this.#current === null || step?.kind !== 'put' || step.source === null) return null;
    const bytesTotal = step.source.sizeBytes;
    return { path: step.path, bytesDone: Math.min(this.#bytesDone - this.#current.startedAt, bytesTotal), bytesTotal };
  }
}
