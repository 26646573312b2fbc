/** Opening files and directories by the places of node:fs: regular files only, no symlink followed. */
import * as fs from 'node:fs';
import { errnoOf } from './core/errors.ts';
import type { Fd } from './filesystem.ts';
import { systemError } from './system-error.ts';

const { O_CREAT, O_DIRECTORY, O_EXCL, O_NOFOLLOW, O_NONBLOCK, O_RDONLY, O_RDWR } = fs.constants;
/** Linux only. */
const O_NOATIME = fs.constants.O_NOATIME ?? 0;

/** Opens a directory; `ELOOP` for a symlink. */
export function openDirectoryAt(place: Buffer): Fd {
  try {
    return fs.openSync(place, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
  } catch (error) {
    // O_DIRECTORY hides the symlink behind ENOTDIR.
    if (errnoOf(error) === 'ENOTDIR' && fs.lstatSync(place).isSymbolicLink()) throw systemError('ELOOP', 'open');
    throw error;
  }
}

/** Opens an existing regular file. Looks before, so that pipes and devices stay unopened, and again afterwards. */
export function openRegular(place: Buffer, flags: number): Fd {
  refuseIrregular(fs.lstatSync(place));
  const fd = openUntouched(place, flags | O_NOFOLLOW | O_NONBLOCK);
  try {
    refuseIrregular(fs.fstatSync(fd));
    return fd;
  } catch (error) {
    fs.closeSync(fd);
    throw error;
  }
}

/** Opens a regular file for reading and writing; creates it (0600) where it is missing and `create` says so. */
export function openOrCreate(place: Buffer, create: boolean): Fd {
  try {
    return openRegular(place, O_RDWR);
  } catch (error) {
    if (!create || errnoOf(error) !== 'ENOENT') throw error;
  }
  try {
    return createNew(place, 0o600);
  } catch (error) {
    // Another process was first.
    if (errnoOf(error) !== 'EEXIST') throw error;
    return openRegular(place, O_RDWR);
  }
}

/** Creates a file that must not exist. */
export function createNew(place: Buffer, mode: number): Fd {
  return fs.openSync(place, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, mode & 0o7777);
}

/** O_NOATIME is for owners only. */
function openUntouched(place: Buffer, flags: number): Fd {
  try {
    return fs.openSync(place, flags | O_NOATIME);
  } catch (error) {
    if (errnoOf(error) !== 'EPERM') throw error;
    return fs.openSync(place, flags);
  }
}

function refuseIrregular(stat: fs.Stats): void {
  if (!stat.isFile()) throw systemError(stat.isSymbolicLink() ? 'ELOOP' : 'EINVAL', 'open');
}
