/**
 * Recording of one root in the foreground: the same journal as in the service, without a supervisor behind it. It has a
 * control socket of its own, so that commands in other terminals find it.
 */
import { randomBytes } from 'node:crypto';
import { rmSync } from 'node:fs';
import { closeGroups, openGroups } from '../journal/backends.ts';
import type { BackendName } from '../journal/core/answers.ts';
import { JournalHost } from '../journal/host.ts';
import type { JournalService } from '../journal/service.ts';
import { toBuffer } from '../platform/core/byte-path.ts';
import { TidemarkError } from '../platform/core/errors.ts';
import type { GroupDescriptors } from '../platform/fanotify.ts';
import { VERSION } from '../platform/version.ts';
import type { RootPath } from './core/messages.ts';
import { unknownJournal } from './hosted-roots.ts';
import type { Hosting } from './hosting.ts';
import { recordingOverrides } from './overrides.ts';
import { announceSocket, recorderFolder, rootId, type ServiceFolders, socketPlace, withdrawSocket } from './places.ts';
import { takeRootLock } from './root-lock.ts';
import { ControlServer } from './server.ts';
import { peerUser } from './sockets.ts';

export interface RecordOptions {
  readonly folders: ServiceFolders;
  readonly root: RootPath;
  /** Recording has begun, and other processes can ask. */
  readonly onBegun: (backend: BackendName) => void;
  readonly log: (line: string) => void;
}

/** Records until `signal` aborts, then ends cleanly. Throws `locked` where somebody works on that journal already. */
export async function recordInForeground(options: RecordOptions, signal: AbortSignal): Promise<void> {
  const { folders, root } = options;
  const lock = takeRootLock(folders, root);
  try {
    const { groups } = openGroups();
    try {
      await recordWith(groups, options, signal);
    } finally {
      closeGroups(groups);
    }
  } finally {
    lock.release();
  }
}

async function recordWith(
  groups: readonly GroupDescriptors[],
  { folders, root, onBegun, log }: RecordOptions,
  signal: AbortSignal,
): Promise<void> {
  const host = await JournalHost.open({
    stateFolder: folders.state,
    groups,
    runId: randomBytes(16).toString('hex'),
    excluded: [folders.state, folders.runtime],
    watchesForHints: true,
    ...recordingOverrides(process.env),
  });
  try {
    const journal = await host.add(toBuffer(root));
    const { backend } = await journal.status();
    const folder = recorderFolder(folders, root);
    const place = socketPlace(folders, `recorder-${rootId(root).slice(0, 16)}`);
    if (place.note !== null) log(`socket at ${place.path}: ${place.note}`);
    const hosting = hostingOf(root, journal, backend);
    const server = await ControlServer.listen({ path: place.path }, { program: VERSION, hosting, peerUser, log });
    announceSocket(folder, place.path);
    onBegun(backend);
    await until(signal);
    withdrawSocket(folder);
    await server.close();
    rmSync(place.path, { force: true });
  } finally {
    await host.stop();
  }
}

function hostingOf(root: RootPath, journal: JournalService, backend: BackendName): Hosting {
  const startedMs = performance.now();
  const refuse = () =>
    new TidemarkError('unavailable', 'recorder', 'a recorder in the foreground records one root only', {
      remedy: 'tidemark daemon start records any number of them.',
    });
  return {
    facts: () => ({ workerPid: process.pid, program: VERSION, uptimeMs: Math.round(performance.now() - startedMs) }),
    roots: () => [{ root, backend, trouble: null }],
    journal: async (asked) => {
      if (asked !== root) throw unknownJournal(asked);
      return journal;
    },
    add: () => Promise.reject(refuse()),
    remove: () => Promise.reject(refuse()),
  };
}

function until(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}
