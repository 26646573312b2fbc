/** SPIN, the model checker, run on `docs/model/checkpoint.pml` in a temporary folder. */
import { execFile, spawnSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** Steps that the deepest path may have; more than any configuration needs, at about 90 bytes each. */
const DEPTH_LIMIT = 2_000_000;
const MEMORY_LIMIT_MIB = 2_000;

/** What the checker found out about one configuration. */
export interface Verdict {
  readonly errors: number;
  /** Every reachable state was visited and kept whole: no bit-state hashing, no limit met. */
  readonly isExhaustive: boolean;
  readonly states: number;
  /** The property that was violated, as the checker words it; null where none was. */
  readonly violation: string | null;
  readonly output: string;
}

/** One row of the table of the journal's transitions: the flags that are set before, the event, those set after. */
export type Transition = readonly [before: string, event: string, after: string];

/** The flags of a state, in the order in which the model prints them. */
export const FLAGS = ['pending', 'recorded', 'transition', 'hot', 'unproven', 'closed', 'told'] as const;

/** Why the model cannot be checked here; null where it can. */
export function whyNoSpin(): string | null {
  if (spawnSync('spin', ['-V']).error !== undefined) return 'spin is not installed';
  return spawnSync('cc', ['--version']).error === undefined ? null : 'no C compiler is installed';
}

/**
 * Checks `model` with the macros `defines`, exhaustively or up to the first error.
 *
 * A `short` search is over before an optimising compiler would be.
 */
export async function check(model: string, defines: readonly string[], length: 'long' | 'short'): Promise<Verdict> {
  const compilation = [length === 'long' ? '-O1' : '-O0', `-DMEMLIM=${MEMORY_LIMIT_MIB}`];
  const output = await search(model, defines, compilation, [`-m${DEPTH_LIMIT}`]);
  const errors = Number(/errors: (\d+)/.exec(output)?.[1] ?? Number.NaN);
  return {
    errors,
    isExhaustive: output.includes('Full statespace search') && !/not completed|too small|out of memory/.test(output),
    states: Number(/(\d+) states, stored/.exec(output)?.[1] ?? Number.NaN),
    violation: /pan:1: (.*) \(at depth/.exec(output)?.[1] ?? null,
    output,
  };
}

/** The journal's transitions as the model makes them, sorted. */
export async function transitionsOf(model: string): Promise<Transition[]> {
  const output = await search(model, ['TABLE'], ['-DPRINTF'], []);
  const rows = output.split('\n').flatMap((line) => (line.startsWith('ROW ') ? [line.slice('ROW '.length)] : []));
  return [...new Set(rows)].sort().map(parseRow);
}

function parseRow(row: string): Transition {
  const [event = '', ...bits] = row.trim().split(' ');
  if (bits.length !== 2 * FLAGS.length) throw new Error(`not a row of the table: ${row}`);
  const flags = (from: number) => FLAGS.filter((_, index) => bits[from + index] === '1').join(' ');
  return [flags(0), event, flags(FLAGS.length)];
}

async function search(
  model: string,
  defines: readonly string[],
  compilation: readonly string[],
  limits: readonly string[],
): Promise<string> {
  const cwd = await mkdtemp(join(tmpdir(), 'tidemark-model-'));
  try {
    const { stdout } = await run('spin', [...defines.map((name) => `-D${name}`), '-a', model], { cwd });
    if (stdout !== '') throw new Error(`spin has something to say about ${model}:\n${stdout}`);
    await run('cc', ['-w', '-DSAFETY', '-DNOREDUCE', ...compilation, '-o', 'pan', 'pan.c'], { cwd });
    // A search that met an error or a limit says so in its output, which is what counts.
    return (await run('./pan', limits, { cwd, maxBuffer: 16 << 20 })).stdout;
  } finally {
    await rm(cwd, { recursive: true, force: true });
  }
}
