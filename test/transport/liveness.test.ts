import { expect, it } from 'vitest';
import type { Clock } from '../../src/transport/clock.ts';
import { DEAD_AFTER_MS, PING_AFTER_MS } from '../../src/transport/core/limits.ts';
import { Liveness } from '../../src/transport/liveness.ts';

/** A clock whose one timer is run by hand, as late as one likes. */
function manual() {
  let nowMs = 0;
  let due: { atMs: number; action: () => void } | null = null;
  const clock: Clock = {
    now: () => nowMs,
    after(delayMs, action) {
      due = { atMs: nowMs + delayMs, action };
      return () => {
        due = null;
      };
    },
  };
  const seen: string[] = [];
  const liveness = new Liveness(
    clock,
    () => seen.push(`ping ${nowMs / 1000}`),
    () => seen.push(`dead ${nowMs / 1000}`),
  );
  /** Runs the timer, `lateMs` after it was due. */
  const run = (lateMs = 0) => {
    const timer = due;
    due = null;
    if (timer === null) return false;
    nowMs = timer.atMs + lateMs;
    timer.action();
    return true;
  };
  return { liveness, seen, run, set: (ms: number) => (nowMs = ms) };
}

it('asks twice, then gives up', () => {
  const { liveness, seen, run } = manual();
  liveness.start();
  while (run());
  expect(seen).toEqual(['ping 15', 'ping 30', 'dead 45']);
});

it('a sign of life starts the count again', () => {
  const { liveness, seen, run, set } = manual();
  liveness.start();
  run();
  set(DEAD_AFTER_MS - PING_AFTER_MS - 1000);
  liveness.alive();
  while (run());
  expect(seen).toEqual(['ping 15', 'ping 44', 'ping 59', 'dead 74']);
});

it('does not blame the peer for our own standstill', () => {
  const { liveness, seen, run } = manual();
  liveness.start();
  run(10 * DEAD_AFTER_MS);
  expect(seen).toEqual([]);
  while (run());
  expect(seen.map((text) => text.split(' ')[0])).toEqual(['ping', 'ping', 'dead']);
});

it('says nothing once stopped', () => {
  const { liveness, seen, run } = manual();
  liveness.start();
  liveness.stop();
  expect(run()).toBe(false);
  expect(seen).toEqual([]);
});
