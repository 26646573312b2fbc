/**
 * What the page cache holds against what the disk holds, for a file that was written past the cache.
 *
 * A direct write throws the cached pages of its range away, before and after. Where that fails because somebody has
 * dirtied them meanwhile, through a mapping or a buffered write, the cache keeps what the disk no longer has. The kernel
 * calls it a possible corruption and notes an error at the file, which somebody else's fsync may already have taken.
 *
 * The other way round a failed writeback leaves in the cache what never reached the disk, marked as clean.
 */
import { errnoOf } from '../platform/core/errors.ts';
import type { Fd, FileSystem } from '../platform/filesystem.ts';
import type { Digests } from './core/entry.ts';
import { ContentHasher } from './hash.ts';
import { changedSince, type HeldFile, ReadRefused, refusing, SLICE_BYTES } from './held-file.ts';

/**
 * What to do where cache and disk differ. `drop-cache`: for a file written past the cache; the disk is right.
 * `refuse`: for a file whose writing back failed; the cache may hold its owner's only good copy and is left alone.
 */
export type DiskComparison = 'drop-cache' | 'refuse';

/**
 * The digests of what cache and disk agree on. `readCached` hashes the file through the cache, a second time after its
 * cached pages were dropped. Throws ReadRefused where they differ for good: by `stale-cache` where somebody has the
 * stale pages mapped, by `EIO` with `refuse`. Where a file cannot be read directly, the cache is believed, but not after
 * a failure.
 */
export function digestOnDisk(
  fileSystem: FileSystem,
  file: HeldFile,
  comparison: DiskComparison,
  readCached: () => Digests,
): Digests {
  const cached = readCached();
  const disk = directDigest(fileSystem, file);
  if (disk === cached.fast || (disk === null && comparison === 'drop-cache')) return cached;
  if (comparison === 'refuse') throw failed('EIO', 'writing it to disk failed, and the disk may not hold it');
  fileSystem.advise(file.fd, 'dontneed');
  const again = readCached();
  if (again.fast === directDigest(fileSystem, file)) return again;
  throw failed('stale-cache', 'the page cache holds something else than the disk');
}

function failed(code: string, message: string): ReadRefused {
  return new ReadRefused({ code, message }, 'failed');
}

/** xxh64 of what the disk holds; null where it cannot be asked. */
function directDigest(fileSystem: FileSystem, file: HeldFile): string | null {
  const direct = fileSystem.openDirect(file.fd);
  if (direct === null) return null;
  try {
    const hasher = new ContentHasher('fast');
    const slice = Buffer.allocUnsafeSlow(SLICE_BYTES);
    for (let at = 0; at < file.stat.sizeBytes; at += slice.length) {
      file.checkLease();
      const bytes = slice.subarray(0, Math.min(slice.length, file.stat.sizeBytes - at));
      const count = readDirect(fileSystem, direct, bytes, at);
      if (count === null) return null;
      if (count < bytes.length) throw changedSince('became shorter while it was read');
      hasher.update(bytes);
    }
    return hasher.digest().fast;
  } finally {
    fileSystem.close(direct);
  }
}

/** null where the file system takes the flag but not the reading. */
function readDirect(fileSystem: FileSystem, fd: Fd, into: Buffer, position: number): number | null {
  return refusing(() => {
    try {
      return fileSystem.readDirect(fd, into, position);
    } catch (error) {
      if (errnoOf(error) === 'EINVAL') return null;
      throw error;
    }
  });
}
