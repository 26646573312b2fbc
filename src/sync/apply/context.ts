/** What every part of the applier works with. */

import type { Index } from '../../journal/store/index.ts';
import { type ByteName, type BytePath, componentsOf, isWithin } from '../../platform/core/byte-path.ts';
import { MalformedError } from '../../platform/core/bytes.ts';
import type { Fd, FileSystem } from '../../platform/filesystem.ts';
import type { ApplyOptions } from '../endpoint.ts';

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
  if (isWithin(path, HIDDEN)) throw new MalformedError('an operation in the hidden folder');
  return path;
}

/**
 * True where `path` leads into the hidden folder under another spelling: in other letter case, or with characters that
 * the file system takes for nothing. Asks the file system, but only about names that come close.
 */
export function isHiddenBySpelling(context: ApplyContext, path: BytePath): boolean {
  const first = componentsOf(path)[0];
  if (first === undefined || context.only !== null || !looksHidden(first)) return false;
  const { fileSystem, root } = context;
  const named = fileSystem.stat(root, first as string as BytePath);
  const hidden = fileSystem.stat(root, HIDDEN);
  return named !== null && hidden !== null && named.ino === hidden.ino && named.dev === hidden.dev;
}

function looksHidden(name: string): boolean {
  if (name.length < HIDDEN.length) return false;
  let ascii = '';
  for (const byte of name) if (byte < '\x80') ascii += byte;
  return ascii.toLowerCase() === HIDDEN;
}
