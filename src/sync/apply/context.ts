/** What every part of the applier works with. */
import type { ByteName, BytePath } from '../../platform/core/byte-path.ts';
import { MalformedError } from '../../platform/core/bytes.ts';
import type { Fd, FileSystem } from '../../platform/filesystem.ts';
import type { ApplyOptions } from '../endpoint.ts';
import type { Index } from '../store/index.ts';

/** The part of the index that the applier uses. */
export type ApplyIndex = Pick<Index, 'get' | 'put' | 'remove' | 'rename' | 'transaction'>;

export interface ApplyContext {
  readonly fileSystem: FileSystem;
  /** The directory that holds the tree, or for a file root the directory that holds the file. */
  readonly root: Fd;
  /** The staging folder, held open: small files are made in it without a walk from the root. */
  readonly staging: Fd;
  /** Name of the file of a file root, else null. Operations then know the one path ''. */
  readonly only: ByteName | null;
  readonly index: ApplyIndex;
  /** Hex id of the session: origin of the changes made here. */
  readonly session: string;
  readonly options: ApplyOptions;
  /** Milliseconds since 1970. */
  readonly clock: () => number;
  /** A fresh unguessable name: hex, at least 16 digits. */
  readonly randomName: () => string;
  /** Permission bits that a new object does not get where the mode is not synced. */
  readonly umask: number;
}

/** The hidden folder at the root, and what it holds. It never syncs. */
export const HIDDEN = '.tidemark' as BytePath;
export const STAGING = '.tidemark/staging' as BytePath;
export const VERSIONS = '.tidemark/versions' as BytePath;
/** Directories whose permissions a run has widened for a while: start-up puts back what a killed run left. */
export const WIDENED = '.tidemark/widened' as BytePath;

/**
 * Where the file system holds what operations call `path`.
 * Throws MalformedError for anything in the hidden folder, or beside the file of a file root.
 */
export function locate(context: Pick<ApplyContext, 'only'>, path: BytePath): BytePath {
  if (context.only !== null) {
    if (path !== '') throw new MalformedError('a path below a root that is a file');
    return context.only as string as BytePath;
  }
  if (isReserved(path)) throw new MalformedError('an operation in the hidden folder');
  return path;
}

/** True for the hidden folder in any letter case: where names fold, every spelling is the same folder. */
function isReserved(path: BytePath): boolean {
  if (path.charCodeAt(0) !== 0x2e || path.length < HIDDEN.length) return false;
  if (path.length > HIDDEN.length && path.charCodeAt(HIDDEN.length) !== 0x2f) return false;
  return path.slice(0, HIDDEN.length).toLowerCase() === HIDDEN;
}
