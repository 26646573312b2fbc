/**
 * Holds the journals of any number of roots in one process: finds their stores, decides what was missed since they were
 * last written, chooses a backend for each, and gives them the events of the groups they share. Who uses it sees to it
 * that no other process has the same journals open.
 */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, realpathSync, renameSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { type BytePath, isWithin, ROOT, toBuffer } from '../platform/core/byte-path.ts';
import { displayText } from '../platform/core/display.ts';
import { errnoOf, TidemarkError } from '../platform/core/errors.ts';
import { packStat } from '../platform/core/stat-codec.ts';
import {
  directoryAt,
  type GroupDescriptors,
  type GroupKind,
  markFileSystem,
  openObject,
  silence,
  unsilence,
  unsilenceAll,
} from '../platform/fanotify.ts';
import { FanotifyReader } from '../platform/fanotify-reader.ts';
import type { Fd, FileSystem } from '../platform/filesystem.ts';
import { openFileSystem } from '../platform/open-filesystem.ts';
import { type ChosenBackend, chooseBackend, type GroupChoice, whyMissing } from './backends.ts';
import { type Hints, watchForHints } from './chokidar-hints.ts';
import type { BackendName, GapKind } from './core/answers.ts';
import { GroupWatch } from './group-watch.ts';
import { Journal, type Silencer } from './journal.ts';
import type { JournalService } from './service.ts';
import type { JournalPlace } from './settle-plan.ts';
import { FSID_BYTES, handlePart, type JournalState, JournalStore } from './store/journal-store.ts';
import { breakSeal, seal } from './store/seal.ts';
import { submountsOf } from './submounts.ts';
import { withRoot } from './thread-root.ts';

export interface JournalHostOptions {
  /** Journals live in `<stateFolder>/journals/<id>`. */
  readonly stateFolder: string;
  /** Opened by this process, or by the supervisor that keeps them over a crash of this process. */
  readonly groups: readonly GroupDescriptors[];
  /** Random hex of whoever keeps the groups: the same again means that no event was missed. */
  readonly runId: string;
  /** Absolute folders that are never recorded: our own state. */
  readonly excluded: readonly string[];
  /** Where no group takes a root: watch it for hints at least. Not for a process that asks once and ends. */
  readonly watchesForHints?: boolean;
  /** No better backend than this one. */
  readonly atBest?: BackendName;
  /** Parts of the protocol that are left out, for tests that must then fail. */
  readonly weakened?: readonly string[];
}

const HIDDEN_NAME = '.tidemark';

interface Hosted {
  readonly journal: Journal;
  readonly hints: Hints | null;
  readonly folder: string;
}

export class JournalHost {
  readonly #options: JournalHostOptions;
  readonly #fileSystem: FileSystem;
  readonly #missing: ReadonlyMap<GroupKind, string>;
  readonly #watches = new Map<GroupKind, GroupWatch>();
  readonly #hosted = new Map<string, Hosted>();

  private constructor(options: JournalHostOptions) {
    this.#options = options;
    this.#fileSystem = openFileSystem().fileSystem;
    this.#missing = whyMissing(options.groups);
  }

  static async open(options: JournalHostOptions): Promise<JournalHost> {
    const host = new JournalHost(options);
    for (const group of options.groups) host.#watches.set(group.kind, host.#watch(group));
    return host;
  }

  /**
   * Begins recording a root; does nothing where it is recorded already. Throws `unavailable` where it is no directory or
   * the journal's state cannot be used.
   */
  async add(rootPath: Buffer): Promise<JournalService> {
    const path = canonicalDirectory(rootPath);
    const known = this.#hosted.get(path);
    if (known !== undefined) return known.journal;
    const folder = this.#folderOf(path);
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const journal = await this.#open(path, folder);
    const hints = journal.backend === 'chokidar' ? await this.#watchForHints(path, journal) : null;
    this.#hosted.set(path, { journal, hints, folder });
    return journal;
  }

  find(rootPath: Buffer): JournalService | null {
    try {
      return this.#hosted.get(canonicalDirectory(rootPath))?.journal ?? null;
    } catch {
      return this.#hosted.get(rootPath.toString('latin1'))?.journal ?? null;
    }
  }

  /** Ends recording a root. With `forget` its journal is void: every cursor will be unknown. */
  async remove(rootPath: Buffer, forget: boolean): Promise<void> {
    const path = pathOf(rootPath);
    const hosted = this.#hosted.get(path);
    if (hosted === undefined) return;
    this.#hosted.delete(path);
    await this.#end(hosted);
    if (forget) renameSync(join(hosted.folder, 'data.mdb'), join(hosted.folder, 'forgotten.mdb'));
  }

