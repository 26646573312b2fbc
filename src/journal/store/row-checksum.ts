/** CRC-32 of key and value behind the value, little-endian: LMDB itself does not notice bits that flipped on a disk. */
import { crc32 } from 'node:zlib';

const CHECKSUM_BYTES = 4;

export function withChecksum(key: string, value: Buffer): Buffer {
  const sealed = Buffer.allocUnsafe(value.length + CHECKSUM_BYTES);
  sealed.set(value);
  sealed.writeUInt32LE(checksum(key, value), value.length);
  return sealed;
}

/** The value alone; null where the checksum is not that of key and value. */
export function withoutChecksum(key: string, sealed: Buffer): Buffer | null {
  const length = sealed.length - CHECKSUM_BYTES;
  if (length < 0) return null;
  const value = sealed.subarray(0, length);
  return sealed.readUInt32LE(length) === checksum(key, value) ? value : null;
}

function checksum(key: string, value: Buffer): number {
  // The key as UTF-8, which is as good here and needs no buffer.
  return crc32(value, crc32(key));
}
