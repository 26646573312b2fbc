/**
 * What a delta is made against: the old version of the file, or what an interrupted transfer left of the new one.
 *
 * A basis is only a source of bytes that are likely to match: the whole file is verified by SHA-256 in the end, so that
 * a basis which changes meanwhile costs a retry and nothing else.
 */
import { hash } from 'node:crypto';
import type { FileEntry } from '../../journal/core/entry.ts';
import { type BytePath, joinPath } from '../../platform/core/byte-path.ts';
import type { Stat } from '../../platform/filesystem.ts';
import { DELTA_MIN_BYTES } from '../core/limits.ts';
import { MAX_BASIS_BYTES, parseSignature, type Signature } from '../core/signature.ts';
import { signFile } from '../signature-file.ts';
import { type ApplyContext, locate, STAGING } from './context.ts';
import { typeOf } from './packed-stat.ts';

/** A file to take blocks from; plain data, it may cross threads. It is opened when its blocks are asked for. */
export interface Basis {
  readonly path: BytePath;
  readonly stat: Stat;
  /** Without its checksums: the receiver needs the arithmetic only. */
  readonly signature: Signature;
  /** True for what an interrupted transfer left; it goes away once the file is complete. */
  readonly isPartial: boolean;
}

export interface MadeBasis {
  readonly basis: Basis;
  /** Packed, for the sender. */
  readonly signature: Buffer;
}

type BasisContext = Pick<ApplyContext, 'fileSystem' | 'root' | 'only'>;

/**
 * Finds and signs the best basis for `after` at `path`; null where there is none worth it. `seed`: random and new. A partial transfer is taken
 * where it holds more than half of the file or nothing else is there. Reads the whole basis once.
 */
export function makeBasis(context: BasisContext, seed: bigint, path: BytePath, after: FileEntry): MadeBasis | null {
  const old = usable(context, locate(context, path));
  const partial = largestPartial(context, path, after);
  const prefersPartial = partial !== null && (old === null || partial.stat.sizeBytes * 2 > after.sizeBytes);
  const chosen = prefersPartial ? partial : old;
  if (chosen === null) return null;
  const signature = sign(context, chosen.path, chosen.stat.sizeBytes, seed);
  if (signature === null) return null;
  const parsed = { ...parseSignature(signature), checksums: new Uint8Array() };
  return { basis: { ...chosen, signature: parsed, isPartial: prefersPartial }, signature };
}

/** Beginning of the staged names of one file in one version: an interrupted transfer is found again by it. */
export function partialPrefix(path: BytePath, after: FileEntry): string {
  const { strong, fast } = after.digests;
  const version = strong ?? fast ?? String(after.mtimeNs);
  const key = Buffer.from(`${path}\0${after.sizeBytes}\0${version}`, 'latin1');
  return `partial-${hash('sha256', key, 'hex').slice(0, 32)}.`;
}

interface Candidate {
  readonly path: BytePath;
  readonly stat: Stat;
}

function largestPartial(context: BasisContext, path: BytePath, after: FileEntry): Candidate | null {
  const prefix = partialPrefix(path, after);
  let largest: Candidate | null = null;
  for (const listing of context.fileSystem.readDirectories(context.root, [STAGING])) {
    for (const { name } of listing.entries) {
      if (!name.startsWith(prefix)) continue;
      const candidate = usable(context, joinPath(STAGING, name));
      if (candidate !== null && candidate.stat.sizeBytes > (largest?.stat.sizeBytes ?? 0)) largest = candidate;
    }
  }
  return largest;
}

function usable(context: BasisContext, path: BytePath): Candidate | null {
  const stat = context.fileSystem.stat(context.root, path);
  if (stat === null || typeOf(stat) !== 'file') return null;
  return stat.sizeBytes >= DELTA_MIN_BYTES && stat.sizeBytes <= MAX_BASIS_BYTES ? { path, stat } : null;
}

function sign(context: BasisContext, path: BytePath, sizeBytes: number, seed: bigint): Buffer | null {
  let fd: number;
  try {
    fd = context.fileSystem.openFile(context.root, path);
  } catch {
    return null;
  }
  try {
    return signFile(context.fileSystem, fd, sizeBytes, seed);
  } finally {
    context.fileSystem.close(fd);
  }
}
