/**
 * The walk over a tree.
 *
 * {@link walkTree} lists a tree level by level, in batches of directories, with ignore rules and file system boundaries
 * applied: it says of each object whether it is to be left alone, and does not enter what is. It works on listings as
 * they come from the file system; what they mean is for the caller.
 */
import { type BytePath, componentsOf, joinPath, MAX_DEPTH, ROOT } from '../platform/core/byte-path.ts';
import { errnoOf, TidemarkError } from '../platform/core/errors.ts';
import { isDirectory, isRegularFile, modeOf } from '../platform/core/stat-codec.ts';
import type { DirectoryListing, Fd, FileSystem, ListedEntry } from '../platform/filesystem.ts';
import {
  GITIGNORE,
  hasRules,
  type IgnoreScope,
  type IgnoreSettings,
  isIgnored,
  MAX_RULE_FILE_BYTES,
  nestedScope,
  rootScope,
} from './core/ignore.ts';

/** What the walk says of one object of a listing. */
export const VERDICT = {
  /** To be looked at; a directory is entered. */
  keep: 0,
  /** Ignored by rule. */
  ignored: 1,
  /** A directory on another file system, with `oneFileSystem`. */
  mount: 2,
  /** The hidden folder of this program at the root: it is not there at all. */
  hidden: 3,
  /** A directory nested too deeply to be named. */
  tooDeep: 4,
} as const;

export interface WalkOptions {
  readonly ignore: IgnoreSettings;
  readonly oneFileSystem: boolean;
  /** Name at the root that is passed over. */
  readonly hiddenName: string;
  /** Begins at this directory instead of the root; nested rule files above it are not read. */
  readonly from?: BytePath;
  /** Directories that do not exist for us. */
  readonly excluded?: ReadonlySet<BytePath>;
  /** Called with directories before they are listed. */
  readonly onEnter?: (directories: readonly BytePath[]) => void;
}

/** One directory of the walk. `verdicts` has one VERDICT for each entry of the listing. */
export interface WalkedDirectory {
  readonly listing: DirectoryListing;
  readonly verdicts: Uint8Array;
  /** Why the directory cannot be taken as listed (its own rule file cannot be read or used), else null. */
  readonly fault: { readonly code: string; readonly message: string } | null;
}

/** Directories listed in one call, at most: enough to keep the threads of the file system busy. */
const MAX_DIRECTORIES_PER_BATCH = 128;

/** Entries wanted in one call, judged by the directories seen so far: little enough to hold. */
const ENTRIES_PER_BATCH = 16_384;

interface Waiting {
  readonly path: BytePath;
  readonly scope: IgnoreScope;
  readonly depth: number;
}

/**
 * Lists the tree below `root`, parents before what they hold. A batch must be used before the next is asked for: it may
 * share buffers. Throws `usage` (`ignore-rules`) for unusable rules and `unavailable` where the ignore file cannot be read.
 */
export function* walkTree(
  fileSystem: FileSystem,
  root: Fd,
  options: WalkOptions,
): Generator<readonly WalkedDirectory[], void, void> {
  const device = deviceOf(fileSystem.fstat(root).dev);
  const seen = { directories: 0, entries: 0 };
  const from = options.from ?? ROOT;
  const depth = componentsOf(from).length;
  let waiting: Waiting[] = [{ path: from, scope: readRootScope(fileSystem, root, options.ignore), depth }];
  while (waiting.length > 0) {
    const next: Waiting[] = [];
    for (let start = 0, length = 0; start < waiting.length; start += length) {
      const batch = waiting.slice(start, start + batchLength(seen));
      length = batch.length;
      const paths = batch.map(({ path }) => path);
      options.onEnter?.(paths);
      const listings = fileSystem.readDirectories(root, paths);
      seen.directories += length;
      for (const { entries } of listings) seen.entries += entries.length;
      yield listings.map((listing, index) => {
        const directory = batch[index] as Waiting;
        return judge(fileSystem, root, options, device, directory, listing, next);
      });
    }
    waiting = next;
  }
}

function batchLength({ directories, entries }: { readonly directories: number; readonly entries: number }): number {
  const fitting = Math.floor((ENTRIES_PER_BATCH * directories) / Math.max(1, entries));
  return Math.max(1, Math.min(MAX_DIRECTORIES_PER_BATCH, fitting));
}

