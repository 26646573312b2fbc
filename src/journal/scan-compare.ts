/**
 * One directory of the tree against the same directory of the index. Both come in name order, so it is one merge; an
 * object whose stat is the stored one costs a comparison of bytes and nothing else.
 */

import { type BytePath, joinPath } from '../platform/core/byte-path.ts';
import { TidemarkError } from '../platform/core/errors.ts';
import type { ListedEntry } from '../platform/filesystem.ts';
import type { Digests } from './core/entry.ts';
import {
  decodeRecord,
  encodeRecord,
  holdsDirectoryStat,
  holdsStat,
  type IndexRecord,
  RECORD_FLAG,
} from './core/index-record.ts';
import { type EntryContext, recordOf } from './scan-entry.ts';
import type { TreeNode } from './store/tree-store.ts';
import { VERDICT, type WalkedDirectory } from './walk.ts';

export interface CompareContext extends EntryContext {
  /** True: records were made under the same options, so what has the same stat has the same record. */
  readonly trustsRecords: boolean;
  readonly rehash: boolean;
  /** True where attributes are synced: a directory's ctime then counts, too. */
  readonly wantsXattrs: boolean;
  /** True: a directory with other times is handed on, since only its ctime shows that an attribute changed. */
  readonly wantsDirectoryTimes?: boolean;
}

/** What the comparison finds to do. */
export interface CompareSink {
  put(path: BytePath, record: IndexRecord): void;
  /** With everything below; before any put of the same path. */
  remove(path: BytePath): void;
  /** A directory that could not be read last time: whether it can be now shows when it is listed. */
  mayBeReadable(path: BytePath, record: IndexRecord): void;
  /** What is recorded already and stays as it is, but for what the fast path passes over. */
  stays(path: BytePath, record: IndexRecord): void;
  /** Every regular file with more than one name. */
  linked(path: BytePath, packedStat: Uint8Array): void;
}

const MODE_TYPE_BYTE = 13;
const TYPE_BITS = 0xf0;
const DIRECTORY_BITS = 0x40;
const FILE_BITS = 0x80;

/** Compares; returns the number of objects seen. */
export function compareDirectory(
  context: CompareContext,
  { listing, verdicts }: WalkedDirectory,
  nodes: Iterator<TreeNode>,
  sink: CompareSink,
): number {
  const { path: directory, entries } = listing;
  let seen = 0;
  let previous = '';
  let node = nodes.next();
  for (let index = 0; index < entries.length; index++) {
    const listed = entries[index] as ListedEntry;
    const verdict = verdicts[index] as number;
    // Out of order, a merge would take what is there for gone, and the sync would delete it on the other side.
    if (listed.name <= previous) throw new TidemarkError('internal', 'listing', 'a listing out of order');
    previous = listed.name;
    // The hidden folder is not there; a row of its name from elsewhere goes below.
    if (verdict === VERDICT.hidden) continue;
    seen++;
    while (!node.done && node.value.name < listed.name) {
      sink.remove(joinPath(directory, node.value.name));
      node = nodes.next();
    }
    const known = !node.done && node.value.name === listed.name ? node.value : null;
    if (known !== null) node = nodes.next();
    if (isMultiplyLinked(listed)) sink.linked(joinPath(directory, listed.name), listed.packedStat);
    if (known !== null && verdict === VERDICT.keep && isUnchanged(context, listed, known.value)) continue;
    compareObject(context, joinPath(directory, listed.name), listed, verdict, known, sink);
  }
  for (; !node.done; node = nodes.next()) sink.remove(joinPath(directory, node.value.name));
  return seen;
}

