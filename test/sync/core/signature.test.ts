import { describe, expect, test } from 'vitest';
import { MalformedError } from '../../../src/platform/core/bytes.ts';
import { MAX_SIGNATURE_BYTES } from '../../../src/sync/core/limits.ts';
import {
  blankSignature,
  blockBytesFor,
  blockCount,
  blockRange,
  CHECKSUM_BYTES,
  createBlockSigner,
  MAX_BASIS_BYTES,
  MAX_BLOCK_BYTES,
  MAX_BLOCKS,
  parseSignature,
  SIGNATURE_HEADER_BYTES,
} from '../../../src/sync/core/signature.ts';
import { noise, signatureOf } from '../../support/delta-tools.ts';

const MIB = 1024 * 1024;
const signBlocks = createBlockSigner((bytes, seed) => BigInt(bytes.length) + seed);

describe('block size', () => {
  test.each([
    [0, 704, 0],
    [1, 704, 1],
    [704, 704, 1],
    [705, 704, 2],
    [MIB, 1024, 1024],
    [MIB + 1, 1032, 1017],
    [1024 * MIB, 32_768, 32_768],
    [MAX_BASIS_BYTES, MAX_BLOCK_BYTES, MAX_BLOCKS],
  ])('of a basis of %d bytes is %d, in %d blocks', (size, blockBytes, count) => {
    expect(blockBytesFor(size)).toBe(blockBytes);
    expect(blockCount(size)).toBe(count);
  });

  test('the largest signature keeps the limit of the wire', () => {
    expect(SIGNATURE_HEADER_BYTES + MAX_BLOCKS * CHECKSUM_BYTES).toBeLessThanOrEqual(MAX_SIGNATURE_BYTES);
  });
});

test('what is packed is read again', () => {
  const seed = 2n ** 64n - 3n;
  const signature = parseSignature(signatureOf(noise(2000, 1), signBlocks, seed));
  expect(signature).toMatchObject({ blockBytes: 704, basisBytes: 2000, seed, count: 3, lastBytes: 592 });
  expect(signature.checksums).toHaveLength(36);
});

describe('refused', () => {
  const good = signatureOf(noise(2000, 1), signBlocks);
  const damaged = (change: (bytes: Buffer) => unknown) => {
    const copy = Buffer.from(good);
    change(copy);
    return copy;
  };
  test.each<[string, Buffer]>([
    ['nothing', Buffer.alloc(0)],
    ['half a header', good.subarray(0, 20)],
    ['another version', damaged((bytes) => bytes.writeUInt8(2, 3))],
    ['block size zero', damaged((bytes) => bytes.writeUInt32LE(0, 4))],
    ['a block size that does not belong to the basis', damaged((bytes) => bytes.writeUInt32LE(712, 4))],
    ['another basis size', damaged((bytes) => bytes.writeUInt32LE(3000, 8))],
    ['a basis beyond all limits', damaged((bytes) => bytes.writeUInt32LE(0x1f_ffff, 12))],
    ['a basis size beyond 2^53', damaged((bytes) => bytes.writeUInt32LE(0xffff_ffff, 12))],
    ['a block less', good.subarray(0, good.length - 12)],
    ['a byte more', Buffer.concat([good, Buffer.alloc(1)])],
  ])('%s', (_, packed) => {
    expect(() => parseSignature(packed)).toThrow(MalformedError);
  });
});

describe('runs of blocks', () => {
  const signature = parseSignature(blankSignature(2000, 0n));
  test.each([
    [0, 1, 0, 704],
    [1, 1, 704, 1408],
    [2, 1, 1408, 2000],
    [0, 3, 0, 2000],
  ])('%d+%d is %d to %d', (first, count, start, end) => {
    expect(blockRange(signature, first, count)).toEqual({ start, end });
  });
  test.each([
    [0, 0],
    [0, 4],
    [3, 1],
    [0xffff_ffff, 0xffff_ffff],
  ])('%d+%d leaves the basis', (first, count) => {
    expect(() => blockRange(signature, first, count)).toThrow(MalformedError);
  });
  test('offsets beyond 2^32', () => {
    const large = { ...signature, blockBytes: MAX_BLOCK_BYTES, basisBytes: MAX_BASIS_BYTES, count: MAX_BLOCKS };
    expect(blockRange(large, MAX_BLOCKS - 1, 1)).toEqual({
      start: MAX_BASIS_BYTES - MAX_BLOCK_BYTES,
      end: MAX_BASIS_BYTES,
    });
  });
});
