import { describe, expect, test } from 'vitest';
import { guardDeletions, guardRoots, type KnownRoot } from '../../../src/sync/core/safety.ts';
import type { RootState } from '../../../src/sync/endpoint.ts';
import type { DeletionLimit } from '../../../src/sync/options.ts';

const before: KnownRoot = { kind: 'directory', identity: 'id:1', entries: 5 };
const now: RootState = {
  kind: 'directory',
  parentExists: true,
  identity: 'id:1',
  isEmpty: false,
  hostId: 'h:1',
  ancestorIds: [],
  canonicalPath: '/r',
};

describe('roots', () => {
  test.each<[string, Partial<KnownRoot> | null, Partial<RootState>, string | null]>([
    ['as it was', {}, {}, null],
    ['never seen', null, { kind: 'missing', identity: null }, null],
    ['gone', {}, { kind: 'missing', identity: null, isEmpty: false }, 'root-missing'],
    ['a file now', {}, { kind: 'file' }, 'root-type'],
    ['something else now', {}, { kind: 'other' }, 'root-type'],
    ['a directory now', { kind: 'file' }, {}, 'root-type'],
    ['emptied', {}, { isEmpty: true }, 'root-emptied'],
    ['emptied with its marker', {}, { isEmpty: true, identity: 'fs:9' }, 'root-emptied'],
    ['emptied of two', { entries: 2 }, { isEmpty: true }, 'root-emptied'],
    ['emptied of one', { entries: 1 }, { isEmpty: true }, null],
    ['another directory', {}, { identity: 'id:2' }, 'root-identity'],
    ['without its marker', {}, { identity: 'fs:9' }, 'root-identity'],
    ['a file saved anew', { kind: 'file', identity: 'fs:1' }, { kind: 'file', identity: 'fs:2' }, null],
  ])('%s', (_name, known, state, reason) => {
    const root = known === null ? null : { ...before, ...known };
    for (const side of ['alpha', 'beta'] as const) {
      const halt = guardRoots(
        { alpha: null, beta: null, [side]: root },
        { alpha: now, beta: now, [side]: { ...now, ...state } },
      );
      expect(halt?.reason ?? null).toBe(reason);
      if (reason !== null) expect(halt?.side).toBe(side);
    }
  });
});

describe('deletions', () => {
  const half: DeletionLimit = { kind: 'percent', percent: 50 };
  test.each<[string, number, number, DeletionLimit, boolean]>([
    ['none of none', 0, 0, half, false],
    ['ten of ten', 10, 10, half, false],
    ['eleven of twelve', 11, 12, half, true],
    ['half', 50, 100, half, false],
    ['more than half', 51, 100, half, true],
    ['ten of many under zero percent', 10, 100, { kind: 'percent', percent: 0 }, false],
    ['a count is meant as it stands', 3, 100, { kind: 'count', count: 2 }, true],
    ['up to the count', 2, 100, { kind: 'count', count: 2 }, false],
    ['no deletion at all', 1, 100, { kind: 'count', count: 0 }, true],
    ['all', 100, 100, { kind: 'percent', percent: 100 }, false],
  ])('%s', (_name, deleted, entries, maxDelete, halts) => {
    const halt = guardDeletions({ alpha: 0, beta: deleted }, { alpha: { entries }, beta: { entries } }, { maxDelete });
    expect(halt?.reason ?? null).toBe(halts ? 'max-delete' : null);
    if (halts) expect(halt?.side).toBe('beta');
  });

  test('the detail names numbers, side and limit', () => {
    const halt = guardDeletions(
      { alpha: 60, beta: 0 },
      { alpha: { entries: 100 }, beta: { entries: 100 } },
      { maxDelete: half },
    );
    expect(halt?.detail).toBe('60 of 100 entries would be deleted on alpha, the limit is 50 %');
  });
});
