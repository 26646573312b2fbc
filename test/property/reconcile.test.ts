import fc from 'fast-check';
import { expect, test } from 'vitest';
import { reconcile } from '../../src/sync/core/reconcile.ts';
import * as properties from './reconcile-properties.ts';

const { MODES: _modes, POLICIES: _policies, decide: _decide, ...all } = properties;

test.each(Object.entries(all))('%s', (_name, property) => {
  fc.assert(property(reconcile), { numRuns: 1500 });
  expect.hasAssertions();
});
