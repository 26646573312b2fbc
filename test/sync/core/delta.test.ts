import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import { initHashing, xxh64 } from '../../../src/journal/hash.ts';
import { createBlockMatcher } from '../../../src/sync/core/block-matcher.ts';
import { DeltaEncoder } from '../../../src/sync/core/delta.ts';
import { createBlockSigner, parseSignature, type StrongHash } from '../../../src/sync/core/signature.ts';
import {
  applied,
  literalBytes,
  noise,
  sha256,
  signatureOf,
  stepsOf,
  thueMorse,
  versions,
} from '../../support/delta-tools.ts';

beforeAll(initHashing);

/** `sizeHint`: 0 makes the smallest window, two blocks. */
function delta(
  old: Buffer,
  fresh: Buffer,
  sliceSizes?: readonly number[],
  strongHash: StrongHash = xxh64,
  sizeHint = fresh.length,
) {
  const signature = parseSignature(signatureOf(old, createBlockSigner(strongHash)));
  const matcher = createBlockMatcher(signature, strongHash);
  const steps = stepsOf(new DeltaEncoder(signature, matcher, sizeHint), fresh, sliceSizes);
  return { signature, steps, result: applied(steps, old, signature), counters: matcher.counters() };
}

test('a delta against the old version gives the new one, whatever the slices and the window', () => {
  fc.assert(
    fc.property(
      versions,
      fc.array(fc.integer({ min: 1, max: 30_000 }), { minLength: 1, maxLength: 5 }),
      fc.constantFrom(0, 3000, 1_000_000),
      ({ old, fresh }, slices, sizeHint) => {
        expect(delta(old, fresh, slices, xxh64, sizeHint).result.equals(fresh)).toBe(true);
      },
    ),
    { numRuns: 100 },
  );
});

describe('what is sent', () => {
  const old = noise(100_000, 1);
  const block = 704;
  test.each<[string, Buffer, Buffer, number]>([
    ['nothing of an unchanged file', old, old, 0],
    ['all of a file without a basis', Buffer.alloc(0), old, 100_000],
    ['nothing of an empty file', old, Buffer.alloc(0), 0],
    ['only what is appended', old, Buffer.concat([old, noise(50, 2)]), 50],
    ['only what is put before', old, Buffer.concat([noise(50, 2), old]), 50],
    [
      'an insertion and the block it splits',
      old,
      Buffer.concat([old.subarray(0, 50_000), noise(9, 2), old.subarray(50_000)]),
      block + 9,
    ],
    [
      'the blocks an overwriting touches',
      old,
      Buffer.concat([old.subarray(0, 704 * 9), noise(704, 2), old.subarray(704 * 10)]),
      block,
    ],
    ['all of a file shorter than a block', noise(100, 1), noise(100, 2), 100],
    ['nothing of an unchanged file shorter than a block', noise(100, 1), noise(100, 1), 0],
    ['nothing of repeated blocks', old, Buffer.concat([old, old, old.subarray(0, 704 * 20)]), 0],
    ['nothing of a short last block alone', old, old.subarray(704 * 142), 0],
    ['nothing of an exact multiple of the block', noise(704 * 20, 3), noise(704 * 20, 3), 0],
  ])('%s', (_, basis, fresh, expected) => {
    const { result, steps } = delta(basis, fresh);
    expect(result.equals(fresh)).toBe(true);
    expect(literalBytes(steps)).toBe(expected);
  });

  test('an unchanged file is one run, also over the borders of the window', () => {
    const large = noise(5_000_000, 4);
    expect(delta(large, large).steps).toEqual([{ kind: 'blocks', first: 0, count: 2233 }]);
  });

  test('a small window finds the same blocks', () => {
    const fresh = Buffer.concat([old.subarray(0, 50_000), noise(9, 2), old.subarray(50_000), noise(300, 3)]);
    const steps = (sizeHint: number) => {
      const result = delta(old, fresh, [1000], xxh64, sizeHint).steps;
      return { runs: result.filter(({ kind }) => kind === 'blocks'), literal: literalBytes(result) };
    };
    expect(steps(0)).toEqual(steps(fresh.length));
    expect(steps(0)).toMatchObject({ literal: 9 + block + 300 });
  });

  test('after a hole the encoder goes on', () => {
    const signature = parseSignature(signatureOf(old, createBlockSigner(xxh64)));
    const encoder = new DeltaEncoder(signature, createBlockMatcher(signature, xxh64), old.length);
    const steps = [old.subarray(0, 20_000), old.subarray(20_000)].flatMap((piece) => stepsOf(encoder, piece));
    expect(applied(steps, old, signature).equals(old)).toBe(true);
    expect(literalBytes(steps)).toBeLessThanOrEqual(704);
  });
});

describe('work stays linear', () => {
  test('zeros against zeros with specks: few strong checks, few steps', () => {
    const size = 16 * 1024 * 1024;
    const fresh = Buffer.alloc(size);
    for (let at = 0; at < size / 2; at += 3001) fresh[at] = 1;
    for (let at = size / 2; at < size; at += 100_003) fresh[at] = 1;
    const { result, counters } = delta(Buffer.alloc(size), fresh);
    expect(result.equals(fresh)).toBe(true);
    expect(counters.strongBytes).toBeLessThan(2 * size);
    expect(counters.bucketSteps).toBeLessThan(size / 1000);
  });

  test('content made to collide: failed checks cost no more than the content and the credit', () => {
    const size = 4 * 1024 * 1024;
    const blockBytes = 2048;
    // Every 128 bytes the window of the content has the weak checksum of a block that differs.
    const fresh = Buffer.alloc(size, thueMorse(128, 1, 2));
    const trap = Buffer.concat([Buffer.alloc(blockBytes - 128, thueMorse(128, 1, 2)), thueMorse(128, 2, 1)]);
    const old = Buffer.concat([trap, noise(size - trap.length, 5)]);
    const { result, counters } = delta(old, fresh);
    expect(result.equals(fresh)).toBe(true);
    expect(counters.failedBytes).toBeLessThanOrEqual(size + 64 * blockBytes);
    // The trap is a trap: the credit is used up, so without the bound each of these 32,768 windows would be hashed.
    expect(counters.failedBytes).toBeGreaterThan(size - blockBytes);
    expect((size / 128) * blockBytes).toBeGreaterThan(10 * size);
  });
});

describe('a forged block', () => {
  const old = Buffer.concat([thueMorse(128, 1, 2), noise(20_000, 6)]);
  const fresh = Buffer.concat([thueMorse(128, 2, 1), noise(20_000, 6)]);

  test('is told apart by the strong checksum', () => {
    expect(delta(old, fresh).result.equals(fresh)).toBe(true);
  });

  test('negative control: without the strong checksum it corrupts, and SHA-256 of the whole shows it', () => {
    const { result } = delta(old, fresh, undefined, () => 0n);
    expect(result).toHaveLength(fresh.length);
    expect(sha256(result)).not.toBe(sha256(fresh));
  });
});
