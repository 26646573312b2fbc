/**
 * The signature of a basis: for each of its blocks a weak and a strong checksum, packed.
 *
 * Layout, little-endian: magic and version u32 · block size u32 · basis size u64 · seed u64, then for each block
 * weak u32 · strong u64. The last block may be shorter than the others. The scheme is that of Tridgell's rsync
 * (technical report TR-CS-96-05); the strong checksum is xxh64 under a seed drawn anew for every transfer, so that
 * nobody can prepare blocks that collide. The whole file is confirmed by SHA-256 afterwards in any case.
 */
import { ByteReader, ByteWriter, MalformedError } from '../../platform/core/bytes.ts';
import { weakOf } from './rolling.ts';

/** "TMS" and the version, 1. */
const MAGIC = 0x01534d54;

export const SIGNATURE_HEADER_BYTES = 24;

/** Bytes of one block's checksums. */
export const CHECKSUM_BYTES = 12;

/** Smallest block: below it the checksums cost more than the blocks they save. */
export const MIN_BLOCK_BYTES = 704;

/** Largest block: the sender holds five of them in memory. */
export const MAX_BLOCK_BYTES = 8 * 1024 * 1024;

/** Most blocks of a signature: 12 MiB of checksums. */
export const MAX_BLOCKS = 1 << 20;

/** Largest basis a signature can be made of; what is larger is sent whole. */
export const MAX_BASIS_BYTES = MAX_BLOCKS * MAX_BLOCK_BYTES;

/** The strong checksum of a block: xxh64 under the transfer's seed, or what a test puts in its place. */
export type StrongHash = (bytes: Uint8Array, seed: bigint) => bigint;

/** Writes the checksums of `bytes`, cut into blocks, to `out` at `outOffset`; only the last block may be short. */
export type BlockSigner = (
  bytes: Uint8Array,
  blockBytes: number,
  seed: bigint,
  out: Uint8Array,
  outOffset: number,
) => void;

export interface Signature {
  readonly blockBytes: number;
  readonly basisBytes: number;
  readonly seed: bigint;
  readonly count: number;
  /** Size of the last block: `blockBytes` or less. 0 where there is no block. */
  readonly lastBytes: number;
  /** The packed checksums, {@link CHECKSUM_BYTES} a block. */
  readonly checksums: Uint8Array;
}

/**
 * Block size for a basis: about the square root of its size, where checksums and resent blocks cost alike, a multiple
 * of 8. For 1 GiB this is 32 KiB, and the signature 384 KiB.
 */
export function blockBytesFor(basisBytes: number): number {
  const wanted = Math.max(Math.sqrt(basisBytes), basisBytes / MAX_BLOCKS, MIN_BLOCK_BYTES);
  return Math.ceil(wanted / 8) * 8;
}

export function blockCount(basisBytes: number): number {
  return Math.ceil(basisBytes / blockBytesFor(basisBytes));
}

/** An allocated signature with its header filled in; the caller writes the checksums behind it. Basis ≤ MAX_BASIS_BYTES. */
export function blankSignature(basisBytes: number, seed: bigint): Buffer {
  const header = new ByteWriter(SIGNATURE_HEADER_BYTES)
    .u32(MAGIC)
    .u32(blockBytesFor(basisBytes))
    .u53(basisBytes)
    .i64(BigInt.asIntN(64, seed))
    .take();
  const signature = Buffer.alloc(SIGNATURE_HEADER_BYTES + blockCount(basisBytes) * CHECKSUM_BYTES);
  header.copy(signature);
  return signature;
}

/**
 * Reads a packed signature from a peer. Refuses (MalformedError) another version, a block size other than the one for
 * its basis size, and any length but the one these two demand. `checksums` is a view of `packed`.
 */
export function parseSignature(packed: Uint8Array): Signature {
  const from = new ByteReader(packed);
  if (from.u32() !== MAGIC) throw new MalformedError('not a signature of this version');
  const blockBytes = from.u32();
  const basisBytes = from.u53();
  const seed = BigInt.asUintN(64, from.i64());
  if (basisBytes > MAX_BASIS_BYTES) throw new MalformedError(`signature of a basis of ${basisBytes} bytes`);
  if (blockBytes !== blockBytesFor(basisBytes))
    throw new MalformedError(`signature with blocks of ${blockBytes} bytes`);
  const count = blockCount(basisBytes);
  const checksums = from.raw(count * CHECKSUM_BYTES);
  from.finish();
  const lastBytes = count === 0 ? 0 : basisBytes - (count - 1) * blockBytes;
  return { blockBytes, basisBytes, seed, count, lastBytes, checksums };
}

/**
 * Where a run of blocks lies in the basis. Refuses (MalformedError) an empty run and one that leaves the basis:
 * first and count come from a peer.
 */
export function blockRange(
  signature: Signature,
  first: number,
  count: number,
): { readonly start: number; readonly end: number } {
  if (count === 0 || first + count > signature.count) {
    throw new MalformedError(`blocks ${first}+${count} of a basis of ${signature.count}`);
  }
  const start = first * signature.blockBytes;
  return { start, end: Math.min(start + count * signature.blockBytes, signature.basisBytes) };
}

/** A signer in TypeScript, over the given strong checksum. */
export function createBlockSigner(strongHash: StrongHash): BlockSigner {
  return (bytes, blockBytes, seed, out, outOffset) => {
    const view = new DataView(out.buffer, out.byteOffset, out.byteLength);
    let at = outOffset;
    for (let start = 0; start < bytes.length; start += blockBytes) {
      const end = Math.min(start + blockBytes, bytes.length);
      view.setUint32(at, weakOf(bytes, start, end), true);
      view.setBigUint64(at + 4, strongHash(bytes.subarray(start, end), seed), true);
      at += CHECKSUM_BYTES;
    }
  };
}
