/** What must hold of every reconciliation. Functions of the reconciler, so that broken ones can be put to the same test. */
import fc from 'fast-check';
import { expect } from 'vitest';
import { type BytePath, isWithin } from '../../src/platform/core/byte-path.ts';
import { digestsNeeded } from '../../src/sync/core/compare.ts';
import type { Decision, DigestNeed, ReconcileOptions, Row } from '../../src/sync/core/plan.ts';
import { pairRenames, renameDigestsNeeded } from '../../src/sync/core/rename.ts';
import type { ConflictPolicy, Mode } from '../../src/sync/options.ts';
import {
  applyAll,
  decisionText,
  NO_METADATA,
  optionsWith,
  rowsOf,
  sparseRowsOf,
  swapped,
  textOf,
  treeText,
  type World,
  withNeededDigests,
} from '../support/tree-model.ts';
import { contentsOf, worlds } from '../support/tree-worlds.ts';

export type Reconcile = (rows: Iterable<Row>, options: ReconcileOptions) => Iterable<Decision>;
export type Property = (reconcile: Reconcile) => fc.IRawProperty<unknown, false>;

export const MODES: readonly Mode[] = ['two-way-safe', 'two-way-resolved', 'one-way-safe', 'one-way-replica'];
export const POLICIES: readonly ConflictPolicy[] = ['report', 'copy', 'newer', 'older', 'larger', 'alpha', 'beta'];

const everything = { blocks: true, metadata: true, moves: true, firstSyncs: true };
const settings = fc
  .record({
    mode: fc.constantFrom(...MODES),
    conflict: fc.constantFrom(...POLICIES),
    digest: fc.constantFrom<'xxh64' | 'sha256'>('xxh64', 'sha256'),
  })
  .map((chosen) => optionsWith(chosen));

/** The executor never has to refuse, and a second run finds nothing more to do. */
export const converges: Property = (reconcile) =>
  fc.property(worlds(everything), settings, (start, options) => {
    const decisions = decide(reconcile, start, options);
    const after = applyAll(start, decisions, options.metadata);
    const again = decide(reconcile, after, optionsFor(after, options));
    expect(actionsOf(again)).toEqual([]);
    expect(listedIn(again)).toEqual(listedIn(decisions));
  });

/** Without conflicts, problems and ignored things both sides end up the same. In one-way modes alpha is not touched. */
export const equalizes: Property = (reconcile) =>
  fc.property(worlds({ ...everything, blocks: false }), settings, (start, options) => {
    const decisions = decide(reconcile, start, options);
    const after = applyAll(start, decisions, options.metadata);
    if (options.mode.startsWith('one-way')) expect(treeText(after.alpha)).toBe(treeText(start.alpha));
    if (options.mode === 'one-way-safe' || decisions.some(({ kind }) => kind === 'conflict')) return;
    expect(treeText(after.beta)).toBe(treeText(after.alpha));
    expect(treeText(after.ancestor)).toBe(treeText(after.alpha));
  });

/** In two-way-safe, with nothing or only the name decided for the user, every content that is not the archive's is still there. */
export const losesNothing: Property = (reconcile) =>
  fc.property(worlds(everything), fc.constantFrom<ConflictPolicy>('report', 'copy'), (start, conflict) => {
    const options = optionsWith({ conflict });
    const after = applyAll(start, decide(reconcile, start, options), options.metadata);
    expectNothingLost(start, after);
  });

/** A run killed anywhere, even before its archive knew, is made good by the next one without any loss. */
export const survivesInterruption: Property = (reconcile) =>
  fc.property(
    worlds(everything),
    fc.constantFrom<ConflictPolicy>('report', 'copy'),
    fc.record({ steps: fc.nat(8), isRecorded: fc.boolean() }),
    (start, conflict, interruption) => {
      const options = optionsWith({ conflict });
      const killed = applyAll(start, decide(reconcile, start, options), options.metadata, interruption);
      const after = applyAll(killed, decide(reconcile, killed, options), options.metadata);
      expectNothingLost(start, after, 'isArchived');
      expect(actionsOf(decide(reconcile, after, options))).toEqual([]);
    },
  );

