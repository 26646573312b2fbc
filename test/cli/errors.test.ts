import { expect, test } from 'vitest';
import { errorLines, exitCodeOf } from '../../src/cli/errors.ts';
import { type Fault, TidemarkError } from '../../src/platform/core/errors.ts';

const PLAIN = { json: false, detailed: false };

test.each<[Fault, string, number]>([
  ['usage', 'bad-value', 2],
  ['unavailable', 'host-key-changed', 4],
  ['halted', 'root-missing', 5],
  ['locked', 'locked', 6],
  ['interrupted', 'SIGINT', 130],
  ['interrupted', 'SIGTERM', 143],
  ['interrupted', 'SIGHUP', 129],
  ['interrupted', 'prompt', 130],
  ['internal', 'invariant', 4],
])('%s (%s) exits with %i', (fault, code, exitCode) => {
  expect(exitCodeOf(new TidemarkError(fault, code, 'message'))).toBe(exitCode);
});

test.each([new Error('x'), 'text', null, undefined])('whatever else is thrown exits with 4', (error) => {
  expect(exitCodeOf(error)).toBe(4);
});

test('message and remedy', () => {
  const error = new TidemarkError('unavailable', 'host-key-changed', 'the key of server changed', {
    remedy: 'Ask its owner.\nThen edit known_hosts.',
  });
  expect(errorLines(error, PLAIN)).toEqual([
    'tidemark: the key of server changed',
    '  Ask its owner.',
    '  Then edit known_hosts.',
  ]);
});

test('an unforeseen error is called a bug; the stack and its causes come with -v', () => {
  const error = new TypeError('x is not a function', { cause: new Error('the deeper one') });
  expect(errorLines(error, PLAIN)).toEqual([
    'tidemark: x is not a function',
    '  This is a bug in tidemark; run again with -v for where it happened.',
  ]);
  const detailed = errorLines(error, { json: false, detailed: true }).join('\n');
  expect(detailed).toContain('errors.test.ts');
  expect(detailed).toContain('caused by: Error: the deeper one');
});

test('words of a peer cannot drive the terminal', () => {
  const hostile = 'bad\x1b[2J\nline\u202e';
  const error = new TidemarkError('unavailable', 'peer', hostile, { remedy: hostile });
  // biome-ignore lint/suspicious/noControlCharactersInRegex: that is what is looked for
  for (const line of errorLines(error, { json: false, detailed: true })) expect(line).not.toMatch(/[\0-\x1f\u202e]/);
});

test('one JSON object with --json', () => {
  const error = new TidemarkError('locked', 'locked', 'another run', { remedy: 'Wait.' });
  expect(errorLines(error, { json: true, detailed: false }).map((line) => JSON.parse(line))).toEqual([
    { type: 'error', fault: 'locked', code: 'locked', message: 'another run', remedy: 'Wait.', exitCode: 6 },
  ]);
  expect(JSON.parse(errorLines(new Error('x'), { json: true, detailed: true })[0] ?? '')).toMatchObject({
    fault: 'internal',
    code: 'unforeseen',
    exitCode: 4,
    stack: expect.stringContaining('Error: x'),
  });
});
