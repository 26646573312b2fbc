import { expect, test } from 'vitest';
import { buildBlockTable } from '../../../src/sync/core/block-table.ts';
import {
  blankSignature,
  CHECKSUM_BYTES,
  parseSignature,
  SIGNATURE_HEADER_BYTES,
} from '../../../src/sync/core/signature.ts';

/** A table of blocks with the given checksums; the basis is a multiple of its block size. */
function tableOf(count: number, weak: (block: number) => number, strong: (block: number) => number) {
  const packed = blankSignature(count * 704, 0n);
  for (let block = 0; block < count; block++) {
    packed.writeUInt32LE(weak(block), SIGNATURE_HEADER_BYTES + block * CHECKSUM_BYTES);
    packed.writeUInt32LE(strong(block), SIGNATURE_HEADER_BYTES + block * CHECKSUM_BYTES + 4);
  }
  return buildBlockTable(parseSignature(packed));
}

function bucket(table: ReturnType<typeof buildBlockTable>, weak: number): number[] {
  const blocks: number[] = [];
  for (let block = table.heads[weak >>> table.bucketShift] as number; block >= 0; block = table.next[block] as number) {
    blocks.push(block);
  }
  return blocks;
}

test('of equal blocks only the first is entered', () => {
  const table = tableOf(
    600,
    () => 77,
    () => 5,
  );
  expect(bucket(table, 77)).toEqual([0]);
});

test('a bucket takes sixteen blocks, however many belong to it', () => {
  const table = tableOf(
    600,
    () => 77,
    (block) => block,
  );
  expect(bucket(table, 77)).toEqual(Array.from({ length: 16 }, (_, index) => index));
});

test('every block of an honest basis is found, and passes the filter', () => {
  const weak = (block: number) => Math.imul(block + 1, 0x9e3779b1) >>> 0;
  const table = tableOf(600, weak, (block) => block);
  for (let block = 0; block < 600; block++) {
    expect(bucket(table, weak(block))).toContain(block);
    const bit = weak(block) >>> table.filterShift;
    expect(((table.filter[bit >>> 3] as number) >>> (bit & 7)) & 1).toBe(1);
  }
});
