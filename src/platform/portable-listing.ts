/** Directory listings with node:fs. */
import * as fs from 'node:fs';
import type { BytePath } from './core/byte-path.ts';
import { errnoOf } from './core/errors.ts';
import { isSymlink, packStat, STAT_BYTES } from './core/stat-codec.ts';
import type { DirectoryListing, Fd, ListedEntry } from './filesystem.ts';
import { openDirectoryAt } from './portable-open.ts';
import type { Places } from './portable-places.ts';
import { statFrom } from './portable-stat.ts';

/** One listing, its entries looked up in the very directory that was read. Any error makes the listing an error. */
export function listDirectory(places: Places, root: Fd, path: BytePath): DirectoryListing {
  try {
    return { path, error: null, entries: places.at(root, path, (place) => listAt(places, place)) };
  } catch (error) {
    return { path, error: errnoOf(error), entries: [] };
  }
}

function listAt(places: Places, place: Buffer): ListedEntry[] {
  const fd = openDirectoryAt(place);
  places.adopt(fd, place);
  try {
    const names = fs.readdirSync(places.directory(fd), { encoding: 'buffer' });
    const entries: ListedEntry[] = [];
    for (const name of names.sort(Buffer.compare)) {
      const entry = listEntry(places, fd, name.toString('latin1'));
      if (entry !== null) entries.push(entry);
    }
    return entries;
  } finally {
    places.forget(fd);
    fs.closeSync(fd);
  }
}

/** null where it vanished meanwhile. */
function listEntry(places: Places, directory: Fd, name: string): ListedEntry | null {
  try {
    return places.at(directory, name as BytePath, (place) => lookAt(name, place));
  } catch (error) {
    const code = errnoOf(error);
    return code === 'ENOENT' ? null : { name, packedStat: new Uint8Array(STAT_BYTES), target: null, error: code };
  }
}

/** A symlink is looked at again after its target was read: stat and target must be of the same one. */
function lookAt(name: string, place: Buffer): ListedEntry {
  for (;;) {
    const stat = statFrom(fs.lstatSync(place, { bigint: true }));
    if (!isSymlink(stat.mode)) return { name, packedStat: packStat(stat), target: null, error: null };
    const target = readTarget(place);
    const again = statFrom(fs.lstatSync(place, { bigint: true }));
    if (target !== null && again.ino === stat.ino && again.ctimeNs === stat.ctimeNs)
      return { name, packedStat: packStat(again), target, error: null };
  }
}

/** null where it is no symlink any more. */
function readTarget(place: Buffer): string | null {
  try {
    return fs.readlinkSync(place, { encoding: 'buffer' }).toString('latin1');
  } catch (error) {
    if (errnoOf(error) === 'EINVAL') return null;
    throw error;
  }
}
