import { createHash } from 'node:crypto';
import { beforeAll, describe, expect, test } from 'vitest';
import { ContentHasher, hashBytes, initHashing, xxh64 } from '../../src/journal/hash.ts';
import { noise } from '../support/delta-tools.ts';

beforeAll(initHashing);

const hex = (bytes: string | null) => (bytes === null ? null : Buffer.from(bytes, 'latin1').toString('hex'));

test('published values', () => {
  expect(hex(hashBytes(Buffer.alloc(0), 'both').fast)).toBe('ef46db3751d8e999');
  expect(hex(hashBytes(Buffer.from('abc'), 'both').fast)).toBe('44bc2cf5ad770999');
  expect(hex(hashBytes(Buffer.from('abc'), 'both').strong)).toBe(
    'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad',
  );
});

describe('only what is wanted', () => {
  test.each([
    ['fast', 8, null],
    ['strong', null, 32],
    ['both', 8, 32],
  ] as const)('%s', (wanted, fast, strong) => {
    const hasher = new ContentHasher(wanted);
    hasher.update(Buffer.from('abc'));
    for (const digests of [hasher.digest(), hashBytes(Buffer.from('abc'), wanted)]) {
      expect([digests.fast?.length ?? null, digests.strong?.length ?? null]).toEqual([fast, strong]);
    }
  });
});

test.each([0, 1, 262_143, 262_144, 262_145, 1_000_000])('%d bytes: pieces, one call and node:crypto agree', (size) => {
  const bytes = noise(size, 1);
  const hasher = new ContentHasher('both');
  for (let at = 0; at < size; at += 77_777) hasher.update(bytes.subarray(at, at + 77_777));
  const digests = hasher.digest();
  const whole = new ContentHasher('both');
  whole.update(bytes);
  expect(whole.digest()).toEqual(digests);
  expect(hashBytes(bytes, 'both')).toEqual(digests);
  expect(hex(digests.strong)).toBe(createHash('sha256').update(bytes).digest('hex'));
  expect(hex(digests.fast)).toBe(xxh64(bytes, 0n).toString(16).padStart(16, '0'));
});
