/**
 * Places in a tree for node:fs, which knows paths only.
 *
 * On Linux a place is `/proc/self/fd/<parent>/<name>`: parents are opened component by component with
 * O_PATH|O_DIRECTORY|O_NOFOLLOW, so no symlink is followed, whatever is swapped meanwhile. Elsewhere, or without /proc,
 * a place is an absolute path whose components have been checked with lstat: a documented race.
 */
import * as fs from 'node:fs';
import type { BytePath } from './core/byte-path.ts';
import { componentsOf, nameFault, nameOf, parentOf, toBuffer } from './core/byte-path.ts';
import { errnoOf } from './core/errors.ts';
import type { Fd } from './filesystem.ts';
import { systemError } from './system-error.ts';

/** The same number on every architecture Node has on Linux; node:fs does not name it. */
const O_PATH = 0o10000000;
const STEP = O_PATH | fs.constants.O_DIRECTORY | fs.constants.O_NOFOLLOW;

/** How paths below a root become paths for node:fs. */
export interface Places {
  /** Remembers what an opened directory is called, where descriptors do not say so themselves. */
  adopt(fd: Fd, absolutePath: Buffer): void;
  forget(fd: Fd): void;
  /** A path that leads to an opened directory itself. */
  directory(fd: Fd): Buffer;
  /** Runs `use` with a path of the object at `path`; only its last component may be a symlink. */
  at<Result>(root: Fd, path: BytePath, use: (place: Buffer) => Result): Result;
  /** Runs `use` with a path that leads to the object itself even where calls follow symlinks. Refuses symlinks (`ELOOP`). */
  through<Result>(root: Fd, path: BytePath, use: (place: Buffer) => Result): Result;
}

/** Places through held descriptors where /proc is mounted, else checked paths. */
export function openPlaces(): Places {
  return process.platform === 'linux' && fs.existsSync('/proc/self/fd') ? descriptorPlaces() : checkedPlaces();
}

/** Places through held descriptors and /proc/self/fd. */
export function descriptorPlaces(): Places {
  function at<Result>(root: Fd, path: BytePath, use: (place: Buffer) => Result): Result {
    if (path === '') return use(belowDescriptor(root, '.'));
    checkComponents(path);
    const parent = openParent(root, path);
    try {
      return use(belowDescriptor(parent, nameOf(path)));
    } finally {
      if (parent !== root) fs.closeSync(parent);
    }
  }
  return {
    adopt() {},
    forget() {},
    directory: (fd) => toBuffer(`/proc/self/fd/${fd}`),
    at,
    through: (root, path, use) =>
      at(root, path, (place) => {
        const handle = fs.openSync(place, O_PATH | fs.constants.O_NOFOLLOW);
        try {
          refuseSymlink(fs.fstatSync(handle));
          return use(Buffer.from(`/proc/self/fd/${handle}`));
        } finally {
          fs.closeSync(handle);
        }
      }),
  };
}

function openParent(root: Fd, path: BytePath): Fd {
  let directory = root;
  for (const name of componentsOf(parentOf(path))) {
    try {
      const next = openStep(belowDescriptor(directory, name));
      if (directory !== root) fs.closeSync(directory);
      directory = next;
    } catch (error) {
      if (directory !== root) fs.closeSync(directory);
      throw error;
    }
  }
  return directory;
}

function openStep(place: Buffer): Fd {
  try {
    return fs.openSync(place, STEP);
  } catch (error) {
    // O_DIRECTORY hides the symlink behind ENOTDIR.
    if (errnoOf(error) === 'ENOTDIR' && isSymlinkAt(place)) throw systemError('ELOOP', 'open');
    throw error;
  }
}

function belowDescriptor(fd: Fd, name: string): Buffer {
  return toBuffer(`/proc/self/fd/${fd}/${name}`);
}

/** Places by absolute paths, each component looked at before. */
export function checkedPlaces(): Places {
  const paths = new Map<Fd, Buffer>();
  function directory(fd: Fd): Buffer {
    const path = paths.get(fd);
    if (path === undefined) throw systemError('EBADF', 'open');
    return path;
  }
  function at<Result>(root: Fd, path: BytePath, use: (place: Buffer) => Result): Result {
    const start = directory(root);
    checkComponents(path);
    let place = start;
    for (const name of componentsOf(path)) {
      if (place !== start) refuseSymlink(fs.lstatSync(place));
      place = Buffer.concat([place, Buffer.from('/'), toBuffer(name)]);
    }
    return use(place);
  }
  return {
    adopt: (fd, absolutePath) => void paths.set(fd, absolutePath),
    forget: (fd) => void paths.delete(fd),
    directory,
    at,
    through: (root, path, use) =>
      at(root, path, (place) => {
        refuseSymlink(fs.lstatSync(place));
        return use(place);
      }),
  };
}

function checkComponents(path: BytePath): void {
  for (const name of componentsOf(path)) {
    const fault = nameFault(name);
    if (fault === null) continue;
    throw systemError(name.length > 255 ? 'ENAMETOOLONG' : 'EINVAL', 'open');
  }
}

function refuseSymlink(stat: fs.Stats): void {
  if (stat.isSymbolicLink()) throw systemError('ELOOP', 'open');
}

function isSymlinkAt(place: Buffer): boolean {
  return fs.lstatSync(place, { throwIfNoEntry: false })?.isSymbolicLink() ?? false;
}
