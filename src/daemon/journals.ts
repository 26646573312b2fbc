/**
 * The journals of this user's roots, whoever records them: the service, a recorder in the foreground, or nobody; then
 * the root is looked at by a scan in this process.
 */
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import type { BackendName, JournalChange, JournalStatus } from '../journal/core/answers.ts';
import { OLDEST_CURSOR } from '../journal/core/answers.ts';
import { JournalHost } from '../journal/host.ts';
import type { JournalService } from '../journal/service.ts';
import { type BytePath, ROOT, toBuffer } from '../platform/core/byte-path.ts';
import { displayPath } from '../platform/core/display.ts';
import { TidemarkError } from '../platform/core/errors.ts';
import { askForEnd } from './client.ts';
import { readBackend } from './core/answers.ts';
import type { RootPath } from './core/messages.ts';
import { unknownJournal } from './hosted-roots.ts';
import { namedRoot } from './named-root.ts';
import { announcedSocket, recorderFolder, type ServiceFolders } from './places.ts';
import { recordInForeground } from './recorder.ts';
import { Registry } from './registry.ts';
import { RemoteJournal } from './remote-journal.ts';
import { takeRootLock } from './root-lock.ts';
import { describeService, serviceSocket } from './service.ts';

/** Who records a root. */
export type RecordedBy = 'daemon' | 'recorder' | 'nobody';

export interface OpenedJournal {
  readonly root: RootPath;
  readonly by: RecordedBy;
  readonly journal: JournalService;
  close(): Promise<void>;
}

/** What the commands do with journals. Roots are byte strings as typed. */
export interface JournalAccess {
  open(path: string): Promise<OpenedJournal>;
  /** Never disturbs: where nobody records the root, what is known is told without a look at the tree. */
  status(path: string): Promise<JournalStatus>;
  /** Rounds of changes: those the journal still has and, with `follow`, those to come until `signal` aborts. */
  log(path: string, follow: boolean, signal: AbortSignal): AsyncIterable<readonly JournalChange[]>;
  /** The backend that records it now, or null where no service runs: it will when one is started. */
  add(
    path: string,
  ): Promise<{ readonly root: RootPath; readonly backend: BackendName | null; readonly isNew: boolean }>;
  remove(path: string, forget: boolean): Promise<RootPath>;
  /** Records in the foreground until `signal` aborts. */
  record(
    path: string,
    on: { readonly begun: (root: RootPath, backend: BackendName) => void; readonly log: (line: string) => void },
    signal: AbortSignal,
  ): Promise<void>;
}

export class Journals implements JournalAccess {
  readonly #folders: ServiceFolders;
  readonly #registry: Registry;

  constructor(folders: ServiceFolders) {
    this.#folders = folders;
    this.#registry = new Registry(folders.state);
  }

