import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ByteReader, ByteWriter, MalformedError } from '../../../src/platform/core/bytes.ts';
import { readEntry, writeEntry } from '../../../src/sync/core/codec.ts';
import type { Entry } from '../../../src/sync/core/entry.ts';

function bytesOf(entry: Entry | null): Buffer {
  const out = new ByteWriter();
  writeEntry(out, entry);
  return out.take();
}

function entryFrom(bytes: Uint8Array): Entry | null {
  const from = new ByteReader(bytes);
  const entry = readEntry(from);
  from.finish();
  return entry;
}

describe('entries', () => {
  test('symlinks come back with and without owner and time', () => {
    const time = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });
    const symlink = fc.record(
      { kind: fc.constant('symlink' as const), target: fc.constant('../x'), owner: fc.constant('1:2'), mtimeNs: time },
      { requiredKeys: ['kind', 'target'] },
    );
    fc.assert(
      fc.property(symlink, (entry) => {
        expect(entryFrom(bytesOf(entry))).toEqual(entry);
      }),
    );
  });

  /** Kind, then flags. */
  test.each([
    ['file', { kind: 'file', mode: 0o644, sizeBytes: 0, mtimeNs: 0n, digests: { fast: null, strong: null } }, 32],
    ['directory', { kind: 'directory', mode: 0o755 }, 1],
    ['directory', { kind: 'directory', mode: 0o755 }, 32],
    ['symlink', { kind: 'symlink', target: 'x' }, 8],
    ['symlink', { kind: 'symlink', target: 'x' }, 64],
  ] as [string, Entry, number][])('a %s with flags of fields it does not have is refused', (_kind, entry, flag) => {
    const bytes = bytesOf(entry);
    expect(entryFrom(bytes)).toEqual(entry);
    bytes[1] = flag;
    expect(() => entryFrom(Buffer.concat([bytes, Buffer.alloc(64)]))).toThrow(MalformedError);
    expect(() => entryFrom(Buffer.concat([bytes, Buffer.alloc(64)]))).toThrow(/flags/);
  });

  test('a time cut short is refused', () => {
    const bytes = bytesOf({ kind: 'symlink', target: 'x', mtimeNs: 5n });
    expect(() => entryFrom(bytes.subarray(0, -1))).toThrow(MalformedError);
  });
});
