/**
 * Rows about what the file system of a directory can do, tried with a file that never gets a name (O_TMPFILE): nothing
 * appears in the directory, its times stay, and no watcher hears of it.
 */
import { closeSync, constants, openSync, writeSync } from 'node:fs';
import { toBuffer } from '../../platform/core/byte-path.ts';
import { errnoOf } from '../../platform/core/errors.ts';
import type { Fd, FileSystem } from '../../platform/filesystem.ts';
import type { DoctorRow } from '../request.ts';

/** open(2); Node's constants lack it. O_DIRECTORY differs between architectures, the other bit does not. */
const O_TMPFILE = 0o20000000 | constants.O_DIRECTORY;

/** A block that every device takes. */
const BLOCK_BYTES = 4096;

/** `path`: an existing directory, a byte string. Linux only; elsewhere there are no rows. */
export function unnamedRows(fileSystem: FileSystem, path: string): DoctorRow[] {
  if (process.platform !== 'linux') return [];
  let file: Fd;
  try {
    file = openSync(toBuffer(path), O_TMPFILE | constants.O_RDWR, 0o600);
  } catch (error) {
    const text = `lease, reflink and O_DIRECT not tried there: no unnamed file can be made (${errnoOf(error)})`;
    return [{ topic: 'features there', state: 'lost', text }];
  }
  try {
    writeSync(file, Buffer.alloc(BLOCK_BYTES));
    const reflink = faultOf(() => clone(fileSystem, file, path));
    const direct = faultOf(() => openDirectly(file));
    const lease = leaseFault(fileSystem, file);
    return [
      row('lease there', lease, 'files open for writing are noticed', 'what is read there is never proven'),
      row('reflink there', reflink, 'a file that stays open can be copied in an instant', 'such a copy takes time'),
      row(
        'O_DIRECT there',
        direct,
        'what was written past the cache can be compared',
        'such writes cannot be compared',
      ),
    ];
  } finally {
    closeSync(file);
  }
}

function row(topic: string, fault: string | null, works: string, lost: string): DoctorRow {
  return fault === null ? { topic, state: 'ok', text: works } : { topic, state: 'lost', text: `${fault}: ${lost}` };
}

function clone(fileSystem: FileSystem, from: Fd, path: string): void {
  const to = openSync(toBuffer(path), O_TMPFILE | constants.O_RDWR, 0o600);
  try {
    fileSystem.clone(from, to);
  } finally {
    closeSync(to);
  }
}

/** Where it is not possible the opening is refused (open(2)). */
function openDirectly(file: Fd): void {
  closeSync(openSync(`/proc/self/fd/${file}`, constants.O_RDONLY | constants.O_DIRECT));
}

/** A lease is refused while the file is open for writing anywhere: also here, so it is asked for through a second opening. */
function leaseFault(fileSystem: FileSystem, file: Fd): string | null {
  const reader = openSync(`/proc/self/fd/${file}`, constants.O_RDONLY);
  try {
    const lease = fileSystem.takeReadLease(reader);
    if (lease === 'held') fileSystem.releaseLease(reader);
    // Refused: it saw our own writer, so leases work.
    return lease === 'unsupported' ? 'unsupported' : null;
  } finally {
    closeSync(reader);
  }
}

function faultOf(attempt: () => void): string | null {
  try {
    attempt();
    return null;
  } catch (error) {
    return errnoOf(error);
  }
}
