/** What is noticed of an object, as bits: what consumers are told of ({@link ChangeKind}) and what only we need to know. */
import type { ChangeKind } from './answers.ts';

export const NOTICE = {
  content: 1,
  metadata: 2,
  entries: 4,
  /** Everything below has to be looked at, too. */
  subtree: 8,
  removed: 16,
  /** Somebody had it open with O_DIRECT. */
  direct: 32,
  /** It came to its place by a rename: nothing more need have changed. */
  moved: 64,
} as const;

const TOLD: readonly (readonly [number, ChangeKind])[] = [
  [NOTICE.content, 'content'],
  [NOTICE.metadata, 'metadata'],
  [NOTICE.entries, 'entries'],
  [NOTICE.subtree, 'subtree'],
  [NOTICE.removed, 'removed'],
];

/** The bits of kinds. */
export function bitsOf(kinds: readonly ChangeKind[]): number {
  return TOLD.reduce((bits, [bit, kind]) => (kinds.includes(kind) ? bits | bit : bits), 0);
}

/** The kinds consumers are told of. */
export function kindsOf(bits: number): ChangeKind[] {
  return TOLD.filter(([bit]) => (bits & bit) !== 0).map(([, kind]) => kind);
}
