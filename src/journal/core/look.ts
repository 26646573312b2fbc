/** How a tree is looked at: what is left alone, what is recorded of the rest. */

/** What tells whether the content of one path changed. */
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

/** How a tree is looked at. Both sides of a session get the same. */
export interface CheckpointOptions {
  readonly ignore: IgnoreOptions;
  readonly metadata: MetadataOptions;
  readonly digest: DigestName;
  readonly symlinks: 'posix-raw' | 'portable' | 'ignore';
  readonly oneFileSystem: boolean;
  /** Ignore the stat cache: every file counts as changed and is hashed again. */
  readonly rehash: boolean;
}
