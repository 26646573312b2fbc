/** Hashes files of a tree with the proof of held-file.ts: what is answered is what the file held at one moment. */

import type { BytePath } from '../platform/core/byte-path.ts';
import type { Problem } from '../platform/core/errors.ts';
import type { Fd, FileSystem } from '../platform/filesystem.ts';
import type { Digests } from './core/entry.ts';
import type { DigestName } from './core/look.ts';
import type { Wanted } from './hash.ts';
import { type Clock, ReadRefused, systemClock } from './held-file.ts';
import { digestProven, JUST_READ } from './proven-digest.ts';

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
      const hashed = digestProven(fileSystem, root, request.path, request.packedStat, { ...JUST_READ, wanted, now });
      return { path: request.path, ...hashed, problem: null };
    } catch (error) {
      if (!(error instanceof ReadRefused)) throw error;
      return { path: request.path, digests: null, packedStat: null, problem: error.problem };
    }
  });
}
