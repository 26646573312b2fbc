/**
 * One sync of an opened pair, start to end:
 *
 *   checkpoint both → rows → digests → reconcile → guard → carry out → record → acknowledge
 *
 * Every step can be killed and redone: until the last line of a round nothing says that the changes were dealt with, and
 * dealing with them again finds both sides equal. Paths that changed under the run are looked at in a further round, and
 * so is everything where the run itself brought other ignore rules to a side.
 */
import type { Change } from '../../journal/core/change.ts';
import type { Side } from '../../journal/core/entry.ts';
import { isRuleFile } from '../../journal/core/ignore.ts';
import type { CheckpointOptions } from '../../journal/core/look.ts';
import { type BytePath, ROOT } from '../../platform/core/byte-path.ts';
import type { Foldings } from '../core/collision.ts';
import { digestsNeeded } from '../core/compare.ts';
import type { ReconcileOptions, Row } from '../core/plan.ts';
import { STAGES } from '../core/plan-order.ts';
import { createReconciler } from '../core/reconcile.ts';
import { pairRenames, renameDigestsNeeded } from '../core/rename.ts';
import { guardDeletions } from '../core/safety.ts';
import type { Checkpoint, Endpoint } from '../endpoint.ts';
import type { RunOptions, SessionOptions } from '../options.ts';
import type { Halt, Phase, RunEvent } from '../report.ts';
import { collisionsAfterRenames, collisionsAmong, collisionsInTrees, NO_COLLISIONS } from './collisions.ts';
import { confirm, confirmedRows, type HashCounts } from './digests.ts';
import { execute } from './execute.ts';
import { actionOf, Ledger } from './ledger.ts';
import { Plan } from './plan.ts';
import { changedRows, listedRows, NO_ANCESTORS } from './rows.ts';
import { type Cursors, NO_CURSORS, type SessionStore } from './session-store.ts';

/** A path that keeps changing is left for the next run after this many rounds. */
const MAX_ROUNDS = 3;

export interface SyncInput {
  readonly sides: Readonly<Record<Side, Endpoint>>;
  /** What the file systems of the sides take for the same name. */
  readonly infos: Foldings;
  readonly store: SessionStore;
  readonly options: SessionOptions;
  readonly run: RunOptions;
  /** UTC time of the run for names of conflict copies. */
  readonly conflictTime: string;
  readonly report: (event: RunEvent) => void;
  readonly signal: AbortSignal;
}

export interface SyncResult {
  readonly ledger: Ledger;
  readonly halt: Halt | null;
  readonly checkpoints: Readonly<Record<Side, Checkpoint>>;
  /** Over all rounds. */
  readonly scanned: Readonly<Record<Side, number>>;
  readonly hashed: Readonly<Record<Side, number>>;
}

type RoundInput = SyncInput & { readonly hashed: HashCounts };

/** Runs rounds until nothing changed under the run, or too often. */
export async function synchronize(input: SyncInput): Promise<SyncResult> {
  const ledger = new Ledger(input.store.archive, input.report, (path) => isRuleFile(input.options.ignore, path));
  const scanned = { alpha: 0, beta: 0 };
  const hashed: HashCounts = { alpha: 0, beta: 0, bytes: 0 };
  for (let round = 1; ; round++) {
    ledger.startRound();
    const { halt, checkpoints } = await runRound({ ...input, hashed }, ledger, round);
    scanned.alpha += checkpoints.alpha.scanned;
    scanned.beta += checkpoints.beta.scanned;
    const isLast = halt !== null || input.run.dryRun || !ledger.mayRetry || round === MAX_ROUNDS;
    if (isLast || input.signal.aborted) {
      ledger.reportOpen();
      return { ledger, halt, checkpoints, scanned, hashed };
    }
  }
}

async function runRound(
  input: RoundInput,
  ledger: Ledger,
  round: number,
): Promise<{ halt: Halt | null; checkpoints: Readonly<Record<Side, Checkpoint>> }> {
  const { sides, store, options, run, signal } = input;
  phase(input, 'scanning');
  const rehash = run.rehash && round === 1;
  const checkpoints = await onBoth((side) => sides[side].checkpoint(checkpointOptions(options, rehash)));
  signal.throwIfAborted();
  const known = store.cursorsFor(checkpoints);
  const plan = new Plan();
  try {
    phase(input, 'planning');
    await makePlan(input, known, plan);
    settlePlanned(plan, ledger);
    const halt = run.force ? null : guardDeletions(plan.deletions, checkpoints, options);
    if (halt !== null || run.dryRun) {
      if (run.dryRun) reportPlanned(plan, ledger, input.report);
      return { halt, checkpoints };
    }
    if (known === NO_CURSORS) store.forgetArchive();
    phase(input, 'transferring');
    await execute(input, plan, ledger, checkpoints);
    signal.throwIfAborted();
    phase(input, 'finishing');
    store.settle(checkpoints, ledger);
    await onBoth((side) => sides[side].acknowledge(checkpoints[side].cursor));
    return { halt: null, checkpoints };
  } finally {
    plan.close();
  }
}

/**
 * Reads what changed, confirms it, reconciles it into `plan`. After a change of rules everything is read: what the old
 * rules left alone is in no list of changes. Renames are not paired then, as in every walk through whole trees.
 */
