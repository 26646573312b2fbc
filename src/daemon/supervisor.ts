/**
 * The supervisor: holds what must not be lost, keeps a worker running, and does nothing else. What little it does can
 * hardly fail, and whatever fails in the worker costs no event.
 *
 * Invariants: one supervisor for a state folder; one worker at a time, and none after the end; a worker that dies has a
 * successor with the same descriptors and the same run id; the supervisor never opens a journal.
 */
import { rmSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { FolderLock, type LockHolder } from '../journal/store/folder-lock.ts';
import { TidemarkError } from '../platform/core/errors.ts';
import { openFileSystem } from '../platform/open-filesystem.ts';
import { afterDeath, NO_DEATHS } from './core/restarts.ts';
import { closeHoldings, type Holdings, type Openers, takeHoldings } from './holdings.ts';
import { ensureOwnFolder } from './own-folder.ts';
import { announceSocket, type ServiceFolders, serviceFolder, socketPlace, withdrawSocket } from './places.ts';
import { ServiceManager } from './service-manager.ts';
import { type WorkerCommand, type WorkerEnd, WorkerProcess } from './worker-process.ts';

export interface SupervisorOptions {
  readonly folders: ServiceFolders;
  readonly worker: WorkerCommand;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** One line for the log. */
  readonly log: (line: string) => void;
  /** Called once, when the first worker serves. */
  readonly onReady: () => void;
  /** Called when a worker ended before any had served. */
  readonly onFailedStart?: (reason: string) => void;
  readonly openers?: Openers;
}

/**
 * Runs the service until `signal` aborts; then ends it cleanly.
 * @throws TidemarkError `locked` (`daemon-running`) where one runs already, `unavailable` where folders are unfit.
 */
export async function supervise(options: SupervisorOptions, signal: AbortSignal): Promise<void> {
  const folder = serviceFolder(options.folders);
  ensureOwnFolder(folder);
  const lock = await takeServiceLock(folder);
  try {
    const place = socketPlace(options.folders, 'daemon');
    if (place.note !== null) options.log(`socket at ${place.path}: ${place.note}`);
    const manager = new ServiceManager(options.environment, process.pid, options.log);
    const { environment, log, openers } = options;
    const holdings = takeHoldings({
      socketPath: place.path,
      environment,
      pid: process.pid,
      manager,
      log,
      ...(openers === undefined ? {} : { openers }),
    });
    announceSocket(folder, place.path);
    try {
      await keepWorking(options, holdings, manager, signal);
    } finally {
      withdrawSocket(folder);
      closeHoldings(holdings);
      // A service manager may hand the same socket to a successor, which clients then find where it was.
      if (!manager.isPresent) rmSync(place.path, { force: true });
    }
  } finally {
    lock.release();
  }
}

/** One worker after the other. A successor begins at once after a first death, later after pauses. */
async function keepWorking(
  options: SupervisorOptions,
  holdings: Holdings,
  manager: ServiceManager,
  signal: AbortSignal,
): Promise<void> {
  const { folders, worker: command, log } = options;
  let restarts = NO_DEATHS;
  let hasServed = false;
  while (!signal.aborted) {
    const startedMs = performance.now();
    const worker = new WorkerProcess(command, folders, holdings, log);
    void worker.ready.then(() => {
      log(`worker ${worker.pid} serves`);
      if (hasServed) manager.status(`worker ${worker.pid}`);
      else manager.ready(`worker ${worker.pid}`);
      if (!hasServed) options.onReady();
      hasServed = true;
    });
    const end = await Promise.race([worker.ended, aborted(signal)]);
    if (end === null) {
      manager.stopping();
      reportEnd(await worker.stop(log), log);
      return;
    }
    const { next, pauseMs } = afterDeath(restarts, performance.now() - startedMs, Math.random());
    restarts = next;
    log(`worker ${worker.pid ?? ''} ended by ${reasonOf(end)}; the next one in ${pauseMs} ms, with every event kept`);
    if (!hasServed) options.onFailedStart?.(reasonOf(end));
    await pause(pauseMs, undefined, { signal }).catch(() => {});
  }
  manager.stopping();
}

/** Somebody who only looks whether the lock is held holds it for a moment: a few more tries tell him from a service. */
async function takeServiceLock(folder: string): Promise<FolderLock> {
  const { fileSystem } = openFileSystem();
  for (let attempt = 1; ; attempt++) {
    try {
      return FolderLock.take(fileSystem, folder, new Date(), running);
    } catch (error) {
      if (attempt === 5 || !(error instanceof TidemarkError)) throw error;
      await pause(20);
    }
  }
}

function running({ text }: LockHolder): TidemarkError {
  return new TidemarkError('locked', 'daemon-running', `the service runs already (${text})`, {
    remedy: 'tidemark daemon status tells more; tidemark daemon stop ends it.',
  });
}

function aborted(signal: AbortSignal): Promise<null> {
  if (signal.aborted) return Promise.resolve(null);
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(null), { once: true }));
}

function reportEnd(end: WorkerEnd, log: (line: string) => void): void {
  const isClean = end.code === 0;
  log(isClean ? 'stopped: everything is drained and recorded' : `stopped; the worker ended by ${reasonOf(end)}`);
}

function reasonOf({ code, signal, error }: WorkerEnd): string {
  if (error !== null) return error.message;
  return signal ?? `exit code ${code}`;
}
