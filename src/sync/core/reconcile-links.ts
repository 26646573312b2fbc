/**
 * Names of one file that are to be files of their own (with --hard-links).
 *
 * A group of names is known by its first: the others' `linkTo`. When the first one leaves (removed, replaced, linked to
 * something else), those that stay are still one file, and the first of them takes over: nothing has to be done to it.
 * Everyone else who is to be no link must get content of his own, or he would stay a name of his old file.
 */

import type { Entry, Side, TrackedEntry } from '../../journal/core/entry.ts';
import type { BytePath } from '../../platform/core/byte-path.ts';
import type { Context } from './reconcile-frames.ts';

/** First names that leave their groups, by side, with the name that takes over once there is one. */
export type Departures = { readonly [side in Side]: Map<BytePath, BytePath | null> };

/** `path` will be another file on `side`, or none. Memory: with hard links, a path for every such decision. */
export function noteDeparture(
  { options, departures }: Context,
  side: Side,
  path: BytePath,
  before: Entry | null,
): void {
  if (!options.metadata.hardLinks || before?.kind !== 'file' || before.linkTo !== undefined) return;
  departures[side].set(path, null);
}

/** True where `side` must be given the content of `path` again for it to be no longer a link. Asked once per path. */
export function mustPart(
  { options, departures }: Context,
  side: Side,
  path: BytePath,
  before: TrackedEntry,
  after: TrackedEntry,
): boolean {
  if (!options.metadata.hardLinks || before.kind !== 'file' || after.kind !== 'file') return false;
  if (before.linkTo === undefined || after.linkTo !== undefined) return false;
  const first = before.linkTo as BytePath;
  if (departures[side].get(first) !== null) return true;
  departures[side].set(first, path);
  return false;
}
