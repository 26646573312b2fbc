/**
 * The rules of the four modes for one path, contents only.
 *
 * `same`, `changed` and `gone` stand for what became of the archive's content on each side (a directory is `same`
 * whatever it holds); nothing where the archive has nothing is `same` too.
 *
 * two-way-safe      one side changed: it wins. Deleted against changed: changed wins. Both changed: contest.
 * two-way-resolved  one side changed: it wins. Otherwise alpha, also by what it deleted.
 * one-way-safe      alpha wins over what beta has not changed; beta's own is left alone; both hold something: contest.
 * one-way-replica   alpha wins.
 *
 * A change of extended attributes counts as a change against a deletion; mode, owner and times do not: there is no
 * content in them, and a deletion would hardly ever get through.
 */

import type { Side, TrackedEntry } from '../../journal/core/entry.ts';
import type { DigestName, MetadataOptions } from '../../journal/core/look.ts';
import { TidemarkError } from '../../platform/core/errors.ts';
import type { Mode } from '../options.ts';
import { type ContentChange, changeOf, compareContent } from './compare.ts';
import { attributesOf } from './compare-metadata.ts';

/** What a path holds where both sides are tracked or empty. */
export interface Triple {
  readonly ancestor: TrackedEntry | null;
  readonly alpha: TrackedEntry | null;
  readonly beta: TrackedEntry | null;
}

export interface RuleOptions {
  readonly mode: Mode;
  readonly metadata: MetadataOptions;
  readonly digest: DigestName;
}

export type Verdict =
  /** Nothing on either side. */
  | 'gone'
  /** The same content on both. */
  | 'agree'
  /** That side's content goes to the other side; where it has none, the other's is removed. */
  | Side
  /** Beta's own affair: neither side changes, the archive forgets the path. */
  | 'leave'
  /** Both hold something and neither may win by itself. */
  | 'contest';

/** Judges one path. `forced` names the side that wins whatever the mode says, as below a settled conflict. Throws where digests are missing. */
export function judge(triple: Triple, options: RuleOptions, forced: Side | null): Verdict {
  const { ancestor, alpha, beta } = triple;
  if (alpha === null && beta === null) return 'gone';
  const change = {
    alpha: known(changeOf(alpha, ancestor, options.digest)),
    beta: known(changeOf(beta, ancestor, options.digest)),
  };
  if (alpha !== null && beta !== null && isAgreement(alpha, beta, change, options)) return 'agree';
  if (forced !== null) return forced;
  if (beta === null && isTouched(alpha, ancestor, options)) change.alpha = 'changed';
  if (alpha === null && isTouched(beta, ancestor, options)) change.beta = 'changed';
  return judgeChanges(triple, change, options.mode);
}

/** True where `entry` holds something the archive does not know. */
export function isNews(entry: TrackedEntry | null, ancestor: TrackedEntry | null, options: RuleOptions): boolean {
  return known(changeOf(entry, ancestor, options.digest)) === 'changed' || isTouched(entry, ancestor, options);
}

type Changes = { readonly [side in Side]: ContentChange };

function judgeChanges(triple: Triple, change: Changes, mode: Mode): Verdict {
  switch (mode) {
    case 'two-way-safe':
      if (change.alpha === 'same') return 'beta';
      if (change.beta === 'same') return 'alpha';
      if (change.alpha === 'gone') return 'beta';
      return change.beta === 'gone' ? 'alpha' : 'contest';
    case 'two-way-resolved':
      return change.alpha === 'same' ? 'beta' : 'alpha';
    case 'one-way-safe':
      if (triple.alpha === null) return triple.ancestor === null || change.beta === 'changed' ? 'leave' : 'alpha';
      return triple.beta === null || change.beta === 'same' ? 'alpha' : 'contest';
    case 'one-way-replica':
      return 'alpha';
  }
}

/** Content as in the archive, but other extended attributes. */
function isTouched(entry: TrackedEntry | null, ancestor: TrackedEntry | null, options: RuleOptions): boolean {
  if (entry === null || entry.kind === 'directory' || entry.kind !== ancestor?.kind) return false;
  const before = attributesOf(ancestor, options.metadata).xattrs;
  const now = attributesOf(entry, options.metadata).xattrs;
  return before !== undefined && now !== undefined && before !== now;
}

function isAgreement(alpha: TrackedEntry, beta: TrackedEntry, change: Changes, options: RuleOptions): boolean {
  if (change.alpha !== 'changed' || change.beta !== 'changed') return change.alpha === change.beta;
  const likeness = compareContent(alpha, beta, 'adopt', options.digest);
  if (likeness === 'unknown') throw missingDigest();
  return likeness === 'same';
}

function known(change: ContentChange): ContentChange {
  if (change === 'unknown') throw missingDigest();
  return change;
}

function missingDigest(): TidemarkError {
  return new TidemarkError('internal', 'digest-missing', 'a row was reconciled before its digests were known');
}
