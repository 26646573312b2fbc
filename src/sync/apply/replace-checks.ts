/** What a replacement looks at before and after the old object leaves its place. */

import type { TrackedEntry } from '../../journal/core/entry.ts';
import type { IndexRecord } from '../../journal/store/index.ts';
import type { BytePath } from '../../platform/core/byte-path.ts';
import type { Stat } from '../../platform/filesystem.ts';
import type { Slot } from '../versions.ts';
import { typeOf } from './packed-stat.ts';
import { type Guard, isUndisturbed } from './verify.ts';
import type { Workshop } from './workshop.ts';

/** A replacement under way. */
export interface Replacement {
  /** File system path of the target. */
  readonly place: BytePath;
  readonly slot: Slot;
  readonly before: TrackedEntry;
  /** What the index knows of the target. */
  readonly record: IndexRecord;
  readonly guard: Guard;
  /** Stat of the new object, while it was in the slot. */
  readonly staged: Stat;
}

/** True where the displaced object (now at `at`) is the guarded one; for symlinks and directories also what they hold. */
export function isExpected(shop: Workshop, { before, guard }: Replacement, at: BytePath): boolean {
  const { fileSystem, root } = shop.context;
  const now = fileSystem.stat(root, at);
  if (now === null || now.ino !== guard.stat.ino || typeOf(now) !== before.kind) return false;
  switch (before.kind) {
    case 'file':
      return isUndisturbed(shop.context, guard, now);
    case 'symlink':
      return fileSystem.readSymlink(root, at) === before.target;
    case 'directory':
      return isEmptyDirectory(shop, at);
  }
}

/** False also where it cannot be read. */
export function isEmptyDirectory(shop: Workshop, path: BytePath): boolean {
  const listing = shop.context.fileSystem.readDirectories(shop.context.root, [path])[0];
  return listing !== undefined && listing.error === null && listing.entries.length === 0;
}
