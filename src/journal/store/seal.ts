/**
 * A seal on a store that was closed in order: the digest of its file, checked before it is opened again. LMDB believes
 * every page; one that changed on the disk meanwhile could end the process or give wrong answers. Breaking the seal at
 * opening leaves a store without one, as after a crash: then the checksums of rows have to do.
 */
import { createHash } from 'node:crypto';
import { closeSync, existsSync, fsyncSync, openSync, readFileSync, readSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';

const SEAL_NAME = 'seal';
const STORE_NAME = 'data.mdb';
const SLICE_BYTES = 1024 * 1024;

/** Checks and breaks the seal: false where there is one and the file is not what was sealed, or not there. */
export function breakSeal(folder: string): boolean {
  const path = join(folder, SEAL_NAME);
  let sealed: string;
  try {
    sealed = readFileSync(path, 'latin1');
  } catch {
    return true;
  }
  const isWhole = existsSync(join(folder, STORE_NAME)) && sealed === digestOf(folder);
  rmSync(path, { force: true });
  return isWhole;
}

/** Seals a closed store. */
export function seal(folder: string): void {
  const file = openSync(join(folder, SEAL_NAME), 'w', 0o600);
  try {
    writeSync(file, digestOf(folder));
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

function digestOf(folder: string): string {
  const hash = createHash('sha256');
  const slice = Buffer.allocUnsafe(SLICE_BYTES);
  const file = openSync(join(folder, STORE_NAME), 'r');
  try {
    for (let length = -1; length !== 0; ) {
      length = readSync(file, slice, 0, SLICE_BYTES, null);
      hash.update(slice.subarray(0, length));
    }
  } finally {
    closeSync(file);
  }
  return hash.digest('hex');
}
