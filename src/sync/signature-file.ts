/** Makes the signature of an open file, in constant memory. */
import { readSync } from 'node:fs';
import type { Fd, FileSystem } from '../platform/filesystem.ts';
import {
  blankSignature,
  CHECKSUM_BYTES,
  MAX_BASIS_BYTES,
  parseSignature,
  SIGNATURE_HEADER_BYTES,
} from './core/signature.ts';
import { threadDeltaEngine } from './delta-engine.ts';

/** About how much is read at once, in whole blocks. */
const SLICE_BYTES = 1024 * 1024;

/**
 * The packed signature of the first `sizeBytes` of `fd` under `seed`, which must be random and new: it keeps others
 * from preparing blocks that collide. null where the file is shorter than that, or too large to be a basis: then
 * there is no basis. Throws system errors. Reads the whole file: about 2 GB/s from the page cache.
 */
export function signFile(
  fileSystem: FileSystem,
  fd: Fd,
  sizeBytes: number,
  seed: bigint,
  signBlocks = threadDeltaEngine().signBlocks,
): Buffer | null {
  if (sizeBytes > MAX_BASIS_BYTES) return null;
  const packed = blankSignature(sizeBytes, seed);
  const { blockBytes } = parseSignature(packed);
  const slice = Buffer.allocUnsafeSlow(Math.max(1, Math.floor(SLICE_BYTES / blockBytes)) * blockBytes);
  fileSystem.advise(fd, 'sequential');
  for (let position = 0, out = SIGNATURE_HEADER_BYTES; position < sizeBytes; ) {
    const piece = slice.subarray(0, Math.min(slice.length, sizeBytes - position));
    if (!fill(fd, piece, position)) return null;
    signBlocks(piece, blockBytes, seed, packed, out);
    position += piece.length;
    out += Math.ceil(piece.length / blockBytes) * CHECKSUM_BYTES;
  }
  return packed;
}

/** False where the file ends before `buffer` is full. */
function fill(fd: Fd, buffer: Uint8Array, position: number): boolean {
  for (let filled = 0; filled < buffer.length; ) {
    const count = readSync(fd, buffer, filled, buffer.length - filled, position + filled);
    if (count === 0) return false;
    filled += count;
  }
  return true;
}
