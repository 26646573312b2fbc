/** Whole small files with node:fs. */
import * as fs from 'node:fs';
import { packStat } from './core/stat-codec.ts';
import type { Fd, SmallFile, Stat } from './filesystem.ts';
import { createNew, openRegular } from './portable-open.ts';
import { statFrom, timeFrom } from './portable-stat.ts';

/** Opens, stats, reads up to `maxBytes`, stats again, closes. There are no leases here. */
export function readSmallFileAt(place: Buffer, maxBytes: number): SmallFile {
  const fd = openRegular(place, fs.constants.O_RDONLY);
  try {
    const before = statOf(fd);
    const buffer = Buffer.allocUnsafe(Math.min(before.sizeBytes, maxBytes));
    const contents = buffer.subarray(0, readFully(fd, buffer));
    return { before, packedBefore: packStat(before), after: statOf(fd), lease: 'unsupported', contents, digests: null };
  } finally {
    fs.closeSync(fd);
  }
}

/** Creates, writes, sets mode and mtime, closes; leaves nothing behind where it fails. */
export function writeSmallFileAt(place: Buffer, contents: Uint8Array, mode: number, mtimeNs: bigint): void {
  const fd = createNew(place, 0o600);
  try {
    try {
      fill(fd, contents, mode, mtimeNs);
    } finally {
      fs.closeSync(fd);
    }
  } catch (error) {
    fs.unlinkSync(place);
    throw error;
  }
}

function fill(fd: Fd, contents: Uint8Array, mode: number, mtimeNs: bigint): void {
  for (let at = 0; at < contents.length; ) at += fs.writeSync(fd, contents, at);
  fs.fchmodSync(fd, mode & 0o7777);
  fs.futimesSync(fd, timeFrom(fs.fstatSync(fd, { bigint: true }).atimeNs), timeFrom(mtimeNs));
}

function statOf(fd: Fd): Stat {
  return statFrom(fs.fstatSync(fd, { bigint: true }));
}

/** Fewer bytes than there is room for only at the end of the file. */
function readFully(fd: Fd, into: Buffer): number {
  let filled = 0;
  while (filled < into.length) {
    const got = fs.readSync(fd, into, filled, into.length - filled, filled);
    if (got === 0) break;
    filled += got;
  }
  return filled;
}