  async open(path: string): Promise<OpenedJournal> {
    const root = this.#named(path);
    return (await this.#recorded(root)) ?? (await this.#scanned(root));
  }

  async status(path: string): Promise<JournalStatus> {
    const root = this.#named(path);
    const recorded = await this.#recorded(root);
    if (recorded !== null) return recorded.journal.status();
    const nothing = unrecorded(this.#registry.has(root));
    if (!existsSync(recorderFolder(this.#folders, root))) return nothing;
    const scanned = await this.#scanned(root);
    try {
      return { ...(await scanned.journal.status()), recording: false, whyNotBetter: nothing.whyNotBetter };
    } finally {
      await scanned.close();
    }
  }

  async *log(path: string, follow: boolean, signal: AbortSignal): AsyncGenerator<readonly JournalChange[]> {
    const opened = await this.open(path);
    try {
      if (!follow) {
        yield* (await opened.journal.changes(OLDEST_CURSOR, ROOT)).changes;
        return;
      }
      if (opened.by === 'nobody') throw nothingToFollow(opened.root);
      const rounds = opened.journal.follow(signal)[Symbol.asyncIterator]();
      // Its first, empty round says that it has begun: what happens while the past is told is in a later one.
      await rounds.next();
      yield* (await opened.journal.changes(OLDEST_CURSOR, ROOT)).changes;
      for (let round = await rounds.next(); round.done !== true; round = await rounds.next()) yield round.value;
    } finally {
      await opened.close();
    }
  }

  async add(path: string): Promise<{ root: RootPath; backend: BackendName | null; isNew: boolean }> {
    const root = this.#named(path);
    const isNew = !this.#registry.has(root);
    const socket = await serviceSocket(this.#folders);
    if (socket !== null) {
      const backend = await askForEnd(socket, { method: 'add', root }, noList, readBackend);
      return { root, backend, isNew };
    }
    this.#registry.add(root);
    return { root, backend: null, isNew };
  }

  async remove(path: string, forget: boolean): Promise<RootPath> {
    const root = this.#named(path);
    const socket = await serviceSocket(this.#folders);
    if (socket !== null) {
      await askForEnd(socket, { method: 'remove', root, forget }, noList, () => {});
      return root;
    }
    if (!this.#registry.has(root) && !forget) throw unknownJournal(root);
    this.#registry.remove(root);
    if (forget) await this.#forget(root);
    return root;
  }

  async record(
    path: string,
    on: { begun: (root: RootPath, backend: BackendName) => void; log: (line: string) => void },
    signal: AbortSignal,
  ): Promise<void> {
    const root = this.#named(path);
    if ((await this.#recorded(root))?.by === 'daemon') throw recordedAlready(root);
    const folders = this.#folders;
    const onBegun = (backend: BackendName) => on.begun(root, backend);
    await recordInForeground({ folders, root, onBegun, log: on.log }, signal);
  }

  #named(path: string): RootPath {
    return namedRoot(path, (root) => this.#registry.has(root));
  }

  /** The journal in whatever process records it, or null. */
  async #recorded(root: RootPath): Promise<OpenedJournal | null> {
    const service = await describeService(this.#folders);
    if (service?.roots.some((hosted) => hosted.root === root)) {
      return remote(service.socketPath, root, 'daemon');
    }
    const socket = announcedSocket(recorderFolder(this.#folders, root));
    if (socket === null || !(await isServed(socket))) return null;
    return remote(socket, root, 'recorder');
  }

  /** The journal in this process, without notification: every answer begins with a look at the tree. */
  async #scanned(root: RootPath): Promise<OpenedJournal> {
    const lock = takeRootLock(this.#folders, root);
    try {
      const host = await JournalHost.open(this.#hostOptions());
      try {
        const journal = await host.add(toBuffer(root));
        const close = async () => {
          await host.stop();
          lock.release();
        };
        return { root, by: 'nobody', journal, close };
      } catch (error) {
        await host.stop();
        throw error;
      }
    } catch (error) {
      lock.release();
      throw error;
    }
  }

  /** A journal forgets what it holds itself, so it is opened for that. */
  async #forget(root: RootPath): Promise<void> {
    const lock = takeRootLock(this.#folders, root);
    try {
      const host = await JournalHost.open(this.#hostOptions());
      try {
        await host.add(toBuffer(root));
        await host.remove(toBuffer(root), true);
      } finally {
        await host.stop();
      }
    } finally {
      lock.release();
    }
  }

  #hostOptions() {
    const { state, runtime } = this.#folders;
    return { stateFolder: state, groups: [], runId: randomBytes(16).toString('hex'), excluded: [state, runtime] };
  }
}

/** These answers have no lists worth keeping. */
function noList(): void {}

function remote(socketPath: string, root: RootPath, by: RecordedBy): OpenedJournal {
  const journal = new RemoteJournal(socketPath, root);
  return { root, by, journal, close: () => journal.close() };
}

/** A recorder that was killed leaves its socket behind. */
async function isServed(socketPath: string): Promise<boolean> {
  try {
    await askForEnd(socketPath, { method: 'describe' }, noList, () => {});
    return true;
  } catch (error) {
    if (error instanceof TidemarkError && error.code === 'daemon-not-running') return false;
    throw error;
  }
}

function unrecorded(isRegistered: boolean): JournalStatus {
  const why = isRegistered
    ? 'the service that is to record it does not run (tidemark daemon start)'
    : 'nobody records it (tidemark journal add)';
  return {
    recording: false,
    backend: 'scan',
    whyNotBetter: why,
    period: 0,
    dirty: 0,
    hot: [],
    gaps: [],
    events: { received: 0, foreign: 0, silencedObjects: 0 },
  };
}

function nothingToFollow(root: RootPath): TidemarkError {
  return new TidemarkError('unavailable', 'journal-not-recorded', `nobody records ${shown(root)}`, {
    remedy: 'Have it recorded (tidemark journal add, tidemark daemon start), or tidemark journal record it yourself.',
  });
}

function recordedAlready(root: RootPath): TidemarkError {
  return new TidemarkError('locked', 'journal-locked', `the service records ${shown(root)} already`, {
    remedy: 'Use it, or end that first with tidemark journal remove.',
  });
}

function shown(root: RootPath): string {
  return displayPath(root as string as BytePath);
}
