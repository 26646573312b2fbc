/** The errors of the embedded store. All mean that nothing of the trees was touched. */
import { statfsSync } from 'node:fs';
import { TidemarkError } from '../../platform/core/errors.ts';

/** What making a store, or one larger transaction, takes at the least. */
const NEEDED_BYTES = 1024 * 1024;

/** Turns the store's own errors into ours; errors of callers pass. */
export function guarded<T>(folder: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (error instanceof TidemarkError) throw error;
    const message = messageOf(error);
    if (/No space left|MDB_MAP_FULL|Disk quota/.test(message)) throw full(folder, error);
    // LMDB reports a write cut short by a full disk as an I/O error.
    if (/Input\/output error/.test(message)) throw isFull(folder) ? full(folder, error) : unusable(folder, error);
    if (/MDB_|Invalid (argument|key)/.test(message)) throw damaged(folder, message, error);
    throw error;
  }
}

/** True where too little is free for the store to grow. */
export function isFull(folder: string): boolean {
  const { bavail, bsize } = statfsSync(folder);
  return bavail * bsize < NEEDED_BYTES;
}

/** The error for a store that cannot be trusted; losing it is safe, it only costs a first sync. */
export function damaged(folder: string, detail: string, cause?: unknown): TidemarkError {
  return new TidemarkError('unavailable', 'state-damaged', `damaged state in ${folder}: ${detail}`, {
    cause,
    remedy: `Move ${folder} away and run again: the next run counts as a first sync, which deletes nothing.`,
  });
}

/** No room to make or grow the store. */
export function full(folder: string, cause: unknown): TidemarkError {
  return new TidemarkError('unavailable', 'state-full', `no space left for ${folder}: ${messageOf(cause)}`, {
    cause,
    remedy: 'Make room, or choose another folder with TIDEMARK_HOME.',
  });
}

/** The folder cannot serve as ours. */
export function unusable(folder: string, cause: unknown): TidemarkError {
  return new TidemarkError('unavailable', 'state-unusable', `cannot use ${folder}: ${messageOf(cause)}`, {
    cause,
    remedy: 'Check the folder, or choose another with TIDEMARK_HOME.',
  });
}

/** Written by a later version of this program. */
export function newer(folder: string, format: number): TidemarkError {
  return new TidemarkError(
    'unavailable',
    'state-newer',
    `${folder} was written by a newer tidemark (format ${format})`,
    {
      remedy: 'Update tidemark, or move the folder away: the next run then counts as a first sync.',
    },
  );
}

/** The message of whatever was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
