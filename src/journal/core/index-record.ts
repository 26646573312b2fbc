/**
 * One row of the index in bytes, and what two packed stats say about a file.
 *
 * Layout: flags u8 · packed stat (STAT_BYTES, where flag `stat`) · rest. The stat lies verbatim at a fixed place, so a
 * scan compares the walker's bytes with the stored ones and decodes nothing for an object that stayed as it was.
 * Rest: with flag `plain` the entry follows from the stat, and for a file room for both digests follows, whether they
 * are known or not (flags `fast`, `strong`): rows that grew when their file is hashed would split every full page of the
 * store in two. Otherwise the rest is codec.ts's entry.
 */
import { ByteReader, ByteWriter, MalformedError } from '../../platform/core/bytes.ts';
import {
  isDirectory,
  isRegularFile,
  modeOf,
  mtimeNsOf,
  permissionBits,
  STAT_BYTES,
  sizeOf,
} from '../../platform/core/stat-codec.ts';
import { type Digests, type Entry, UNKNOWN_DIGESTS } from './entry.ts';
import { readEntry, writeEntry } from './entry-codec.ts';

/** What the index knows of one path. */
export interface IndexRecord {
  readonly entry: Entry;
  /** The packed stat (STAT_BYTES) as observed when `entry` was recorded; null where none was had. */
  readonly packedStat: Uint8Array | null;
  /** True where the object was touched so shortly before it was recorded that a later write may leave the same stat. */
  readonly racy: boolean;
}

/** Flags of a row. `directory` (0x80) belongs to the tree store; see tree-store.ts. */
export const RECORD_FLAG = { stat: 1, racy: 2, plain: 4, file: 8, fast: 16, strong: 32, tracked: 64 } as const;

/** Where the packed stat lies in a row. */
export const RECORD_STAT_OFFSET = 1;

/** Offsets in a packed stat. */
const MODE = 12;
const SIZE = 32;
const CTIME = 48;
const BIRTH = 56;

const FAST_BYTES = 8;
const STRONG_BYTES = 32;
const NO_FAST = '\0'.repeat(FAST_BYTES);
const NO_STRONG = '\0'.repeat(STRONG_BYTES);

/** Bytes that start with a flag byte; the tree store may set its own flag in it. */
export function encodeRecord(record: IndexRecord): Buffer {
  const { entry, packedStat } = record;
  if (packedStat !== null && packedStat.length !== STAT_BYTES)
    throw new MalformedError('packed stat of a wrong length');
  const isPlain = packedStat !== null && followsFromStat(entry, packedStat);
  const isTracked = entry.kind === 'file' || entry.kind === 'directory' || entry.kind === 'symlink';
  let flags =
    (packedStat === null ? 0 : RECORD_FLAG.stat) |
    (record.racy ? RECORD_FLAG.racy : 0) |
    (entry.kind === 'file' ? RECORD_FLAG.file : 0) |
    (isTracked ? RECORD_FLAG.tracked : 0);
  const out = emptyScratch();
  out.u8(0);
  if (packedStat !== null) out.raw(packedStat);
  if (isPlain) {
    flags |= RECORD_FLAG.plain;
    if (entry.kind === 'file') flags |= writeDigests(out, entry.digests);
  } else writeEntry(out, entry);
  const bytes = out.take();
  bytes[0] = flags;
  return bytes;
}

const scratch = new ByteWriter(4096);

/** One writer for all rows; an encoding that threw may have left something in it. */
function emptyScratch(): ByteWriter {
  if (scratch.length > 0) scratch.take();
  return scratch;
}

/** The inverse of {@link encodeRecord}, over `bytes` up to `end`. Throws MalformedError. */
export function decodeRecord(bytes: Buffer, end = bytes.length): IndexRecord {
  const from = new ByteReader(bytes, 0, end);
  const flags = from.u8();
  const packedStat = flags & RECORD_FLAG.stat ? from.raw(STAT_BYTES) : null;
  const entry = flags & RECORD_FLAG.plain ? readPlain(from, flags, packedStat) : readEntry(from);
  if (entry === null) throw new MalformedError('an index row without an entry');
  from.finish();
  return { entry, packedStat, racy: (flags & RECORD_FLAG.racy) !== 0 };
}

/** The packed stat of a row, a view; null where it has none. The rest of the row is not looked at. */
export function packedStatIn(bytes: Buffer, end = bytes.length): Uint8Array | null {
  const start = RECORD_STAT_OFFSET;
  if (((bytes[0] as number) & RECORD_FLAG.stat) === 0 || end < start + STAT_BYTES) return null;
  return bytes.subarray(start, start + STAT_BYTES);
}

/** Change time of a packed stat. */
export function ctimeNsOf(packedStat: Uint8Array): bigint {
  return new DataView(packedStat.buffer, packedStat.byteOffset, STAT_BYTES).getBigInt64(CTIME, true);
}

