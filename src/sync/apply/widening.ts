/**
 * Directories that do not let their owner write, and into which content has to go all the same: they are widened for
 * the while and narrowed again at the end of the run.
 *
 * Before a directory is widened, a record of it is made durable in `.tidemark/widened`; the next start narrows what a
 * killed run left ({@link restoreWidened}). A user who changes the mode meanwhile keeps his change.
 */
import { fsyncSync, readSync, writeSync } from 'node:fs';
import { crc32 } from 'node:zlib';
import { readPath, writePath } from '../../journal/core/entry-codec.ts';
import { MAX_PATH_BYTES } from '../../journal/core/limits.ts';
import { type BytePath, isWithin, parentOf } from '../../platform/core/byte-path.ts';
import { ByteReader, ByteWriter, MalformedError } from '../../platform/core/bytes.ts';
import { errnoOf } from '../../platform/core/errors.ts';
import type { Fd, FileSystem } from '../../platform/filesystem.ts';
import { type ApplyContext, WIDENED } from './context.ts';
import { typeOf } from './packed-stat.ts';

interface Widened {
  /** Mode to go back to. */
  mode: number;
  readonly widerMode: number;
}

const OWNER_ALL = 0o700;
const OWNER_WRITE_AND_SEARCH = 0o300;
const MODE_BITS = 0o7777;
/** More than any run leaves behind. */
const MAX_RECORDS_BYTES = 64 * 1024 * 1024;

export class Widening {
  readonly #context: ApplyContext;
  readonly #widened = new Map<BytePath, Widened>();
  #fd: Fd | null = null;
  #length = 0;

  constructor(context: ApplyContext) {
    this.#context = context;
  }

