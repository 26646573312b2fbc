import { expect, test } from 'vitest';
import { closestName } from '../../../src/cli/options/closest.ts';

const KNOWN = ['mode', 'conflict', 'max-delete', 'ignore', 'ignore-file'];

test.each([
  ['mdoe', 'mode'],
  ['conflit', 'conflict'],
  ['max-deletes', 'max-delete'],
  ['ignor', 'ignore'],
  ['x', null],
  ['', null],
  ['something-else', null],
])('%s → %s', (typed, name) => {
  expect(closestName(typed, KNOWN)).toBe(name);
});