/** The rules at the root, read from the ignore file there as it is now. */
export function readRootScope(fileSystem: FileSystem, root: Fd, ignore: IgnoreSettings): IgnoreScope {
  const path = ignore.file as BytePath;
  let text: string | null = null;
  try {
    const stat = ignore.file === '' ? null : fileSystem.stat(root, path);
    if (stat !== null && isRegularFile(stat.mode)) text = readRuleFile(fileSystem, root, path);
  } catch (error) {
    // Going on without the rules would sync what the user wants left alone.
    throw new TidemarkError('unavailable', 'ignore-unreadable', `cannot read the ignore file: ${errnoOf(error)}`, {
      cause: error,
      remedy: 'Make it readable, or remove it.',
    });
  }
  return rootScope(ignore, text);
}

/** Verdicts on one listing; directories to enter are added to `next`. */
function judge(
  fileSystem: FileSystem,
  root: Fd,
  options: WalkOptions,
  device: Device,
  directory: Waiting,
  listing: DirectoryListing,
  next: Waiting[],
): WalkedDirectory {
  const { entries } = listing;
  const verdicts = new Uint8Array(entries.length);
  let scope = directory.scope;
  if (listing.error === null && options.ignore.gitignore && hasRuleFile(entries)) {
    try {
      const path = joinPath(directory.path, GITIGNORE);
      scope = nestedScope(scope, directory.path, readRuleFile(fileSystem, root, path));
    } catch (error) {
      const isOurs = error instanceof TidemarkError;
      const code = isOurs ? error.code : errnoOf(error);
      const message = `rules in ${GITIGNORE} cannot be used: ${isOurs ? error.message : code}`;
      return { listing, verdicts, fault: { code, message } };
    }
  }
  const isRuled = hasRules(scope);
  const isRoot = directory.path === ROOT;
  for (let index = 0; index < entries.length; index++) {
    const entry = entries[index] as ListedEntry;
    if (isRoot && entry.name === options.hiddenName) {
      verdicts[index] = VERDICT.hidden;
      continue;
    }
    const isDir = entry.error === null && isDirectory(modeAt(entry.packedStat));
    if (!isDir && !isRuled) continue;
    const path = joinPath(directory.path, entry.name);
    if (isDir && options.excluded?.has(path)) verdicts[index] = VERDICT.hidden;
    else if (isRuled && isIgnored(scope, path, isDir)) verdicts[index] = VERDICT.ignored;
    else if (!isDir) continue;
    else if (options.oneFileSystem && !isOn(device, entry.packedStat)) verdicts[index] = VERDICT.mount;
    else if (directory.depth + 1 >= MAX_DEPTH) verdicts[index] = VERDICT.tooDeep;
    else next.push({ path, scope, depth: directory.depth + 1 });
  }
  return { listing, verdicts, fault: null };
}

/** Git does not follow a rule file that is a symlink either. Names come sorted, but a scan is as quick as a search. */
function hasRuleFile(entries: readonly ListedEntry[]): boolean {
  return entries.some(
    ({ name, error, packedStat }) => name === GITIGNORE && error === null && isRegularFile(modeOf(packedStat)),
  );
}

function readRuleFile(fileSystem: FileSystem, root: Fd, path: BytePath): string {
  const { contents } = fileSystem.readSmallFile(root, path, MAX_RULE_FILE_BYTES + 1);
  return contents.toString('latin1');
}

/** A device number in two halves, compared without making a bigint for each object. */
interface Device {
  readonly low: number;
  readonly high: number;
}

function deviceOf(dev: bigint): Device {
  return { low: Number(dev & 0xffff_ffffn), high: Number(dev >> 32n) };
}

function isOn(device: Device, packedStat: Uint8Array): boolean {
  return u32(packedStat, 0) === device.low && u32(packedStat, 4) === device.high;
}

/** st_mode, without the view object that stat-codec's makes: once for every object of the tree. */
function modeAt(packedStat: Uint8Array): number {
  return u32(packedStat, 12);
}

function u32(bytes: Uint8Array, at: number): number {
  const [a, b, c, d] = [bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]] as [number, number, number, number];
  return ((d << 24) | (c << 16) | (b << 8) | a) >>> 0;
}