/** The archive's content may go: where it was, or (`isArchived`) wherever a renamed file took it. */
function expectNothingLost(start: World, after: World, mayGo: 'isOld' | 'isArchived' = 'isOld'): void {
  const left = new Set([...contentsOf(after, 'alpha'), ...contentsOf(after, 'beta')].map(({ text }) => text));
  for (const side of ['alpha', 'beta'] as const) {
    for (const content of contentsOf(start, side)) if (!content[mayGo]) expect(left).toContain(content.text);
  }
}

/** In two-way-resolved whatever alpha changed stays as alpha has it, and whatever alpha deleted stays deleted. */
export const alphaPrevails: Property = (reconcile) =>
  fc.property(worlds(everything), (start) => {
    const options = optionsWith({ mode: 'two-way-resolved' });
    const after = applyAll(start, decide(reconcile, start, options), options.metadata);
    for (const [path, before] of start.ancestor) {
      const [entry, left] = [start.alpha.get(path), after.alpha.get(path)];
      if (entry === undefined) expect(left).toBeUndefined();
      if (entry?.kind === 'file' && before.kind === 'file' && entry.digests.strong !== before.digests.strong) {
        expect(left?.kind === 'file' && textOf(left)).toBe(textOf(entry));
      }
    }
  });

/** In two-way-safe neither side is special, except that its metadata is taken where there is no common past. */
export const isSymmetric: Property = (reconcile) =>
  fc.property(worlds({ ...everything, metadata: false }), (start) => {
    const options = optionsWith({ metadata: NO_METADATA });
    const forward = decide(reconcile, start, options).map(swappedText);
    const backward = decide(reconcile, swapped(start), options).map(decisionText);
    expect(backward.sort()).toEqual(forward.sort());
  });

/** Rows of what is the same everywhere change nothing. */
export const needsOnlyChanges: Property = (reconcile) =>
  fc.property(worlds(everything), settings, (start, options) => {
    const sparse = [...reconcile(sparseRowsOf(start), optionsFor(start, options))];
    expect(sparse.map(decisionText)).toEqual(decide(reconcile, start, options).map(decisionText));
  });

/** Digests beyond those asked for change nothing that is done to a tree. */
export const needsOnlyNamedDigests: Property = (reconcile) =>
  fc.property(worlds(everything), settings, (start, options) => {
    const rows = rowsOf(start).map((row) => withNeededDigests(row, options));
    const after = applyAll(start, [...reconcile(rows, optionsFor(start, options))], options.metadata);
    const expected = applyAll(start, decide(reconcile, start, options), options.metadata);
    expect([treeText(after.alpha), treeText(after.beta)]).toEqual([treeText(expected.alpha), treeText(expected.beta)]);
  });

/** Nothing that is ignored, blocked or unreadable on a side is touched there, nor anything below a problem on the other. */
export const touchesNothingUntracked: Property = (reconcile) =>
  fc.property(worlds(everything), settings, (start, options) => {
    const after = applyAll(start, decide(reconcile, start, options), options.metadata);
    for (const side of ['alpha', 'beta'] as const) {
      for (const [path, entry] of start[side]) {
        if (entry.kind === 'untracked' || entry.kind === 'problem') expect(after[side].get(path)).toBe(entry);
      }
    }
  });

/** What one side ignores the other side keeps: its content, and in its place unless a directory above both moved. */
export const ignoringDeletesNothing: Property = (reconcile) =>
  fc.property(worlds(everything), settings, (start, options) => {
    const decisions = decide(reconcile, start, options);
    const after = applyAll(start, decisions, options.metadata);
    for (const side of ['alpha', 'beta'] as const) {
      const other = side === 'alpha' ? 'beta' : 'alpha';
      const hidden = [...start[side]].flatMap(([path, entry]) => (entry.kind === 'untracked' ? [path] : []));
      const isHidden = (path: BytePath) => hidden.some((above) => isWithin(path, above));
      const left = new Set([...after[other].values()].map((entry) => (entry.kind === 'file' ? textOf(entry) : '')));
      for (const [path, entry] of start[other]) {
        if (entry.kind === 'file' && isHidden(path)) expect(left).toContain(textOf(entry));
      }
      for (const decision of decisions) {
        if (decision.kind === 'rename' && decision.side === other) expect(isHidden(decision.from)).toBe(false);
      }
    }
  });

