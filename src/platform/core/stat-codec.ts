/** The packed form of a {@link Stat}: what listings bring and the index keeps, compared without unpacking. */
import type { Stat } from '../filesystem.ts';

const MODE_OFFSET = 12;
const INO_OFFSET = 24;
const SIZE_OFFSET = 32;
const MTIME_OFFSET = 40;
const BIRTH_OFFSET = 56;
const END = 64;

const TYPE_MASK = 0o170000;

/** Bytes of a packed stat. */
export const STAT_BYTES = 64;

/** 64 bytes, laid out as documented at {@link Stat}. */
export function packStat(stat: Stat): Buffer {
  const packed = Buffer.alloc(END);
  packed.writeBigUInt64LE(stat.dev, 0);
  packed.writeUInt32LE(stat.nlink, 8);
  packed.writeUInt32LE(stat.mode, MODE_OFFSET);
  packed.writeUInt32LE(stat.uid, 16);
  packed.writeUInt32LE(stat.gid, 20);
  packed.writeBigUInt64LE(stat.ino, INO_OFFSET);
  packed.writeBigUInt64LE(BigInt(stat.sizeBytes), SIZE_OFFSET);
  packed.writeBigInt64LE(stat.mtimeNs, MTIME_OFFSET);
  packed.writeBigInt64LE(stat.ctimeNs, 48);
  packed.writeBigInt64LE(stat.birthNs, BIRTH_OFFSET);
  return packed;
}

/** The reverse of {@link packStat}, of the 64 bytes at `offset`. A size beyond 2^53 loses its last bits. */
export function unpackStat(packed: Uint8Array, offset = 0): Stat {
  const view = viewOf(packed, offset);
  return {
    dev: view.getBigUint64(0, true),
    nlink: view.getUint32(8, true),
    mode: view.getUint32(MODE_OFFSET, true),
    uid: view.getUint32(16, true),
    gid: view.getUint32(20, true),
    ino: view.getBigUint64(INO_OFFSET, true),
    sizeBytes: sizeAt(view),
    mtimeNs: view.getBigInt64(MTIME_OFFSET, true),
    ctimeNs: view.getBigInt64(48, true),
    birthNs: view.getBigInt64(BIRTH_OFFSET, true),
  };
}

/** st_mode of a packed stat, without unpacking the rest. */
export function modeOf(packed: Uint8Array): number {
  return viewOf(packed, 0).getUint32(MODE_OFFSET, true);
}

/** Size of a packed stat, without unpacking the rest. */
export function sizeOf(packed: Uint8Array): number {
  return sizeAt(viewOf(packed, 0));
}

/** Modification time of a packed stat, without unpacking the rest. */
export function mtimeNsOf(packed: Uint8Array): bigint {
  return viewOf(packed, 0).getBigInt64(MTIME_OFFSET, true);
}

/**
 * True where nothing that tells of a change differs: mode, owner, inode, size and the three times.
 * Device number (not stable over a remount) and link count (not the object's own) are left out.
 */
export function sameStat(left: Uint8Array, right: Uint8Array): boolean {
  for (let index = MODE_OFFSET; index < END; index++) if (left[index] !== right[index]) return false;
  return true;
}

/** Inode and birth time as a 16-byte string: equal means the same object, wherever it is now. */
export function identityOf(packed: Uint8Array): string {
  const bytes = Buffer.from(packed.buffer, packed.byteOffset, END);
  return bytes.toString('latin1', INO_OFFSET, INO_OFFSET + 8) + bytes.toString('latin1', BIRTH_OFFSET, END);
}

export function isRegularFile(mode: number): boolean {
  return (mode & TYPE_MASK) === 0o100000;
}

export function isDirectory(mode: number): boolean {
  return (mode & TYPE_MASK) === 0o040000;
}

export function isSymlink(mode: number): boolean {
  return (mode & TYPE_MASK) === 0o120000;
}

/** What an object is that is neither file, directory nor symlink. */
export function specialTypeOf(mode: number): 'fifo' | 'socket' | 'device' {
  if ((mode & TYPE_MASK) === 0o010000) return 'fifo';
  return (mode & TYPE_MASK) === 0o140000 ? 'socket' : 'device';
}

/** Permission, set-id and sticky bits. */
export function permissionBits(mode: number): number {
  return mode & 0o7777;
}

function viewOf(packed: Uint8Array, offset: number): DataView {
  return new DataView(packed.buffer, packed.byteOffset + offset, END);
}

function sizeAt(view: DataView): number {
  return view.getUint32(SIZE_OFFSET + 4, true) * 0x1_0000_0000 + view.getUint32(SIZE_OFFSET, true);
}
