/** Hashes files of a tree with the proof of held-file.ts: what is answered is what the file held at one moment. */

import type { BytePath } from '../platform/core/byte-path.ts';
import type { Problem } from '../platform/core/errors.ts';
import { packStat, sizeOf } from '../platform/core/stat-codec.ts';
import type { Fd, FileSystem, Stat } from '../platform/filesystem.ts';
import type { Digests } from './core/entry.ts';
import { SMALL_FILE_BYTES } from './core/limits.ts';
import type { DigestName } from './core/look.ts';
import { ContentHasher, hashBytes, type Wanted } from './hash.ts';
import {
  type Clock,
  changedSince,
  HeldFile,
  ReadRefused,
  readProvenSmall,
  type Sighting,
  systemClock,
} from './held-file.ts';

export interface FileDigestRequest {
  readonly path: BytePath;
  /** The file must still be exactly this; null: hash whatever is there. */
  readonly packedStat: Uint8Array | null;
  /** SHA-256 too. */
  readonly strong: boolean;
}

export type DigestResult =
  | {
      readonly path: BytePath;
      readonly digests: Digests;
      /** Stat of what was hashed. */
      readonly packedStat: Uint8Array;
      /** True: proven by a lease. False: two equal stats only, and a second reading of a young file. */
      readonly isLeased: boolean;
      readonly problem: null;
    }
  /** `changed`, `open-for-writing`, or an errno name. */
  | { readonly path: BytePath; readonly digests: null; readonly packedStat: null; readonly problem: Problem };

/**
 * Answers in the order asked; never throws for what is wrong with a file. xxh64 always, SHA-256 where asked for or where
 * the session compares by it. Synchronous: about 2 GB/s, 0.8 with SHA-256. Needs `initHashing`.
 */
export function digestFiles(
  fileSystem: FileSystem,
  root: Fd,
  requests: readonly FileDigestRequest[],
  digest: DigestName,
  now: Clock = systemClock,
): DigestResult[] {
  return requests.map((request) => {
    const wanted: Wanted = request.strong || digest === 'sha256' ? 'both' : 'fast';
    try {
      return { path: request.path, ...digestFile(fileSystem, root, request, wanted, now), problem: null };
    } catch (error) {
      if (!(error instanceof ReadRefused)) throw error;
      return { path: request.path, digests: null, packedStat: null, problem: error.problem };
    }
  });
}

interface Hashed {
  readonly digests: Digests;
  readonly packedStat: Uint8Array;
  readonly isLeased: boolean;
}

function digestFile(fileSystem: FileSystem, root: Fd, request: FileDigestRequest, wanted: Wanted, now: Clock): Hashed {
  const sighting: Sighting = { packedStat: request.packedStat, seen: null };
  if (request.packedStat === null || sizeOf(request.packedStat) <= SMALL_FILE_BYTES) {
    const small = readProvenSmall(fileSystem, root, request.path, SMALL_FILE_BYTES, sighting, now);
    if (small !== null) return hashed(hashBytes(small.contents, wanted), small.before, small.lease === 'held');
  }
  const file = HeldFile.open(fileSystem, root, request.path, sighting, now);
  try {
    fileSystem.advise(file.fd, 'sequential');
    const digests = hashWhole(file, wanted);
    if (file.mustReadTwice && hashWhole(file, 'fast').fast !== digests.fast)
      throw changedSince('changed while it was read');
    file.confirm();
    return hashed(digests, file.stat, file.isLeased);
  } finally {
    file.close();
  }
}

/** The digests of all of an open file. Throws ReadRefused; the caller confirms the file afterwards. */
export function hashWhole(file: HeldFile, wanted: Wanted): Digests {
  const hasher = new ContentHasher(wanted);
  for (const bytes of file.slices(0, file.stat.sizeBytes)) hasher.update(bytes);
  return hasher.digest();
}

function hashed(digests: Digests, stat: Stat, isLeased: boolean): Hashed {
  return { digests, packedStat: packStat(stat), isLeased };
}
