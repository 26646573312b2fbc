/** Starts the service in the background and waits until it serves. */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync, renameSync, statSync, writeSync } from 'node:fs';
import type { Readable } from 'node:stream';
import { TidemarkError } from '../platform/core/errors.ts';
import { decodeError, encodeError } from '../transport/core/wire-error.ts';
import { ensureOwnFolder } from './own-folder.ts';
import { logFile, type ServiceFolders, serviceFolder } from './places.ts';
import type { WorkerCommand } from './worker-process.ts';

/** Names the descriptor on which a service started from here tells how its start went. */
export const START_VARIABLE = 'TIDEMARK_START_FD';

/** Position of that descriptor. */
const START_FD = 3;

/** A log larger than this is put aside when the service is started: two files at most. */
const MAX_LOG_BYTES = 4 * 1024 * 1024;

const START_TIMEOUT_MS = 60_000;

/** What a starting service says: one line. */
type StartReport = { readonly ready: true } | { readonly failed: string } | { readonly error: string };

/**
 * Runs `command` (a `daemon run`) detached, its output in the log file; resolves to its pid when it serves.
 * @throws TidemarkError what ended it, such as `locked` where a service runs already.
 */
export async function startInBackground(command: WorkerCommand, folders: ServiceFolders): Promise<number> {
  ensureOwnFolder(serviceFolder(folders));
  const log = openLog(logFile(folders));
  let child: ChildProcess;
  try {
    child = spawn(command.program, [...command.arguments], {
      detached: true,
      cwd: '/',
      stdio: ['ignore', log, log, 'pipe'],
      env: { ...process.env, [START_VARIABLE]: String(START_FD), NOTIFY_SOCKET: undefined, LISTEN_PID: undefined },
    });
  } finally {
    closeSync(log);
  }
  const report = await reportOf(child);
  child.unref();
  if ('ready' in report) return child.pid ?? 0;
  if ('error' in report) throw decodeError(Buffer.from(report.error));
  throw new TidemarkError('unavailable', 'daemon-start', `the service does not come up: ${report.failed}`, {
    remedy: `It keeps trying. Its log is ${logFile(folders)}; tidemark daemon stop gives up.`,
  });
}

/** The service's side: where it was started by {@link startInBackground}, tells it; else does nothing. Once. */
export function startReporter(environment: NodeJS.ProcessEnv): (outcome: 'ready' | { failed: string } | Error) => void {
  const text = environment[START_VARIABLE];
  delete environment[START_VARIABLE];
  let fd = text === String(START_FD) ? START_FD : null;
  return (outcome) => {
    if (fd === null) return;
    try {
      writeSync(fd, `${JSON.stringify(reportFor(outcome))}\n`);
      closeSync(fd);
    } catch {
      // Whoever started us did not wait.
    }
    fd = null;
  };
}

function reportFor(outcome: 'ready' | { failed: string } | Error): StartReport {
  if (outcome === 'ready') return { ready: true };
  return outcome instanceof Error ? { error: encodeError(outcome).toString() } : outcome;
}

function reportOf(child: ChildProcess): Promise<StartReport> {
  return new Promise((resolve) => {
    const pipe = child.stdio[START_FD] as Readable;
    let text = '';
    const settle = (report: StartReport) => {
      clearTimeout(timer);
      pipe.destroy();
      resolve(report);
    };
    const timer = setTimeout(
      () => settle({ failed: `not ready within ${START_TIMEOUT_MS / 1000} s` }),
      START_TIMEOUT_MS,
    );
    pipe.setEncoding('utf8');
    pipe.on('data', (chunk: string) => {
      text += chunk;
      if (text.includes('\n')) settle(JSON.parse(text) as StartReport);
    });
    pipe.on('error', () => {});
    pipe.on('close', () => settle({ failed: 'it ended without a word' }));
    child.on('error', (error) => settle({ failed: error.message }));
  });
}

function openLog(file: string): number {
  if ((statSync(file, { throwIfNoEntry: false })?.size ?? 0) > MAX_LOG_BYTES) renameSync(file, `${file}.1`);
  return openSync(file, 'a', 0o600);
}
