import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { reconcile } from '../../src/sync/core/reconcile.ts';
import {
  alphaPrevails,
  converges,
  equalizes,
  ignoringDeletesNothing,
  isSymmetric,
  keepsUntracked,
  losesNothing,
  needsOnlyChanges,
  needsOnlyNamedDigests,
  renamesNeedOnlyNamedDigests,
  survivesInterruption,
  touchesNothingUntracked,
  withRenames,
} from './reconcile-properties.ts';

/** The same worlds every time; another seed and number of runs for a longer search. */
const RUNS = {
  seed: Number(process.env.PROPERTY_SEED ?? 1),
  numRuns: Number(process.env.PROPERTY_RUNS ?? 500),
};

const always = { converges, equalizes, ignoringDeletesNothing, losesNothing, needsOnlyChanges, survivesInterruption };

describe('reconcile', () => {
  const properties = { ...always, alphaPrevails, isSymmetric, needsOnlyNamedDigests, touchesNothingUntracked };
  test.each(Object.entries(properties))('%s', (_name, property) => {
    fc.assert(property(reconcile), RUNS);
    expect.hasAssertions();
  });
});

describe('reconcile after pairing renames', () => {
  const properties = { ...always, keepsUntracked, renamesNeedOnlyNamedDigests };
  test.each(Object.entries(properties))('%s', (name, property) => {
    const asIs = name === 'renamesNeedOnlyNamedDigests';
    fc.assert(property(asIs ? reconcile : withRenames(reconcile)), RUNS);
    expect.hasAssertions();
  });
});
