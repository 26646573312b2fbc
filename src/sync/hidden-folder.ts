/**
 * The hidden folder `.tidemark/` of a root: who the root is (`id`), who works on it (`lock`), and room for what is on
 * its way in (`staging/`) and out (`versions/`). 0700, ours, and never reached through a symlink.
 */
import { randomBytes } from 'node:crypto';
import { fsyncSync, readSync, writeSync } from 'node:fs';
import { type BytePath, joinPath, ROOT } from '../platform/core/byte-path.ts';
import { errnoOf, TidemarkError } from '../platform/core/errors.ts';
import { isDirectory } from '../platform/core/stat-codec.ts';
import type { Fd, FileSystem, Stat } from '../platform/filesystem.ts';
import { HIDDEN, STAGING, VERSIONS } from './apply/context.ts';

const MARKER = joinPath(HIDDEN, 'id');
const LOCK = joinPath(HIDDEN, 'lock');
const MARKER_FORM = /^[0-9a-f]{32}\n$/;
const MARKER_BYTES = 33;
const OTHERS_MAY_WRITE = 0o022;

/** Locks of this process that may be shared, by directory: two file roots in one directory are two sides of one run. */
const held = new Map<string, { readonly lock: Fd; users: number }>();

export class HiddenFolder {
  readonly #fileSystem: FileSystem;
  readonly #key: string;

  private constructor(fileSystem: FileSystem, key: string) {
    this.#fileSystem = fileSystem;
    this.#key = key;
  }

  /**
   * Makes the folder and all in it where missing, and takes the lock. Throws `locked` where another run holds it,
   * `unavailable` where the folder is not ours to use, and system errors where it cannot be written to. `isShared`: for
   * a file root, which other file roots of this process in the same directory do not disturb.
   */
  static make(fileSystem: FileSystem, root: Fd, isShared = false): HiddenFolder {
    makeFolder(fileSystem, root, HIDDEN);
    const folder = new HiddenFolder(fileSystem, takeLock(fileSystem, root, isShared));
    try {
      makeFolder(fileSystem, root, STAGING);
      makeFolder(fileSystem, root, VERSIONS);
      if (HiddenFolder.readMarker(fileSystem, root) === null) writeMarker(fileSystem, root);
      return folder;
    } catch (error) {
      folder.close();
      throw error;
    }
  }

  /** The marker's id, null where there is none. Throws `unavailable` where it is damaged. */
  static readMarker(fileSystem: FileSystem, root: Fd): string | null {
    const stat = fileSystem.stat(root, HIDDEN);
    if (stat === null) return null;
    checkFolder(fileSystem, root, HIDDEN, stat);
    let fd: Fd;
    try {
      fd = fileSystem.openFile(root, MARKER);
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') return null;
      throw error;
    }
    try {
      const bytes = Buffer.alloc(MARKER_BYTES + 1);
      const text = bytes.toString('latin1', 0, readSync(fd, bytes, 0, bytes.length, 0));
      if (MARKER_FORM.test(text)) return text.trim();
    } finally {
      fileSystem.close(fd);
    }
    throw new TidemarkError('unavailable', 'marker-damaged', `${MARKER} is damaged`, {
      remedy: `Remove ${MARKER}: the root counts as a new one then.`,
    });
  }

  /** Releases the lock. */
  close(): void {
    const lock = held.get(this.#key);
    if (lock === undefined || --lock.users > 0) return;
    held.delete(this.#key);
    this.#fileSystem.close(lock.lock);
  }
}

/** The key of the lock, held once more. */
function takeLock(fileSystem: FileSystem, root: Fd, isShared: boolean): string {
  const { dev, ino } = fileSystem.fstat(root);
  const key = isShared ? `${dev}:${ino}` : `${dev}:${ino}:${randomBytes(8).toString('hex')}`;
  const known = held.get(key);
  if (known !== undefined) {
    known.users++;
    return key;
  }
  const lock = fileSystem.openForUpdate(root, LOCK, true);
  if (!fileSystem.tryLock(lock)) {
    fileSystem.close(lock);
    throw locked();
  }
  held.set(key, { lock, users: 1 });
  return key;
}

function makeFolder(fileSystem: FileSystem, root: Fd, path: BytePath): void {
  const stat = fileSystem.stat(root, path);
  if (stat !== null) {
    checkFolder(fileSystem, root, path, stat);
    return;
  }
  try {
    fileSystem.makeDirectory(root, path, 0o700);
  } catch (error) {
    if (errnoOf(error) !== 'EEXIST') throw error;
  }
  fileSystem.syncDirectory(root, path === HIDDEN ? ROOT : HIDDEN);
}

/** What is staged here becomes the user's files: nobody else may own or write to the folder. */
function checkFolder(fileSystem: FileSystem, root: Fd, path: BytePath, stat: Stat): void {
  if (!isDirectory(stat.mode)) throw unusable(`${path} is not a directory`);
  const euid = process.geteuid?.() ?? stat.uid;
  const isTrusted = stat.uid === euid || (euid === 0 && stat.uid === fileSystem.fstat(root).uid);
  if (!isTrusted) throw unusable(`${path} belongs to another user`);
  if ((stat.mode & OTHERS_MAY_WRITE) !== 0) throw unusable(`${path} can be written to by others`);
}

/** Complete and durable before it has its name; where two runs race, the first one's holds. */
function writeMarker(fileSystem: FileSystem, root: Fd): void {
  const path = joinPath(HIDDEN, `id-${randomBytes(8).toString('hex')}`);
  const fd = fileSystem.createFile(root, path, 0o600);
  try {
    writeSync(fd, `${randomBytes(16).toString('hex')}\n`);
    fsyncSync(fd);
  } finally {
    fileSystem.close(fd);
  }
  try {
    fileSystem.renameNoReplace(root, path, MARKER);
  } catch (error) {
    fileSystem.removeFile(root, path);
    if (errnoOf(error) !== 'EEXIST') throw error;
  }
  fileSystem.syncDirectory(root, HIDDEN);
}

function locked(): TidemarkError {
  return new TidemarkError('locked', 'root-locked', 'another run is working on this root');
}

function unusable(message: string): TidemarkError {
  return new TidemarkError('unavailable', 'hidden-folder', message, {
    remedy: `Move ${HIDDEN} away if it is not tidemark's.`,
  });
}