async function makePlan(input: RoundInput, known: Cursors, plan: Plan): Promise<void> {
  const { sides, store, options } = input;
  const changes = await onBoth((side) => sides[side].changes(known[side]));
  const ancestors = known === NO_CURSORS ? NO_ANCESTORS : store.archive;
  const reconcileOptions: ReconcileOptions = {
    mode: options.mode,
    conflict: options.conflict,
    metadata: options.metadata,
    digest: options.digest,
    conflictTime: input.conflictTime,
    isTaken: (path) => ancestors.get(path) !== null,
    collisions: NO_COLLISIONS,
  };
  const needs = (row: Row) => digestsNeeded(row, reconcileOptions);
  if (changes.alpha.fresh || changes.beta.fresh || !store.isUnderSameRules) {
    const listings = await onBoth(async (side) =>
      changes[side].fresh ? changes[side] : { fresh: true, batches: wholeTree(sides[side]) },
    );
    const rows = listedRows(listings.alpha.batches, listings.beta.batches, ancestors);
    const names = () => listedRows(wholeTree(sides.alpha), wholeTree(sides.beta), NO_ANCESTORS);
    const collisions = await collisionsInTrees(names, input.infos);
    const confirmed = confirmedRows(rows, sides, needs, input.hashed);
    await reconcileInto(plan, confirmed, { ...reconcileOptions, collisions });
    return;
  }
  const pending = known === NO_CURSORS ? [] : store.pendingPaths();
  const gathered = await changedRows(sides, changes, pending, ancestors);
  // What changed at all is confirmed first: a file that was only touched is no half of a rename.
  const rows = await confirm(gathered, sides, needs, input.hashed);
  const inTheWay = collisionsAmong(rows, input.infos, store.archive);
  const paired = await pairedRows(rows, input, { ...reconcileOptions, collisions: inTheWay }, plan);
  const collisions = paired === rows ? inTheWay : collisionsAfterRenames(rows, paired, input.infos, store.archive);
  const confirmed = confirmedRows(batchesOf(paired), sides, needs, input.hashed);
  await reconcileInto(plan, confirmed, { ...reconcileOptions, collisions });
}

/** Pairs renames, which all rows in memory make possible, and adds them to the plan. */
async function pairedRows(
  rows: readonly Row[],
  { sides, hashed }: RoundInput,
  options: ReconcileOptions,
  plan: Plan,
): Promise<readonly Row[]> {
  const wanted = new Map<BytePath, ReturnType<typeof renameDigestsNeeded>[number][]>();
  for (const need of renameDigestsNeeded(rows, options)) {
    wanted.set(need.path, [...(wanted.get(need.path) ?? []), need]);
  }
  const confirmed = await confirm(rows, sides, (row) => wanted.get(row.path) ?? [], hashed);
  const { renames, rows: remaining } = pairRenames(confirmed, options);
  plan.arrange(renames);
  return remaining;
}

async function reconcileInto(
  plan: Plan,
  batches: AsyncIterable<readonly Row[]>,
  options: ReconcileOptions,
): Promise<void> {
  const reconciler = createReconciler(options);
  for await (const batch of batches) for (const row of batch) plan.add(reconciler.step(row));
  plan.add(reconciler.finish());
}

/** What could not be decided or not be looked at is known before anything is carried out. */
function settlePlanned(plan: Plan, ledger: Ledger): void {
  for (const { path, alphaText, betaText } of plan.conflicts)
    ledger.conflict({ path, alpha: alphaText, beta: betaText });
  for (const { path, side, code, message } of plan.problems) ledger.problem(path, side, code, message);
}

/** A dry run shows its plan as if it had been carried out. */
function reportPlanned(plan: Plan, ledger: Ledger, report: (event: RunEvent) => void): void {
  for (const stage of STAGES) {
    for (const side of ['alpha', 'beta'] as const) {
      for (const step of plan.steps(side, stage).read()) {
        const action = actionOf(step, step.kind === 'put' ? step.after : null);
        if (action === null) continue;
        ledger.count(action);
        report(action);
      }
    }
  }
}

function checkpointOptions(options: SessionOptions, rehash: boolean): CheckpointOptions {
  const { ignore, metadata, digest, symlinks, oneFileSystem } = options;
  return { ignore, metadata, digest, symlinks, oneFileSystem, rehash };
}

function phase(input: SyncInput, name: Phase): void {
  input.report({ type: 'progress', phase: name, filesDone: 0, filesTotal: 0, bytesDone: 0, bytesTotal: 0 });
}

async function onBoth<T>(work: (side: Side) => Promise<T>): Promise<Readonly<Record<Side, T>>> {
  const [alpha, beta] = await Promise.all([work('alpha'), work('beta')]);
  return { alpha, beta };
}

/** A listing of everything the index holds, as an endpoint that lost count would give it. */
async function* wholeTree(endpoint: Endpoint): AsyncGenerator<readonly Change[]> {
  yield await endpoint.lookup([ROOT]);
  yield* endpoint.subtree(ROOT);
}

const ROWS_PER_BATCH = 512;

async function* batchesOf(rows: readonly Row[]): AsyncGenerator<readonly Row[]> {
  for (let start = 0; start < rows.length; start += ROWS_PER_BATCH) yield rows.slice(start, start + ROWS_PER_BATCH);
}
