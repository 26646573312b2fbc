/** The two fanotify backends for one root: marks on whole file systems, or on each directory. */
import { type BytePath, ROOT } from '../platform/core/byte-path.ts';
import { packStat } from '../platform/core/stat-codec.ts';
import {
  type GroupDescriptors,
  markFileSystem,
  openObject,
  silence,
  unsilence,
  unsilenceAll,
} from '../platform/fanotify.ts';
import type { Fd, FileSystem } from '../platform/filesystem.ts';
import { SHARED_FILE_SYSTEMS } from './backends.ts';
import type { BackendName } from './core/answers.ts';
import type { GroupWatch } from './group-watch.ts';
import type { ChangeSource, EventConsumer } from './source.ts';
import { submountsOf } from './submounts.ts';
import { withDirectory } from './thread-root.ts';

export interface FanotifySourceOptions {
  readonly fileSystem: FileSystem;
  /** Absolute path of the root, a byte string. */
  readonly rootPath: string;
  readonly backend: BackendName & `fanotify-${string}`;
  readonly whyNotBetter: string | null;
  readonly group: GroupDescriptors;
  /** Who reads the group's events. */
  readonly watch: GroupWatch;
  /** Type of the root's file system. */
  readonly fileSystemType: string;
}

export class FanotifySource implements ChangeSource {
  readonly backend: BackendName;
  readonly whyNotBetter: string | null;
  readonly seesNewDirectories: boolean;
  readonly keysChange: boolean;
  readonly #options: FanotifySourceOptions;
  #consumer: EventConsumer | null = null;
  #blind: readonly BytePath[] = [];

  constructor(options: FanotifySourceOptions) {
    this.#options = options;
    this.backend = options.backend;
    this.whyNotBetter = options.whyNotBetter;
    this.seesNewDirectories = options.backend === 'fanotify-filesystem';
    this.keysChange = options.fileSystemType.startsWith('overlay');
  }

  attach(consumer: EventConsumer, prepare: (isLate: boolean) => Promise<void>): Promise<void> {
    this.#consumer = consumer;
    return this.#options.watch.attach(consumer, prepare);
  }

  async detach(): Promise<void> {
    if (this.#consumer !== null) await this.#options.watch.detach(this.#consumer);
  }

  async drain(): Promise<readonly BytePath[]> {
    await this.#options.watch.drain();
    return this.#blind;
  }

  hold(work: () => Promise<void>): Promise<void> {
    return this.#options.watch.hold(work);
  }

  persist(): void {
    this.#options.watch.persist();
  }

  blindScopes(): readonly BytePath[] {
    return this.#blind;
  }

  markMounts(): readonly BytePath[] {
    const { rootPath } = this.#options;
    const mounts = submountsOf(rootPath);
    const isHeard = (scope: BytePath): boolean => this.#at(scope, (mount) => this.#hears(mount));
    // Where directories are marked one by one, the scan does that, on whatever file system they are.
    // The mark of a file system goes with its mount: it is set anew.
    this.#blind = [ROOT, ...mounts].filter((scope) => !isHeard(scope));
    return mounts;
  }

  keyOf(directory: number): string {
    return this.#options.watch.reader.keyOf(directory);
  }

  statOf(key: string): Uint8Array | null {
    // Finding an object by its key is a privilege, which comes with that of marking file systems.
    if (!this.seesNewDirectories) return null;
    const { fileSystem, rootPath } = this.#options;
    return withDirectory(fileSystem, rootPath, (root) => {
      const object = openObject(root, key);
      if (object === null) return null;
      try {
        return packStat(fileSystem.fstat(object));
      } finally {
        fileSystem.close(object);
      }
    });
  }

  follow(key: string): void {
    this.#options.watch.reader.follow(key);
  }

  /** Only where all marks can be removed in one step: a successor of this process must not miss one. */
  silence(path: BytePath): boolean {
    const { fileSystem, rootPath, group } = this.#options;
    if (!this.seesNewDirectories) return false;
    return quietly(() => withDirectory(fileSystem, rootPath, (root) => silence(group, root, path)));
  }

  unsilence(paths: readonly BytePath[] | null): void {
    const { fileSystem, rootPath, group } = this.#options;
    if (paths === null) {
      unsilenceAll(group);
      return;
    }
    withDirectory(fileSystem, rootPath, (root) => {
      for (const path of paths) quietly(() => unsilence(group, root, path));
    });
  }

  counters(): { readonly received: number; readonly foreign: number } {
    return this.#options.watch.reader.counters();
  }

  #hears(mount: Fd): boolean {
    const { fileSystem, group } = this.#options;
    if (SHARED_FILE_SYSTEMS.has(fileSystem.traits(mount).type)) return false;
    if (this.seesNewDirectories) markFileSystem(group, mount);
    return true;
  }

  #at(scope: BytePath, work: (directory: Fd) => boolean): boolean {
    const { fileSystem, rootPath } = this.#options;
    const path = scope === ROOT ? rootPath : `${rootPath === '/' ? '' : rootPath}/${scope}`;
    return quietly(() => withDirectory(fileSystem, path, work));
  }
}

/** False where `work` threw or said so. */
function quietly(work: () => unknown): boolean {
  try {
    return work() !== false;
  } catch {
    return false;
  }
}
