/**
 * The manifest of a run's versions: a header, then records that are only ever appended.
 *
 * Header: magic and version u32 · synced run u8 · session (u32 length, hex). Record: length u32 · CRC-32 u32 · payload.
 * Payload: number u32 · reason u8 · kept u8 · time u53 · displaced inode u64 · staged inode u64 · path · entry, the last
 * two as in core/codec.ts.
 */
import { readSync } from 'node:fs';
import { crc32 } from 'node:zlib';
import type { TrackedEntry } from '../../journal/core/entry.ts';
import { readPath, readTrackedEntry, writeEntry, writePath } from '../../journal/core/entry-codec.ts';
import { MAX_PATH_BYTES, MAX_XATTR_BYTES } from '../../journal/core/limits.ts';
import type { BytePath } from '../../platform/core/byte-path.ts';
import { ByteReader, ByteWriter, MalformedError } from '../../platform/core/bytes.ts';
import { errnoOf } from '../../platform/core/errors.ts';
import type { Fd, FileSystem } from '../../platform/filesystem.ts';

export type VersionReason = 'overwritten' | 'deleted' | 'conflict';

export interface ManifestRecord {
  readonly number: number;
  readonly reason: VersionReason;
  /** False: only passing through, removed once the operation succeeded (--no-backup). */
  readonly isKept: boolean;
  readonly whenMs: number;
  readonly displacedInode: bigint;
  /** 0 where nothing is exchanged. */
  readonly stagedInode: bigint;
  readonly path: BytePath;
  readonly entry: TrackedEntry;
}

/** A manifest as far as it can be read. */
export interface Manifest {
  readonly session: string;
  readonly isDurable: boolean;
  readonly records: readonly ManifestRecord[];
  /** False where it ends in a damaged record. */
  readonly isWhole: boolean;
}

/** "TMV" and the version, 1. */
const MAGIC = 0x01564d54;
const REASONS: readonly VersionReason[] = ['overwritten', 'deleted', 'conflict'];
const MAX_RECORD_BYTES = MAX_PATH_BYTES * 2 + MAX_XATTR_BYTES + 16_384;
const MAX_MANIFEST_BYTES = 2 ** 31 - 1;

export function writeManifestHeader(out: ByteWriter, session: string, isDurable: boolean): void {
  out.u32(MAGIC);
  out.u8(isDurable ? 1 : 0);
  out.string(session);
}

export function writeManifestRecord(out: ByteWriter, record: ManifestRecord): void {
  const payload = new ByteWriter(256)
    .u32(record.number)
    .u8(REASONS.indexOf(record.reason))
    .u8(record.isKept ? 1 : 0);
  payload.u53(record.whenMs).i64(BigInt.asIntN(64, record.displacedInode)).i64(BigInt.asIntN(64, record.stagedInode));
  writePath(payload, record.path);
  writeEntry(payload, record.entry);
  const bytes = payload.take();
  out.u32(bytes.length).u32(crc32(bytes)).raw(bytes);
}

/** The manifest at `path`; null where there is none, or none that this version can read. */
export function readManifest(fileSystem: FileSystem, root: Fd, path: BytePath): Manifest | null {
  const bytes = readWhole(fileSystem, root, path);
  if (bytes === null) return null;
  const records: ManifestRecord[] = [];
  const from = new ByteReader(bytes);
  try {
    if (from.u32() !== MAGIC) return null;
    const isDurable = from.u8() === 1;
    const session = from.string(256);
    let isWhole = true;
    while (isWhole && from.remaining > 0) {
      const record = readManifestRecord(from);
      if (record === null) isWhole = false;
      else records.push(record);
    }
    return { session, isDurable, records, isWhole };
  } catch (error) {
    if (error instanceof MalformedError) return null;
    throw error;
  }
}

function readManifestRecord(from: ByteReader): ManifestRecord | null {
  try {
    const length = from.count(MAX_RECORD_BYTES);
    const checksum = from.u32();
    const bytes = from.raw(length);
    if (crc32(bytes) !== checksum) return null;
    const payload = new ByteReader(bytes);
    const number = payload.u32();
    const reason = REASONS[payload.u8()];
    if (reason === undefined) return null;
    const isKept = payload.u8() === 1;
    const whenMs = payload.u53();
    const displacedInode = BigInt.asUintN(64, payload.i64());
    const stagedInode = BigInt.asUintN(64, payload.i64());
    const path = readPath(payload);
    const entry = readTrackedEntry(payload);
    return { number, reason, isKept, whenMs, displacedInode, stagedInode, path, entry };
  } catch (error) {
    if (error instanceof MalformedError) return null;
    throw error;
  }
}

function readWhole(fileSystem: FileSystem, root: Fd, path: BytePath): Buffer | null {
  let fd: Fd;
  try {
    fd = fileSystem.openFile(root, path);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return null;
    throw error;
  }
  try {
    const bytes = Buffer.allocUnsafe(Math.min(fileSystem.fstat(fd).sizeBytes, MAX_MANIFEST_BYTES));
    let filled = 0;
    while (filled < bytes.length) {
      const count = readSync(fd, bytes, filled, bytes.length - filled, filled);
      if (count === 0) break;
      filled += count;
    }
    return bytes.subarray(0, filled);
  } finally {
    fileSystem.close(fd);
  }
}
