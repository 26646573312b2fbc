/** The root of a journal, opened for as long as one piece of work needs it: a held descriptor would keep it mounted. */
import { toBuffer } from '../platform/core/byte-path.ts';
import { displayText } from '../platform/core/display.ts';
import { errnoOf, TidemarkError } from '../platform/core/errors.ts';
import type { Fd, FileSystem } from '../platform/filesystem.ts';

/** Runs `work` with the root open. Throws `unavailable` (`root-missing`) where it cannot be opened. */
export function withRoot<Result>(fileSystem: FileSystem, rootPath: string, work: (root: Fd) => Result): Result {
  let root: Fd;
  try {
    root = fileSystem.openRoot(toBuffer(rootPath));
  } catch (error) {
    throw new TidemarkError(
      'unavailable',
      'root-missing',
      `${displayText(rootPath)} cannot be opened: ${errnoOf(error)}`,
      {
        cause: error,
        remedy: 'Mount or restore it; the journal then looks at all of it.',
      },
    );
  }
  try {
    return work(root);
  } finally {
    fileSystem.close(root);
  }
}
