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
import { type GroupDescriptors, type GroupKind, unsilenceAll } from '../platform/fanotify.ts';
import { FanotifyReader } from '../platform/fanotify-reader.ts';
import type { Fd, FileSystem } from '../platform/filesystem.ts';
import { openFileSystem } from '../platform/open-filesystem.ts';
import { chooseBackend, type GroupChoice, whyMissing } from './backends.ts';
import { blindSource } from './blind-source.ts';
import type { BackendName, GapKind } from './core/answers.ts';
import { FanotifySource } from './fanotify-source.ts';
import { GroupWatch } from './group-watch.ts';
import { Journal } from './journal.ts';
import type { JournalService } from './service.ts';
import type { ChangeSource } from './source.ts';
import { type JournalState, JournalStore, MAX_RUN_ID } from './store/journal-store.ts';
import { breakSeal, seal } from './store/seal.ts';
import { handlePart, rootKeyOf, withDirectory } from './thread-root.ts';

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
  /** True: no events are taken before {@link JournalHost.release}. */
  readonly waitsForRelease?: boolean;
  /** A journal could not go on; its root can be added again. */
  readonly onFailed?: (rootPath: Buffer, error: unknown) => void;
}

const HIDDEN_NAME = '.tidemark';

interface Hosted {
  readonly journal: Journal;
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
    this.#hosted.set(path, { journal, folder });
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
    await this.#end(hosted, false);
    if (forget) renameSync(join(hosted.folder, 'data.mdb'), join(hosted.folder, 'forgotten.mdb'));
  }

  /** All roots that an earlier process recorded are added, or in trouble: events may be taken now. */
  release(): void {
    for (const watch of this.#watches.values()) watch.release();
  }

  /** Ends in order: drains, writes down, marks clean. */
  async stop(): Promise<void> {
    this.release();
    for (const watch of this.#watches.values()) await watch.drain().catch(() => {});
    // First of all: what comes from now on stays in the queue, for a successor with the same groups.
    for (const watch of this.#watches.values()) await watch.stop();
    for (const hosted of this.#hosted.values()) await this.#end(hosted, true);
    this.#hosted.clear();
  }

  async #end({ journal, folder }: Hosted, isContinued: boolean): Promise<void> {
    await journal.close(isContinued);
    seal(folder);
  }

  /** What the journal has written stays as it is, unsealed: when it is added again, it begins with a gap. */
  async #failed(path: string, error: unknown): Promise<void> {
    const hosted = this.#hosted.get(path);
    if (hosted === undefined) return;
    this.#hosted.delete(path);
    await hosted.journal.close().catch(() => {});
    this.#options.onFailed?.(toBuffer(path), error);
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
    const rootKey = rootKeyOf(this.#fileSystem, root);
    const { gap, isRenamed } = this.#continuity(store, rootKey, backend);
    const journal = new Journal({
      store,
      place: {
        rootPath: path,
        storeFolder: folder,
        hiddenName: HIDDEN_NAME,
        excluded: this.#excludedBelow(path),
        markGroup: backend.chosen === 'fanotify-directory' ? backend.group : null,
        weakened: this.#options.weakened ?? [],
      },
      source: this.#source(path, backend, this.#fileSystem.traits(root).type),
      rootKey: () => this.#presentRootKey(path),
      clock: Date.now,
      onFailed: (error) => void this.#failed(path, error),
    });
    // Where the file system is marked, recording has begun already: the first look goes on beside it.
    if (backend.chosen === 'fanotify-filesystem')
      void journal.begin(gap, isRenamed).catch((error) => journal.fail(error));
    else {
      await journal.begin(gap, isRenamed).catch(async (error) => {
        await journal.close();
        throw error;
      });
    }
    return journal;
  }

  #source(rootPath: string, { chosen, better, group }: GroupChoice, fileSystemType: string): ChangeSource {
    const whyNotBetter = better.length === 0 ? null : better.map(({ name, whyNot }) => `${name}: ${whyNot}`).join('; ');
    const watch = group === null ? undefined : this.#watches.get(group.kind);
    if (group === null || watch === undefined || chosen === 'chokidar' || chosen === 'scan') {
      const excluded = [HIDDEN_NAME, ...this.#excludedBelow(rootPath)].map((name) => textOf(`${rootPath}/${name}`));
      const watched = chosen === 'chokidar' ? { rootPath: textOf(rootPath), excluded } : null;
      return blindSource({ whyNotBetter, watched });
    }
    const fileSystem = this.#fileSystem;
    return new FanotifySource({ fileSystem, rootPath, backend: chosen, whyNotBetter, group, watch, fileSystemType });
  }

  /** What happened since the journal was last written, as far as that can be told; writes down who goes on. */
  #continuity(store: JournalStore, rootKey: string, backend: GroupChoice): { gap: GapKind | null; isRenamed: boolean } {
    let state = store.state();
    const bootId = currentBoot();
    const isOther = state.rootKey !== '' && handlePart(state.rootKey) !== handlePart(rootKey);
    if (isOther) state = store.reset();
    const isRemounted = !isOther && state.rootKey !== '' && state.rootKey !== rootKey;
    // Another backend has other marks: going on with it, even in the same run, is beginning anew.
    const runId = `${backend.chosen} ${this.#options.runId}`.slice(0, MAX_RUN_ID);
    const gap = gapSince(state, { runId, bootId, isRemounted, backend });
    // In one step: a successor that found the new run without the gap would take nothing for missed.
    store.transaction(() => {
      store.setState({ ...state, runId, bootId, rootKey, isClean: false });
      if (gap !== null) store.openGap(gap, ROOT);
    });
    return { gap, isRenamed: isRemounted };
  }

  #presentRootKey(path: string): string | null {
    try {
      return withDirectory(this.#fileSystem, path, (root) => rootKeyOf(this.#fileSystem, root));
    } catch {
      return null;
    }
  }

  #watch(group: GroupDescriptors): GroupWatch {
    // What an earlier process silenced is not known here: without this it would stay silent.
    if (group.kind === 'file-systems') unsilenceAll(group);
    const reader = new FanotifyReader(group, {
      onReadable: () => watch.onReadable(),
      onMountsChanged: () => void this.#mountsChanged(),
    });
    const watch = new GroupWatch(reader, this.#options.waitsForRelease ?? false);
    return watch;
  }

  async #mountsChanged(): Promise<void> {
    for (const { journal } of this.#hosted.values()) {
      await journal.mountsChanged().catch((error) => journal.fail(error));
    }
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
  if (!state.hasBaseline) return null;
  if (state.bootId !== bootId && !state.isClean) return 'unclean-boot';
  // Where no events come, each round looks at everything anyway.
  if (backend.group === null) return null;
  if (isRemounted) return 'unmounted';
  return state.runId === runId ? null : 'daemon-down';
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

/** For programs that know names as text only. */
function textOf(path: string): string {
  return toBuffer(path).toString();
}
