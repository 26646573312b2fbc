/**
 * When a worker that died is started again: at once the first time, then after longer and longer pauses, and never not
 * at all. Pure: time and chance are handed in.
 */

/** How often in a row it died without having run well in between. */
export interface Restarts {
  readonly deaths: number;
}

export const NO_DEATHS: Restarts = { deaths: 0 };

/** Run for so long, it counts as well: a crash afterwards is a first one again. */
export const RAN_WELL_MS = 60_000;

/** The second pause; the first is none. */
const FIRST_PAUSE_MS = 500;

/** Longest pause: what an administrator who repairs the cause has to wait at most. */
const LONGEST_PAUSE_MS = 30_000;

/**
 * The pause before the next start, after a run of `ranMs`. `chance` in [0, 1): up to a quarter of the pause is left out,
 * so that many services on one machine do not start in step.
 */
export function afterDeath({ deaths }: Restarts, ranMs: number, chance: number): { next: Restarts; pauseMs: number } {
  const earlier = ranMs >= RAN_WELL_MS ? 0 : deaths;
  const full = earlier === 0 ? 0 : Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** Math.min(earlier - 1, 16));
  return { next: { deaths: earlier + 1 }, pauseMs: Math.round(full * (1 - chance / 4)) };
}
