/**
 * Reading a file so that what was read is what the file held at one moment.
 *
 * Two equal stats around a reading do not prove that: the kernel stamps the modification time *before* it copies the
 * data of a write, so a reader can see the new time with the old data, and the time never moves again. The proof is a
 * read lease, granted only while nobody has the file open for writing. Where leases do not exist (network and foreign
 * file systems, files of others, no addon) two equal stats have to do, and a file stamped within {@link RECENT_NS} is
 * read twice: a write under way during the first reading shows as a difference. What remains open there is a writer
 * through a memory mapping, and one write call that stalls for longer than that in the middle of its data.
 *
 * A writer that opens a leased file waits for us. So the lease is asked after before every slice and, while the thread
 * waits for somebody else, every {@link LEASE_CHECK_MS}; once broken it is released at once.
 */

import { readSync } from 'node:fs';
import type { BytePath } from '../platform/core/byte-path.ts';
import { errnoOf, type Problem, problemFrom } from '../platform/core/errors.ts';
import { packStat, sameStat } from '../platform/core/stat-codec.ts';
import type { Fd, FileSystem, LeaseState, SmallFile, Stat } from '../platform/filesystem.ts';
import { DATA_RECORD_BYTES } from './core/limits.ts';

/** A stamp this young may belong to a write that is still under way. Covers the two-second stamps of FAT. */
export const RECENT_NS = 2_000_000_000n;

/** How often a lease is asked after while waiting: a writer's open(2) blocks that long at most. */
const LEASE_CHECK_MS = 50;

/** Largest piece read at once. */
export const SLICE_BYTES = DATA_RECORD_BYTES;

/** Thrown inside the readers of this folder, caught by the same: this one file cannot be supplied or hashed. */
export class ReadRefused extends Error {
  readonly problem: Problem;
  readonly why: RefusalKind;

  constructor(problem: Problem, why: RefusalKind) {
    super(problem.message);
    this.problem = problem;
    this.why = why;
  }

  /** True where the file is no longer what was seen, or is being written: look again later. */
  get isChanged(): boolean {
    return this.why !== 'failed';
  }
}

/** `gone`: no longer a regular file of the tree. `changed`: not what was seen. `failed`: an error of the system. */
export type RefusalKind = 'open-for-writing' | 'changed' | 'gone' | 'failed';

export function changedSince(message: string): ReadRefused {
  return new ReadRefused({ code: 'changed', message }, 'changed');
}

/** Nanoseconds since 1970. */
export type Clock = () => bigint;

export const systemClock: Clock = () => BigInt(Date.now()) * 1_000_000n;

/** What a file must still be: by its packed stat, else by size and modification time. Both null: anything. */
export interface Sighting {
  readonly packedStat: Uint8Array | null;
  readonly seen: { readonly sizeBytes: number; readonly mtimeNs: bigint } | null;
}

/** Throws ReadRefused where `stat` is not what was seen. `packed`: its packed form, where that is at hand. */
export function checkSighting(stat: Stat, { packedStat, seen }: Sighting, packed?: Uint8Array): void {
  const isSame =
    packedStat !== null
      ? sameStat(packed ?? packStat(stat), packedStat)
      : seen === null || (stat.sizeBytes === seen.sizeBytes && stat.mtimeNs === seen.mtimeNs);
  if (!isSame) throw changedSince('changed since it was looked at');
}

/** A small file as it was read, or why it could not be; when that began at the earliest; and how to read it again. */
export interface SmallReading {
  readonly file: SmallFile | Error;
  readonly startedNs: bigint;
  readonly again: () => SmallFile;
}

/**
 * Reads a whole file of up to `maxBytes` with the proof above. null where it is larger than that. Throws ReadRefused.
 * `checkWriteback`: refuses, too, where the file could not be written to disk and nobody was told.
 */
export function readProvenSmall(
  fileSystem: FileSystem,
  root: Fd,
  path: BytePath,
  maxBytes: number,
  sighting: Sighting,
  now: Clock,
  checkWriteback = false,
): SmallFile | null {
  const startedNs = now();
  const again = () => fileSystem.readSmallFile(root, path, maxBytes, checkWriteback);
  return provenSmall({ file: opening(again), startedNs, again }, maxBytes, sighting);
}

/** What was read of a whole file of up to `maxBytes`, proven. null where it is larger than that. Throws ReadRefused. */
export function provenSmall(reading: SmallReading, maxBytes: number, sighting: Sighting): SmallFile | null {
  const { file, startedNs, again } = reading;
  if (file instanceof Error) throw refusalOf(file);
  if (file.lease === 'refused') throw openForWriting();
  checkSighting(file.before, sighting, file.packedBefore);
  if (file.before.sizeBytes > maxBytes) return null;
  checkUndisturbed(file.before, file.after);
  if (file.contents.length !== file.before.sizeBytes) throw changedSince('changed while it was read');
  if (!mustReadTwice(file.lease, file.before, startedNs)) return file;
  const contents = Buffer.from(file.contents);
  const packedBefore = Buffer.from(file.packedBefore);
  const second = opening(again);
  if (second.lease === 'refused') throw openForWriting();
  checkUndisturbed(file.before, second.after);
  if (!second.contents.equals(contents)) throw changedSince('changed while it was read');
  return { ...file, packedBefore, contents };
}

/** A file open for reading, under a lease where possible. All methods throw ReadRefused. */
export class HeldFile {
  readonly fd: Fd;
  /** The stat at the beginning, which is the stat of what was read once `confirm` returned. */
  readonly stat: Stat;
  readonly #fileSystem: FileSystem;
  readonly #startedNs: bigint;
  #lease: LeaseState | 'broken';

