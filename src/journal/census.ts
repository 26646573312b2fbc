/** Who has files of a tree open for writing at this moment, from /proc and /sys. */
import type { BytePath } from '../platform/core/byte-path.ts';

/** One way in which one process can write to one file of the tree right now. */
export interface OpenWriter {
  /** null where no path below the root leads to it that we could tell. */
  readonly path: BytePath | null;
  /** Inode number as in a packed stat (8 bytes little-endian); null where it is not known. */
  readonly inode: string | null;
  /** 0 for the kernel itself (a loop device). */
  readonly pid: number;
  /** Name of the process, a byte string. */
  readonly process: string;
  readonly how: 'descriptor' | 'mapping' | 'loop';
  /** Opened with O_DIRECT. */
  readonly isDirect: boolean;
}

export interface Census {
  readonly writers: readonly OpenWriter[];
  /** Processes that could not be looked into for want of rights: their writers are not in the list. */
  readonly hiddenProcesses: number;
}
