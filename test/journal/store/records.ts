/** Records for tests of the store, made from an inode number. */
import { type Digests, UNKNOWN_DIGESTS } from '../../../src/journal/core/entry.ts';
import type { IndexRecord } from '../../../src/journal/core/index-record.ts';

/** A packed stat; inode and size tell records apart. */
export function packedStat(inode: number, sizeBytes = 0, type = sizeBytes === 0 ? 0o040755 : 0o100644): Buffer {
  const packed = Buffer.alloc(64);
  packed.writeBigUInt64LE(42n, 0);
  packed.writeUInt32LE(1, 8);
  packed.writeUInt32LE(type, 12);
  packed.writeBigUInt64LE(BigInt(inode), 24);
  packed.writeBigUInt64LE(BigInt(sizeBytes), 32);
  packed.writeBigInt64LE(MTIME, 40);
  packed.writeBigInt64LE(MTIME + 5n, 48);
  packed.writeBigInt64LE(MTIME - 5n, 56);
  return packed;
}

const MTIME = 1_700_000_000_123_456_789n;

export function fileRecord(inode: number, sizeBytes: number, digests: Digests = UNKNOWN_DIGESTS): IndexRecord {
  return {
    entry: { kind: 'file', mode: 0o644, sizeBytes, mtimeNs: MTIME, digests },
    packedStat: packedStat(inode, sizeBytes),
    racy: false,
  };
}

export function directoryRecord(inode: number): IndexRecord {
  return { entry: { kind: 'directory', mode: 0o755 }, packedStat: packedStat(inode), racy: false };
}

export const UNTRACKED: IndexRecord = {
  entry: { kind: 'untracked', what: 'ignored' },
  packedStat: packedStat(99, 3),
  racy: false,
};
