import { expect, test } from 'vitest';
import { exitCodeFor, type Halt, resultOf } from '../../src/sync/report.ts';

const HALT: Halt = { reason: 'max-delete', side: 'beta', detail: '' };
const ONE = [{ path: 'x' }] as never;
const NONE = [] as never;

test.each([
  ['nothing', null, NONE, NONE, NONE, 0, 'in-sync'],
  ['deferred', null, NONE, NONE, ONE, 1, 'deferred'],
  ['conflicts', null, NONE, ONE, NONE, 1, 'conflicts'],
  ['conflicts and deferred', null, NONE, ONE, ONE, 1, 'conflicts'],
  ['failed', null, ONE, NONE, NONE, 3, 'failed'],
  ['everything', null, ONE, ONE, ONE, 3, 'failed'],
  ['a halt', HALT, NONE, NONE, NONE, 5, 'halted'],
  ['a halt and more', HALT, ONE, ONE, ONE, 5, 'halted'],
] as const)('%s', (_what, halt, failed, conflicts, deferred, code, result) => {
  expect(exitCodeFor({ halt, failed, conflicts, deferred })).toBe(code);
  expect(resultOf({ halt, failed, conflicts, deferred, dryRun: false })).toBe(result);
  expect(resultOf({ halt, failed, conflicts, deferred, dryRun: true })).toBe(halt === null ? 'dry-run' : 'halted');
});
