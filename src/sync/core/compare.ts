/**
 * Is this the same content? And which digests must be known to say so?
 *
 * Two proofs. `change` asks whether one path still holds what the archive says: the session digest is enough, a wrong
 * "same" would need a collision of two versions of one file. `adopt` asks whether two contents may count as one, after
 * which one of them is let go: that takes SHA-256. Times prove nothing; different sizes prove a difference.
 */

import type { Entry, FileEntry, Side, TrackedEntry } from '../../journal/core/entry.ts';
import { isTracked } from '../../journal/core/entry.ts';
import type { DigestName } from '../../journal/core/look.ts';
import type { BytePath } from '../../platform/core/byte-path.ts';
import type { DigestNeed, Row } from './plan.ts';

export type Proof = 'change' | 'adopt';
export type Likeness = 'same' | 'different' | 'unknown';

/** What became of the archive's content on one side. Nothing where nothing was counts as `same`. */
export type ContentChange = 'same' | 'changed' | 'gone' | 'unknown';

/** Compares the contents of two entries; metadata does not count. Directories are alike whatever they hold. */
export function compareContent(left: TrackedEntry, right: TrackedEntry, proof: Proof, digest: DigestName): Likeness {
  if (left.kind === 'file') return right.kind === 'file' ? compareFiles(left, right, proof, digest) : 'different';
  if (left.kind === 'symlink') return right.kind === 'symlink' && left.target === right.target ? 'same' : 'different';
  return right.kind === 'directory' ? 'same' : 'different';
}

/** How `entry` stands to the archive. An untracked entry or a problem hides what is there: `unknown` is not asked of them. */
export function changeOf(entry: TrackedEntry | null, ancestor: TrackedEntry | null, digest: DigestName): ContentChange {
  if (entry === null) return ancestor === null ? 'same' : 'gone';
  if (ancestor === null) return 'changed';
  if (entry.kind === 'file' && ancestor.kind === 'file' && !isComparable(ancestor, digest)) return 'changed';
  const likeness = compareContent(entry, ancestor, 'change', digest);
  return likeness === 'different' ? 'changed' : likeness;
}

/**
 * Which digests must be known before this row can be reconciled; none: it is ripe.
 *
 * Fill them in and ask again, at most twice: whether a side changed at all comes first (session digest), whether two
 * changed sides hold the same comes after (SHA-256 of both). Nothing is needed for new files of one side and for
 * different sizes.
 */
export function digestsNeeded(row: Row, options: { readonly digest: DigestName }): DigestNeed[] {
  const { ancestor, alpha, beta } = row;
  const needs = [...changeNeeds(row, 'alpha', options.digest), ...changeNeeds(row, 'beta', options.digest)];
  if (needs.length > 0 || alpha?.kind !== 'file' || beta?.kind !== 'file') return needs;
  if (changeOf(alpha, ancestor, options.digest) === 'same' || changeOf(beta, ancestor, options.digest) === 'same') {
    return needs;
  }
  if (compareFiles(alpha, beta, 'adopt', options.digest) !== 'unknown') return needs;
  if (alpha.digests.strong === null) needs.push({ side: 'alpha', path: pathOn(row, 'alpha'), strong: true });
  if (beta.digests.strong === null) needs.push({ side: 'beta', path: pathOn(row, 'beta'), strong: true });
  return needs;
}

/** Where a side holds the row's entry as long as the renames have not been carried out. */
export function pathOn(row: Row, side: Side): BytePath {
  return (side === 'alpha' ? row.alphaPath : row.betaPath) ?? row.path;
}

function changeNeeds(row: Row, side: Side, digest: DigestName): DigestNeed[] {
  const entry: Entry | null = row[side];
  if (!isTracked(entry) || changeOf(entry, row.ancestor, digest) !== 'unknown') return [];
  const onlyStrong = row.ancestor?.kind === 'file' && row.ancestor.digests.fast === null;
  return [{ side, path: pathOn(row, side), strong: digest === 'sha256' || onlyStrong }];
}

/** True where the archive's entry carries a digest that can prove "same"; one written under another session digest may not. */
function isComparable(ancestor: FileEntry, digest: DigestName): boolean {
  if (ancestor.sizeBytes === 0 || ancestor.digests.strong !== null) return true;
  return digest === 'xxh64' && ancestor.digests.fast !== null;
}

function compareFiles(left: FileEntry, right: FileEntry, proof: Proof, digest: DigestName): Likeness {
  if (left.sizeBytes !== right.sizeBytes) return 'different';
  if (left.sizeBytes === 0) return 'same';
  const { fast, strong } = left.digests;
  if (strong !== null && right.digests.strong !== null) return strong === right.digests.strong ? 'same' : 'different';
  if (fast === null || right.digests.fast === null) return 'unknown';
  if (fast !== right.digests.fast) return 'different';
  return proof === 'change' && digest === 'xxh64' ? 'same' : 'unknown';
}
