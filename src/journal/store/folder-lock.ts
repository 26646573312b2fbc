/**
 * One process at a time in a folder: flock on a file in it, which ends with the process however that dies. The file
 * names its holder for the message of those that come second.
 */
import { closeSync, constants, fsyncSync, ftruncateSync, openSync, readSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { BytePath } from '../../platform/core/byte-path.ts';
import { TidemarkError } from '../../platform/core/errors.ts';
import type { Fd, FileSystem } from '../../platform/filesystem.ts';

const LOCK_NAME = 'lock' as BytePath;
const MAX_NOTE_BYTES = 256;

/** Who has a lock, as its file says. */
export interface LockHolder {
  /** null where the file does not say: it is being written at this moment. */
  readonly pid: number | null;
  readonly since: Date | null;
  /** A few words for people. */
  readonly text: string;
}

export type Refusal = (holder: LockHolder) => TidemarkError;

export class FolderLock {
  readonly #fileSystem: FileSystem;
  #fd: Fd | null;

  private constructor(fileSystem: FileSystem, fd: Fd) {
    this.#fileSystem = fileSystem;
    this.#fd = fd;
  }

  /**
   * Takes the lock of `folder` (absolute) or throws what `refusal` makes of its holder: `locked` (`session-locked`)
   * unless said otherwise.
   */
  static take(fileSystem: FileSystem, folder: string, now: Date, refusal: Refusal = sessionLocked): FolderLock {
    const fd = openLockFile(fileSystem, folder);
    try {
      if (!fileSystem.tryLock(fd)) throw refusal(describe(readNote(fd)));
      ftruncateSync(fd);
      writeSync(fd, `${process.pid} ${now.toISOString()}\n`, 0);
      fsyncSync(fd);
    } catch (error) {
      fileSystem.close(fd);
      throw error;
    }
    return new FolderLock(fileSystem, fd);
  }

  /** Who holds the lock of `folder` at this moment, as text; null where nobody does. */
  static holder(fileSystem: FileSystem, folder: string): string | null {
    return FolderLock.look(fileSystem, folder)?.text ?? null;
  }

  /** Like {@link holder}, with what a program wants to know. */
  static look(fileSystem: FileSystem, folder: string): LockHolder | null {
    let fd: Fd;
    try {
      fd = openSync(join(folder, LOCK_NAME), constants.O_RDWR | constants.O_NOFOLLOW);
    } catch {
      return null;
    }
    try {
      return fileSystem.tryLock(fd) ? null : describe(readNote(fd));
    } finally {
      closeSync(fd);
    }
  }

  release(): void {
    if (this.#fd === null) return;
    this.#fileSystem.close(this.#fd);
    this.#fd = null;
  }
}

function openLockFile(fileSystem: FileSystem, folder: string): Fd {
  const root = fileSystem.openRoot(folder);
  try {
    return fileSystem.openForUpdate(root, LOCK_NAME, true);
  } finally {
    fileSystem.close(root);
  }
}

function readNote(fd: Fd): string {
  const bytes = Buffer.alloc(MAX_NOTE_BYTES);
  return bytes.toString('latin1', 0, readSync(fd, bytes, 0, MAX_NOTE_BYTES, 0));
}

function describe(note: string): LockHolder {
  const [, pid, since] = /^(\d{1,10}) ([0-9TZ:.-]{10,40})\n$/.exec(note) ?? [];
  if (pid === undefined || since === undefined) return { pid: null, since: null, text: 'another process' };
  return { pid: Number(pid), since: new Date(since), text: `process ${pid}, since ${since}` };
}

function sessionLocked({ text }: LockHolder): TidemarkError {
  return new TidemarkError('locked', 'session-locked', `another run holds this session (${text})`, {
    remedy: 'Wait until it ends, or stop it.',
  });
}
