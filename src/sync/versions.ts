/**
 * Old versions: what a run overwrote or deleted, kept in the hidden folder until it expires.
 *
 * Each run has a folder `.tidemark/versions/<UTC time>-<session>-<random>/` with the old objects under plain numbers,
 * moved there as they were (same inode: content, mode, times, attributes), and a `manifest` that says what each number
 * is. Numbers instead of paths: no name is too long, nothing collides, a rename needs no directories.
 *
 * Invariants.
 * - The manifest speaks first: a record is written (and synced, in a durable run) before its object is moved. A record
 *   without an object means that the move never happened; an object without a record is a staged one.
 * - An object exchanged with the tree sits at its number *before* the exchange, as the staged new content. The record
 *   holds both inodes, so that after a crash {@link recoverVersions} can tell which of the two is there. An object that
 *   is neither is somebody's edit that slipped in: it is kept.
 */
import { writeSync } from 'node:fs';
import type { TrackedEntry } from '../journal/core/entry.ts';
import { type BytePath, joinPath } from '../platform/core/byte-path.ts';
import { ByteWriter } from '../platform/core/bytes.ts';
import { isDirectory } from '../platform/core/stat-codec.ts';
import type { Fd, FileSystem } from '../platform/filesystem.ts';
import { type ApplyContext, VERSIONS } from './apply/context.ts';
import {
  type Manifest,
  type ManifestRecord,
  readManifest,
  type VersionReason,
  writeManifestHeader,
  writeManifestRecord,
} from './apply/manifest.ts';
import { removeTree } from './apply/remove-tree.ts';

export type { VersionReason };

/** One kept object. A removed directory has a record, for its mode, but no object. */
export interface Version {
  /** Name of the run's folder. */
  readonly run: string;
  readonly number: number;
  /** Where it was, below the directory that holds the hidden folder. */
  readonly path: BytePath;
  readonly reason: VersionReason;
  readonly whenMs: number;
  /** Hex id of the session that replaced it. */
  readonly session: string;
  /** What it was. */
  readonly entry: TrackedEntry;
}

/** A place for one object in the store. */
export interface Slot {
  readonly number: number;
  /** Where the object goes. */
  readonly path: BytePath;
}

const MANIFEST = 'manifest';
/** Marks a run that ended in order: nothing to recover. */
const SETTLED = 'settled';
/** Staged content that waits beside its number where the file system cannot exchange. */
export const STAGED_SUFFIX = '.new';
/** Keeps the versions of one run. The folder is made with the first of them. */
export class VersionWriter {
  readonly #context: ApplyContext;
  readonly #pending = new ByteWriter(4096);
  #folder: BytePath | null = null;
  #manifest: Fd | null = null;
  #manifestBytes = 0;
  #next = 0;
  #isFolderSynced = false;

  constructor(context: ApplyContext) {
    this.#context = context;
  }

  /** The run's folder, once it exists. */
  get folder(): BytePath | null {
    return this.#folder;
  }

  /** A fresh place for an object. */
  reserve(): Slot {
    const folder = this.#folder ?? this.#create();
    const number = this.#next++;
    return { number, path: joinPath(folder, String(number)) };
  }

