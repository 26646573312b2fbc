/** One process at a time works on the journal of a root: the service, a recorder, or a command that scans. */

import { FolderLock, type LockHolder } from '../journal/store/folder-lock.ts';
import type { BytePath } from '../platform/core/byte-path.ts';
import { displayPath } from '../platform/core/display.ts';
import { TidemarkError } from '../platform/core/errors.ts';
import { openFileSystem } from '../platform/open-filesystem.ts';
import type { RootPath } from './core/messages.ts';
import { ensureOwnFolder } from './own-folder.ts';
import { recorderFolder, type ServiceFolders } from './places.ts';

/** Takes the lock of `root`, or throws `locked` (`journal-locked`) naming its holder. Ends with the process. */
export function takeRootLock(folders: ServiceFolders, root: RootPath): FolderLock {
  const folder = recorderFolder(folders, root);
  ensureOwnFolder(folder);
  return FolderLock.take(openFileSystem().fileSystem, folder, new Date(), (holder) => journalLocked(root, holder));
}

function journalLocked(root: RootPath, { text }: LockHolder): TidemarkError {
  const message = `another process works on the journal of ${displayPath(root as string as BytePath)} (${text})`;
  return new TidemarkError('locked', 'journal-locked', message, { remedy: 'Wait until it ends, or stop it.' });
}
