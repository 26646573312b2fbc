/**
 * What a batch has done so far: changes for the index, not yet recorded, and what has to be synced before they may be.
 * The recorded state may lag the tree; it never leads it.
 */
import { fsyncSync } from 'node:fs';
import type { IndexRecord } from '../../journal/store/index.ts';
import { type BytePath, parentOf } from '../../platform/core/byte-path.ts';
import { errnoOf } from '../../platform/core/errors.ts';
import type { ApplyContext } from './context.ts';
import type { LinkGroups } from './link-groups.ts';

type IndexChange =
  | { readonly kind: 'put'; readonly path: BytePath; readonly record: IndexRecord }
  | { readonly kind: 'remove'; readonly path: BytePath }
  | { readonly kind: 'rename'; readonly from: BytePath; readonly to: BytePath };

/** Up to this many objects are synced one by one; for more, one syncfs is cheaper even on a busy file system. */
const MAX_SINGLE_SYNCS = 8;

export class Ledger {
  readonly #context: ApplyContext;
  readonly #links: LinkGroups;
  readonly #changes: IndexChange[] = [];
  /** The newest state of paths changed in this batch; null: nothing there. */
  readonly #overlay = new Map<BytePath, IndexRecord | null>();
  readonly #directories = new Set<BytePath>();
  readonly #objects = new Set<BytePath>();
  /** Directories known to be recorded. */
  readonly #parents = new Set<BytePath>();

  constructor(context: ApplyContext, links: LinkGroups) {
    this.#context = context;
    this.#links = links;
  }

  /** What is known of a path of operations: from this batch, else from the index; with what we did through other names. */
  lookup(path: BytePath): IndexRecord | null {
    const fresh = this.#overlay.get(path);
    const record = fresh === undefined ? this.#context.index.get(path) : fresh;
    return record === null ? null : this.#links.current(record);
  }

  /** True where the directory that holds `path` is recorded: the index takes nothing below an unknown one. */
  knowsParentOf(path: BytePath): boolean {
    if (path === '') return true;
    const parent = parentOf(path);
    if (this.#parents.has(parent)) return true;
    const isKnown = this.lookup(parent)?.entry.kind === 'directory';
    if (isKnown) this.#parents.add(parent);
    return isKnown;
  }

  put(path: BytePath, record: IndexRecord): void {
    if (record.entry.kind !== 'directory') this.#parents.delete(path);
    this.#changes.push({ kind: 'put', path, record });
    this.#overlay.set(path, record);
  }

  remove(path: BytePath): void {
    this.#parents.clear();
    this.#changes.push({ kind: 'remove', path });
    this.#overlay.set(path, null);
  }

  /** After the rename of a directory the batch must end: paths below it are not looked up here. */
  rename(from: BytePath, to: BytePath): void {
    this.#parents.clear();
    this.#changes.push({ kind: 'rename', from, to });
    this.#overlay.set(from, null);
  }

  /** Names in this directory (a file system path) changed. */
  touchDirectory(path: BytePath): void {
    this.#directories.add(path);
  }

  /** Metadata of this file or directory (a file system path) changed. */
  touchObject(path: BytePath): void {
    this.#objects.add(path);
  }

  /** Makes everything touched durable. Throws what the sync throws, and must not be asked again then. */
  sync(): void {
    const directories = [...this.#directories];
    const objects = [...this.#objects];
    this.#directories.clear();
    this.#objects.clear();
    if (!this.#context.options.durable || directories.length + objects.length === 0) return;
    if (directories.length + objects.length > MAX_SINGLE_SYNCS && isFileSystemSynced(this.#context)) return;
    for (const path of objects) syncObject(this.#context, path);
    for (const path of directories) syncFolder(this.#context, path);
  }

  /** Records all changes in one transaction. */
  record(): void {
    const { index, session } = this.#context;
    if (this.#changes.length > 0) {
      index.transaction(() => {
        for (const change of this.#changes) {
          if (change.kind === 'put') index.put(change.path, change.record, session);
          else if (change.kind === 'remove') index.remove(change.path, session);
          else index.rename(change.from, change.to, session);
        }
      });
    }
    this.clear();
  }

  /** Forgets all changes: they happened, but may not be durable. The next look at the tree finds them. */
  clear(): void {
    this.#changes.length = 0;
    this.#overlay.clear();
    this.#parents.clear();
  }
}

/** One syncfs; false where the platform has none. A failed one throws and is never repeated for the same data. */
export function isFileSystemSynced(context: ApplyContext): boolean {
  try {
    context.fileSystem.syncFileSystem(context.root);
    return true;
  } catch (error) {
    if (errnoOf(error) === 'ENOSYS') return false;
    throw error;
  }
}

/** fsync of one file by name; of a directory the same. */
export function syncObject(context: ApplyContext, path: BytePath): void {
  const { fileSystem, root } = context;
  let fd: number;
  try {
    fd = fileSystem.openFile(root, path);
  } catch (error) {
    const code = errnoOf(error);
    if (code === 'EINVAL' || code === 'EISDIR') syncFolder(context, path);
    else if (code === 'EACCES' || code === 'EPERM') isFileSystemSynced(context);
    else if (code !== 'ENOENT' && code !== 'ELOOP') throw error;
    return;
  }
  try {
    fsyncSync(fd);
  } finally {
    fileSystem.close(fd);
  }
}

/** fsync of a directory. One that was removed or replaced meanwhile needs none: its parent is synced. */
export function syncFolder(context: ApplyContext, path: BytePath): void {
  try {
    context.fileSystem.syncDirectory(context.root, path);
  } catch (error) {
    const code = errnoOf(error);
    if (code === 'EACCES' || code === 'EPERM') isFileSystemSynced(context);
    else if (code !== 'ENOENT' && code !== 'ENOTDIR' && code !== 'ELOOP') throw error;
  }
}
