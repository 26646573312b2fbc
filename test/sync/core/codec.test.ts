import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Entry } from '../../../src/journal/core/entry.ts';
import { readEntry, readText, writeEntry, writeText } from '../../../src/journal/core/entry-codec.ts';
import { MAX_MESSAGE_BYTES } from '../../../src/journal/core/limits.ts';
import { ByteReader, ByteWriter, MalformedError } from '../../../src/platform/core/bytes.ts';
import { readOutcome, writeOutcome } from '../../../src/sync/core/codec.ts';
import { readRecords, writeRecord } from '../../../src/sync/core/content.ts';

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

describe('messages', () => {
  const MESSAGE = 'Gerät läuft voll: “größer” 日本 🧂';

  function relayed<T>(value: T, write: (out: ByteWriter, value: T) => void, read: (from: ByteReader) => T): T {
    const out = new ByteWriter();
    write(out, value);
    return read(new ByteReader(out.take()));
  }

  test.each([
    ['a problem', { kind: 'problem', code: 'EIO', message: MESSAGE }, writeEntry, readEntry],
    ['a change', { id: 1, status: 'changed', side: 'source', reason: MESSAGE }, writeOutcome, readOutcome],
    [
      'a failure',
      { id: 1, status: 'failed', side: 'target', problem: { code: 'EIO', message: MESSAGE } },
      writeOutcome,
      readOutcome,
    ],
    [
      'a source that fails',
      { kind: 'failed', id: 1, changed: false, code: 'EIO', message: MESSAGE },
      writeRecord,
      (from: ByteReader) => [...readRecords(from.raw(from.remaining))][0],
    ],
  ])('%s says the same however often it is passed on', (_name, value, write, read) => {
    let arrived: unknown = value;
    for (let hop = 0; hop < 3; hop++) {
      arrived = relayed(arrived, write as (out: ByteWriter, value: unknown) => void, read);
      expect(arrived).toEqual(value);
    }
  });

  test('a long one is cut at a whole character and can be read', () => {
    for (const character of ['x', 'ü', '日', '🧂']) {
      for (let offset = 0; offset < 4; offset++) {
        const text = 'x'.repeat(offset) + character.repeat(MAX_MESSAGE_BYTES);
        const read = relayed(text, writeText, readText);
        expect(text.startsWith(read)).toBe(true);
        expect(Buffer.byteLength(read)).toBeGreaterThan(MAX_MESSAGE_BYTES - 4);
        expect(Buffer.byteLength(read)).toBeLessThanOrEqual(MAX_MESSAGE_BYTES);
      }
    }
  });

  test('bytes that are no text become replacement characters', () => {
    const bytes = new ByteWriter().bytes(Buffer.from([0x61, 0xff, 0xc3, 0x62])).take();
    expect(readText(new ByteReader(bytes))).toBe('a\ufffd\ufffdb');
  });

  test('one longer than allowed is refused', () => {
    const bytes = new ByteWriter().bytes(Buffer.alloc(MAX_MESSAGE_BYTES + 1)).take();
    expect(() => readText(new ByteReader(bytes))).toThrow(MalformedError);
  });
});
