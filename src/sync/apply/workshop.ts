/** The tools of a batch under commit, and what all kinds of operations do alike. */

import { type Digests, type TrackedEntry, UNKNOWN_DIGESTS } from '../../journal/core/entry.ts';
import { type BytePath, parentOf } from '../../platform/core/byte-path.ts';
import { errnoOf } from '../../platform/core/errors.ts';
import type { Stat } from '../../platform/filesystem.ts';
import type { VersionWriter } from '../versions.ts';
import { type ApplyContext, locate } from './context.ts';
import type { Ledger } from './ledger.ts';
import type { LinkGroups } from './link-groups.ts';
import { achieved, isRecent } from './metadata.ts';
import { changed, done, failed, failedBy, type Result } from './outcome.ts';
import { packStat, typeOf } from './packed-stat.ts';
import { discard } from './staging.ts';
import type { Task } from './task.ts';
import type { Widening } from './widening.ts';

export interface Workshop {
  readonly context: ApplyContext;
  readonly ledger: Ledger;
  readonly widening: Widening;
  readonly versions: VersionWriter;
  readonly links: LinkGroups;
}

/** A time beyond which a file's mtime and the one it was given do not differ by rounding: FAT keeps even seconds. */
const ROUNDING_NS = 2_000_000_000n;

/**
 * Notes that `path` now holds `after`, as it was put there, and returns what it really is. Where it was touched again
 * meanwhile, or could be without a trace, the record is racy: the next look reads the content.
 */
export function recordPut(
  shop: Workshop,
  path: BytePath,
  after: TrackedEntry,
  content: { readonly digests: Digests; readonly sizeBytes: number } | null,
  startedMs: number,
  known: Stat | null = null,
): Result {
  const { context, ledger } = shop;
  const place = locate(context, path);
  const stat = known ?? context.fileSystem.stat(context.root, place);
  ledger.touchDirectory(parentOf(place));
  if (stat === null || typeOf(stat) !== after.kind) {
    ledger.put(path, { entry: after, packedStat: null, racy: true });
    return done(after);
  }
  const entry = achieved(after, content?.digests ?? UNKNOWN_DIGESTS, stat);
  ledger.put(path, { entry, packedStat: packStat(stat), racy: isRacy(shop, after, content, stat, startedMs) });
  return done(entry);
}

/** A system error of the target as a result; `path` is the operation's. */
export function targetFailure(error: unknown, doing: string): Result {
  switch (errnoOf(error)) {
    case 'EEXIST':
      return changed('something is there already');
    case 'ENOENT':
    case 'ENOTDIR':
    case 'ELOOP':
      return changed('the directory it belongs into is gone');
    case 'EXDEV':
      return failed('EXDEV', 'it lies on another file system than the root');
    default:
      return failedBy(error, doing);
  }
}

/** Removes what a task staged and did not put in place. An object that is not the staged one stays. */
export function dropStaged(context: ApplyContext, task: Task): void {
  const { staged, slot } = task;
  task.staged = null;
  if (staged === null) return;
  if (slot !== null && staged !== slot.path && !staged.startsWith(slot.path)) discard(context, staged);
  else if (slot === null) discard(context, staged);
  else if (context.fileSystem.stat(context.root, staged)?.ino === task.stagedInode) discard(context, staged);
}

function isRacy(
  shop: Workshop,
  after: TrackedEntry,
  content: { readonly sizeBytes: number } | null,
  stat: Stat,
  startedMs: number,
): boolean {
  if (after.kind !== 'file') return false;
  if (content !== null && content.sizeBytes !== stat.sizeBytes) return true;
  const drift = stat.mtimeNs - after.mtimeNs;
  const isOurTime = drift < ROUNDING_NS && drift > -ROUNDING_NS;
  if (shop.context.options.metadata.times && !isOurTime) return true;
  return isRecent(stat.mtimeNs, startedMs);
}
