/** What the file system of a root means for settling. */
import type { Fd, FileSystem } from '../platform/filesystem.ts';

export interface Ground {
  readonly dev: bigint;
  /** Its content is in memory only: there is nothing to sync. */
  readonly isInMemory: boolean;
  /** Others than this kernel's processes can write to it: neither lease nor census can exclude them. */
  readonly isRemote: boolean;
}

const IN_MEMORY: ReadonlySet<string> = new Set(['tmpfs', 'ramfs']);
const REMOTE: ReadonlySet<string> = new Set(['nfs', 'cifs', 'smb2', 'ceph', '9p', 'fuse']);

export function groundOf(fileSystem: FileSystem, root: Fd): Ground {
  const { type } = fileSystem.traits(root);
  return { dev: fileSystem.fstat(root).dev, isInMemory: IN_MEMORY.has(type), isRemote: REMOTE.has(type) };
}