/** True where the row holds this very stat, link count and device aside (as sameStat of stat-codec.ts). */
export function holdsStat(row: Uint8Array, packedStat: Uint8Array): boolean {
  return sameBytes(row, packedStat, MODE, STAT_BYTES);
}

/**
 * For directories: mode, owner, inode and birth, since size and the other times move with what is in it. Birth, because
 * a directory removed and made again may get the same inode, and is another one.
 */
export function holdsDirectoryStat(row: Uint8Array, packedStat: Uint8Array): boolean {
  return sameBytes(row, packedStat, MODE, SIZE) && sameBytes(row, packedStat, BIRTH, STAT_BYTES);
}

/** When a stat was taken, by the same clock files are stamped with. */
export interface StatWindow {
  /** Clock before and after the call, ns since 1970. */
  readonly fromNs: bigint;
  readonly toNs: bigint;
  /** How coarse the file system's stamps are: a write may carry a stamp this much older than itself. */
  readonly granularityNs: bigint;
}

/** The kernel stamps with the time of its last tick, up to 10 ms ago at HZ=100; twice that for good measure. */
export const TICK_NS = 20_000_000n;

/** For file systems with whole or two-second stamps, or with another machine's clock. */
export const COARSE_NS = 2_000_000_000n;

/**
 * True where a write after the stat could leave exactly this stat, because its mtime or ctime is as young as the
 * stamp such a write would get. Whole seconds in both stamps are taken as a sign of a coarse file system.
 */
export function isRacy(packedStat: Uint8Array, window: StatWindow): boolean {
  const mtimeNs = mtimeNsOf(packedStat);
  const ctimeNs = ctimeNsOf(packedStat);
  const looksCoarse = mtimeNs % 1_000_000_000n === 0n && ctimeNs % 1_000_000_000n === 0n;
  const granularityNs = looksCoarse && window.granularityNs < COARSE_NS ? COARSE_NS : window.granularityNs;
  const from = window.fromNs - granularityNs;
  const to = window.toNs + granularityNs;
  return (ctimeNs >= from && ctimeNs <= to) || (mtimeNs >= from && mtimeNs <= to);
}

/** True where the entry, digests aside, is what {@link entryFromStat} makes of the stat. */
function followsFromStat(entry: Entry, packedStat: Uint8Array): boolean {
  if (entry.kind !== 'file' && entry.kind !== 'directory') return false;
  if (entry.owner !== undefined || entry.xattrs !== undefined) return false;
  const mode = modeOf(packedStat);
  if (permissionBits(mode) !== entry.mode) return false;
  if (entry.kind === 'directory') return isDirectory(mode);
  return (
    isRegularFile(mode) &&
    entry.linkTo === undefined &&
    entry.sizeBytes === sizeOf(packedStat) &&
    entry.mtimeNs === mtimeNsOf(packedStat)
  );
}

/** A file or directory as its stat alone describes it; null for any other type. */
export function entryFromStat(packedStat: Uint8Array, digests: Digests): Entry | null {
  const fullMode = modeOf(packedStat);
  const mode = permissionBits(fullMode);
  if (isDirectory(fullMode)) return { kind: 'directory', mode };
  if (!isRegularFile(fullMode)) return null;
  return { kind: 'file', mode, sizeBytes: sizeOf(packedStat), mtimeNs: mtimeNsOf(packedStat), digests };
}

function readPlain(from: ByteReader, flags: number, packedStat: Uint8Array | null): Entry {
  if (packedStat === null) throw new MalformedError('a plain row without a stat');
  if (!(flags & RECORD_FLAG.file)) return entryOrRefuse(packedStat, UNKNOWN_DIGESTS);
  const fast = from.rawString(FAST_BYTES);
  const strong = from.rawString(STRONG_BYTES);
  return entryOrRefuse(packedStat, {
    fast: flags & RECORD_FLAG.fast ? fast : null,
    strong: flags & RECORD_FLAG.strong ? strong : null,
  });
}

function entryOrRefuse(packedStat: Uint8Array, digests: Digests): Entry {
  const entry = entryFromStat(packedStat, digests);
  if (entry === null) throw new MalformedError('a plain row of a special file');
  return entry;
}

function writeDigests(out: ByteWriter, { fast, strong }: Digests): number {
  out.rawString(checkedLength(fast ?? NO_FAST, FAST_BYTES)).rawString(checkedLength(strong ?? NO_STRONG, STRONG_BYTES));
  return (fast === null ? 0 : RECORD_FLAG.fast) | (strong === null ? 0 : RECORD_FLAG.strong);
}

function checkedLength(digest: string, length: number): string {
  if (digest.length !== length) throw new MalformedError(`digest of ${digest.length} bytes`);
  return digest;
}

function sameBytes(row: Uint8Array, packedStat: Uint8Array, start: number, end: number): boolean {
  // Backwards: what changes, changes at the end (times), so most differences are found at once.
  for (let index = end - 1; index >= start; index--) {
    if (row[RECORD_STAT_OFFSET + index] !== packedStat[index]) return false;
  }
  return true;
}
