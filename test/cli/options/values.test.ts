import { expect, test } from 'vitest';
import {
  parseDeletionLimit,
  parseDuration,
  parseLine,
  parseName,
  parsePattern,
  parsePort,
  parseRate,
} from '../../../src/cli/options/values.ts';
import { fromText } from '../../../src/platform/core/byte-path.ts';

const MIB = 1024 * 1024;

test.each([
  ['100', 102_400],
  ['1.5', 1536],
  ['512B', 512],
  ['512b/s', 512],
  ['500K', 512_000],
  ['500k', 512_000],
  ['500KiB', 512_000],
  ['500KB', 500_000],
  ['500kB/s', 500_000],
  ['2M', 2 * MIB],
  ['2 MiB', 2 * MIB],
  ['2.5MB', 2_500_000],
  ['1G', 1024 * MIB],
  ['0', null],
  ['0K', null],
])('rate %s', (text, value) => {
  expect(parseRate(text)).toEqual({ ok: true, value });
});

test.each(['', 'fast', '-1', '1X', '1KK', '1e3', 'K', '0.1B', '99999999999T', '1 2', '٣K'])('no rate: %s', (text) => {
  expect(parseRate(text).ok).toBe(false);
});

test.each([
  ['30d', 30 * 86_400],
  ['12h', 43_200],
  ['2w', 1_209_600],
  ['90m', 5400],
  ['45s', 45],
  ['1y', 31_536_000],
  ['1.5d', 129_600],
  ['0', 0],
])('duration %s', (text, value) => {
  expect(parseDuration(text)).toEqual({ ok: true, value });
});

test.each(['', '30', '30 days', 'd', '-1d', '1d2h', '101y', '1e9d', '1D'])('no duration: %s', (text) => {
  expect(parseDuration(text).ok).toBe(false);
});

test.each([
  ['0', { kind: 'count', count: 0 }],
  ['100', { kind: 'count', count: 100 }],
  ['50%', { kind: 'percent', percent: 50 }],
  ['0.5%', { kind: 'percent', percent: 0.5 }],
  ['100%', { kind: 'percent', percent: 100 }],
])('deletion limit %s', (text, value) => {
  expect(parseDeletionLimit(text)).toEqual({ ok: true, value });
});

test.each(['', '%', '-5', '101%', '1.5', '10 %', 'all', '99999999999999999'])('no deletion limit: %s', (text) => {
  expect(parseDeletionLimit(text).ok).toBe(false);
});

test.each([
  ['1', 1],
  ['22', 22],
  ['65535', 65_535],
])('port %s', (text, value) => {
  expect(parsePort(text)).toEqual({ ok: true, value });
});

test.each(['', '0', '65536', '-22', '22x', '1e3', ' 22'])('no port: %s', (text) => {
  expect(parsePort(text).ok).toBe(false);
});

test('a line becomes text, a name and a pattern stay bytes', () => {
  const bytes = fromText('schlüssel');
  expect(parseLine(bytes)).toEqual({ ok: true, value: 'schlüssel' });
  expect(parseName(bytes)).toEqual({ ok: true, value: bytes });
  expect(parsePattern('caf\xe9')).toEqual({ ok: true, value: 'caf\xe9' });
});

test.each([
  ['empty', parseLine('')],
  ['blank', parseLine('  ')],
  ['two lines', parseLine('a\nb')],
  ['NUL', parsePattern('a\0b')],
  ['not UTF-8', parseLine('caf\xe9')],
  ['a directory', parseName('a/b')],
  ['dot dot', parseName('..')],
  ['endless', parsePattern('a'.repeat(4097))],
])('refused: %s', (_what, result) => {
  expect(result.ok).toBe(false);
});
