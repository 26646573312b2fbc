/** How what was found at a place differs from what was recorded there. */
import { isRegularFile, modeOf } from '../../platform/core/stat-codec.ts';
import type { IndexRecord } from './index-record.ts';
import { NOTICE } from './kinds.ts';

/** Mode, owner and group in a packed stat; ctime, which every change of metadata moves. */
const OWNER = { start: 12, end: 24 } as const;
const MTIME = { start: 40, end: 48 } as const;
const CTIME = { start: 48, end: 56 } as const;
/** Inode, size and modification time. */
const CONTENT = { start: 24, end: 48 } as const;
const CONTENT_NOTICES = NOTICE.content | NOTICE.direct | NOTICE.subtree;

/**
 * Bits of NOTICE that tell a consumer what changed; 0 where nothing did. `noticed`: what events said. A change that no
 * field shows (an attribute, an access list) is believed to the event.
 */
export function differenceBetween(old: IndexRecord | null, found: IndexRecord, noticed: number): number {
  const [before, after] = [old?.entry, found.entry];
  if (old === null || before === undefined || before.kind !== after.kind) {
    return after.kind === 'file' || after.kind === 'symlink' ? NOTICE.content : NOTICE.entries;
  }
  const metadata = metadataDifference(old, found, noticed);
  if (before.kind === 'file' && after.kind === 'file') {
    const isSame =
      before.digests.fast === null ? isUntouched(old, found, noticed) : before.digests.fast === after.digests.fast;
    return metadata | (isSame && before.sizeBytes === after.sizeBytes ? 0 : NOTICE.content);
  }
  if (before.kind === 'symlink' && after.kind === 'symlink') {
    return metadata | (before.target === after.target ? 0 : NOTICE.content);
  }
  if (before.kind === 'problem' && after.kind === 'problem') return before.code === after.code ? 0 : NOTICE.metadata;
  return metadata;
}

/** A file that was never read before: the same all the same, where nothing says that it was written. */
function isUntouched(old: IndexRecord, found: IndexRecord, noticed: number): boolean {
  if (old.packedStat === null || found.packedStat === null || old.racy) return false;
  return (noticed & CONTENT_NOTICES) === 0 && equalRange(old.packedStat, found.packedStat, CONTENT);
}

function metadataDifference(old: IndexRecord, found: IndexRecord, noticed: number): number {
  const [before, after] = [old.packedStat, found.packedStat];
  // A directory known only by the event that made it was told then.
  if (before === null || after === null) return 0;
  if (!equalRange(before, after, OWNER)) return NOTICE.metadata;
  // Times of a directory move with what is in it.
  if (isRegularFile(modeOf(after)) && !equalRange(before, after, MTIME)) return NOTICE.metadata;
  const saidSo = (noticed & NOTICE.metadata) !== 0;
  return saidSo && !equalRange(before, after, CTIME) ? NOTICE.metadata : 0;
}

function equalRange(left: Uint8Array, right: Uint8Array, { start, end }: { start: number; end: number }): boolean {
  for (let index = start; index < end; index++) if (left[index] !== right[index]) return false;
  return true;
}
