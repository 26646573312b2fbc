/**
 * The worker: records the registered roots and serves the control socket. It keeps nothing that its successor could not
 * go on from: events stand in descriptors that the supervisor holds too, everything else in the stores of the journals.
 * So it may be killed at any moment, and ends itself when something happens that should not.
 */
import { JournalHost } from '../journal/host.ts';
import { VERSION } from '../platform/version.ts';
import type { WorkerSetup } from './core/worker-setup.ts';
import { HostedRoots } from './hosted-roots.ts';
import { recordingOverrides } from './overrides.ts';
import { Registry } from './registry.ts';
import { takeRootLock } from './root-lock.ts';
import { ControlServer } from './server.ts';
import { keepFromPrograms, peerUser } from './sockets.ts';

export interface WorkerLife {
  /** Serves no more, drains, commits, and marks the journals as cleanly ended. */
  stop(): Promise<void>;
}

/** Resolves when the control socket is served; roots begin one by one behind it. */
export async function startWorker(setup: WorkerSetup, log: (line: string) => void): Promise<WorkerLife> {
  const folders = { state: setup.stateFolder, runtime: setup.runtimeFolder };
  for (const { group, ring } of setup.groups) for (const fd of [group, ring]) keepFromPrograms(fd);
  const host = await JournalHost.open({
    stateFolder: setup.stateFolder,
    groups: setup.groups,
    runId: setup.runId,
    excluded: [setup.stateFolder, setup.runtimeFolder],
    watchesForHints: true,
    waitsForRelease: true,
    onFailed: (rootPath, error) => hosting.failed(rootPath, error),
    ...recordingOverrides(process.env),
  });
  const hosting: HostedRoots = new HostedRoots({
    keeper: host,
    registry: new Registry(setup.stateFolder),
    lock: (root) => takeRootLock(folders, root),
    log,
    nowMs: () => performance.now(),
  });
  hosting.start();
  const target = setup.socket === null ? { path: setup.socketPath } : { fd: setup.socket };
  const server = await ControlServer.listen(target, { program: VERSION, hosting, peerUser, log });
  return {
    async stop() {
      await server.close();
      await hosting.stop();
      await host.stop();
      hosting.releaseLocks();
    },
  };
}
