/**
 * Finds the blocks of a signature by weak checksum: a bit filter, then buckets of bounded length.
 *
 * Of blocks with equal checksums only the first is entered, and a bucket takes no more than {@link MAX_BUCKET} blocks:
 * building the table and looking up stay linear whatever the basis holds. Block number −1 stands for none.
 * The native matcher (delta.c) keeps the very same table, so that both find the same blocks.
 */
import { CHECKSUM_BYTES, type Signature } from './signature.ts';

/** Most blocks in one bucket. At most half the buckets are used, so an honest basis stays below it. */
const MAX_BUCKET = 16;

const MIN_BUCKET_BITS = 8;

/** The filter has this many more index bits than there are buckets: then one probe in 128 passes by chance. */
const FILTER_EXTRA_BITS = 6;

/** 2 MiB: beyond that the filter leaves the processor's cache, which costs more than the chance hits it saves. */
const MAX_FILTER_BITS = 24;

export interface BlockTable {
  readonly weak: Uint32Array;
  readonly strongLow: Uint32Array;
  readonly strongHigh: Uint32Array;
  /** A set bit at `weak >>> filterShift` says that a block with such a checksum may be there. */
  readonly filter: Uint8Array;
  readonly filterShift: number;
  /** First block of the bucket `weak >>> bucketShift`. */
  readonly heads: Int32Array;
  readonly bucketShift: number;
  /** Next block of the same bucket. */
  readonly next: Int32Array;
}

export function buildBlockTable(signature: Signature): BlockTable {
  const bits = bucketBits(signature.count);
  const filterBits = Math.min(bits + FILTER_EXTRA_BITS, MAX_FILTER_BITS);
  const table: BlockTable = {
    weak: new Uint32Array(signature.count),
    strongLow: new Uint32Array(signature.count),
    strongHigh: new Uint32Array(signature.count),
    filter: new Uint8Array(2 ** (filterBits - 3)),
    filterShift: 32 - filterBits,
    heads: new Int32Array(2 ** bits).fill(-1),
    bucketShift: 32 - bits,
    next: new Int32Array(signature.count).fill(-1),
  };
  unpackChecksums(table, signature);
  for (let block = 0; block < signature.count; block++) {
    if (isWhole(signature, block)) enterBlock(table, block);
  }
  return table;
}

/** True where `block` has full length; a short last block is matched by place only and never entered. */
export function isWhole(signature: Signature, block: number): boolean {
  return block < signature.count - 1 || signature.lastBytes === signature.blockBytes;
}

function bucketBits(count: number): number {
  let bits = MIN_BUCKET_BITS;
  while (2 ** bits < 2 * count) bits++;
  return bits;
}

function unpackChecksums(table: BlockTable, signature: Signature): void {
  const { buffer, byteOffset, byteLength } = signature.checksums;
  const view = new DataView(buffer, byteOffset, byteLength);
  for (let block = 0; block < signature.count; block++) {
    const at = block * CHECKSUM_BYTES;
    table.weak[block] = view.getUint32(at, true);
    table.strongLow[block] = view.getUint32(at + 4, true);
    table.strongHigh[block] = view.getUint32(at + 8, true);
  }
}

/** Appends at the end of the bucket: of equal blocks the first in the basis is found. */
function enterBlock(table: BlockTable, block: number): void {
  const weak = table.weak[block] as number;
  const bucket = weak >>> table.bucketShift;
  let last = -1;
  let length = 0;
  for (let other = table.heads[bucket] as number; other >= 0; other = table.next[other] as number) {
    if (sameChecksums(table, other, block)) return;
    last = other;
    length++;
  }
  if (length === MAX_BUCKET) return;
  if (last < 0) table.heads[bucket] = block;
  else table.next[last] = block;
  const bit = weak >>> table.filterShift;
  table.filter[bit >>> 3] = (table.filter[bit >>> 3] as number) | (1 << (bit & 7));
}

function sameChecksums(table: BlockTable, left: number, right: number): boolean {
  return (
    table.weak[left] === table.weak[right] &&
    table.strongLow[left] === table.strongLow[right] &&
    table.strongHigh[left] === table.strongHigh[right]
  );
}
