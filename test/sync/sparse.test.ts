import { closeSync, ftruncateSync, openSync, writeSync } from 'node:fs';
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { hashBytes, initHashing } from '../../src/journal/hash.ts';
import type { FileSystem } from '../../src/platform/filesystem.ts';
import type { ContentRecord } from '../../src/sync/core/content.ts';
import { threadDeltaEngine } from '../../src/sync/delta-engine.ts';
import { extentsOf, MIN_HOLE_BYTES } from '../../src/sync/extents.ts';
import { noise, signatureOf } from '../support/delta-tools.ts';
import { contentOf, Folder, NATIVE, supplied } from '../support/supply-tools.ts';

beforeAll(initHashing);

const MIB = 1024 * 1024;

describe('extents', () => {
  const hole = MIN_HOLE_BYTES;
  test.each<[string, number, [number, number][], string[]]>([
    ['an empty file', 0, [], []],
    ['all data', 100, [[0, 100]], ['data 0-100']],
    ['all hole', hole, [], [`hole 0-${hole}`]],
    ['a small hole all over', 100, [], ['data 0-100']],
    ['a hole first', hole + 9, [[hole, hole + 9]], [`hole 0-${hole}`, `data ${hole}-${hole + 9}`]],
    ['a hole last', hole + 9, [[0, 9]], ['data 0-9', `hole 9-${hole + 9}`]],
    [
      'a small hole between',
      300,
      [
        [0, 100],
        [200, 300],
      ],
      ['data 0-300'],
    ],
    [
      'a large hole between',
      hole + 200,
      [
        [0, 100],
        [hole + 100, hole + 200],
      ],
      ['data 0-100', `hole 100-${hole + 100}`, `data ${hole + 100}-${hole + 200}`],
    ],
    [
      'small and large',
      hole + 300,
      [
        [50, 100],
        [hole + 100, hole + 200],
      ],
      ['data 0-100', `hole 100-${hole + 100}`, `data ${hole + 100}-${hole + 300}`],
    ],
    ['data told beyond the end', 100, [[0, 4096]], ['data 0-100']],
  ])('%s', (_, size, ranges, expected) => {
    const next = (offset: number) => {
      const range = ranges.find(([, end]) => end > offset);
      return range === undefined
        ? null
        : { start: Math.max(offset, range[0]), end: Math.min(range[1], Math.max(size, 1)) };
    };
    expect([...extentsOf(size, next)].map(({ kind, start, end }) => `${kind} ${start}-${end}`)).toEqual(expected);
  });
});

// The portable file system knows no holes.
describe.skipIf(NATIVE === null)('sparse files', () => {
  const native = NATIVE as FileSystem;
  let folder: Folder;
  beforeEach(() => {
    folder = new Folder();
  });
  afterEach(() => folder.close());

  function sparse(name: string, sizeBytes: number, pieces: readonly [number, Buffer][]): Buffer {
    const bytes = Buffer.alloc(sizeBytes);
    const fd = openSync(folder.at(name), 'w');
    ftruncateSync(fd, sizeBytes);
    for (const [at, piece] of pieces) {
      writeSync(fd, piece, 0, piece.length, at);
      piece.copy(bytes, at);
    }
    closeSync(fd);
    return bytes;
  }

  const holeBytes = (records: readonly ContentRecord[]) =>
    records.reduce((sum, record) => sum + (record.kind === 'hole' ? record.lengthBytes : 0), 0);

  test('holes travel as holes, and so do zeros in a file that has holes', async () => {
    const bytes = sparse('f', 12 * MIB, [
      [2 * MIB, noise(MIB, 1)],
      [6 * MIB, Buffer.alloc(MIB)],
      [8 * MIB, noise(100, 2)],
    ]);
    const records = await supplied(native, folder, [folder.order(native, 1, 'f')]);
    expect(contentOf(records).equals(bytes)).toBe(true);
    expect(holeBytes(records)).toBeGreaterThan(10.5 * MIB);
    expect(records.at(-1)).toMatchObject({ kind: 'end', entry: { digests: hashBytes(bytes, 'both') } });
  });

  test('a file without data is one hole', async () => {
    sparse('f', 3 * MIB, []);
    const records = await supplied(native, folder, [folder.order(native, 1, 'f')]);
    expect(records.map(({ kind }) => kind)).toEqual(['begin', 'hole', 'end']);
  });

  test('zeros in a file without holes stay data: they are allocated, and so they stay', async () => {
    sparse('f', MIB, [[0, Buffer.alloc(MIB)]]);
    const records = await supplied(native, folder, [folder.order(native, 1, 'f')]);
    expect(holeBytes(records)).toBe(0);
  });

  test('a delta goes around holes', async () => {
    const old = noise(6 * MIB, 1);
    const bytes = sparse('f', 6 * MIB, [
      [0, old.subarray(0, MIB)],
      [4 * MIB, old.subarray(4 * MIB)],
    ]);
    const signature = signatureOf(old, threadDeltaEngine().signBlocks);
    const records = await supplied(native, folder, [folder.order(native, 1, 'f', { signature })]);
    expect(contentOf(records, { bytes: old, signature }).equals(bytes)).toBe(true);
    expect(holeBytes(records)).toBe(3 * MIB);
    expect(contentOf(records.filter(({ kind }) => kind === 'data')).length).toBeLessThan(20_000);
  });
});
