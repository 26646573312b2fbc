/**
 * The hidden folder `.tidemark/` of a root: who the root is (`id`), who works on it (`lock`), and room for what is on
 * its way in (`staging/`) and out (`versions/`). 0700, ours, and never reached through a symlink.
 */
import { createHash, randomBytes } from 'node:crypto';
import { fsyncSync, readSync, writeSync } from 'node:fs';
import { type ByteName, type BytePath, joinPath, ROOT } from '../platform/core/byte-path.ts';
import { errnoOf, TidemarkError } from '../platform/core/errors.ts';
import { isDirectory } from '../platform/core/stat-codec.ts';
import type { Fd, FileSystem, Stat } from '../platform/filesystem.ts';
import { HIDDEN, STAGING, VERSIONS } from './apply/context.ts';

const MARKER = joinPath(HIDDEN, 'id');
const LOCK = joinPath(HIDDEN, 'lock');
const MARKER_FORM = /^[0-9a-f]{32}\n$/;
const MARKER_BYTES = 33;
const OTHERS_MAY_WRITE = 0o022;

/** How long to wait for a run that has the folder to itself to let others in, in steps of so much. */
const SHARING_TRIES = 60;
const SHARING_STEP_MS = 50;
const NEVER_WOKEN = new Int32Array(new SharedArrayBuffer(4));

export class HiddenFolder {
  readonly #fileSystem: FileSystem;
  readonly #locks: Fd[] = [];
  #isAlone = false;

  private constructor(fileSystem: FileSystem) {
    this.#fileSystem = fileSystem;
  }

  /**
   * Makes the folder and all in it where missing, and takes the lock. Throws `locked` where another run holds it,
   * `unavailable` where the folder is not ours to use, and system errors where it cannot be written to.
   *
   * `only` names the file of a file root. File roots in one directory do not disturb each other (they may be the two
   * sides of one run): each locks its own name, and all share the folder once the first has cleared it.
   */
  static make(fileSystem: FileSystem, root: Fd, only: ByteName | null = null): HiddenFolder {
    makeFolder(fileSystem, root, HIDDEN);
    const folder = new HiddenFolder(fileSystem);
    try {
      folder.#takeLocks(root, only);
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

  /** True while no other run may be in the folder: what is staged in it belongs to nobody. */
  get isAlone(): boolean {
    return this.#isAlone;
  }

  /** Lets other file roots of the directory in. */
  share(): void {
    const [lock] = this.#locks;
    if (!this.#isAlone || lock === undefined) return;
    this.#isAlone = false;
    if (!this.#joins(lock)) throw locked();
  }

  /** Releases the locks. */
  close(): void {
    for (const lock of this.#locks.splice(0)) this.#fileSystem.close(lock);
  }

  #takeLocks(root: Fd, only: ByteName | null): void {
    const lock = this.#lockFile(root, LOCK);
    this.#isAlone = this.#fileSystem.tryLock(lock);
    if (!this.#isAlone && (only === null || !this.#joins(lock))) throw locked();
    if (only !== null && !this.#fileSystem.tryLock(this.#lockFile(root, lockOf(only)))) throw locked();
  }

  #lockFile(root: Fd, path: BytePath): Fd {
    const lock = this.#fileSystem.openForUpdate(root, path, true);
    this.#locks.push(lock);
    return lock;
  }

  /** Another file root has the folder to itself for as long as it takes to clear it; a directory root for its whole run. */
  #joins(lock: Fd): boolean {
    for (let attempt = 1; !this.#fileSystem.tryLock(lock, 'shared'); attempt++) {
      if (attempt === SHARING_TRIES) return false;
      Atomics.wait(NEVER_WOKEN, 0, 0, SHARING_STEP_MS);
    }
    return true;
  }
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

/** The lock of one file: hashed, since a name with something before it may be too long. */
function lockOf(only: ByteName): BytePath {
  return joinPath(HIDDEN, `lock-${createHash('sha256').update(only, 'latin1').digest('hex').slice(0, 32)}`);
}

function locked(): TidemarkError {
  return new TidemarkError('locked', 'root-locked', 'another run is working on this root', {
    remedy: 'Wait until it ends, or stop it.',
  });
}

function unusable(message: string): TidemarkError {
  return new TidemarkError('unavailable', 'hidden-folder', message, {
    remedy: `Move ${HIDDEN} away if it is not tidemark's.`,
  });
}
