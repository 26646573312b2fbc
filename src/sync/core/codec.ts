/**
 * The binary form of operations and outcomes: one codec for the wire and the ledger. Paths and entries in them are
 * those of entry-codec.ts.
 *
 * Readers validate after the last decoding and refuse, never normalise. Everything is little-endian; see
 * docs/protocol.md for the same in prose.
 */
import {
  readEntry,
  readPath,
  readText,
  readTrackedEntry,
  writeEntry,
  writePath,
  writeText,
} from '../../journal/core/entry-codec.ts';
import { type ByteReader, type ByteWriter, MalformedError } from '../../platform/core/bytes.ts';
import { type ContentBytes, type ContentSource, NO_BYTES, type Operation, type Outcome } from './operation.ts';

const CONTENT: readonly ContentSource[] = ['keep', 'stream', 'copy', 'link'];

export function writeOperation(out: ByteWriter, operation: Operation): void {
  out.u8(operation.kind === 'put' ? 1 : operation.kind === 'remove' ? 2 : 3).u32(operation.id);
  writePath(out, operation.path);
  writeEntry(out, operation.before);
  switch (operation.kind) {
    case 'put':
      writeEntry(out, operation.after);
      out.u8(CONTENT.indexOf(operation.content)).u8(operation.copyFrom === undefined ? 0 : 1);
      if (operation.copyFrom !== undefined) writePath(out, operation.copyFrom);
      return;
    case 'remove':
      return;
    case 'rename':
      writePath(out, operation.to);
      return;
  }
}

export function readOperation(from: ByteReader): Operation {
  const kind = from.u8();
  const id = from.u32();
  const path = readPath(from);
  switch (kind) {
    case 1: {
      const before = readEntry(from);
      const after = readTrackedEntry(from);
      const content = CONTENT[from.u8()];
      if (content === undefined) throw new MalformedError('unknown source of content');
      const copyFrom = from.u8() === 1 ? { copyFrom: readPath(from) } : {};
      if ((content === 'copy' || content === 'link') !== 'copyFrom' in copyFrom) {
        throw new MalformedError('copy without a source, or a source without copy');
      }
      return { kind: 'put', id, path, before, after, content, ...copyFrom };
    }
    case 2:
      return { kind: 'remove', id, path, before: readTrackedEntry(from) };
    case 3: {
      const before = readTrackedEntry(from);
      return { kind: 'rename', id, path, to: readPath(from), before };
    }
    default:
      throw new MalformedError(`unknown operation ${kind}`);
  }
}

export function writeOutcome(out: ByteWriter, outcome: Outcome): void {
  out.u32(outcome.id);
  switch (outcome.status) {
    case 'done':
      out.u8(1);
      writeEntry(out, outcome.entry);
      writeContentBytes(out, outcome.bytes);
      return;
    case 'changed':
      out.u8(2).u8(outcome.side === 'source' ? 0 : 1);
      writeText(out, outcome.reason);
      return;
    case 'failed':
      out.u8(3).u8(outcome.side === 'source' ? 0 : 1);
      writeText(out.string(outcome.problem.code), outcome.problem.message);
      return;
  }
}

export function readOutcome(from: ByteReader): Outcome {
  const id = from.u32();
  switch (from.u8()) {
    case 1: {
      const entry = readEntry(from);
      if (entry !== null && (entry.kind === 'untracked' || entry.kind === 'problem')) {
        throw new MalformedError('an outcome of an untracked kind');
      }
      return { id, status: 'done', entry, bytes: readContentBytes(from) };
    }
    case 2:
      return { id, status: 'changed', side: readWhere(from), reason: readText(from) };
    case 3: {
      const side = readWhere(from);
      return {
        id,
        status: 'failed',
        side,
        problem: { code: from.string(64), message: readText(from) },
      };
    }
    default:
      throw new MalformedError('unknown outcome');
  }
}

function writeContentBytes(out: ByteWriter, bytes: ContentBytes): void {
  if (bytes === NO_BYTES) {
    out.u8(0);
    return;
  }
  out.u8(1).u53(bytes.literal).u53(bytes.matched).u53(bytes.reused);
}

function readContentBytes(from: ByteReader): ContentBytes {
  if (from.u8() === 0) return NO_BYTES;
  return { literal: from.u53(), matched: from.u53(), reused: from.u53() };
}

function readWhere(from: ByteReader): 'source' | 'target' {
  return from.u8() === 0 ? 'source' : 'target';
}
