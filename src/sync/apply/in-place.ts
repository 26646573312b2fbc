/**
 * Changes the metadata of an object that stays. Content is never written this way.
 *
 * While mtime is set, an edit could be stamped over and never be seen: a read lease keeps writers out where there is
 * one; elsewhere the record is marked racy, and the next look reads the content. Mode, owner and times belong to the
 * inode: other names of a hard-linked file change with it, as they would by chmod.
 */

import { isTracked, type TrackedEntry, UNKNOWN_DIGESTS } from '../../journal/core/entry.ts';
import type { IndexRecord } from '../../journal/store/index.ts';
import type { BytePath } from '../../platform/core/byte-path.ts';
import { modeOf, mtimeNsOf } from '../../platform/core/stat-codec.ts';
import type { Stat } from '../../platform/filesystem.ts';
import type { PutOperation } from '../core/operation.ts';
import { type ApplyContext, locate } from './context.ts';
import { achieved, keptMode, parseOwner, setSymlinkMtime } from './metadata.ts';
import { changed, done, failed, type Result } from './outcome.ts';
import { packStat } from './packed-stat.ts';
import { type Guard, guardObject, planFault, release } from './verify.ts';
import { targetFailure, type Workshop } from './workshop.ts';
import { syncXattrs } from './xattrs.ts';

const MODE_BITS = 0o7777;

/** Carries out a put that keeps the object. */
export function changeInPlace(shop: Workshop, operation: PutOperation): Result {
  const { before, path } = operation;
  if (!isTracked(before)) return failed('EINVAL', 'metadata of something that is not synced');
  const record = shop.ledger.lookup(path);
  const fault = planFault(before, record);
  if (fault !== null || record === null) return changed(fault ?? 'nothing is recorded here any more');
  const place = locate(shop.context, path);
  try {
    const { guard, reason } = guardObject(shop.context, place, before, record);
    if (guard === null) return changed(reason);
    try {
      return changeGuarded(shop, operation, place, record, guard);
    } finally {
      release(shop.context, guard);
    }
  } catch (error) {
    return targetFailure(error, 'could not be changed');
  }
}

function changeGuarded(
  shop: Workshop,
  operation: PutOperation,
  place: BytePath,
  record: IndexRecord,
  guard: Guard,
): Result {
  const { context, ledger, links } = shop;
  const { after, path } = operation;
  if (after.kind === 'directory' && isModeChanged(shop, place, guard.stat, record))
    return changed('its mode was changed');
  if (after.kind === 'symlink' && isTouched(guard.stat, record)) return changed('it was touched');
  setMetadata(shop, place, after, guard.stat);
  const now = context.fileSystem.stat(context.root, place);
  if (now === null || now.ino !== guard.stat.ino) return changed('it was replaced');
  if (after.kind === 'file' && (now.sizeBytes !== guard.stat.sizeBytes || isBroken(context, guard))) {
    return changed('it was edited');
  }
  const digests = record.entry.kind === 'file' ? record.entry.digests : UNKNOWN_DIGESTS;
  const finalMode = shop.widening.finalMode(place);
  const real = finalMode === null ? now : { ...now, mode: (now.mode & ~MODE_BITS) | finalMode };
  const entry = achieved(after, digests, real);
  ledger.put(path, { entry, packedStat: packStat(real), racy: after.kind === 'file' && !guard.leased });
  if (after.kind === 'file' && now.nlink > 1 && record.packedStat !== null) links.touch(path, record.packedStat, now);
  ledger.touchObject(place);
  return done(entry);
}

function isModeChanged(shop: Workshop, place: BytePath, live: Stat, record: IndexRecord): boolean {
  const mode = shop.widening.finalMode(place) ?? live.mode & MODE_BITS;
  return record.packedStat !== null && mode !== (modeOf(record.packedStat) & MODE_BITS);
}

/** Guarding a symlink looks at its target only, and here its time is about to go. */
function isTouched(live: Stat, record: IndexRecord): boolean {
  return record.packedStat !== null && mtimeNsOf(record.packedStat) !== live.mtimeNs;
}

/** Owner first, since chown clears setuid; mtime last, since nothing after it may move it. */
function setMetadata(shop: Workshop, place: BytePath, after: TrackedEntry, live: Stat): void {
  const { context, widening } = shop;
  const { fileSystem, root, options } = context;
  const owner = options.metadata.owner ? parseOwner(after.owner) : null;
  const isOwnerNew = owner !== null && (owner.uid !== live.uid || owner.gid !== live.gid);
  if (isOwnerNew) fileSystem.setOwner(root, place, owner.uid, owner.gid);
  if (after.kind === 'symlink') {
    if (after.mtimeNs !== live.mtimeNs) setSymlinkMtime(context, place, after);
    return;
  }
  syncXattrs(context, place, after);
  const mode = keptMode(context, after, live);
  if (widening.finalMode(place) !== null) widening.setFinalMode(place, mode);
  else if (mode !== (live.mode & MODE_BITS) || isOwnerNew) fileSystem.setMode(root, place, mode);
  if (after.kind === 'file' && options.metadata.times && after.mtimeNs !== live.mtimeNs) {
    fileSystem.setMtime(root, place, after.mtimeNs);
  }
}

function isBroken(context: ApplyContext, guard: Guard): boolean {
  return guard.fd !== null && guard.leased && !context.fileSystem.holdsReadLease(guard.fd);
}
