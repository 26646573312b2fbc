import { expect, test } from 'vitest';
import { progressLine, progressReporter, RateMeter } from '../../../src/cli/output/progress.ts';
import { textWidth } from '../../../src/cli/output/width.ts';
import { fromText } from '../../../src/platform/core/byte-path.ts';
import type { ProgressEvent } from '../../../src/sync/report.ts';

const HALFWAY: ProgressEvent = {
  type: 'progress',
  phase: 'transferring',
  filesDone: 1234,
  filesTotal: 5678,
  bytesDone: 170_000_000,
  bytesTotal: 340_000_000,
  current: { path: fromText('videos/2024/日本 — a long journey.mkv'), bytesDone: 1, bytesTotal: 3 },
};

test.each([
  [
    140,
    'transferring  [##########----------]  50%  1,234/5,678 files  170 MB/340 MB  3.4 MB/s  50 s left  videos/2024/日本 — a long journey.mkv 33%',
  ],
  [
    120,
    'transferring  [##########----------]  50%  1,234/5,678 files  170 MB/340 MB  3.4 MB/s  50 s left  video… journey.mkv 33%',
  ],
  [79, 'transferring  [##########----------]  50%  1,234/5,678 files  170 MB/340 MB'],
  [40, 'transferring   50%  1,234/5,678 files'],
  [12, 'transferring'],
  [3, ''],
])('in %i columns', (columns, line) => {
  expect(progressLine(HALFWAY, 3_400_000, columns)).toBe(line);
  expect(textWidth(progressLine(HALFWAY, 3_400_000, columns))).toBeLessThanOrEqual(columns);
});

test('totals that are not known are left out', () => {
  const scanning = { ...HALFWAY, phase: 'scanning', filesTotal: 0, bytesDone: 0, bytesTotal: 0 } as const;
  const { current: _, ...event } = scanning;
  expect(progressLine(event, null, 79)).toBe('scanning      1,234 files');
  expect(progressLine({ ...event, phase: 'connecting', filesDone: 0 }, null, 79)).toBe('connecting  ');
});

test('100% is said only at the end', () => {
  const almost = { ...HALFWAY, bytesDone: 339_999_999 };
  expect(progressLine(almost, null, 79)).toContain(' 99%');
  expect(progressLine({ ...HALFWAY, bytesDone: 350_000_000 }, null, 79)).toContain('100%');
});

test('the rate is that of the last five seconds', () => {
  const meter = new RateMeter();
  expect(meter.add(0, 0)).toBeNull();
  expect(meter.add(400, 1000)).toBeNull();
  expect(meter.add(1000, 1000)).toBe(1000);
  for (let at = 2000; at <= 20_000; at += 1000) meter.add(at, 1000);
  expect(meter.add(21_000, 1000)).toBe(0);
});

function watch(isTTY: boolean, stepMs: number, events: readonly ProgressEvent[]) {
  const drawn: string[] = [];
  const talked: string[] = [];
  let now = 0;
  const terminal = {
    columns: 80,
    isTerminal: () => isTTY,
    status: (line: string) => drawn.push(line),
    talk: (line: string) => talked.push(line),
  };
  const reporter = progressReporter({ terminal, nowMs: () => now });
  for (const event of events) {
    reporter.event(event);
    now += stepMs;
  }
  reporter.stopped(new Error('over'));
  return { drawn, talked };
}

test('drawn at most ten times a second, and taken away at the end', () => {
  const events = Array.from({ length: 1000 }, () => HALFWAY);
  const { drawn, talked } = watch(true, 1, events);
  expect(drawn).toHaveLength(10 + 1);
  expect(drawn.at(-1)).toBe('');
  expect(talked).toEqual([]);
});

test('without a terminal: a line now and then', () => {
  const { talked } = watch(
    false,
    1000,
    Array.from({ length: 9 }, () => HALFWAY),
  );
  expect(talked).toHaveLength(5);
});
