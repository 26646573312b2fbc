/** Chooses the file system of this thread: the native one where the addon loads, else the portable one. */
import { loadAddon } from './addon.ts';
import type { FileSystem } from './filesystem.ts';
import { nativeFileSystem } from './native-filesystem.ts';
import { portableFileSystem } from './portable-filesystem.ts';

/** The file system, and why it is not the native one (null where it is). */
export interface OpenedFileSystem {
  readonly fileSystem: FileSystem;
  readonly addonMissing: string | null;
}

let opened: OpenedFileSystem | undefined;

/** One per thread: asking again returns the same. */
export function openFileSystem(): OpenedFileSystem {
  if (opened === undefined) {
    const { addon, missing } = loadAddon();
    opened = { fileSystem: addon === null ? portableFileSystem() : nativeFileSystem(addon), addonMissing: missing };
  }
  return opened;
}
