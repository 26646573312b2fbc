/**
 * Compares two trees in full: every file that could be equal is read and hashed now on both sides, whatever any state
 * says. Writes nothing; the indexes it needs are scratch copies.
 */

import { type Entry, isTracked, type Side, type TrackedEntry } from '../../journal/core/entry.ts';
import type { BytePath } from '../../platform/core/byte-path.ts';
import { sameMetadata } from '../core/compare-metadata.ts';
import type { DigestNeed, Row } from '../core/plan.ts';
import type { Endpoint } from '../endpoint.ts';
import type { SessionOptions } from '../options.ts';
import type { RunEvent } from '../report.ts';
import { confirmedRows, type HashCounts } from './digests.ts';
import { listedRows, NO_ANCESTORS } from './rows.ts';

/** One path on which the sides differ; a byte string path, a few words for each side. */
export interface FoundDifference {
  readonly path: BytePath;
  readonly alpha: string;
  readonly beta: string;
}

export interface Verification {
  readonly differences: readonly FoundDifference[];
  readonly entries: number;
  readonly hashedBytes: number;
}

/** Opens both endpoints without touching anything and compares what they hold, in path order and constant memory. */
export async function verifyPair(
  sides: Readonly<Record<Side, Endpoint>>,
  options: SessionOptions,
  report: (event: RunEvent) => void,
  signal: AbortSignal,
): Promise<Verification> {
  const listings = [sides.alpha, sides.beta].map((endpoint) => listing(endpoint, options));
  report({ type: 'progress', phase: 'scanning', filesDone: 0, filesTotal: 0, bytesDone: 0, bytesTotal: 0 });
  const [alpha, beta] = await Promise.all(listings);
  if (alpha === undefined || beta === undefined) throw new Error('two sides');
  report({ type: 'progress', phase: 'hashing', filesDone: 0, filesTotal: 0, bytesDone: 0, bytesTotal: 0 });
  const hashed: HashCounts = { alpha: 0, beta: 0, bytes: 0 };
  const differences: FoundDifference[] = [];
  let entries = 0;
  const rows = listedRows(alpha, beta, NO_ANCESTORS);
  for await (const batch of confirmedRows(rows, sides, bothDigests, hashed)) {
    signal.throwIfAborted();
    for (const row of batch) {
      entries++;
      const difference = differenceIn(row, options);
      if (difference !== null) differences.push(difference);
    }
  }
  return { differences, entries, hashedBytes: hashed.bytes };
}

async function listing(endpoint: Endpoint, options: SessionOptions) {
  await endpoint.open({ session: '', dryRun: true, writable: false });
  await endpoint.bind('', 'directory');
  const { ignore, metadata, digest, symlinks, oneFileSystem } = options;
  await endpoint.checkpoint({ ignore, metadata, digest, symlinks, oneFileSystem, rehash: true });
  return (await endpoint.changes(null)).batches;
}

/** Files of equal size may be equal: SHA-256 of both decides. */
function bothDigests({ path, alpha, beta }: Row): DigestNeed[] {
  if (alpha?.kind !== 'file' || beta?.kind !== 'file' || alpha.sizeBytes !== beta.sizeBytes) return [];
  const unknown = (side: Side, entry: Entry) => entry.kind === 'file' && entry.digests.strong === null && { side };
  return (['alpha', 'beta'] as const).flatMap((side) =>
    unknown(side, side === 'alpha' ? alpha : beta) ? [{ side, path, strong: true }] : [],
  );
}

function differenceIn({ path, alpha, beta }: Row, options: SessionOptions): FoundDifference | null {
  const problem = [alpha, beta].find((entry) => entry?.kind === 'problem');
  if (problem === undefined) {
    if (alpha?.kind === 'untracked' || beta?.kind === 'untracked') return null;
    if (alpha === null && beta === null) return null;
    if (isTracked(alpha) && isTracked(beta)) {
      if (!sameContent(alpha, beta)) return { path, alpha: contentText(alpha), beta: contentText(beta) };
      if (sameMetadata(alpha, beta, options.metadata)) return null;
      return { path, alpha: metadataText(alpha), beta: metadataText(beta) };
    }
  }
  return { path, alpha: contentText(alpha), beta: contentText(beta) };
}

function sameContent(alpha: TrackedEntry, beta: TrackedEntry): boolean {
  if (alpha.kind === 'file' && beta.kind === 'file') {
    return alpha.sizeBytes === beta.sizeBytes && alpha.digests.strong === beta.digests.strong;
  }
  if (alpha.kind === 'symlink' && beta.kind === 'symlink') return alpha.target === beta.target;
  return alpha.kind === beta.kind;
}

function contentText(entry: Entry | null): string {
  if (entry === null) return 'nothing';
  switch (entry.kind) {
    case 'file': {
      const digest = entry.digests.strong === null ? '' : `, SHA-256 ${hex(entry.digests.strong).slice(0, 16)}…`;
      return `file of ${entry.sizeBytes} bytes${digest}`;
    }
    case 'directory':
      return 'directory';
    case 'symlink':
      return 'symlink';
    case 'untracked':
      return entry.what;
    case 'problem':
      return `${entry.code}: ${entry.message}`;
  }
}

function metadataText(entry: TrackedEntry): string {
  if (entry.kind === 'symlink') {
    const time = entry.mtimeNs === undefined ? '' : `, modified ${timeText(entry.mtimeNs)}`;
    return `symlink${time}${ownerText(entry)}`;
  }
  const mode = `mode ${entry.mode.toString(8).padStart(4, '0')}`;
  if (entry.kind === 'directory') return `directory, ${mode}${ownerText(entry)}`;
  return `file, ${mode}, modified ${timeText(entry.mtimeNs)}${ownerText(entry)}`;
}

function ownerText({ owner }: { readonly owner?: string }): string {
  return owner === undefined ? '' : `, owner ${owner}`;
}

function timeText(mtimeNs: bigint): string {
  const milliseconds = Number(mtimeNs / 1_000_000n);
  const date = new Date(milliseconds);
  if (Number.isNaN(date.getTime())) return `${mtimeNs} ns`;
  return `${date.toISOString().slice(0, 19)}.${(mtimeNs % 1_000_000_000n).toString().padStart(9, '0')}Z`;
}

function hex(bytes: string): string {
  return Buffer.from(bytes, 'latin1').toString('hex');
}