  /** Runs `work`; where permission is denied, once more after widening the directories on the way to `paths`. */
  attempt<T>(paths: readonly BytePath[], work: () => T): T {
    try {
      return work();
    } catch (error) {
      if (errnoOf(error) !== 'EACCES' || !this.#widenFor(paths)) throw error;
      return work();
    }
  }

  /** The mode that a directory really has once this run is over; null where it is not widened. */
  finalMode(path: BytePath): number | null {
    return this.#widened.get(path)?.mode ?? null;
  }

  /** A widened directory is to have another mode in the end. */
  setFinalMode(path: BytePath, mode: number): void {
    const widened = this.#widened.get(path);
    if (widened === undefined) return;
    widened.mode = mode;
    this.#remember(path, widened);
  }

  /** A directory was renamed with all it holds. */
  moved(from: BytePath, to: BytePath): void {
    for (const [path, widened] of [...this.#widened]) {
      if (!isWithin(path, from)) continue;
      const newPath = (to + path.slice(from.length)) as BytePath;
      this.#widened.delete(path);
      this.#widened.set(newPath, widened);
      this.#remember(newPath, widened);
    }
  }

  /** Narrows everything again, children first. What was removed or given another mode meanwhile is left alone. */
  restore(): void {
    const { fileSystem, root } = this.#context;
    const paths = [...this.#widened.keys()].sort((left, right) => right.length - left.length);
    for (const path of paths) {
      const widened = this.#widened.get(path);
      if (widened !== undefined) narrow(fileSystem, root, path, widened);
    }
    this.#widened.clear();
    if (this.#fd === null) return;
    fileSystem.close(this.#fd);
    this.#fd = null;
    fileSystem.removeFile(root, WIDENED);
  }

  #widenFor(paths: readonly BytePath[]): boolean {
    let isWider = false;
    for (const path of paths) {
      for (const directory of [...ancestorsOf(path), path]) isWider = this.#widen(directory) || isWider;
    }
    return isWider;
  }

  #widen(path: BytePath): boolean {
    const { fileSystem, root } = this.#context;
    const stat = fileSystem.stat(root, path);
    if (stat === null || typeOf(stat) !== 'directory' || this.#widened.has(path)) return false;
    if ((stat.mode & OWNER_WRITE_AND_SEARCH) === OWNER_WRITE_AND_SEARCH || stat.uid !== process.geteuid?.())
      return false;
    const mode = stat.mode & MODE_BITS;
    const widened = { mode, widerMode: mode | OWNER_ALL };
    this.#remember(path, widened);
    fileSystem.setMode(root, path, widened.widerMode);
    this.#widened.set(path, widened);
    return true;
  }

  #remember(path: BytePath, widened: Widened): void {
    const { fileSystem, root } = this.#context;
    if (this.#fd === null) {
      this.#fd = fileSystem.openForUpdate(root, WIDENED, true);
      this.#length = 0;
    }
    const bytes = packRecord(path, widened);
    writeSync(this.#fd, bytes, 0, bytes.length, this.#length);
    this.#length += bytes.length;
    if (this.#context.options.durable) fsyncSync(this.#fd);
  }
}

/** Narrows the directories that a killed run left widened. Only under the root's lock. */
export function restoreWidened(fileSystem: FileSystem, root: Fd): void {
  if (fileSystem.stat(root, WIDENED) === null) return;
  const last = new Map<BytePath, Widened>();
  for (const [path, widened] of readRecords(fileSystem, root)) last.set(path, widened);
  const paths = [...last.keys()].sort((left, right) => right.length - left.length);
  for (const path of paths) {
    const widened = last.get(path);
    if (widened !== undefined) narrow(fileSystem, root, path, widened);
  }
  fileSystem.removeFile(root, WIDENED);
}

function narrow(fileSystem: FileSystem, root: Fd, path: BytePath, widened: Widened): void {
  try {
    const stat = fileSystem.stat(root, path);
    if (stat === null || typeOf(stat) !== 'directory' || (stat.mode & MODE_BITS) !== widened.widerMode) return;
    fileSystem.setMode(root, path, widened.mode);
  } catch {
    // Removed, or out of reach: the directory stays wider than it was, and the next look at the tree says so.
  }
}

/** Directories on the way to a path, topmost first, the root included. */
function ancestorsOf(path: BytePath): BytePath[] {
  const ancestors: BytePath[] = [];
  for (let at = path; at !== ''; ) {
    at = parentOf(at);
    ancestors.unshift(at);
  }
  return ancestors;
}

/** Length u32 · CRC-32 u32 · mode u16 · wider mode u16 · path. */
function packRecord(path: BytePath, widened: Widened): Buffer {
  const payload = new ByteWriter(128).u16(widened.mode).u16(widened.widerMode);
  writePath(payload, path);
  const bytes = payload.take();
  return new ByteWriter(128).u32(bytes.length).u32(crc32(bytes)).raw(bytes).take();
}

function* readRecords(fileSystem: FileSystem, root: Fd): Generator<[BytePath, Widened]> {
  const from = new ByteReader(readWidened(fileSystem, root));
  try {
    while (from.remaining > 0) {
      const length = from.count(MAX_PATH_BYTES * 2);
      const checksum = from.u32();
      const bytes = from.raw(length);
      if (crc32(bytes) !== checksum) return;
      const payload = new ByteReader(bytes);
      const mode = payload.u16();
      const widerMode = payload.u16();
      yield [readPath(payload), { mode, widerMode }];
    }
  } catch (error) {
    // A record cut short by the crash: what it speaks of was not widened yet.
    if (!(error instanceof MalformedError)) throw error;
  }
}

function readWidened(fileSystem: FileSystem, root: Fd): Buffer {
  const fd = fileSystem.openFile(root, WIDENED);
  try {
    const bytes = Buffer.allocUnsafe(Math.min(fileSystem.fstat(fd).sizeBytes, MAX_RECORDS_BYTES));
    return bytes.subarray(0, readSync(fd, bytes, 0, bytes.length, 0));
  } finally {
    fileSystem.close(fd);
  }
}
