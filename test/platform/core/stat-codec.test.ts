import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  identityOf,
  isDirectory,
  isRegularFile,
  isSymlink,
  modeOf,
  mtimeNsOf,
  packStat,
  permissionBits,
  sameStat,
  sizeOf,
  specialTypeOf,
  unpackStat,
} from '../../../src/platform/core/stat-codec.ts';
import type { Stat } from '../../../src/platform/filesystem.ts';

const u64 = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
const i64 = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });
const u32 = fc.integer({ min: 0, max: 2 ** 32 - 1 });
const stats: fc.Arbitrary<Stat> = fc.record({
  dev: u64,
  nlink: u32,
  mode: u32,
  uid: u32,
  gid: u32,
  ino: u64,
  sizeBytes: fc.maxSafeNat(),
  mtimeNs: i64,
  ctimeNs: i64,
  birthNs: i64,
});

const BASE: Stat = {
  dev: 1n,
  nlink: 1,
  mode: 0o100644,
  uid: 2,
  gid: 3,
  ino: 4n,
  sizeBytes: 5,
  mtimeNs: 6n,
  ctimeNs: 7n,
  birthNs: 8n,
};

describe('packed stats', () => {
  it('come back as they were', () => {
    fc.assert(
      fc.property(stats, fc.nat(7), (stat, shift) => {
        const packed = packStat(stat);
        expect(packed.length).toBe(64);
        expect(unpackStat(packed)).toEqual(stat);
        expect(unpackStat(Buffer.concat([Buffer.alloc(shift), packed]), shift)).toEqual(stat);
        expect([modeOf(packed), sizeOf(packed), mtimeNsOf(packed)]).toEqual([stat.mode, stat.sizeBytes, stat.mtimeNs]);
      }),
    );
  });

  it.each<[keyof Stat, Partial<Stat>, boolean]>([
    ['dev', { dev: 9n }, true],
    ['nlink', { nlink: 9 }, true],
    ['mode', { mode: 0o100600 }, false],
    ['uid', { uid: 9 }, false],
    ['gid', { gid: 9 }, false],
    ['ino', { ino: 9n }, false],
    ['sizeBytes', { sizeBytes: 9 }, false],
    ['mtimeNs', { mtimeNs: 9n }, false],
    ['ctimeNs', { ctimeNs: 9n }, false],
    ['birthNs', { birthNs: 9n }, false],
  ])('with another %s are the same: %s', (_, change, same) => {
    expect(sameStat(packStat(BASE), packStat({ ...BASE, ...change }))).toBe(same);
  });

  it('name the object by inode and birth', () => {
    const identity = identityOf(packStat(BASE));
    expect(identity.length).toBe(16);
    expect(identityOf(packStat({ ...BASE, mode: 0, sizeBytes: 0, ctimeNs: 0n }))).toBe(identity);
    expect(identityOf(packStat({ ...BASE, ino: 9n }))).not.toBe(identity);
    expect(identityOf(packStat({ ...BASE, birthNs: 9n }))).not.toBe(identity);
  });

  it('tell what an object is', () => {
    const kinds = [0o100644, 0o040755, 0o120777, 0o010644, 0o140755, 0o060644, 0o020644].map((mode) => {
      if (isRegularFile(mode)) return 'file';
      if (isDirectory(mode)) return 'directory';
      return isSymlink(mode) ? 'symlink' : specialTypeOf(mode);
    });
    expect(kinds).toEqual(['file', 'directory', 'symlink', 'fifo', 'socket', 'device', 'device']);
    expect(permissionBits(0o107755)).toBe(0o7755);
  });
});
