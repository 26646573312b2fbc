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

/**
 * A time for utimes calls, true to the microsecond (which is all libuv passes on), rounded down.
 * A quarter of a microsecond keeps the conversions through floating point from falling into the one before.
 * Times before 1970 pass as dates, true to the millisecond, because Node takes a negative number for "now".
 */
export function timeFrom(timeNs: bigint): number | Date {
  if (timeNs < 0n) return new Date(Number(timeNs / 1_000_000n));
  return (Number(timeNs / 1000n) + 0.25) / 1e6;
}
