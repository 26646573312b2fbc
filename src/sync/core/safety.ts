/**
 * The brakes: what must not be synced away without somebody having said so.
 *
 * A root that was there and is gone, emptied, of another type or another directory looks like everything having been
 * deleted; mostly a disk is not mounted, or a path means something else today. Roots are compared with what the last run
 * found; without one nothing is known of them.
 */

import type { Side } from '../../journal/core/entry.ts';
import type { Checkpoint, RootState } from '../endpoint.ts';
import type { DeletionLimit } from '../options.ts';
import type { Halt } from '../report.ts';

/** What the last run that got through found. */
export interface KnownRoot {
  readonly kind: 'directory' | 'file';
  /** As in {@link RootState}; null where there was none. */
  readonly identity: string | null;
  /** Tracked entries below the root. */
  readonly entries: number;
}

type PerSide<T> = Readonly<Record<Side, T>>;

/** An empty directory that held fewer entries than this may well be meant so. */
const EMPTIED_MIN_ENTRIES = 2;

/** This many deletions never halt under a limit in percent: half of a small tree is soon reached. */
const HARMLESS_DELETIONS = 10;

const SIDES: readonly Side[] = ['alpha', 'beta'];

/** Halts where a root is not what it was; the same in all modes, since one that vanished is hardly ever meant. */
export function guardRoots(known: PerSide<KnownRoot | null>, now: PerSide<RootState>): Halt | null {
  for (const side of SIDES) {
    const before = known[side];
    const halt = before === null ? null : guardRoot(side, before, now[side]);
    if (halt !== null) return halt;
  }
  return null;
}

/**
 * Halts where a side would lose more entries than the user allows. `deletions` are counted after renames were paired;
 * a percentage is one of the entries that side holds now.
 */
export function guardDeletions(
  deletions: PerSide<number>,
  checkpoints: PerSide<Pick<Checkpoint, 'entries'>>,
  options: { readonly maxDelete: DeletionLimit },
): Halt | null {
  for (const side of SIDES) {
    const { entries } = checkpoints[side];
    if (deletions[side] <= allowedDeletions(options.maxDelete, entries)) continue;
    const detail = `${deletions[side]} of ${entries} entries would be deleted on ${side}, the limit is ${limitText(options.maxDelete)}`;
    return { reason: 'max-delete', side, detail };
  }
  return null;
}

function guardRoot(side: Side, before: KnownRoot, now: RootState): Halt | null {
  if (now.kind === 'missing') {
    return { reason: 'root-missing', side, detail: `the root of ${side} is gone; it was a ${before.kind}` };
  }
  if (now.kind !== before.kind) {
    const kind = now.kind === 'other' ? 'neither file nor directory' : `a ${now.kind}`;
    return { reason: 'root-type', side, detail: `the root of ${side} was a ${before.kind} and is ${kind} now` };
  }
  // Programs save a file by putting a new one in its place, so a file has no lasting identity.
  if (now.kind === 'file') return null;
  if (now.isEmpty && before.entries >= EMPTIED_MIN_ENTRIES) {
    return {
      reason: 'root-emptied',
      side,
      detail: `the root of ${side} held ${before.entries} entries and is empty now`,
    };
  }
  if (before.identity !== null && now.identity !== before.identity) {
    return { reason: 'root-identity', side, detail: `the root of ${side} is not the directory it was` };
  }
  return null;
}

function allowedDeletions(limit: DeletionLimit, entries: number): number {
  if (limit.kind === 'count') return limit.count;
  return Math.max(HARMLESS_DELETIONS, (entries * limit.percent) / 100);
}

function limitText(limit: DeletionLimit): string {
  return limit.kind === 'count' ? String(limit.count) : `${limit.percent} %`;
}
