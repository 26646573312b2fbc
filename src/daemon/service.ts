/** The service from outside: is it there, how is it, and its end. */
import { setTimeout as pause } from 'node:timers/promises';
import { FolderLock } from '../journal/store/folder-lock.ts';
import { TidemarkError } from '../platform/core/errors.ts';
import { openFileSystem } from '../platform/open-filesystem.ts';
import { askForEnd, isPassing } from './client.ts';
import { readFacts, type ServiceFacts } from './core/answers.ts';
import { FRAME, type Frame } from './core/frames.ts';
import { STOP_TIMEOUT_MS } from './core/limits.ts';
import { decodeRoots, type HostedRoot } from './core/messages.ts';
import { announcedSocket, type ServiceFolders, serviceFolder } from './places.ts';

export interface ServiceDescription {
  /** Of the supervisor: what a signal goes to. */
  readonly pid: number;
  /** Of the worker that answered. */
  readonly workerPid: number;
  readonly program: string;
  /** Of the supervisor. */
  readonly uptimeMs: number;
  readonly socketPath: string;
  readonly roots: readonly HostedRoot[];
}

const POLL_MS = 25;

/** A service that has its lock and no socket is starting: it is waited for this long. */
const STARTING_MS = 10_000;

/** The socket of the service, or null where none runs. Asks nobody; waits for one that is being started. */
export async function serviceSocket(folders: ServiceFolders): Promise<string | null> {
  const deadlineMs = performance.now() + STARTING_MS;
  while (holderOf(folders) !== null) {
    const socketPath = announcedSocket(serviceFolder(folders));
    if (socketPath !== null) return socketPath;
    if (performance.now() > deadlineMs) throw notServing();
    await pause(POLL_MS);
  }
  return null;
}

/** The service, or null where none runs. Throws `unavailable` where one runs and does not answer. */
export async function describeService(folders: ServiceFolders): Promise<ServiceDescription | null> {
  const socketPath = await serviceSocket(folders);
  const holder = holderOf(folders);
  if (holder === null || socketPath === null) return null;
  const { facts, roots } = await described(socketPath, () => holderOf(folders)?.pid === holder.pid);
  const uptimeMs = Math.max(0, Date.now() - (holder.since?.getTime() ?? Date.now()));
  return { ...facts, pid: holder.pid ?? 0, uptimeMs, socketPath, roots };
}

/** Where the worker holds the socket itself it is gone with it for a moment, until the supervisor has started another. */
async function described(
  socketPath: string,
  isRunning: () => boolean,
): Promise<{ facts: ServiceFacts; roots: HostedRoot[] }> {
  const deadlineMs = performance.now() + STARTING_MS;
  for (;;) {
    const roots: HostedRoot[] = [];
    try {
      const take = (frame: Frame) => {
        if (frame.type === FRAME.roots) roots.push(...decodeRoots(frame.payload));
      };
      const facts = await askForEnd(socketPath, { method: 'describe' }, take, readFacts);
      return { facts, roots };
    } catch (error) {
      if (!isPassing(error) || !isRunning() || performance.now() > deadlineMs) throw error;
      await pause(POLL_MS);
    }
  }
}

/** Ends the service cleanly and waits for it. False where none ran. */
export async function stopService(folders: ServiceFolders, signal: AbortSignal): Promise<boolean> {
  const holder = holderOf(folders);
  if (holder === null) return false;
  if (holder.pid === null) throw notStopped('its lock does not say which process it is');
  process.kill(holder.pid, 'SIGTERM');
  const deadlineMs = performance.now() + STOP_TIMEOUT_MS + 10_000;
  while (holderOf(folders)?.pid === holder.pid) {
    if (performance.now() > deadlineMs) throw notStopped(`process ${holder.pid} is still there`);
    await pause(POLL_MS, undefined, { signal });
  }
  return true;
}

function holderOf(folders: ServiceFolders) {
  return FolderLock.look(openFileSystem().fileSystem, serviceFolder(folders));
}

function notServing(): TidemarkError {
  return new TidemarkError('unavailable', 'daemon-silent', 'the service runs and has no socket', {
    remedy: 'Look at its log; tidemark daemon stop, then start, begins anew.',
  });
}

function notStopped(reason: string): TidemarkError {
  return new TidemarkError('unavailable', 'daemon-not-stopped', `the service does not end: ${reason}`, {
    remedy: 'Look at its log, or kill it; nothing is lost by that but the time until it is started again.',
  });
}
