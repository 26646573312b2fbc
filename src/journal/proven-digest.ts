/** The digests of one file, read with the proof of held-file.ts: the one way in which this program hashes content. */
import type { BytePath } from '../platform/core/byte-path.ts';
import { packStat, sizeOf } from '../platform/core/stat-codec.ts';
import type { Fd, FileSystem } from '../platform/filesystem.ts';
import type { Digests } from './core/entry.ts';
import { SMALL_FILE_BYTES } from './core/limits.ts';
import { type DiskComparison, digestOnDisk } from './direct-read.ts';
import { ContentHasher, hashBytes, type Wanted } from './hash.ts';
import { type Clock, changedSince, HeldFile, readProvenSmall, type Sighting } from './held-file.ts';

export interface DigestOptions {
  readonly wanted: Wanted;
  readonly now: Clock;
  /** Refuse where the kernel failed to write the file to disk. */
  readonly checkWriteback: boolean;
  /** How to compare what the page cache holds with what the disk holds; null: not at all. */
  readonly compareWithDisk: DiskComparison | null;
}

/** Plain reading, as a transfer needs it. */
export const JUST_READ: Pick<DigestOptions, 'checkWriteback' | 'compareWithDisk'> = {
  checkWriteback: false,
  compareWithDisk: null,
};

export interface Hashed {
  readonly digests: Digests;
  /** Of what was hashed. */
  readonly packedStat: Uint8Array;
  /** True: proven by a lease. False: two equal stats only, and a second reading of a young file. */
  readonly isLeased: boolean;
}

/**
 * Hashes the file if it is still `packedStat` (null: whatever is there). Throws ReadRefused, and nothing else. A small
 * file costs one call of the addon. Needs `initHashing`.
 */
export function digestProven(
  fileSystem: FileSystem,
  root: Fd,
  path: BytePath,
  packedStat: Uint8Array | null,
  options: DigestOptions,
): Hashed {
  const { wanted, now, checkWriteback, compareWithDisk } = options;
  const sighting: Sighting = { packedStat, seen: null };
  if (compareWithDisk === null && (packedStat === null || sizeOf(packedStat) <= SMALL_FILE_BYTES)) {
    const small = readProvenSmall(fileSystem, root, path, SMALL_FILE_BYTES, sighting, now, checkWriteback);
    if (small !== null) {
      const digests = hashBytes(small.contents, wanted);
      return { digests, packedStat: Buffer.from(small.packedBefore), isLeased: small.lease === 'held' };
    }
  }
  const file = HeldFile.open(fileSystem, root, path, sighting, now);
  try {
    if (checkWriteback) file.checkWriteback();
    const readCached = () => digestHeld(fileSystem, file, wanted);
    const digests =
      compareWithDisk === null ? readCached() : digestOnDisk(fileSystem, file, compareWithDisk, readCached);
    file.confirm();
    return { digests, packedStat: packStat(file.stat), isLeased: file.isLeased };
  } finally {
    file.close();
  }
}

function digestHeld(fileSystem: FileSystem, file: HeldFile, wanted: Wanted): Digests {
  fileSystem.advise(file.fd, 'sequential');
  const digests = hashWhole(file, wanted);
  if (file.mustReadTwice && hashWhole(file, 'fast').fast !== digests.fast)
    throw changedSince('changed while it was read');
  return digests;
}

/** The digests of all of an open file. Throws ReadRefused; the caller confirms the file afterwards. */
export function hashWhole(file: HeldFile, wanted: Wanted): Digests {
  const hasher = new ContentHasher(wanted);
  for (const bytes of file.slices(0, file.stat.sizeBytes)) hasher.update(bytes);
  return hasher.digest();
}
