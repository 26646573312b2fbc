/**
 * Who has files of a tree open for writing at this moment, from /proc and /sys.
 *
 * A lease tells of one file whether anybody writes to it; the census tells of all files at once, and who it is. It says
 * what is hot at a checkpoint, also of files that gave no event for days, and it stands in for the lease where there is
 * none. It is a moment's view: who opens a file afterwards gives an event.
 *
 * What a descriptor really points to decides, not what it is called: a process in a container, behind a bind mount or
 * with an old name of a renamed directory tells another name, or one that leads elsewhere.
 */
import { readFileSync } from 'node:fs';
import { type BytePath, comparePaths } from '../platform/core/byte-path.ts';
import type { Fd, FileSystem, WriterRow } from '../platform/filesystem.ts';
import { type Mount, type Place, parseMounts, pathBelow, placeOf } from './core/mounts.ts';

/** Device and inode as stat tells them. */
export interface Inode {
  readonly dev: bigint;
  readonly ino: bigint;
}

/** One way in which one process can write to one file of the tree right now. */
export interface OpenWriter {
  /**
   * Below the root. null: the name does not lead into the root, but the file may have another one that does (a hard
   * link from outside, a mount elsewhere): look `inode` up.
   */
  readonly path: BytePath | null;
  readonly inode: Inode;
  /** 0 for the kernel itself (a loop device). */
  readonly pid: number;
  /** Name of the process, a byte string. */
  readonly process: string;
  readonly how: 'descriptor' | 'mapping' | 'loop';
  /** Opened with O_DIRECT. */
  readonly isDirect: boolean;
}

export interface Census {
  /** Those with a path first, in path order. */
  readonly writers: readonly OpenWriter[];
  /** Processes that could not be looked into for want of rights: their writers are not in the list. */
  readonly hiddenProcesses: number;
  /** True where no process can have been missed: none hidden, and /proc shows all there are on this machine. */
  readonly isComplete: boolean;
}

/** What settling asks a census. */
export interface WriterView {
  readonly isComplete: boolean;
  isOpenForWriting(path: BytePath, inode: Inode): boolean;
}

/**
 * `rootPath`: the canonical absolute path of `root`, a byte path. Some five milliseconds for a hundred processes
 * with five hundred descriptors, several times as much without the addon. Linux only; elsewhere the census is empty and not complete.
 */
export function takeCensus(fileSystem: FileSystem, rootPath: string, root: Fd): Census {
  const top = rootPath === '/' ? '' : rootPath;
  const { dev } = fileSystem.fstat(root);
  const { rows, hiddenProcesses, seesAllProcesses } = fileSystem.openWriters(dev, `${top}/`);
  const finder = new Finder(fileSystem, root, top);
  const writers = rows.flatMap((row) => finder.writerOf(row) ?? []);
  writers.sort((left, right) => compareNullable(left.path, right.path));
  return { writers, hiddenProcesses, isComplete: seesAllProcesses && hiddenProcesses === 0 };
}

/** The census as settling asks it. */
export function writerView({ writers, isComplete }: Pick<Census, 'writers' | 'isComplete'>): WriterView {
  const paths = new Set(writers.map(({ path }) => path));
  const inodes = new Set(writers.map(({ inode }) => keyOf(inode)));
  return {
    isComplete,
    isOpenForWriting: (path, inode) => paths.has(path) || inodes.has(keyOf(inode)),
  };
}

function keyOf({ dev, ino }: Inode): string {
  return `${dev}:${ino}`;
}

function compareNullable(left: BytePath | null, right: BytePath | null): number {
  if (left === null || right === null) return Number(left === null) - Number(right === null);
  return comparePaths(left, right);
}

/** Finds what files are called below the root. Mount tables are read when they are first needed. */
class Finder {
  readonly #fileSystem: FileSystem;
  readonly #root: Fd;
  readonly #top: string;
  /** The root's own place in its file system. */
  readonly #place: Place | null;
  readonly #mounts = new Map<number, readonly Mount[]>();

  constructor(fileSystem: FileSystem, root: Fd, top: string) {
    this.#fileSystem = fileSystem;
    this.#root = root;
    this.#top = top;
    this.#place = placeOf(this.#mountsOf(0), top, 0);
  }

  /** null where the file is certainly not below the root. */
  writerOf(row: WriterRow): OpenWriter | null {
    const { dev, ino, pid, process, how, isDirect } = row;
    const path = this.#pathOf(row);
    return path === 'outside' ? null : { path, inode: { dev, ino }, pid, process, how, isDirect };
  }

  /** null: not known, but its inode may be one of the tree's. */
  #pathOf(row: WriterRow): BytePath | null | 'outside' {
    const name = row.name;
    if (name.startsWith(`${this.#top}/`)) {
      const path = this.#confirmed(name.slice(this.#top.length + 1), row);
      if (path !== null) return path;
    }
    const place = placeOf(this.#mountsFor(row), name, row.mount);
    const top = this.#place;
    // An unlinked name says nothing about the names that are left.
    if (place === null || top === null || name.endsWith(' (deleted)')) return null;
    const below = pathBelow(place, top);
    if (below !== null) return this.#confirmed(below, row);
    return row.nlink > 1 ? null : 'outside';
  }

  /** The path where the very file is there. */
  #confirmed(below: string, { dev, ino }: Inode): BytePath | null {
    const path = below as BytePath;
    try {
      const stat = this.#fileSystem.stat(this.#root, path);
      return stat !== null && stat.ino === ino && stat.dev === dev ? path : null;
    } catch {
      // A symlink in the middle, or a name the kernel cut short: another way has to be found.
      return null;
    }
  }

  /** Numbers of mounts are those of the whole machine: most are ours, and no other table need be read. */
  #mountsFor({ mount, pid }: WriterRow): readonly Mount[] {
    const own = this.#mountsOf(0);
    return mount !== 0 && own.some(({ id }) => id === mount) ? own : this.#mountsOf(pid);
  }

  /** Of the process's namespace; of ours for the kernel's own, and where it cannot be read any more. */
  #mountsOf(pid: number): readonly Mount[] {
    const known = this.#mounts.get(pid);
    if (known !== undefined) return known;
    const found = parseMounts(readMounts(pid === 0 ? 'self' : String(pid)));
    const mounts = found.length > 0 || pid === 0 ? found : this.#mountsOf(0);
    this.#mounts.set(pid, mounts);
    return mounts;
  }
}

function readMounts(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/mountinfo`, 'latin1');
  } catch {
    return '';
  }
}
