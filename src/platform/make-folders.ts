import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';

/**
 * Makes `folder`, an absolute path, and those above it that are missing; what is there already is left as it is, also
 * where it is no directory. Throws errors of Node.
 *
 * Node's own `recursive` makes the parent whenever the answer is ENOENT, and again when that did not help: on a file
 * system that answers so for good, such as /proc, it never returns (seen with Node 20.20).
 */
export function makeFolders(folder: string, mode: number): void {
  try {
    makeOne(folder, mode);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT' || dirname(folder) === folder) throw error;
    makeFolders(dirname(folder), mode);
    makeOne(folder, mode);
  }
}

function makeOne(folder: string, mode: number): void {
  try {
    mkdirSync(folder, { mode });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
}
