/**
 * Reads files for the other side and turns them into content records.
 *
 * Runs in a worker thread, one file after another; several large files at once means several threads. Every file is
 * read with the proof of held-file.ts and carries the SHA-256 of the whole; one that is no longer what the plan saw, or
 * that is being written, becomes a `failed` record and nothing of it is put in place on the other side.
 */

import { SMALL_FILE_BYTES } from '../journal/core/limits.ts';
import { hashBytes } from '../journal/hash.ts';
import { provenSmall, ReadRefused, type SmallReading, systemClock } from '../journal/held-file.ts';
import type { BytePath } from '../platform/core/byte-path.ts';
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
  for (const group of grouped(orders)) {
    const readings = isSmall(group[0]) ? smallReadings(fileSystem, root, group, context) : null;
    for (const order of group) {
      try {
        const reading = readings?.next().value ?? null;
        const isSupplied = reading !== null && supplySmall(order, reading, out, context);
        if (!isSupplied) await streamFile(fileSystem, root, order, out, context);
      } catch (error) {
        if (!(error instanceof ReadRefused)) throw error;
        const { code, message } = error.problem;
        out.write({ kind: 'failed', id: order.id, changed: error.isChanged, code, message });
      }
      if (out.isFull) await out.flush();
    }
  }
  await out.flush();
  out.close();
}

/** Runs of small files, which are read together; each other file by itself. */
function* grouped(orders: readonly SupplyTask[]): Generator<readonly SupplyTask[]> {
  for (let start = 0; start < orders.length; ) {
    let end = start + 1;
    if (isSmall(orders[start])) while (isSmall(orders[end])) end++;
    yield orders.slice(start, end);
    start = end;
  }
}

function isSmall(order: SupplyTask | undefined): boolean {
  return order !== undefined && order.expected.sizeBytes <= SMALL_FILE_BYTES && order.signature === null;
}

function* smallReadings(
  fileSystem: FileSystem,
  root: Fd,
  orders: readonly SupplyTask[],
  { now = systemClock }: SupplyContext,
): Generator<SmallReading, null> {
  // Files are read ahead of their turn: one time before all of them is early enough for each.
  const startedNs = now();
  const paths = orders.map(({ path }) => path);
  let index = 0;
  for (const file of fileSystem.readSmallFiles(root, paths, SMALL_FILE_BYTES)) {
    const path = paths[index++] as BytePath;
    yield { file, startedNs, again: () => fileSystem.readSmallFile(root, path, SMALL_FILE_BYTES) };
  }
  return null;
}

/** False where the file has to be streamed instead: it has grown. */
function supplySmall(order: SupplyTask, reading: SmallReading, out: ChunkWriter, context: SupplyContext): boolean {
  const { id, expected, packedStat } = order;
  const file = provenSmall(reading, SMALL_FILE_BYTES, { packedStat, seen: expected });
  if (file === null) return false;
  const entry = entryAsRead(order, file.before, file.digests ?? hashBytes(file.contents, 'both'));
  out.write({ kind: 'small', id, entry, bytes: file.contents });
  context.onRead?.(id, file.packedBefore, entry);
  return true;
}
