/** Options of a session, as the engine knows them. Parsed and defaulted at the command line, validated by the agent. */

export type Mode = 'two-way-safe' | 'two-way-resolved' | 'one-way-safe' | 'one-way-replica';
export type ConflictPolicy = 'report' | 'copy' | 'newer' | 'older' | 'larger' | 'alpha' | 'beta';
export type DigestName = 'xxh64' | 'sha256';

export interface IgnoreOptions {
  /** Patterns in gitignore syntax, as byte strings, lowest precedence first (--ignore). */
  readonly patterns: readonly string[];
  /** Name of the ignore file at the root, a byte string. */
  readonly file: string;
  /** Honour nested .gitignore files. */
  readonly gitignore: boolean;
  /** Ignore version control folders (.git, .hg, .svn, …). */
  readonly vcs: boolean;
}

/** Which metadata is synced. */
export interface MetadataOptions {
  readonly perms: boolean;
  readonly times: boolean;
  readonly setid: boolean;
  readonly owner: boolean;
  readonly xattrs: boolean;
  readonly acls: boolean;
  readonly hardLinks: boolean;
}

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