/** Makes the record of one object and hands it on where it says something new. */
export function compareObject(
  context: CompareContext,
  path: BytePath,
  listed: ListedEntry,
  verdict: number,
  known: TreeNode | null,
  sink: CompareSink,
  onDisk: BytePath = path,
): void {
  const old = known === null ? null : decodeRecord(known.value, known.end);
  const digests = old === null || known === null ? undefined : keptDigests(context, listed, known.value, old);
  const record = recordOf(context, path, listed, verdict, digests, onDisk);
  if (known === null || old === null) {
    sink.put(path, record);
    return;
  }
  const { kind } = record.entry;
  if (kind === 'directory') {
    if (old.entry.kind === 'problem') {
      sink.mayBeReadable(path, record);
      return;
    }
    if (old.entry.kind === 'directory' && isSameDirectory(context, known, record, old)) return;
  } else if (isSameRow(known, record) && !(context.rehash && kind === 'file')) {
    sink.stays(path, record);
    return;
  }
  if (known.number !== 0 && kind !== 'directory' && kind !== 'problem') sink.remove(path);
  sink.put(path, record);
}

/** True where the row stands for exactly this object and may be believed. */
function isUnchanged(context: CompareContext, listed: ListedEntry, row: Uint8Array): boolean {
  if (!context.trustsRecords || listed.error !== null) return false;
  const flags = row[0] as number;
  if ((flags & BELIEVED) !== BELIEVED) return false;
  const type = (listed.packedStat[MODE_TYPE_BYTE] as number) & TYPE_BITS;
  if (type === DIRECTORY_BITS && !context.wantsXattrs && context.wantsDirectoryTimes !== true)
    return holdsDirectoryStat(row, listed.packedStat);
  if (type === FILE_BITS && ((flags & RECORD_FLAG.racy) !== 0 || context.rehash)) return false;
  return holdsStat(row, listed.packedStat);
}

const BELIEVED = RECORD_FLAG.stat | RECORD_FLAG.tracked;

/** Digests stay where the content is proven the same: same stat, not racy, no rehash. */
function keptDigests(
  context: CompareContext,
  listed: ListedEntry,
  row: Uint8Array,
  old: IndexRecord,
): Digests | undefined {
  if (old.entry.kind !== 'file' || old.packedStat === null || old.racy || context.rehash) return undefined;
  return listed.error === null && holdsStat(row, listed.packedStat) ? old.entry.digests : undefined;
}

/** Times and size of a directory move with what is in it and are not synced. */
function isSameDirectory(context: CompareContext, known: TreeNode, record: IndexRecord, old: IndexRecord): boolean {
  if (record.packedStat === null || old.packedStat === null) return false;
  if (context.wantsDirectoryTimes === true && !holdsStat(known.value, record.packedStat)) return false;
  if (!holdsDirectoryStat(known.value, record.packedStat)) return false;
  const [left, right] = [record.entry, old.entry];
  if (left.kind !== 'directory' || right.kind !== 'directory') return false;
  return left.mode === right.mode && left.owner === right.owner && left.xattrs === right.xattrs;
}

/** True where writing the record would write the same row again. */
function isSameRow(known: TreeNode, record: IndexRecord): boolean {
  if (known.number !== 0 && record.entry.kind !== 'problem') return false;
  const encoded = encodeRecord(record);
  if (encoded.length !== known.end) return false;
  const isRacyAgain = ((encoded[0] as number) & RECORD_FLAG.racy) !== 0;
  const wasRacy = ((known.value[0] as number) & RECORD_FLAG.racy) !== 0;
  if (isRacyAgain || wasRacy) return false;
  if (((encoded[0] as number) ^ (known.value[0] as number)) & 0x7f) return false;
  return encoded.compare(known.value, 1, known.end, 1) === 0;
}

function isMultiplyLinked({ packedStat, error }: ListedEntry): boolean {
  if (error !== null) return false;
  const type = (packedStat[MODE_TYPE_BYTE] as number) & TYPE_BITS;
  if (type !== FILE_BITS) return false;
  return (packedStat[8] as number) > 1 || packedStat[9] !== 0 || packedStat[10] !== 0 || packedStat[11] !== 0;
}
