/** Stats and times as node:fs has them. */
import type * as fs from 'node:fs';
import type { Stat } from './filesystem.ts';

/** A node:fs stat in our form. */
export function statFrom(from: fs.BigIntStats): Stat {
  return {
    dev: BigInt.asUintN(64, from.dev),
    nlink: Number(from.nlink),
    mode: Number(from.mode),
    uid: Number(from.uid),
    gid: Number(from.gid),
    ino: BigInt.asUintN(64, from.ino),
    sizeBytes: Number(from.size),
    mtimeNs: BigInt.asIntN(64, from.mtimeNs),
    ctimeNs: BigInt.asIntN(64, from.ctimeNs),
    birthNs: BigInt.asIntN(64, from.birthtimeNs),
  };
}

/** Node 24 passes on nanoseconds, as far as a double holds them; before, what is below a microsecond was cut off. */
const KEEPS_NANOSECONDS = Number(process.versions.node.split('.')[0]) >= 24;

/**
 * A time for node:fs, which takes seconds as a double: right to the microsecond. Before 1970 it passes as a date, right
 * to the millisecond, because Node takes a negative number for "now".
 * The quarter keeps a double that falls short from losing a whole microsecond where the rest is cut off.
 */
export function timeFrom(timeNs: bigint): number | Date {
  if (timeNs < 0n) return new Date(Number(timeNs / 1_000_000n));
  if (KEEPS_NANOSECONDS) return Number(timeNs) / 1e9;
  return (Number(timeNs / 1000n) + 0.25) / 1e6;
}
