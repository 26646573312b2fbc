/** The protocol of checkpoints, proven by exhaustive search; and that the search would find the protocol's mistakes. */
import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { check, whyNoSpin } from '../support/spin.ts';
import { transitionsText } from '../support/transitions.ts';

const MODEL = join(import.meta.dirname, '../../docs/model/checkpoint.pml');
const TRANSITIONS = join(import.meta.dirname, '../../fixtures/model/transitions.json');

/** All searches wait for a processor within their own time. */
const TIMEOUT_MS = 600_000;
/** Each may take half a gigabyte. */
const SEARCHES_AT_ONCE = Math.min(4, availableParallelism());

const missing = whyNoSpin();
const reason = missing === null ? '' : ` (${missing})`;

const KINDS = ['BUFFERED', 'MMAP', 'AIO', 'DIRECT'] as const;
type Kind = (typeof KINDS)[number];

const writers = (first: Kind, second: Kind | 'NOBODY' = 'NOBODY') => [`FIRST=${first}`, `SECOND=${second}`];

const PAIRS = KINDS.flatMap((first, index) => KINDS.slice(index).map((second) => writers(first, second)));
const FAULTS = KINDS.flatMap((kind) => [
  [...writers(kind), 'FAULT_OVERFLOW', 'FAULT_WORKER', 'FAULT_DAEMON'],
  [...writers(kind), 'FAULT_POWER'],
]);

/** What would do as well, or what a limit needs. */
const ALTERNATIVES = [
  [...writers('BUFFERED'), 'VARIANT_FLUSH_AFTER_DRAIN'],
  [...writers('DIRECT'), 'FAULT_POWER', 'MUTANT_STAT_AFTER_POWER_LOSS', 'ASSUME_STAMPS_FIRST'],
  [...writers('MMAP'), 'FAULT_DAEMON', 'LIMIT_STORES_MOVE_NO_STAMP', 'REMEDY_SCAN_CONTENT'],
  [...writers('MMAP', 'DIRECT'), 'LIMIT_ERROR_SEEN', 'REMEDY_READ_PAST_CACHE'],
];

/** Each with one rule broken, or with a known limit let in, in the smallest setting that shows it. */
const REFUTED = [
  [...writers('BUFFERED'), 'MUTANT_READ_BEFORE_FLUSH'],
  [...writers('BUFFERED'), 'MUTANT_FLUSH_AFTER_DRAIN'],
  [...writers('BUFFERED'), 'MUTANT_NO_FLUSH'],
  [...writers('BUFFERED'), 'MUTANT_NO_DRAIN'],
  [...writers('BUFFERED'), 'MUTANT_LATE_MARK'],
  [...writers('MMAP'), 'MUTANT_NO_CENSUS'],
  [...writers('MMAP'), 'MUTANT_CENSUS_AFTER_DRAIN'],
  [...writers('BUFFERED'), 'MUTANT_TRANSITION_INTO_OPEN_ONLY'],
  [...writers('BUFFERED'), 'MUTANT_TRANSITION_INTO_CLOSED_ONLY'],
  [...writers('BUFFERED'), 'MUTANT_DROP_ON_REFUSAL'],
  [...writers('BUFFERED'), 'MUTANT_FORGET_PROVEN_HOT'],
  [...writers('BUFFERED'), 'MUTANT_ACKNOWLEDGE_DROPS_UNPROVEN'],
  [...writers('BUFFERED'), 'MUTANT_NO_LEASE'],
  [...writers('BUFFERED'), 'MUTANT_NO_FDATASYNC'],
  [...writers('DIRECT', 'BUFFERED'), 'MUTANT_IGNORE_WRITE_BACK_ERROR'],
  [...writers('BUFFERED'), 'MUTANT_FORGET_HOT', 'FAULT_WORKER'],
  [...writers('BUFFERED'), 'MUTANT_FORGET_TRANSITION', 'FAULT_WORKER'],
  [...writers('BUFFERED'), 'MUTANT_RECORD_IN_MEMORY', 'FAULT_WORKER'],
  [...writers('BUFFERED'), 'MUTANT_NO_GAP', 'FAULT_DAEMON'],
  [...writers('BUFFERED'), 'MUTANT_SCAN_BEFORE_LISTENING', 'FAULT_DAEMON'],
  [...writers('BUFFERED'), 'MUTANT_IGNORE_OVERFLOW', 'FAULT_OVERFLOW'],
  [...writers('DIRECT'), 'MUTANT_STAT_AFTER_POWER_LOSS', 'FAULT_POWER'],
  [...writers('AIO'), 'LIMIT_UNSEEN_CLOSE'],
  [...writers('MMAP', 'DIRECT'), 'LIMIT_ERROR_SEEN'],
  [...writers('MMAP'), 'LIMIT_STORES_MOVE_NO_STAMP', 'FAULT_DAEMON'],
  [...writers('BUFFERED'), 'WITNESS_QUIESCENCE'],
];

it('every mutant, limit and witness of the model is among the refuted', () => {
  const source = readFileSync(MODEL, 'utf8');
  const named = new Set(source.match(/\b(?:MUTANT|LIMIT|WITNESS)_[A-Z_]+\b/g));
  expect([...named].filter((name) => !REFUTED.some((defines) => defines.includes(name)))).toEqual([]);
});

it('spin is there where every change is checked', () => {
  if (process.env.CI !== undefined) expect(missing).toBeNull();
});

describe.skipIf(missing !== null).concurrent(`the model of the checkpoint${reason}`, { timeout: TIMEOUT_MS }, () => {
  it.each([...PAIRS, ...FAULTS, ...ALTERNATIVES].map(named))('%s holds', async (_, defines) => {
    const verdict = await taking(() => check(MODEL, defines, 'long'));
    expect(verdict, verdict.output).toMatchObject({ errors: 0, isExhaustive: true, violation: null });
  });

  it.each(REFUTED.map(named))('%s is refuted', async (_, defines) => {
    const verdict = await taking(() => check(MODEL, defines, 'short'));
    expect(verdict, verdict.output).toMatchObject({
      errors: 1,
      violation: expect.stringMatching(/^assertion violated/),
    });
  });

  it('prints the transitions that the fixture holds', async () => {
    expect(await taking(() => transitionsText(MODEL))).toBe(readFileSync(TRANSITIONS, 'utf8'));
  });
});

function named(defines: readonly string[]): readonly [string, readonly string[]] {
  return [defines.join(' ').replace(/ SECOND=NOBODY|FIRST=|SECOND=/g, ''), defines];
}

let free = SEARCHES_AT_ONCE;
const waiting: (() => void)[] = [];

/** Does `work` when one of the places for searches is free. */
async function taking<T>(work: () => Promise<T>): Promise<T> {
  if (free === 0) await new Promise<void>((resolve) => waiting.push(resolve));
  else free--;
  try {
    return await work();
  } finally {
    const next = waiting.shift();
    if (next === undefined) free++;
    else next();
  }
}
