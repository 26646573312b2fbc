/** Rows about what a file system can do, found by trying in a scratch directory. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type BytePath, fromText } from '../../platform/core/byte-path.ts';
import { errnoOf } from '../../platform/core/errors.ts';
import type { Fd, FileSystem } from '../../platform/filesystem.ts';
import type { DoctorRow } from '../request.ts';

const LEFT = fromText('left');
const RIGHT = fromText('right');

/** Tries leases, exchange and reflinks in the directory for temporary files; leaves nothing behind. */
export function featureRows(fileSystem: FileSystem, parent: string = tmpdir()): DoctorRow[] {
  const scratch = scratchIn(parent);
  if (scratch === null) return [{ topic: 'features', state: 'lost', text: `not tried: cannot write to ${parent}` }];
  try {
    const root = fileSystem.openRoot(scratch);
    try {
      return triedRows(fileSystem, root, parent);
    } finally {
      fileSystem.close(root);
    }
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

function triedRows(fileSystem: FileSystem, root: Fd, parent: string): DoctorRow[] {
  for (const path of [LEFT, RIGHT]) fileSystem.writeSmallFile(root, path, Buffer.from(path), 0o600, 0n);
  const { type } = fileSystem.traits(root);
  const where = `on ${type} (${parent})`;
  const lease = leaseFault(fileSystem, root);
  const exchange = faultOf(() => fileSystem.exchange(root, LEFT, RIGHT));
  const clone = cloneFault(fileSystem, root);
  return [
    row(
      'lease',
      lease,
      `files open for writing are noticed ${where}`,
      'a file that is being written is noticed by its times only',
    ),
    row(
      'exchange',
      exchange,
      `atomic exchange ${where}`,
      'a target that changes at the last moment can only be checked, not kept',
    ),
    row('reflink', clone, `copies share blocks ${where}`, 'local copies cost space and time'),
  ];
}

function row(topic: string, fault: string | null, works: string, lost: string): DoctorRow {
  return fault === null ? { topic, state: 'ok', text: works } : { topic, state: 'lost', text: `${fault}: ${lost}` };
}

function leaseFault(fileSystem: FileSystem, root: Fd): string | null {
  const fd = fileSystem.openFile(root, LEFT);
  try {
    const lease = fileSystem.takeReadLease(fd);
    if (lease === 'held') fileSystem.releaseLease(fd);
    return lease === 'held' ? null : lease;
  } finally {
    fileSystem.close(fd);
  }
}

function cloneFault(fileSystem: FileSystem, root: Fd): string | null {
  const from = fileSystem.openFile(root, LEFT);
  const to = fileSystem.createFile(root, 'clone' as BytePath, 0o600);
  try {
    return faultOf(() => fileSystem.clone(from, to));
  } finally {
    fileSystem.close(to);
    fileSystem.close(from);
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

function scratchIn(parent: string): string | null {
  try {
    return mkdtempSync(join(parent, 'tidemark-doctor-'));
  } catch {
    return null;
  }
}
