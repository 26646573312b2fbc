/** Folders that only we may enter: state of the service, and where its socket lies. */
import { chmodSync, lstatSync } from 'node:fs';
import { TidemarkError } from '../platform/core/errors.ts';
import { makeFolders } from '../platform/make-folders.ts';

const MODE = 0o700;

/**
 * Makes `folder` exist as a directory of ours with mode 0700. One of ours with other permissions is corrected; a
 * symlink, or somebody else's, is refused, for whoever made it could put a socket of his own there.
 * @throws TidemarkError `unavailable` (`state-folder`).
 */
export function ensureOwnFolder(folder: string): void {
  try {
    makeFolders(folder, MODE);
    const { mode, uid } = lstatSync(folder);
    if ((mode & 0o170000) !== 0o040000) throw new Error('not a directory');
    if (process.geteuid !== undefined && uid !== process.geteuid()) throw new Error(`belongs to user ${uid}`);
    if ((mode & 0o7777) !== MODE) chmodSync(folder, MODE);
  } catch (error) {
    throw new TidemarkError('unavailable', 'state-folder', `cannot use ${folder}: ${(error as Error).message}`, {
      remedy: 'It has to be a directory that belongs to you; or set TIDEMARK_HOME to another folder.',
      cause: error,
    });
  }
}
