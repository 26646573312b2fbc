/** Post-close verification: reads files so that what is recorded of them is what they hold, and durably so. */
import type { BytePath } from '../platform/core/byte-path.ts';
import type { Problem } from '../platform/core/errors.ts';
import type { Digests } from './core/entry.ts';

export interface SettleRequest {
  readonly path: BytePath;
  /** Somebody had it open with O_DIRECT: what the page cache holds is compared with what the disk holds. */
  readonly isDirect: boolean;
}

export type SettleResult =
  /** `packedStat`: of what was hashed. The content is on disk. */
  | {
      readonly path: BytePath;
      readonly outcome: 'settled';
      readonly proof: 'leased' | 'closed' | 'unproven';
      readonly packedStat: Uint8Array;
      readonly digests: Digests;
    }
  /** Somebody writes to it, or did while it was read: try again later. */
  | { readonly path: BytePath; readonly outcome: 'hot'; readonly reason: string }
  /** No longer there as a regular file. */
  | { readonly path: BytePath; readonly outcome: 'gone' }
  | { readonly path: BytePath; readonly outcome: 'problem'; readonly problem: Problem };
