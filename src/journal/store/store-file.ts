/**
 * Looks at a store's files before LMDB opens them.
 *
 * The package ends the process (segmentation fault, SIGBUS) where the file is not an LMDB file, where pages are missing
 * at its end, and where the disk is full while the file is made. None of these may happen to a user, so they are ruled
 * out here, and reported as errors.
 *
 * Layout (LMDB data version 2, 64 bit, little-endian): two meta pages; in each, at 18 the page flags u16, at 24 magic
 * u32 and version u32, at 48 the page size u32, at 136 the root page u64, at 144 the last page u64, at 152 the
 * transaction u64.
 */
import { randomBytes } from 'node:crypto';
import {
  closeSync,
  constants,
  existsSync,
  fstatSync,
  ftruncateSync,
  linkSync,
  openSync,
  readSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { errnoOf } from '../../platform/core/errors.ts';
import { isFull } from './store-errors.ts';

const META_PAGE_FLAG = 0x08;
const MAGIC = 0xbeefc0de;
const DATA_VERSION = 2;
const META_BYTES = 160;
const NO_ROOT = 0xffff_ffff_ffff_ffffn;

/** Room for several hundred reading threads. Written out: a hole in it would be a SIGBUS on a full disk. */
const LOCK_FILE_BYTES = 64 * 1024;

/** Pages that may be missing at the end of a sound file; see {@link fillTail}. */
const SPARE_PAGES = 64n;

/** Why the files in `folder` cannot be opened. */
export interface StoreFault {
  readonly kind: 'damaged' | 'full' | 'unusable';
  readonly detail: string;
}

/** Checks the store in `folder` and prepares its files; null where it may be opened. Throws system errors. */
export function prepareStoreFiles(folder: string): StoreFault | null {
  if (isFull(folder)) return { kind: 'full', detail: 'less than 1 MiB is free' };
  return prepareLockFile(join(folder, 'lock.mdb')) ?? prepareDataFile(join(folder, 'data.mdb'));
}

/** A new lock file appears complete: another thread that opens the store at this moment may use it at once. */
function prepareLockFile(path: string): StoreFault | null {
  if (!existsSync(path)) {
    const made = `${path}.${randomBytes(6).toString('hex')}`;
    writeFileSync(made, Buffer.alloc(LOCK_FILE_BYTES), { flag: 'wx', mode: 0o600 });
    try {
      linkSync(made, path);
    } catch (error) {
      if (errnoOf(error) !== 'EEXIST') throw error;
    } finally {
      unlinkSync(made);
    }
  }
  const fd = openOwn(path, 0);
  if (typeof fd !== 'number') return fd;
  closeSync(fd);
  return null;
}

function prepareDataFile(path: string): StoreFault | null {
  const fd = openOwn(path, constants.O_CREAT);
  if (typeof fd !== 'number') return fd;
  try {
    return fstatSync(fd).size === 0 ? null : checkPages(fd);
  } finally {
    closeSync(fd);
  }
}

/** A regular file that only we can write to, never through a symlink. */
function openOwn(path: string, flags: number): number | StoreFault {
  let fd: number;
  try {
    fd = openSync(path, constants.O_RDWR | constants.O_NOFOLLOW | constants.O_NONBLOCK | flags, 0o600);
  } catch (error) {
    return { kind: 'unusable', detail: (error as Error).message };
  }
  const stat = fstatSync(fd);
  if (stat.isFile() && (process.geteuid === undefined || stat.uid === process.geteuid())) return fd;
  closeSync(fd);
  return { kind: 'unusable', detail: `${path} is not a file of ours` };
}

function checkPages(fd: number): StoreFault | null {
  const first = readMeta(fd, 0);
  if (first === null) return { kind: 'damaged', detail: 'no store file' };
  const second = readMeta(fd, first.pageBytes);
  if (second === null || second.pageBytes !== first.pageBytes)
    return { kind: 'damaged', detail: 'no second meta page' };
  const newest = second.transaction > first.transaction ? second : first;
  // After the meta pages were read: another thread may be writing, and pages are there before a meta page names them.
  const pages = BigInt(Math.floor(fstatSync(fd).size / first.pageBytes));
  const isEmpty = newest.root === NO_ROOT;
  if (newest.lastPage < 1n || (!isEmpty && (newest.root > newest.lastPage || newest.root >= pages))) {
    return { kind: 'damaged', detail: 'file cut short' };
  }
  if (pages + SPARE_PAGES < newest.lastPage + 1n) return { kind: 'damaged', detail: 'file cut short' };
  return null;
}

/**
 * Fills up a file that is a few pages short. LMDB need never have written pages that were taken and freed at the end
 * (up to two were seen), and never reads them; but were such a page missing by damage, reading it would be a SIGBUS.
 * Only within a write transaction: nobody else may be making the file longer.
 */
export function fillTail(folder: string): void {
  const fd = openSync(join(folder, 'data.mdb'), constants.O_RDWR | constants.O_NOFOLLOW);
  try {
    const first = readMeta(fd, 0);
    const second = first === null ? null : readMeta(fd, first.pageBytes);
    if (first === null || second === null) return;
    const lastPage = second.transaction > first.transaction ? second.lastPage : first.lastPage;
    const expectedBytes = Number(lastPage + 1n) * first.pageBytes;
    if (fstatSync(fd).size < expectedBytes) ftruncateSync(fd, expectedBytes);
  } finally {
    closeSync(fd);
  }
}

interface Meta {
  readonly pageBytes: number;
  readonly root: bigint;
  readonly lastPage: bigint;
  readonly transaction: bigint;
}

function readMeta(fd: number, offset: number): Meta | null {
  const bytes = Buffer.alloc(META_BYTES);
  if (readSync(fd, bytes, 0, META_BYTES, offset) !== META_BYTES) return null;
  const pageBytes = bytes.readUInt32LE(48);
  const isMeta = (bytes.readUInt16LE(18) & META_PAGE_FLAG) !== 0 && bytes.readUInt32LE(24) === MAGIC;
  const isKnown = (bytes.readUInt32LE(28) & 0xffff) === DATA_VERSION;
  if (!isMeta || !isKnown || pageBytes < 512 || pageBytes > 65_536 || (pageBytes & (pageBytes - 1)) !== 0) return null;
  return {
    pageBytes,
    root: bytes.readBigUInt64LE(136),
    lastPage: bytes.readBigUInt64LE(144),
    transaction: bytes.readBigUInt64LE(152),
  };
}