  /** Opens and leases the file and checks that it is still what was seen. */
  static open(fileSystem: FileSystem, root: Fd, path: BytePath, sighting: Sighting, now: Clock): HeldFile {
    const fd = opening(() => fileSystem.openFile(root, path));
    try {
      const startedNs = now();
      const lease = refusing(() => fileSystem.takeReadLease(fd));
      if (lease === 'refused') throw openForWriting();
      const stat = refusing(() => fileSystem.fstat(fd));
      checkSighting(stat, sighting);
      return new HeldFile(fileSystem, fd, stat, lease, startedNs);
    } catch (error) {
      fileSystem.close(fd);
      throw error;
    }
  }

  private constructor(fileSystem: FileSystem, fd: Fd, stat: Stat, lease: LeaseState, startedNs: bigint) {
    this.#fileSystem = fileSystem;
    this.fd = fd;
    this.stat = stat;
    this.#lease = lease;
    this.#startedNs = startedNs;
  }

  /** True where a lease stands: nobody has the file open for writing. */
  get isLeased(): boolean {
    return this.#lease === 'held';
  }

  /** Fills `buffer` from `position`; refuses where the file ends before that. */
  read(buffer: Uint8Array, position: number): void {
    this.checkLease();
    let filled = 0;
    while (filled < buffer.length) {
      const count = refusing(() => readSync(this.fd, buffer, filled, buffer.length - filled, position + filled));
      if (count === 0) throw changedSince('became shorter while it was read');
      filled += count;
    }
  }

  /** Refuses where a writer wants the file; then it has it already. */
  checkLease(): void {
    this.#giveWay();
    if (this.#lease === 'broken') throw openForWriting();
  }

  /** The bytes from `start` to `end` in slices: views of one buffer, each valid until the next is asked for. */
  *slices(start: number, end: number): Generator<Buffer> {
    const slice = Buffer.allocUnsafeSlow(Math.min(SLICE_BYTES, end - start));
    for (let at = start; at < end; ) {
      const bytes = slice.subarray(0, Math.min(slice.length, end - at));
      this.read(bytes, at);
      yield bytes;
      at += bytes.length;
    }
  }

  /** Refuses where the file could not be written to disk and nobody was told. */
  checkWriteback(): void {
    refusing(() => this.#fileSystem.checkWriteback(this.fd));
  }

  nextData(offset: number): { readonly start: number; readonly end: number } | null {
    this.checkLease();
    return refusing(() => this.#fileSystem.nextData(this.fd, offset, this.stat.sizeBytes));
  }

  /** Waits for `work`, and gives a writer way meanwhile; the next reading then refuses. */
  async lend(work: Promise<void>): Promise<void> {
    const timer = setInterval(() => this.#giveWay(), LEASE_CHECK_MS);
    try {
      await work;
    } finally {
      clearInterval(timer);
    }
  }

  /** True where the content has to be read a second time and compared before `confirm`. */
  get mustReadTwice(): boolean {
    return this.#lease !== 'broken' && mustReadTwice(this.#lease, this.stat, this.#startedNs);
  }

  /** After the last reading: refuses unless the lease stands and the stat is that of the beginning. */
  confirm(): void {
    const stat = refusing(() => this.#fileSystem.fstat(this.fd));
    this.checkLease();
    checkUndisturbed(this.stat, stat);
  }

  close(): void {
    if (this.#lease === 'held') this.#fileSystem.releaseLease(this.fd);
    this.#fileSystem.close(this.fd);
  }

  #giveWay(): void {
    if (this.#lease !== 'held' || this.#fileSystem.holdsReadLease(this.fd)) return;
    this.#fileSystem.releaseLease(this.fd);
    this.#lease = 'broken';
  }
}

export function openForWriting(): ReadRefused {
  return new ReadRefused({ code: 'open-for-writing', message: 'open for writing' }, 'open-for-writing');
}

function mustReadTwice(lease: LeaseState, stat: Stat, startedNs: bigint): boolean {
  if (lease === 'held') return false;
  return startedNs - stat.mtimeNs < RECENT_NS || startedNs - stat.ctimeNs < RECENT_NS;
}

/** The fields of `sameStat`, compared without packing: this runs for every small file. */
function checkUndisturbed(before: Stat, after: Stat): void {
  if (before === after) return;
  const isSame =
    before.ctimeNs === after.ctimeNs &&
    before.mtimeNs === after.mtimeNs &&
    before.sizeBytes === after.sizeBytes &&
    before.ino === after.ino &&
    before.mode === after.mode &&
    before.uid === after.uid &&
    before.gid === after.gid;
  if (!isSame) throw changedSince('changed while it was read');
}

/** What openFile says of a path that is no longer a regular file of the tree. */
const GONE: ReadonlySet<string> = new Set(['ENOENT', 'ENOTDIR', 'ELOOP', 'EISDIR', 'EINVAL', 'ENXIO', 'ESTALE']);

/** Opens by path: what is gone was changed. */
export function opening<Result>(call: () => Result): Result {
  try {
    return call();
  } catch (error) {
    throw refusalOf(error);
  }
}

function refusalOf(error: unknown): ReadRefused {
  const code = errnoOf(error);
  if (GONE.has(code))
    return new ReadRefused({ code: 'changed', message: 'is no longer there as a regular file' }, 'gone');
  // Somebody holds a write lease, as file servers do for their clients.
  return code === 'EAGAIN' ? openForWriting() : new ReadRefused(problemFrom(error), 'failed');
}

/** Runs a call on an open file; its errors become refusals. */
export function refusing<Result>(call: () => Result): Result {
  try {
    return call();
  } catch (error) {
    throw new ReadRefused(problemFrom(error), 'failed');
  }
}
