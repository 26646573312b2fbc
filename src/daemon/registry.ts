/**
 * The roots that the service is to record, across restarts.
 *
 * Invariants: one file for each root, named by the digest of its path and holding the path. A file is written under
 * another name, synced, and renamed: it is there completely or not at all, whatever dies when. Adding and removing touch
 * one file each, so nothing is read, changed and written back, and two processes need no lock.
 */
import { closeSync, fsyncSync, openSync, readdirSync, readFileSync, renameSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { errnoOf, TidemarkError } from '../platform/core/errors.ts';
import { bytesField, countField, parseObject } from '../transport/core/json.ts';
import { MAX_ROOT_BYTES, MAX_ROOTS } from './core/limits.ts';
import { asRoot, type RootPath } from './core/messages.ts';
import { ensureOwnFolder } from './own-folder.ts';
import { rootId } from './places.ts';

const FORMAT = 1;
const ID = /^[0-9a-f]{32}$/;

export interface RegisteredRoots {
  /** In byte order. */
  readonly roots: readonly RootPath[];
  /** Files that cannot be understood, with the reason: reported, never taken for fewer roots in silence. */
  readonly damaged: readonly { readonly file: string; readonly reason: string }[];
}

export class Registry {
  readonly folder: string;

  /** `stateFolder`: absolute. Nothing is made before the first root is added. */
  constructor(stateFolder: string) {
    this.folder = join(stateFolder, 'roots');
  }

  list(): RegisteredRoots {
    const roots: RootPath[] = [];
    const damaged: { file: string; reason: string }[] = [];
    for (const name of this.#names()) {
      const file = join(this.folder, name);
      try {
        roots.push(readRoot(file, name));
      } catch (error) {
        if (errnoOf(error) !== 'ENOENT') damaged.push({ file, reason: (error as Error).message });
      }
    }
    return { roots: roots.sort((left, right) => (left < right ? -1 : 1)), damaged };
  }

  has(root: RootPath): boolean {
    return this.list().roots.includes(root);
  }

  /** Durable when it returns. False where the root was there already. */
  add(root: RootPath): boolean {
    if (this.has(root)) return false;
    if (this.#names().length >= MAX_ROOTS) {
      throw new TidemarkError('unavailable', 'too-many-roots', `${MAX_ROOTS} roots are recorded already`, {
        remedy: 'Remove one with tidemark journal remove, or record a directory above several of them.',
      });
    }
    ensureOwnFolder(this.folder);
    const id = rootId(root);
    const fresh = join(this.folder, `.${id}.${process.pid}`);
    writeDurably(fresh, `${JSON.stringify({ format: FORMAT, path: root })}\n`);
    renameSync(fresh, join(this.folder, id));
    syncFolder(this.folder);
    return true;
  }

  /** Durable when it returns. False where it was not there. */
  remove(root: RootPath): boolean {
    if (!this.has(root)) return false;
    rmSync(join(this.folder, rootId(root)), { force: true });
    syncFolder(this.folder);
    return true;
  }

  #names(): string[] {
    try {
      return readdirSync(this.folder).filter((name) => ID.test(name));
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') return [];
      throw new TidemarkError('unavailable', 'registry', `cannot read ${this.folder}: ${(error as Error).message}`, {
        remedy: 'Make it readable, or set TIDEMARK_HOME to another folder.',
        cause: error,
      });
    }
  }
}

function readRoot(file: string, name: string): RootPath {
  const object = parseObject(readFileSync(file), 'the file');
  const format = countField(object, 'format');
  if (format !== FORMAT) throw new Error(`format ${format}, which this version does not know`);
  const root = asRoot(bytesField(object, 'path', MAX_ROOT_BYTES));
  if (rootId(root) !== name) throw new Error('holds another path than its name says');
  return root;
}

function writeDurably(file: string, text: string): void {
  rmSync(file, { force: true });
  const fd = openSync(file, 'wx', 0o600);
  try {
    writeSync(fd, text);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

function syncFolder(folder: string): void {
  const fd = openSync(folder, 'r');
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}
