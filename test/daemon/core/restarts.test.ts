import { expect, test } from 'vitest';
import { afterDeath, NO_DEATHS, RAN_WELL_MS } from '../../../src/daemon/core/restarts.ts';

/** Pauses of a worker that dies at once, again and again. */
function pauses(count: number, chance: number): number[] {
  let restarts = NO_DEATHS;
  return Array.from({ length: count }, () => {
    const { next, pauseMs } = afterDeath(restarts, 0, chance);
    restarts = next;
    return pauseMs;
  });
}

test('at once the first time, then ever later, never never', () => {
  expect(pauses(9, 0)).toEqual([0, 500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000]);
  expect(pauses(5000, 0).at(-1)).toBe(30_000);
});

test('chance shortens a pause by up to a quarter', () => {
  expect(pauses(3, 0.999)).toEqual([0, 375, 750]);
});

test('after a good run a death is a first one again', () => {
  const { next } = afterDeath({ deaths: 7 }, RAN_WELL_MS, 0);
  expect(next).toEqual({ deaths: 1 });
  expect(afterDeath({ deaths: 7 }, RAN_WELL_MS, 0).pauseMs).toBe(0);
  expect(afterDeath({ deaths: 7 }, RAN_WELL_MS - 1, 0).pauseMs).toBe(30_000);
});
