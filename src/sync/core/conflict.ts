/** Conflicts: who wins one under which policy, and the words that describe it. */

import type { Entry, Side, TrackedEntry } from '../../journal/core/entry.ts';
import { isTracked } from '../../journal/core/entry.ts';
import type { DigestName, MetadataOptions } from '../../journal/core/look.ts';
import type { ConflictPolicy } from '../options.ts';
import { changeOf } from './compare.ts';
import { attributesOf } from './compare-metadata.ts';

/** `report`: both sides stay. `loser` names the side whose content moves aside under `copy`. */
export type Settlement =
  | { readonly kind: 'report' }
  | { readonly kind: 'winner'; readonly side: Side }
  | { readonly kind: 'copy'; readonly loser: Side };

/**
 * Settles a true conflict: both sides changed the same path differently and both hold something.
 *
 * `newer`, `older` and `larger` compare two files; a tie or any other pair of kinds is reported. Under `copy` the
 * directory, else the file, else the later one keeps its name; alpha does where nothing of that decides.
 */
export function settleConflict(alpha: TrackedEntry, beta: TrackedEntry, policy: ConflictPolicy): Settlement {
  switch (policy) {
    case 'report':
      return { kind: 'report' };
    case 'copy':
      return { kind: 'copy', loser: loserOf(alpha, beta) };
    case 'newer':
      return winnerBy(compareMtimes(alpha, beta));
    case 'older':
      return winnerBy(-compareMtimes(alpha, beta));
    case 'larger':
      return winnerBy(compareSizes(alpha, beta));
    case 'alpha':
    case 'beta':
      return { kind: 'winner', side: policy };
  }
}

/** What a side did to a path, for people: "modified file", "deleted directory", "changed mode 0640". */
export function describeChange(
  entry: Entry | null,
  ancestor: TrackedEntry | null,
  options: { readonly metadata: MetadataOptions; readonly digest: DigestName },
): string {
  if (entry === null) return describeAbsence(ancestor);
  if (!isTracked(entry)) return entry.kind === 'problem' ? 'unreadable' : entry.what;
  if (ancestor === null) return `created ${entry.kind}`;
  if (ancestor.kind !== entry.kind) return `${ancestor.kind} replaced by ${entry.kind}`;
  if (changeOf(entry, ancestor, options.digest) === 'changed') return `modified ${entry.kind}`;
  const before = attributesOf(ancestor, options.metadata);
  const now = attributesOf(entry, options.metadata);
  if (now.mode !== before.mode) return `changed mode ${modeText(Number(now.mode))}`;
  if (now.owner !== before.owner) return `changed owner ${now.owner ?? ''}`.trimEnd();
  if (now.xattrs !== before.xattrs) return 'changed extended attributes';
  if (now.linkTo !== before.linkTo) return 'changed hard links';
  return `unchanged ${entry.kind}`;
}

/** Permission bits as people write them: four octal digits. */
export function modeText(mode: number): string {
  return mode.toString(8).padStart(4, '0');
}

function loserOf(alpha: TrackedEntry, beta: TrackedEntry): Side {
  if (alpha.kind === 'directory' || beta.kind === 'directory') return alpha.kind === 'directory' ? 'beta' : 'alpha';
  if (alpha.kind === beta.kind) return compareMtimes(alpha, beta) < 0 ? 'alpha' : 'beta';
  return alpha.kind === 'file' ? 'beta' : 'alpha';
}

function winnerBy(order: number): Settlement {
  return order === 0 ? { kind: 'report' } : { kind: 'winner', side: order > 0 ? 'alpha' : 'beta' };
}

function compareMtimes(alpha: TrackedEntry, beta: TrackedEntry): number {
  if (alpha.kind !== 'file' || beta.kind !== 'file' || alpha.mtimeNs === beta.mtimeNs) return 0;
  return alpha.mtimeNs > beta.mtimeNs ? 1 : -1;
}

function compareSizes(alpha: TrackedEntry, beta: TrackedEntry): number {
  return alpha.kind === 'file' && beta.kind === 'file' ? alpha.sizeBytes - beta.sizeBytes : 0;
}

function describeAbsence(ancestor: TrackedEntry | null): string {
  if (ancestor === null) return 'nothing';
  return ancestor.kind === 'directory' ? 'deleted directory' : 'deleted';
}
