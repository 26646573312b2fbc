import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Entry } from '../../../src/journal/core/entry.ts';
import {
  COARSE_NS,
  decodeRecord,
  encodeRecord,
  holdsDirectoryStat,
  holdsStat,
  isRacy,
  TICK_NS,
} from '../../../src/journal/core/index-record.ts';
import { MalformedError } from '../../../src/platform/core/bytes.ts';
import { directoryRecord, fileRecord, packedStat, UNTRACKED } from '../store/records.ts';

const FAST = 'abcdefgh';
const STRONG = 's'.repeat(32);

describe('an index row', () => {
  const file = fileRecord(7, 1234);
  const entry = file.entry as Extract<Entry, { kind: 'file' }>;
  test.each([
    ['file', file],
    ['file with a fast digest', fileRecord(7, 1234, { fast: FAST, strong: null })],
    ['file with both', fileRecord(7, 1234, { fast: FAST, strong: STRONG })],
    ['racy file', { ...file, racy: true }],
    ['file unlike its stat', { ...file, entry: { ...entry, mode: 0o600, digests: { fast: FAST, strong: STRONG } } }],
    ['file with extras', { ...file, entry: { ...entry, owner: '1:2', xattrs: 'x', linkTo: 'a/b' } }],
    ['file without a stat', { ...file, packedStat: null }],
    ['file of 2^52 bytes', fileRecord(7, 2 ** 52)],
    ['directory', directoryRecord(9)],
    [
      'directory with owner',
      { ...directoryRecord(9), entry: { kind: 'directory', mode: 0o755, owner: '0:0' } as const },
    ],
    [
      'symlink',
      { entry: { kind: 'symlink', target: '../\xff' } as const, packedStat: packedStat(3, 5, 0o120777), racy: false },
    ],
    ['untracked', UNTRACKED],
    ['problem', { entry: { kind: 'problem', code: 'EACCES', message: 'no' } as const, packedStat: null, racy: false }],
  ])('%s comes back as it was', (_, record) => {
    const row = encodeRecord(record);
    expect(decodeRecord(row)).toEqual(record);
    expect((row[0] as number) & 0x80).toBe(0);
    expect(decodeRecord(Buffer.concat([row, Buffer.from('tail')]), row.length)).toEqual(record);
  });

  test('has the same length whatever is known of the content', () => {
    const lengths = [
      file,
      fileRecord(7, 1, { fast: FAST, strong: null }),
      fileRecord(7, 1, { fast: FAST, strong: STRONG }),
    ];
    expect(lengths.map((record) => encodeRecord(record).length)).toEqual([105, 105, 105]);
  });

  test('that is damaged is refused', () => {
    const row = encodeRecord(fileRecord(7, 1234));
    for (let length = 0; length < row.length; length++)
      expect(() => decodeRecord(row.subarray(0, length))).toThrow(MalformedError);
    expect(() => decodeRecord(Buffer.concat([row, Buffer.from('x')]))).toThrow(MalformedError);
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        try {
          decodeRecord(Buffer.from(bytes));
        } catch (error) {
          expect(error).toBeInstanceOf(MalformedError);
        }
      }),
    );
  });

  test('a refused record leaves nothing behind for the next', () => {
    const wrong = fileRecord(7, 1, { fast: 'short', strong: null });
    expect(() => encodeRecord(wrong)).toThrow(MalformedError);
    expect(decodeRecord(encodeRecord(file))).toEqual(file);
  });
});

describe('stats', () => {
  test('every byte that tells of a change counts, device and link count do not', () => {
    const row = encodeRecord(fileRecord(7, 1234));
    for (let at = 0; at < 64; at++) {
      const other = packedStat(7, 1234);
      other[at] = (other[at] as number) ^ 1;
      expect([at, holdsStat(row, other)]).toEqual([at, at < 12]);
      expect([at, holdsDirectoryStat(row, other)]).toEqual([at, at < 12 || (at >= 32 && at < 56)]);
    }
  });

  const at = (mtimeNs: bigint, ctimeNs: bigint) => {
    const packed = packedStat(1, 1);
    packed.writeBigInt64LE(mtimeNs, 40);
    packed.writeBigInt64LE(ctimeNs, 48);
    return packed;
  };
  const NOW = 1_700_000_000_500_000_001n;
  const OLD = 1_600_000_000_000_000_001n;
  test.each([
    ['long ago', OLD, OLD, false],
    ['ctime just now', OLD, NOW, true],
    ['mtime just now', NOW, OLD, true],
    ['a tick ago', OLD, NOW - TICK_NS, true],
    ['more than a tick ago', OLD, NOW - TICK_NS - 1n, false],
    ['between the two looks at the clock', OLD, NOW + 5n, true],
    ['far in the future', NOW * 2n, OLD, false],
    ['whole seconds in ctime only, a second ago', OLD, 1_699_999_999_000_000_000n, false],
    ['whole seconds in both', 1_699_999_999_000_000_000n, 1_699_999_999_000_000_000n, true],
  ])('%s', (_, mtimeNs, ctimeNs, racy) => {
    expect(isRacy(at(mtimeNs, ctimeNs), { fromNs: NOW, toNs: NOW + 10n, granularityNs: TICK_NS })).toBe(racy);
  });

  test('a coarse file system has a longer window', () => {
    const packed = at(OLD, NOW - 1_900_000_000n);
    expect(isRacy(packed, { fromNs: NOW, toNs: NOW, granularityNs: TICK_NS })).toBe(false);
    expect(isRacy(packed, { fromNs: NOW, toNs: NOW, granularityNs: COARSE_NS })).toBe(true);
  });
});