  /** Says what will be at a slot; must be followed by {@link flush} before the object is moved. `path`: file system path. */
  announce(
    slot: Slot,
    record: Pick<ManifestRecord, 'reason' | 'path' | 'entry' | 'displacedInode' | 'stagedInode'>,
  ): void {
    const isKept = this.#context.options.backup || record.reason === 'conflict';
    writeManifestRecord(this.#pending, {
      ...record,
      number: slot.number,
      isKept,
      whenMs: this.#context.clock(),
    });
  }

  /** What sits at a slot turned out to be somebody's edit: it is kept whatever the options say. */
  keepConflict(slot: Slot, path: BytePath, entry: TrackedEntry): void {
    this.announce(slot, { reason: 'conflict', path, entry, displacedInode: 0n, stagedInode: 0n });
    this.flush();
  }

  /** Writes what was announced. True where there was anything. */
  flush(): boolean {
    if (this.#pending.length === 0 || this.#manifest === null) return false;
    const bytes = this.#pending.take();
    for (let written = 0; written < bytes.length; ) {
      written += writeSync(this.#manifest, bytes, written, bytes.length - written, this.#manifestBytes + written);
    }
    this.#manifestBytes += bytes.length;
    return true;
  }

  /** The open manifest, to be synced after {@link flush}. */
  get manifest(): Fd | null {
    return this.#manifest;
  }

  /** Folders whose own entries must be synced before the first object is moved; asked once. */
  takeNewFolders(): BytePath[] {
    if (this.#folder === null || this.#isFolderSynced) return [];
    this.#isFolderSynced = true;
    return [VERSIONS, this.#folder];
  }

  /** Ends the run: folders that hold nothing are removed. */
  close(): void {
    if (this.#manifest === null || this.#folder === null) return;
    this.flush();
    this.#context.fileSystem.close(this.#manifest);
    this.#manifest = null;
    settle(this.#context.fileSystem, this.#context.root, this.#folder);
  }

  #create(): BytePath {
    const { fileSystem, root, session, clock, randomName } = this.#context;
    const run = `${utcName(clock())}-${session.slice(0, 16) || '0'}-${randomName().slice(0, 8)}`;
    const folder = joinPath(VERSIONS, run);
    fileSystem.makeDirectory(root, folder, 0o700);
    this.#manifest = fileSystem.createFile(root, joinPath(folder, MANIFEST), 0o600);
    this.#folder = folder;
    // The header at once: a folder without one cannot be recovered.
    writeManifestHeader(this.#pending, session, this.#context.options.durable);
    this.flush();
    return folder;
  }
}

/** Everything kept, newest run first. Records whose object is gone are left out, but for removed directories. */
export function* readVersions(fileSystem: FileSystem, root: Fd): Generator<Version> {
  for (const run of runNames(fileSystem, root).reverse()) {
    const folder = joinPath(VERSIONS, run);
    const manifest = readManifest(fileSystem, root, joinPath(folder, MANIFEST));
    if (manifest === null) continue;
    const present = new Set(namesIn(fileSystem, root, folder));
    // A number announced twice is what was said last.
    const records = new Map(manifest.records.map((record) => [record.number, record]));
    for (const record of records.values()) {
      const { number, path, reason, whenMs, entry } = record;
      if (entry.kind === 'directory' ? isStillThere(fileSystem, root, record) : !present.has(String(number))) continue;
      yield { run, number, path, reason, whenMs, session: manifest.session, entry };
    }
  }
}

/** True where a directory was announced, but not removed after all. */
function isStillThere(fileSystem: FileSystem, root: Fd, record: ManifestRecord): boolean {
  const live = fileSystem.stat(root, record.path);
  return live !== null && isDirectory(live.mode) && live.ino === record.displacedInode;
}

/** Where a version's object is. */
export function versionPath(version: Pick<Version, 'run' | 'number'>): BytePath {
  return joinPath(joinPath(VERSIONS, version.run), String(version.number));
}

/** Removes runs older than `keepSeconds`. What cannot be removed stays for the next time. */
export function expireVersions(fileSystem: FileSystem, root: Fd, nowMs: number, keepSeconds: number): void {
  for (const run of runNames(fileSystem, root)) {
    const startedMs = timeOfRun(run);
    if (startedMs === null || nowMs - startedMs < keepSeconds * 1000) continue;
    removeTree(fileSystem, root, joinPath(VERSIONS, run));
  }
}

/** Sets right what a killed run left in the store. Only under the root's lock. */
export function recoverVersions(fileSystem: FileSystem, root: Fd): void {
  for (const run of runNames(fileSystem, root)) {
    const folder = joinPath(VERSIONS, run);
    if (fileSystem.stat(root, joinPath(folder, SETTLED)) !== null) continue;
    const names = namesIn(fileSystem, root, folder);
    const manifest = readManifest(fileSystem, root, joinPath(folder, MANIFEST));
    if (manifest === null && names.some((name) => name !== MANIFEST)) continue;
    recoverRun(fileSystem, root, folder, names, manifest);
    settle(fileSystem, root, folder);
  }
}

function recoverRun(
  fileSystem: FileSystem,
  root: Fd,
  folder: BytePath,
  names: readonly string[],
  manifest: Manifest | null,
): void {
  const records = new Map((manifest?.records ?? []).map((record) => [String(record.number), record]));
  // Without a sync, or with a damaged end, a record may be missing whose object was moved: then nothing is guessed.
  const knowsAll = manifest?.isWhole === true && manifest.isDurable;
  for (const name of names) {
    const path = joinPath(folder, name);
    const record = records.get(name);
    if (name.endsWith(STAGED_SUFFIX)) drop(fileSystem, root, path);
    else if (record !== undefined) {
      if (!isWorthKeeping(fileSystem, root, path, record)) drop(fileSystem, root, path);
    } else if (knowsAll && /^\d+$/.test(name)) drop(fileSystem, root, path);
  }
}

/** What sits at a number after a crash: see the invariants above. */
function isWorthKeeping(fileSystem: FileSystem, root: Fd, path: BytePath, record: ManifestRecord): boolean {
  const kept = fileSystem.stat(root, path);
  if (kept === null || kept.ino === record.stagedInode) return false;
  const live = fileSystem.stat(root, record.path);
  // Linked here, but not yet replaced there.
  if (live !== null && live.ino === kept.ino && live.dev === kept.dev) return false;
  return record.isKept || kept.ino !== record.displacedInode;
}

/** Removes a file or an empty directory; a directory that holds something stays. */
function drop(fileSystem: FileSystem, root: Fd, path: BytePath): void {
  try {
    if (isDirectory(fileSystem.stat(root, path)?.mode ?? 0)) fileSystem.removeDirectory(root, path);
    else fileSystem.removeFile(root, path);
  } catch {
    // It stays, and expires with its run.
  }
}

/** Marks a run as ended, or removes its folder where it keeps nothing. */
function settle(fileSystem: FileSystem, root: Fd, folder: BytePath): void {
  try {
    const isEmpty = namesIn(fileSystem, root, folder).every((name) => name === MANIFEST || name === SETTLED);
    if (isEmpty && !holdsDirectories(fileSystem, root, folder)) removeTree(fileSystem, root, folder);
    else fileSystem.close(fileSystem.createFile(root, joinPath(folder, SETTLED), 0o600));
  } catch {
    // Recovered, and settled, at the next start.
  }
}

/** Records of removed directories have no object, yet a later undo wants them. */
function holdsDirectories(fileSystem: FileSystem, root: Fd, folder: BytePath): boolean {
  const records = readManifest(fileSystem, root, joinPath(folder, MANIFEST))?.records ?? [];
  return records.some((record) => record.isKept && record.entry.kind === 'directory');
}

/** Names of the runs' folders, oldest first. */
function runNames(fileSystem: FileSystem, root: Fd): string[] {
  return namesIn(fileSystem, root, VERSIONS).filter((name) => timeOfRun(name) !== null);
}

function namesIn(fileSystem: FileSystem, root: Fd, folder: BytePath): string[] {
  const listing = fileSystem.readDirectories(root, [folder])[0];
  return listing === undefined || listing.error !== null ? [] : listing.entries.map((entry) => entry.name);
}

function utcName(ms: number): string {
  return new Date(ms).toISOString().replace(/[-:]|\.\d+/g, '');
}

function timeOfRun(run: string): number | null {
  const match = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z-/.exec(run);
  if (match === null) return null;
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = match.slice(1).map(Number);
  return Date.UTC(year, month - 1, day, hour, minute, second);
}
