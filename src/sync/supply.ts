/**
 * Reads files for the other side and turns them into content records.
 *
 * Runs in a worker thread, one file after another; several large files at once means several threads. Every file is
 * read with the proof of held-file.ts and carries the SHA-256 of the whole; one that is no longer what the plan saw, or
 * that is being written, becomes a `failed` record and nothing of it is put in place on the other side.
 */

import { SMALL_FILE_BYTES } from '../journal/core/limits.ts';
import { hashBytes } from '../journal/hash.ts';
import { ReadRefused, readProvenSmall, systemClock } from '../journal/held-file.ts';
import type { Fd, FileSystem } from '../platform/filesystem.ts';
import { ChunkWriter } from './chunk-writer.ts';
import { streamFile } from './supply-stream.ts';
import { entryAsRead, type SupplyContext, type SupplyTask } from './supply-task.ts';

export type { SupplyContext, SupplyTask } from './supply-task.ts';

/**
 * Reads the files in the order given. `emit` gets chunks of whole records, of about CHUNK_BYTES, and is awaited: that is
 * the back-pressure. Errors of `emit` and a malformed signature (MalformedError) are thrown; whatever is wrong with a
 * file is a `failed` record. Needs `initHashing`. Memory: a few slices, and for a delta the encoder's window.
 */
export async function supplyFiles(
  fileSystem: FileSystem,
  root: Fd,
  orders: readonly SupplyTask[],
  emit: (chunk: Buffer) => Promise<void>,
  context: SupplyContext = {},
): Promise<void> {
  const out = new ChunkWriter(emit);
  for (const order of orders) {
    try {
      if (!supplySmall(fileSystem, root, order, out, context)) await streamFile(fileSystem, root, order, out, context);
    } catch (error) {
      if (!(error instanceof ReadRefused)) throw error;
      const { code, message } = error.problem;
      out.write({ kind: 'failed', id: order.id, changed: error.isChanged, code, message });
    }
    if (out.isFull) await out.flush();
  }
  await out.flush();
  out.close();
}

/** False where the file has to be streamed instead. */
function supplySmall(
  fileSystem: FileSystem,
  root: Fd,
  order: SupplyTask,
  out: ChunkWriter,
  context: SupplyContext,
): boolean {
  const { id, path, expected, packedStat, signature } = order;
  if (expected.sizeBytes > SMALL_FILE_BYTES || signature !== null) return false;
  const sighting = { packedStat, seen: expected };
  const file = readProvenSmall(fileSystem, root, path, SMALL_FILE_BYTES, sighting, context.now ?? systemClock);
  if (file === null) return false;
  const entry = entryAsRead(order, file.before, hashBytes(file.contents, 'both'));
  out.write({ kind: 'small', id, entry, bytes: file.contents });
  context.onRead?.(id, Buffer.from(file.packedBefore), entry);
  return true;
}
