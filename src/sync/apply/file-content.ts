/** Reads and hashes the content of open files in pieces. */
import { readSync } from 'node:fs';
import type { Digests } from '../../journal/core/entry.ts';
import { ContentHasher, type Wanted } from '../../journal/hash.ts';
import type { Fd } from '../../platform/filesystem.ts';

const PIECE_BYTES = 1024 * 1024;

/** Pieces of a file from `start` up to `end`, or to its end if that comes first. Each is valid until the next is asked for. */
export function* readPieces(fd: Fd, start: number, end: number, pieceBytes = PIECE_BYTES): Generator<Buffer> {
  const buffer = Buffer.allocUnsafe(Math.min(pieceBytes, end - start));
  let offset = start;
  while (offset < end) {
    const filled = readFully(fd, buffer, Math.min(buffer.length, end - offset), offset);
    if (filled === 0) return;
    yield buffer.subarray(0, filled);
    offset += filled;
  }
}

/** Digests of the first `sizeBytes` of a file. `fast` needs `initHashing`. */
export function hashFile(fd: Fd, sizeBytes: number, wanted: Wanted): Digests {
  const hasher = new ContentHasher(wanted);
  for (const piece of readPieces(fd, 0, sizeBytes)) hasher.update(piece);
  return hasher.digest();
}

/** True where the file still has the content of these digests; false where none is known. */
export function holdsContent(fd: Fd, sizeBytes: number, known: Digests): boolean {
  if (known.strong !== null) return hashFile(fd, sizeBytes, 'strong').strong === known.strong;
  return known.fast !== null && hashFile(fd, sizeBytes, 'fast').fast === known.fast;
}

/** Fills `length` bytes of `buffer`, fewer only at the end of the file. */
function readFully(fd: Fd, buffer: Buffer, length: number, offset: number): number {
  let filled = 0;
  while (filled < length) {
    const count = readSync(fd, buffer, filled, length - filled, offset + filled);
    if (count === 0) break;
    filled += count;
  }
  return filled;
}
