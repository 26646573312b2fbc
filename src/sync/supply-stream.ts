/** Streams one file as content records: holes as holes, a delta where the receiver gave a signature, else its bytes. */

import { DATA_RECORD_BYTES } from '../journal/core/limits.ts';
import { ContentHasher } from '../journal/hash.ts';
import { changedSince, HeldFile, SLICE_BYTES, systemClock } from '../journal/held-file.ts';
import { hashWhole } from '../journal/proven-digest.ts';
import { packStat } from '../platform/core/stat-codec.ts';
import type { Fd, FileSystem } from '../platform/filesystem.ts';
import type { ChunkWriter } from './chunk-writer.ts';
import type { ContentRecord } from './core/content.ts';
import type { DeltaEncoder, DeltaStep } from './core/delta.ts';
import { parseSignature } from './core/signature.ts';
import { threadDeltaEngine } from './delta-engine.ts';
import { type Extent, extentsOf, MIN_HOLE_BYTES } from './extents.ts';
import { entryAsRead, type SupplyContext, type SupplyTask } from './supply-task.ts';

/** Files above this are dropped from the page cache once read: they would push out everything else. */
const DROP_CACHE_BYTES = 1024 ** 3;

const ZEROS = Buffer.alloc(SLICE_BYTES);

/** Writes `begin`, the content, `end`. Throws ReadRefused at any point, MalformedError for the signature, and errors of `out`. */
export async function streamFile(
  fileSystem: FileSystem,
  root: Fd,
  order: SupplyTask,
  out: ChunkWriter,
  context: SupplyContext,
): Promise<void> {
  const signature = order.signature === null ? null : parseSignature(order.signature);
  const sighting = { packedStat: order.packedStat, seen: order.expected };
  const file = HeldFile.open(fileSystem, root, order.path, sighting, context.now ?? systemClock);
  try {
    const { sizeBytes } = file.stat;
    fileSystem.advise(file.fd, 'sequential');
    out.write({ kind: 'begin', id: order.id, sizeBytes });
    const engine = context.engine ?? threadDeltaEngine();
    const hasher = new ContentHasher('both');
    const encoder = signature === null ? null : engine.createEncoder(signature, sizeBytes);
    for (const record of contentRecords(file, order.id, hasher, encoder)) {
      out.write(record);
      if (out.isFull) await file.lend(out.flush());
    }
    const digests = hasher.digest();
    if (file.mustReadTwice && hashWhole(file, 'fast').fast !== digests.fast)
      throw changedSince('changed while it was read');
    file.confirm();
    const entry = entryAsRead(order, file.stat, digests);
    out.write({ kind: 'end', id: order.id, entry });
    context.onRead?.(order.id, packStat(file.stat), entry);
    if (sizeBytes > DROP_CACHE_BYTES) fileSystem.advise(file.fd, 'dontneed');
  } finally {
    file.close();
  }
}

/** The content of the file as records, hashed on the way. */
function* contentRecords(
  file: HeldFile,
  id: number,
  hasher: ContentHasher,
  encoder: DeltaEncoder | null,
): Generator<ContentRecord> {
  const { sizeBytes } = file.stat;
  for (const extent of extentsOf(sizeBytes, (offset) => file.nextData(offset))) {
    const isSparse = extent.end - extent.start < sizeBytes;
    if (extent.kind === 'hole') {
      if (encoder !== null) yield* deltaRecords(id, encoder.finish());
      yield { kind: 'hole', id, lengthBytes: extent.end - extent.start };
      hashHole(file, hasher, extent);
      continue;
    }
    for (const bytes of file.slices(extent.start, extent.end)) {
      hasher.update(bytes);
      if (encoder !== null) yield* deltaRecords(id, encoder.push(bytes));
      else if (isSparse) yield* sparseRecords(id, bytes);
      else yield { kind: 'data', id, bytes };
    }
  }
  if (encoder !== null) yield* deltaRecords(id, encoder.finish());
}

/** A hole is part of the digest: the receiver may write it as zeros. */
function hashHole(file: HeldFile, hasher: ContentHasher, extent: Extent): void {
  for (let rest = extent.end - extent.start; rest > 0; rest -= Math.min(rest, ZEROS.length)) {
    file.checkLease();
    hasher.update(ZEROS.subarray(0, Math.min(rest, ZEROS.length)));
  }
}

function* deltaRecords(id: number, steps: Iterable<DeltaStep>): Generator<ContentRecord> {
  for (const step of steps) {
    if (step.kind === 'blocks') {
      yield { kind: 'blocks', id, first: step.first, count: step.count };
      continue;
    }
    for (let at = 0; at < step.bytes.length; at += DATA_RECORD_BYTES) {
      yield { kind: 'data', id, bytes: asBuffer(step.bytes.subarray(at, at + DATA_RECORD_BYTES)) };
    }
  }
}

/** In a file with holes, aligned zero pieces become holes too: a preallocated or once used part costs nothing to send. */
function* sparseRecords(id: number, bytes: Buffer): Generator<ContentRecord> {
  let start = 0;
  while (start < bytes.length) {
    const zero = isZeroPiece(bytes, start);
    let end = start;
    do end = Math.min(end + MIN_HOLE_BYTES, bytes.length);
    while (end < bytes.length && isZeroPiece(bytes, end) === zero);
    if (zero) yield { kind: 'hole', id, lengthBytes: end - start };
    else yield { kind: 'data', id, bytes: bytes.subarray(start, end) };
    start = end;
  }
}

function isZeroPiece(bytes: Buffer, start: number): boolean {
  const length = Math.min(MIN_HOLE_BYTES, bytes.length - start);
  return length === MIN_HOLE_BYTES && bytes.compare(ZEROS, 0, length, start, start + length) === 0;
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
