import { expect, test } from 'vitest';
import { PLAIN, styleFor } from '../../../src/cli/output/style.ts';
import { formatBytes, formatCount, formatElapsed, plural } from '../../../src/cli/output/units.ts';
import { fitted, textWidth } from '../../../src/cli/output/width.ts';

test.each([
  [0, '0 B'],
  [999, '999 B'],
  [1000, '1.0 KB'],
  [1234, '1.2 KB'],
  [9_949, '9.9 KB'],
  [9_950, '10 KB'],
  [999_499, '999 KB'],
  [999_500, '1.0 MB'],
  [340_000_000, '340 MB'],
  [1.5e12, '1.5 TB'],
  [2 ** 60, '1153 PB'],
])('%i bytes', (bytes, text) => {
  expect(formatBytes(bytes)).toBe(text);
});

test.each([
  [0, '0.0 s'],
  [912, '0.9 s'],
  [9_949, '9.9 s'],
  [9_960, '10 s'],
  [59_400, '59 s'],
  [59_600, '1 min 0 s'],
  [80_000, '1 min 20 s'],
  [7_500_000, '2 h 5 min'],
])('%i ms', (elapsedMs, text) => {
  expect(formatElapsed(elapsedMs)).toBe(text);
});

test('counts', () => {
  expect([0, 999, 1000, 78_579, 1_234_567].map(formatCount)).toEqual(['0', '999', '1,000', '78,579', '1,234,567']);
  expect([plural(1, 'path'), plural(2, 'path'), plural(0, 'entry', 'entries')]).toEqual([
    '1 path',
    '2 paths',
    '0 entries',
  ]);
});

test.each([
  ['abc', 3],
  ['日本', 4],
  ['e\u0301', 1],
  ['🚀', 2],
  ['→…', 2],
])('width of %s', (text, width) => {
  expect(textWidth(text)).toBe(width);
});

test('long text gives way in the middle', () => {
  expect(fitted('docs/readme.md', 20)).toBe('docs/readme.md');
  expect(fitted('docs/a/very/long/readme.md', 13)).toBe('docs…eadme.md');
  expect(fitted('日本語日本語日本語', 8)).toBe('日…本語');
  expect(fitted('abc', 1)).toBe('…');
  expect(fitted('abc', 0)).toBe('');
});

test.each([
  [true, {}, true],
  [true, { NO_COLOR: '' }, true],
  [true, { NO_COLOR: '1' }, false],
  [true, { TERM: 'dumb' }, false],
  [false, {}, false],
])('colour: terminal %s, %j', (isTerminal, environment, coloured) => {
  expect(styleFor(isTerminal, environment) !== PLAIN).toBe(coloured);
});
