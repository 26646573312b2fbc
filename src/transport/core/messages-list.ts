/** The items of list messages, each with its writer and its validating reader. */

import type { Change } from '../../journal/core/change.ts';
import { readEntry, readPath, readText, writeEntry, writePath, writeText } from '../../journal/core/entry-codec.ts';
import type { BytePath } from '../../platform/core/byte-path.ts';
import { ByteReader, ByteWriter, MalformedError } from '../../platform/core/bytes.ts';
import { readFileEntry, readFlag, readSignature, writeSignature } from '../../sync/core/supply-order.ts';
import type {
  DigestAnswer,
  DigestRequest,
  ReuseCandidate,
  SignatureAnswer,
  SignatureRequest,
} from '../../sync/endpoint.ts';

/** Longest identity: inode and birth time are 16 bytes; room for a file handle. */
const MAX_IDENTITY_BYTES = 160;

/** Path, entry, identity as u8 length (0: none) and bytes. */
export function writeChange(out: ByteWriter, change: Change): void {
  writePath(out, change.path);
  writeEntry(out, change.entry);
  const identity = change.identity ?? '';
  out.u8(identity.length).rawString(identity);
}

export function readChange(from: ByteReader): Change {
  const path = readPath(from);
  const entry = readEntry(from);
  const length = from.u8();
  if (length > MAX_IDENTITY_BYTES) throw new MalformedError(`identity of ${length} bytes`);
  return { path, entry, identity: length === 0 ? null : from.rawString(length) };
}

/** Path, u8 1 where SHA-256 is wanted. */
export function writeDigestRequest(out: ByteWriter, request: DigestRequest): void {
  writePath(out, request.path);
  out.u8(request.strong ? 1 : 0);
}

export function readDigestRequest(from: ByteReader): DigestRequest {
  return { path: readPath(from), strong: readFlag(from) };
}

/** Path, u8 0 and a file entry, or u8 1 and code and message. */
export function writeDigestAnswer(out: ByteWriter, answer: DigestAnswer): void {
  writePath(out, answer.path);
  if (answer.entry !== null) {
    out.u8(0);
    writeEntry(out, answer.entry);
    return;
  }
  const { code, message } = answer.problem ?? { code: 'EIO', message: 'no digest' };
  writeText(out.u8(1), code, 64);
  writeText(out, message);
}

export function readDigestAnswer(from: ByteReader): DigestAnswer {
  const path = readPath(from);
  if (!readFlag(from)) return { path, entry: readFileEntry(from), problem: null };
  return { path, entry: null, problem: { code: from.string(64), message: readText(from) } };
}

export function writeSize(out: ByteWriter, sizeBytes: number): void {
  out.u53(sizeBytes);
}

export function readSize(from: ByteReader): number {
  return from.u53();
}

/** Path and entry; the size is the entry's. */
export function writeCandidate(out: ByteWriter, candidate: ReuseCandidate): void {
  writePath(out, candidate.path);
  writeEntry(out, candidate.entry);
}

export function readCandidate(from: ByteReader): ReuseCandidate {
  const path = readPath(from);
  const entry = readFileEntry(from);
  return { sizeBytes: entry.sizeBytes, path, entry };
}

/** u32 id, path, file entry. */
export function writeSignatureRequest(out: ByteWriter, request: SignatureRequest): void {
  out.u32(request.id);
  writePath(out, request.path);
  writeEntry(out, request.after);
}

export function readSignatureRequest(from: ByteReader): SignatureRequest {
  return { id: from.u32(), path: readPath(from), after: readFileEntry(from) };
}

/** u32 id, signature. */
export function writeSignatureAnswer(out: ByteWriter, answer: SignatureAnswer): void {
  out.u32(answer.id);
  writeSignature(out, answer.signature);
}

export function readSignatureAnswer(from: ByteReader): SignatureAnswer {
  return { id: from.u32(), signature: readSignature(from) };
}

/** A message that is one path. */
export function encodePath(path: BytePath): Buffer {
  const out = new ByteWriter(256);
  writePath(out, path);
  return out.take();
}

export function decodePath(message: Uint8Array): BytePath {
  const from = new ByteReader(message);
  const path = readPath(from);
  from.finish();
  return path;
}
