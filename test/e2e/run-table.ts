/**
 * Runs situations of the table: all of the same options at once on one pair, each in a folder of its own; with
 * TIDEMARK_E2E_ALONE set each on a pair of its own, which takes minutes but shows what interferes with what.
 */
import { beforeAll, describe, expect, it } from 'vitest';
import { expectNoWork, type Ground, type Pair, shown, type Wiring } from '../support/situations.ts';
import type { RunResult } from '../support/tidemark.ts';
import { rsyncDifferences, Tree } from '../support/trees.ts';
import type { Situation } from './situation.ts';

/** Defines the tests of `situations` for one wiring. */
export function describeTable(ground: () => Ground, wiring: Wiring, situations: readonly Situation[]): void {
  const isApart = ({ alone }: Situation) => alone === true || process.env.TIDEMARK_E2E_ALONE !== undefined;
  describeAlone(ground, wiring, situations.filter(isApart));
  describeTogether(
    ground,
    wiring,
    situations.filter((situation) => !isApart(situation)),
  );
}

function describeAlone(ground: () => Ground, wiring: Wiring, situations: readonly Situation[]): void {
  if (situations.length === 0) return;
  describe(`${wiring.name}, each alone`, () => {
    for (const situation of situations) {
      it(situation.name, async () => {
        const pair = ground().pair(wiring);
        const place: Place = { situation, within: '', alpha: pair.alpha, beta: pair.beta };
        const runs = await carryOut(pair, [place]);
        checkWhole(pair, runs, [situation]);
        checkPlace(pair, place, runs);
        pair.remove();
      });
    }
  });
}

function describeTogether(ground: () => Ground, wiring: Wiring, situations: readonly Situation[]): void {
  for (const [key, group] of grouped(situations)) {
    describe(`${wiring.name}, together: ${key}`, () => {
      let pair: Pair;
      let runs: Runs;
      let places: readonly Place[];
      beforeAll(async () => {
        pair = ground().pair(wiring);
        places = group.map((situation, index) => placeIn(pair, situation, index));
        runs = await carryOut(pair, places);
      });
      it('ends as the sum of its parts', () => checkWhole(pair, runs, group));
      group.forEach((situation, index) => {
        it(situation.name, () => {
          const place = places[index];
          if (place === undefined) throw new Error('no place');
          checkPlace(pair, place, runs);
        });
      });
    });
  }
}

interface Place {
  readonly situation: Situation;
  /** Folder below the roots with its slash; empty for the root. */
  readonly within: string;
  readonly alpha: Tree;
  readonly beta: Tree;
}

interface Runs {
  readonly sync: RunResult;
  readonly again: RunResult;
}

function grouped(situations: readonly Situation[]): Map<string, Situation[]> {
  const groups = new Map<string, Situation[]>();
  for (const situation of situations) {
    const key = groupOf(situation);
    groups.set(key, [...(groups.get(key) ?? []), situation]);
  }
  return groups;
}

function groupOf({ options = [], before }: Situation): string {
  return `${before === undefined ? 'first sync' : 'known pair'} ${options.join(' ')}`.trim();
}

function placeIn(pair: Pair, situation: Situation, index: number): Place {
  const folder = `s${String(index).padStart(3, '0')}`;
  const tree = (side: Tree) => new Tree(`${side.root}/${folder}`, `${folder}:`);
  return { situation, within: `${folder}/`, alpha: tree(pair.alpha), beta: tree(pair.beta) };
}

async function carryOut(pair: Pair, places: readonly Place[]): Promise<Runs> {
  const options = places[0]?.situation.options ?? [];
  if (places.some(({ situation }) => situation.before !== undefined)) {
    for (const { situation, alpha } of places) alpha.edit(situation.before ?? '');
    await pair.syncWell(...options);
  }
  for (const { situation, alpha, beta } of places) {
    alpha.edit(situation.alpha ?? '');
    beta.edit(situation.beta ?? '');
  }
  const sync = await pair.sync(...options);
  return { sync, again: await pair.sync(...options) };
}

function checkWhole(pair: Pair, { sync, again }: Runs, situations: readonly Situation[]): void {
  const has = (key: 'failed' | 'conflicts' | 'deferred') =>
    situations.some((situation) => (situation[key] ?? []).length > 0);
  const code = has('failed') ? 3 : has('conflicts') || has('deferred') ? 1 : 0;
  if (situations.every(isDecided)) {
    expect(sync.code, shown(sync)).toBe(code);
    expect(sync.summary.result).toBe(
      code === 3 ? 'failed' : has('conflicts') ? 'conflicts' : code === 1 ? 'deferred' : 'in-sync',
    );
  }
  expect(again.code, shown(again)).toBe(sync.code);
  expectNoWork(again);
  pair.expectTidy();
}

function checkPlace(pair: Pair, { situation, within, alpha, beta }: Place, { sync, again }: Runs): void {
  const { both, apart, conflicts = [], failed = [], deferred = [], actions, check } = situation;
  const expected = apart ?? (both === undefined ? null : { alpha: both, beta: both });
  if (isDecided(situation)) {
    const { summary } = sync;
    expect(pathsBelow(within, summary.conflicts), shown(sync)).toEqual([...conflicts].sort());
    expect(pathsBelow(within, summary.failed), shown(sync)).toEqual([...failed].sort());
    expect(pathsBelow(within, summary.deferred), shown(sync)).toEqual([...deferred].sort());
    expect(pathsBelow(within, again.summary.conflicts), 'conflicts of the run after').toEqual([...conflicts].sort());
  }
  if (expected !== null) {
    expect(alpha.list(), `alpha\n${shown(sync)}`).toEqual(alpha.expected(expected.alpha));
    expect(beta.list(), `beta\n${shown(sync)}`).toEqual(beta.expected(expected.beta));
  }
  if (apart === undefined && isDecided(situation)) {
    expect(rsyncDifferences(`${alpha.root}/`, `${beta.root}/`), 'rsync').toEqual([]);
  }
  if (actions !== undefined) expect(actionsBelow(within, sync)).toEqual([...actions].sort());
  check?.(pair, within);
  expect(actionsBelow(within, again), 'actions of the run after').toEqual([]);
}

/** Whether the table says how it ends, or only what must hold. */
function isDecided({ both, apart, check }: Situation): boolean {
  return both !== undefined || apart !== undefined || check === undefined;
}

function pathsBelow(within: string, facts: readonly { readonly path: string }[]): string[] {
  const paths = facts.map(({ path }) => path).filter((path) => path.startsWith(within));
  return paths.map((path) => path.slice(within.length)).sort();
}

/** `beta rename a→b`, as the JSON lines tell. */
function actionsBelow(within: string, { events }: RunResult): string[] {
  const lines: string[] = [];
  for (const { type, side, operation, path, from } of events) {
    if (type !== 'action' || !String(path).startsWith(within)) continue;
    const below = (text: unknown) => String(text).slice(within.length);
    lines.push(`${side} ${operation} ${from === undefined ? '' : `${below(from)}→`}${below(path)}`);
  }
  return lines.sort();
}