/** What is not synced may move along with its directory, but is all there. */
export const keepsUntracked: Property = (reconcile) =>
  fc.property(worlds(everything), settings, (start, options) => {
    const after = applyAll(start, decide(reconcile, start, options), options.metadata);
    for (const side of ['alpha', 'beta'] as const) expect(untrackedOn(after, side)).toEqual(untrackedOn(start, side));
  });

function untrackedOn(whole: World, side: 'alpha' | 'beta'): string[] {
  const kinds = [...whole[side].values()].map((entry) => (entry.kind === 'untracked' ? entry.what : entry.kind));
  return kinds.filter((kind) => kind === 'ignored' || kind === 'fifo' || kind === 'problem').sort();
}

/** Renames paired first, then all the rest. */
export const withRenames =
  (reconcile: Reconcile): Reconcile =>
  (rows, options) => {
    const pairing = pairRenames([...rows], options);
    return [...pairing.renames, ...reconcile(pairing.rows, options)];
  };

/** Renames are found, and the rest decided, with no more digests than are asked for where the files are by then. */
export const renamesNeedOnlyNamedDigests: Property = (reconcile) =>
  fc.property(worlds({ ...everything, firstSyncs: false }), settings, (start, options) => {
    const rows = rowsOf(start).map((row) => withNeededDigests(row, options));
    const wanted = renameDigestsNeeded(rows, options);
    const confirmed = rows.map((row) =>
      withDigests(
        row,
        start,
        wanted.filter(({ path }) => path === row.path),
      ),
    );
    const pairing = pairRenames(confirmed, optionsFor(start, options));
    const ripe = pairing.rows.map((given) => {
      let row = given;
      for (let pass = 0; pass < 2; pass++) row = withDigests(row, start, digestsNeeded(row, options));
      return row;
    });
    const after = applyAll(
      start,
      [...pairing.renames, ...reconcile(ripe, optionsFor(start, options))],
      options.metadata,
    );
    const expected = applyAll(start, decide(withRenames(reconcile), start, options), options.metadata);
    expect([treeText(after.alpha), treeText(after.beta)]).toEqual([treeText(expected.alpha), treeText(expected.beta)]);
  });

function withDigests(row: Row, start: World, needs: readonly DigestNeed[]): Row {
  let filled = row;
  for (const { side, path } of needs) filled = { ...filled, [side]: start[side].get(path) ?? null };
  return filled;
}

export function decide(reconcile: Reconcile, start: World, options: ReconcileOptions): Decision[] {
  return [...reconcile(rowsOf(start), optionsFor(start, options))];
}

function optionsFor(start: World, options: ReconcileOptions): ReconcileOptions {
  return { ...options, isTaken: (path) => start.alpha.has(path) || start.beta.has(path) };
}

function actionsOf(decisions: readonly Decision[]): string[] {
  return decisions.filter(({ kind }) => kind !== 'conflict' && kind !== 'problem').map(decisionText);
}

function listedIn(decisions: readonly Decision[]): string[] {
  return decisions.flatMap((decision) =>
    decision.kind === 'conflict' || decision.kind === 'problem' ? [`${decision.kind} ${decision.path}`] : [],
  );
}

function swappedText(decision: Decision): string {
  if ('side' in decision) return decisionText({ ...decision, side: decision.side === 'alpha' ? 'beta' : 'alpha' });
  if (decision.kind !== 'conflict') return decisionText(decision);
  const { alphaText, betaText } = decision;
  return decisionText({ ...decision, alphaText: betaText, betaText: alphaText });
}