  /** Ends in order: drains, writes down, marks clean. */
  async stop(): Promise<void> {
    for (const watch of this.#watches.values()) await watch.drain().catch(() => {});
    for (const hosted of this.#hosted.values()) await this.#end(hosted);
    this.#hosted.clear();
    for (const watch of this.#watches.values()) await watch.stop();
  }

  #watchForHints(path: string, journal: Journal): Promise<Hints> {
    const own = [HIDDEN_NAME, ...this.#excludedBelow(path)].map((name) => toBuffer(`${path}/${name}`).toString());
    return watchForHints(toBuffer(path).toString(), own, () => journal.onActivity());
  }

  async #end({ journal, hints, folder }: Hosted): Promise<void> {
    await hints?.close();
    await journal.close();
    seal(folder);
  }

  async #open(path: string, folder: string): Promise<Journal> {
    const store = openStore(folder);
    try {
      const root = this.#fileSystem.openRoot(Buffer.from(path, 'latin1'));
      try {
        return await this.#begin(path, folder, store, root);
      } finally {
        this.#fileSystem.close(root);
      }
    } catch (error) {
      store.close();
      throw error;
    }
  }

  async #begin(path: string, folder: string, store: JournalStore, root: Fd): Promise<Journal> {
    const backend = chooseBackend(this.#fileSystem, root, {
      groups: this.#options.groups,
      missing: this.#missing,
      hints: this.#options.watchesForHints ?? false,
      atBest: this.#options.atBest ?? 'fanotify-filesystem',
    });
    const { gap, mustRename } = this.#continuity(store, this.#rootKey(root), backend);
    const excluded = this.#excludedBelow(path);
    const place: JournalPlace = {
      rootPath: path,
      storeFolder: folder,
      hiddenName: HIDDEN_NAME,
      excluded,
      markGroup: backend.chosen === 'fanotify-directory' ? backend.group : null,
      weakened: this.#options.weakened ?? [],
    };
    const watch = backend.group === null ? null : (this.#watches.get(backend.group.kind) ?? null);
    const journal = new Journal({
      store,
      place,
      backend: backend.chosen,
      whyNotBetter: explain(backend),
      watch,
      silencer: backend.group === null ? null : this.#silencer(path, backend.group),
      markMounts: () => this.#markMounts(path, backend),
      keysChange: this.#fileSystem.traits(root).type.startsWith('overlay'),
      statOf: (key) => (backend.chosen === 'fanotify-filesystem' ? this.#statOf(path, key) : null),
      rootKey: () => this.#presentRootKey(path),
      clock: Date.now,
    });
    await journal.begin(gap, mustRename);
    return journal;
  }

  /** What happened since the journal was last written, as far as that can be told; writes down who goes on. */
  #continuity(
    store: JournalStore,
    rootKey: string,
    backend: GroupChoice,
  ): { gap: GapKind | null; mustRename: boolean } {
    let state = store.state();
    const bootId = currentBoot();
    const isOther = state.rootKey !== '' && handlePart(state.rootKey) !== handlePart(rootKey);
    if (isOther) state = store.reset();
    const isRemounted = !isOther && state.rootKey !== '' && state.rootKey !== rootKey;
    const gap = gapSince(state, { runId: this.#options.runId, bootId, isRemounted, backend });
    store.transaction(() => {
      store.setState({ ...state, runId: this.#options.runId, bootId, rootKey, isClean: false });
    });
    return { gap, mustRename: isRemounted };
  }

  #rootKey(root: Fd): string {
    if (this.#fileSystem.kind === 'native') return directoryAt(root, ROOT) ?? statKey(this.#fileSystem, root);
    return statKey(this.#fileSystem, root);
  }

  #statOf(path: string, key: string): Uint8Array | null {
    return withRoot(this.#fileSystem, path, (root) => {
      const object = openObject(root, key);
      if (object === null) return null;
      try {
        return packStat(this.#fileSystem.fstat(object));
      } finally {
        this.#fileSystem.close(object);
      }
    });
  }

  #presentRootKey(path: string): string | null {
    try {
      return withRoot(this.#fileSystem, path, (root) => this.#rootKey(root));
    } catch {
      return null;
    }
  }

  /** Marks the root's file system anew, where a mount took the mark away, and those mounted below it. */
  #markMounts(path: string, { chosen, group }: GroupChoice): BytePath[] {
    if (group === null) return [];
    // Directories are marked one by one, on whatever file system they are.
    const scopes = chosen === 'fanotify-filesystem' ? [ROOT, ...submountsOf(path)] : [];
    return scopes.filter((scope) => {
      const mountPath = scope === ROOT ? path : `${path === '/' ? '' : path}/${scope}`;
      return !quietly(() => withRoot(this.#fileSystem, mountPath, (mount) => markFileSystem(group, mount)));
    });
  }

  #watch(group: GroupDescriptors): GroupWatch {
    // What an earlier process silenced is not known here: without this it would stay silent.
    if (group.kind === 'file-systems') unsilenceAll(group);
    const reader = new FanotifyReader(group, {
      onReadable: () => watch.onReadable(),
      onMountsChanged: () => void this.#mountsChanged(),
    });
    const watch = new GroupWatch(reader);
    return watch;
  }

  async #mountsChanged(): Promise<void> {
    for (const { journal } of this.#hosted.values()) await journal.mountsChanged();
  }

  /** Only where all marks can be removed in one step: a successor of this process must not miss one. */
  #silencer(path: string, group: GroupDescriptors): Silencer | null {
    if (group.kind !== 'file-systems') return null;
    return {
      silence: (file) => quietly(() => withRoot(this.#fileSystem, path, (root) => silence(group, root, file))),
      unsilence: (files) => {
        if (files === null) unsilenceAll(group);
        else
          withRoot(this.#fileSystem, path, (root) => {
            for (const file of files) quietly(() => unsilence(group, root, file));
          });
      },
    };
  }

  #excludedBelow(path: string): BytePath[] {
    const folders = [this.#options.stateFolder, ...this.#options.excluded];
    return folders.flatMap((folder) => {
      const bytes = canonicalOrSame(folder);
      return bytes !== path && isWithin(bytes as BytePath, path as BytePath)
        ? [bytes.slice(path === '/' ? 1 : path.length + 1) as BytePath]
        : [];
    });
  }

  #folderOf(path: string): string {
    const id = createHash('sha256').update(path, 'latin1').digest('hex').slice(0, 32);
    return join(this.#options.stateFolder, 'journals', id);
  }
}

/** A damaged store is moved aside: its journal is lost, and every consumer is told by `freshInstance`. */
function openStore(folder: string): JournalStore {
  if (!breakSeal(folder)) setAside(folder);
  try {
    return JournalStore.open(folder);
  } catch (error) {
    if (!(error instanceof TidemarkError) || error.code !== 'state-damaged') throw error;
    setAside(folder);
    return JournalStore.open(folder);
  }
}

function setAside(folder: string): void {
  for (const name of ['data.mdb', 'lock.mdb']) {
    if (existsSync(join(folder, name))) renameSync(join(folder, name), join(folder, `damaged-${name}`));
  }
}

interface Since {
  readonly runId: string;
  readonly bootId: string;
  readonly isRemounted: boolean;
  readonly backend: GroupChoice;
}

function gapSince(state: JournalState, { runId, bootId, isRemounted, backend }: Since): GapKind | null {
  if (!state.hasBaseline || backend.group === null) return null;
  if (state.bootId !== bootId && !state.isClean) return 'unclean-boot';
  if (isRemounted) return 'unmounted';
  return state.runId === runId && !state.isClean ? null : 'daemon-down';
}

function explain({ better }: ChosenBackend): string | null {
  if (better.length === 0) return null;
  return better.map(({ name, whyNot }) => `${name}: ${whyNot}`).join('; ');
}

function statKey(fileSystem: FileSystem, root: Fd): string {
  const { ino, birthNs } = fileSystem.fstat(root);
  return `${'\0'.repeat(FSID_BYTES)}stat ${ino} ${birthNs}`;
}

function currentBoot(): string {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim();
  } catch {
    return '';
  }
}

function pathOf(rootPath: Buffer): string {
  try {
    return canonicalDirectory(rootPath);
  } catch {
    return rootPath.toString('latin1');
  }
}

function canonicalDirectory(path: Buffer): string {
  let found: Buffer;
  try {
    found = realpathSync.native(path, 'buffer');
  } catch (error) {
    throw noRoot(path, errnoOf(error) === 'ENOENT' ? 'there is no such directory' : errnoOf(error), error);
  }
  if (!statSync(found).isDirectory()) throw noRoot(path, 'it is not a directory', null);
  return found.toString('latin1');
}

function noRoot(path: Buffer, why: string, cause: unknown): TidemarkError {
  const shown = displayText(path.toString('latin1'));
  return new TidemarkError('unavailable', 'root-missing', `cannot record ${shown}: ${why}`, {
    cause,
    remedy: 'Give the path of a directory that exists.',
  });
}

function canonicalOrSame(folder: string): string {
  try {
    return realpathSync.native(folder, 'buffer').toString('latin1');
  } catch {
    return Buffer.from(folder).toString('latin1');
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
