/**
 * Makes an index equal to a tree by looking at all of it.
 *
 * Nothing is read but directories: a file whose stat is the stored one is unchanged, any other one gets unknown digests
 * and is hashed when somebody asks. The index is the authority on what was known, so a scan that is interrupted loses
 * nothing: what it found is recorded, the rest is found by the next. Two rules guard the index against the world:
 * a directory that could not be read *completely* keeps what was known below it and becomes a problem, and a file that
 * was stamped within a tick of being recorded (racy) is not believed at the next look.
 */

import { type ByteName, type BytePath, ROOT } from '../platform/core/byte-path.ts';
import { TidemarkError } from '../platform/core/errors.ts';
import { packStat } from '../platform/core/stat-codec.ts';
import type { Fd, FileSystem, ListedEntry } from '../platform/filesystem.ts';
import { COARSE_NS, type StatWindow, TICK_NS } from './core/index-record.ts';
import type { CheckpointOptions } from './core/look.ts';
import { type CompareContext, compareDirectory, compareObject } from './scan-compare.ts';
import { lookProblem, problemRecord } from './scan-entry.ts';
import { ScanWriter } from './scan-writer.ts';
import type { Index } from './store/index.ts';
import { VERDICT, type WalkedDirectory, walkTree } from './walk.ts';

export interface ScanOptions extends CheckpointOptions {
  /** Clock in ns since 1970, the one files are stamped with. */
  readonly now: () => bigint;
  /** Name at the root that does not exist for us. */
  readonly hiddenName?: string;
  /** Looks at this one name of the directory only, and records it as the root. */
  readonly only?: ByteName | null;
  /** Called every few thousand objects. */
  readonly onProgress?: (scanned: number) => void;
  readonly signal?: AbortSignal;
}

/** Something that could not be looked at. */
export interface ScanProblem {
  readonly path: BytePath;
  readonly code: string;
  readonly message: string;
}

export interface ScanResult {
  /** Objects stat'ed. */
  readonly scanned: number;
  /** Always 0: a scan does not read files. */
  readonly hashed: 0;
  /** Tracked entries below the root now, and before. */
  readonly entries: number;
  readonly entriesBefore: number;
  /** The index's sequence at the end. */
  readonly sequence: number;
  /** The first MAX_PROBLEMS of them; all are recorded in the index. */
  readonly problems: readonly ScanProblem[];
}

const HIDDEN_NAME = '.tidemark';
const LOOK_FACT = 'look';

/** File systems known to stamp with the kernel's clock, to the nanosecond. Others may be coarse, or on another host. */
const FINE_FILE_SYSTEMS = new Set([
  'ext2',
  'ext3',
  'ext4',
  'xfs',
  'btrfs',
  'tmpfs',
  'overlay',
  'overlayfs',
  'zfs',
  'f2fs',
  'bcachefs',
  'ramfs',
]);

/** {@link scanSteps} in one go. */
export function scanTree(fileSystem: FileSystem, root: Fd, index: Index, options: ScanOptions): ScanResult {
  const steps = scanSteps(fileSystem, root, index, options);
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value;
    options.onProgress?.(step.value);
  }
}

/**
 * Looks at the whole tree below `root`, in steps of some hundred directories; yields the number of objects seen so far.
 * Costs a stat of every object and a write of every difference. Throws `interrupted` where `signal` says so, `usage`
 * for unusable ignore rules, `unavailable` where they cannot be read.
 */
export function* scanSteps(
  fileSystem: FileSystem,
  root: Fd,
  index: Index,
  options: ScanOptions,
): Generator<number, ScanResult, void> {
  const entriesBefore = index.entryCount();
  const look = lookOf(options);
  const trustsRecords = index.fact(LOOK_FACT) === look;
  // Interrupted half-way, the index holds records of both kinds: no later scan may trust them.
  if (!trustsRecords) index.setFact(LOOK_FACT, '');
  const writer = new ScanWriter(index, options.metadata.hardLinks);
  const { type } = fileSystem.traits(root);
  const granularityNs = FINE_FILE_SYSTEMS.has(type) ? TICK_NS : COARSE_NS;
  const base = {
    fileSystem,
    root,
    options,
    trustsRecords,
    rehash: options.rehash,
    wantsXattrs: options.metadata.xattrs || options.metadata.acls,
  };
  let scanned = 0;
  if (options.only != null) {
    scanned += lookAtFile(base, index, options.only, { now: options.now, granularityNs }, writer);
  } else {
    lookAtRoot({ ...base, window: { fromNs: 0n, toNs: 0n, granularityNs } }, index, writer);
    const walk = walkTree(fileSystem, root, { ...options, hiddenName: options.hiddenName ?? HIDDEN_NAME });
    for (;;) {
      if (options.signal?.aborted) throw new TidemarkError('interrupted', 'interrupted', 'interrupted');
      const fromNs = options.now();
      const step = walk.next();
      if (step.done) break;
      const context = { ...base, window: { fromNs, toNs: options.now(), granularityNs } };
      for (const directory of step.value) scanned += lookAtDirectory(context, index, directory, writer);
      yield scanned;
    }
  }
  writer.flush();
  writer.groupLinks();
  if (!trustsRecords) index.setFact(LOOK_FACT, look);
  const { problems } = writer;
  return { scanned, hashed: 0, entries: index.entryCount(), entriesBefore, sequence: index.sequence(), problems };
}

type Base = Omit<CompareContext, 'window'>;

/** Options that decide how an object with the same stat is recorded. Ignore rules and boundaries are judged each time. */
function lookOf({ metadata: { owner, xattrs, acls, hardLinks }, symlinks }: CheckpointOptions): string {
  return JSON.stringify({ owner, xattrs, acls, hardLinks, symlinks });
}

function lookAtRoot(context: CompareContext, index: Index, writer: ScanWriter): void {
  const packedStat = packStat(context.fileSystem.fstat(context.root));
  const listed: ListedEntry = { name: '', packedStat, target: null, error: null };
  compareObject(context, ROOT, listed, VERDICT.keep, index.node(ROOT), writer);
}

function lookAtDirectory(
  context: CompareContext,
  index: Index,
  directory: WalkedDirectory,
  writer: ScanWriter,
): number {
  const { listing, fault } = directory;
  if (listing.error !== null) {
    writer.cannotList(listing.path, lookProblem(listing.error));
    return 0;
  }
  if (fault !== null) {
    writer.cannotList(listing.path, problemRecord(fault.code, fault.message));
    return 0;
  }
  writer.isListed(listing.path);
  return compareDirectory(context, directory, index.nodes(listing.path), writer);
}

/** A root that is a single file: `only` in the directory that was opened. */
function lookAtFile(
  base: Base,
  index: Index,
  only: ByteName,
  { now, granularityNs }: { readonly now: () => bigint } & Pick<StatWindow, 'granularityNs'>,
  writer: ScanWriter,
): number {
  const fromNs = now();
  const path = only as string as BytePath;
  const stat = base.fileSystem.stat(base.root, path);
  if (stat === null) {
    writer.remove(ROOT);
    return 0;
  }
  const isLink = (stat.mode & 0o170000) === 0o120000;
  const target = isLink ? base.fileSystem.readSymlink(base.root, path) : null;
  const listed: ListedEntry = { name: only, packedStat: packStat(stat), target, error: null };
  const context = { ...base, window: { fromNs, toNs: now(), granularityNs } };
  compareObject(context, ROOT, listed, VERDICT.keep, index.node(ROOT), writer, path);
  return 1;
}
