/**
 * The content stream: operations and the contents they need, as records in chunks.
 *
 * A chunk holds whole records. After an operation with `content: 'stream'` the records of its id follow, in order:
 * either one `small`, or `begin`, any number of `data`, `hole` and `blocks`, then `end`; or `failed` at any time
 * instead. Records of different ids may interleave. `blocks` refer to the basis whose signature the receiver gave for
 * that id, and to nothing else: a sender cannot name the receiver's files.
 */

import type { FileEntry } from '../../journal/core/entry.ts';
import { readEntry, readText, writeEntry, writeText } from '../../journal/core/entry-codec.ts';
import { DATA_RECORD_BYTES, SMALL_FILE_BYTES } from '../../journal/core/limits.ts';
import { ByteReader, type ByteWriter, MalformedError } from '../../platform/core/bytes.ts';
import { readOperation, writeOperation } from './codec.ts';
import type { Operation } from './operation.ts';

export type ContentRecord =
  | { readonly kind: 'operation'; readonly operation: Operation }
  /** A whole small file; `entry` is what was read, with its SHA-256. */
  | { readonly kind: 'small'; readonly id: number; readonly entry: FileEntry; readonly bytes: Buffer }
  | { readonly kind: 'begin'; readonly id: number; readonly sizeBytes: number }
  | { readonly kind: 'data'; readonly id: number; readonly bytes: Buffer }
  | { readonly kind: 'hole'; readonly id: number; readonly lengthBytes: number }
  | { readonly kind: 'blocks'; readonly id: number; readonly first: number; readonly count: number }
  /** The file is complete; `entry` is what was read, with the SHA-256 of the whole. */
  | { readonly kind: 'end'; readonly id: number; readonly entry: FileEntry }
  /** `changed`: the source is no longer what the plan saw. Otherwise it could not be read. */
  | {
      readonly kind: 'failed';
      readonly id: number;
      readonly changed: boolean;
      readonly code: string;
      readonly message: string;
    };

const TYPE = { operation: 1, small: 2, begin: 3, data: 4, hole: 5, blocks: 6, end: 7, failed: 8 } as const;

export function writeRecord(out: ByteWriter, record: ContentRecord): void {
  out.u8(TYPE[record.kind]);
  if (record.kind === 'operation') {
    writeOperation(out, record.operation);
    return;
  }
  out.u32(record.id);
  switch (record.kind) {
    case 'small':
      writeEntry(out, record.entry);
      out.bytes(record.bytes);
      return;
    case 'begin':
      out.u53(record.sizeBytes);
      return;
    case 'data':
      out.bytes(record.bytes);
      return;
    case 'hole':
      out.u53(record.lengthBytes);
      return;
    case 'blocks':
      out.u32(record.first).u32(record.count);
      return;
    case 'end':
      writeEntry(out, record.entry);
      return;
    case 'failed':
      out.u8(record.changed ? 1 : 0).string(record.code.slice(0, 64));
      writeText(out, record.message);
      return;
  }
}

/** The records of one chunk. `bytes` are views into the chunk. Throws MalformedError on any violation. */
export function* readRecords(chunk: Uint8Array): Generator<ContentRecord> {
  const from = new ByteReader(chunk);
  while (from.remaining > 0) yield readRecord(from);
}

function readRecord(from: ByteReader): ContentRecord {
  const type = from.u8();
  if (type === TYPE.operation) return { kind: 'operation', operation: readOperation(from) };
  const id = from.u32();
  switch (type) {
    case TYPE.small: {
      const entry = readFileEntry(from);
      const bytes = from.bytes(SMALL_FILE_BYTES);
      if (bytes.length !== entry.sizeBytes) throw new MalformedError('small file of another size than its entry says');
      return { kind: 'small', id, entry, bytes };
    }
    case TYPE.begin:
      return { kind: 'begin', id, sizeBytes: from.u53() };
    case TYPE.data:
      return { kind: 'data', id, bytes: from.bytes(DATA_RECORD_BYTES) };
    case TYPE.hole:
      return { kind: 'hole', id, lengthBytes: from.u53() };
    case TYPE.blocks:
      return { kind: 'blocks', id, first: from.u32(), count: from.u32() };
    case TYPE.end:
      return { kind: 'end', id, entry: readFileEntry(from) };
    case TYPE.failed:
      return {
        kind: 'failed',
        id,
        changed: from.u8() === 1,
        code: from.string(64),
        message: readText(from),
      };
    default:
      throw new MalformedError(`unknown content record ${type}`);
  }
}

function readFileEntry(from: ByteReader): FileEntry {
  const entry = readEntry(from);
  if (entry?.kind !== 'file' || entry.digests.strong === null) {
    throw new MalformedError('content record without a file entry and its SHA-256');
  }
  return entry;
}
