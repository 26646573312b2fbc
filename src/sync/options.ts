/** Options of a session, as the engine knows them. Parsed and defaulted at the command line, validated by the agent. */
import type { DigestName, IgnoreOptions, MetadataOptions } from '../journal/core/look.ts';

export type Mode = 'two-way-safe' | 'two-way-resolved' | 'one-way-safe' | 'one-way-replica';
export type ConflictPolicy = 'report' | 'copy' | 'newer' | 'older' | 'larger' | 'alpha' | 'beta';

/** A brake on deletions: at most this many, or this share of the entries, whichever the user gave. */
export type DeletionLimit =
  | { readonly kind: 'count'; readonly count: number }
  | { readonly kind: 'percent'; readonly percent: number };

export interface SessionOptions {
  readonly mode: Mode;
  readonly conflict: ConflictPolicy;
  readonly ignore: IgnoreOptions;
  readonly metadata: MetadataOptions;
  readonly symlinks: 'posix-raw' | 'portable' | 'ignore';
  readonly oneFileSystem: boolean;
  readonly maxDelete: DeletionLimit;
  readonly digest: DigestName;
  readonly backup: boolean;
  readonly keepVersionsSeconds: number;
  readonly durable: boolean;
}

/** Options of one run. */
export interface RunOptions {
  readonly dryRun: boolean;
  /** Re-hash everything (--checksum). */
  readonly rehash: boolean;
  /** Let this run through a safety halt. */
  readonly force: boolean;
}
