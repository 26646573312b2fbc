/** One life of the worker process, as the supervisor sees it. */
import { type ChildProcess, spawn } from 'node:child_process';
import type { Fd } from '../platform/filesystem.ts';
import { HUNG_AFTER_MS, STOP_TIMEOUT_MS } from './core/limits.ts';
import { encodeSetup, SETUP_VARIABLE, type WorkerSetup } from './core/worker-setup.ts';
import type { Holdings } from './holdings.ts';
import type { ServiceFolders } from './places.ts';

/** How a worker is started: a program and its arguments. */
export interface WorkerCommand {
  readonly program: string;
  readonly arguments: readonly string[];
}

export interface WorkerEnd {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** The program could not even be started. */
  readonly error: Error | null;
}

const MANAGER_VARIABLES = [
  'NOTIFY_SOCKET',
  'WATCHDOG_USEC',
  'WATCHDOG_PID',
  'LISTEN_PID',
  'LISTEN_FDS',
  'LISTEN_FDNAMES',
];

/** 0 nothing, 1 and 2 the supervisor's stderr, 3 messages; then whatever is handed over. */
const FIRST_HELD = 4;

export class WorkerProcess {
  readonly #child: ChildProcess;
  /** Resolves when it serves; never rejects, and never resolves where it ends before. */
  readonly ready: Promise<void>;
  /** Resolves when the process is gone. */
  readonly ended: Promise<WorkerEnd>;

  constructor(command: WorkerCommand, folders: ServiceFolders, holdings: Holdings, log: (line: string) => void) {
    const { descriptors, setup } = handedOver(folders, holdings);
    this.#child = spawn(command.program, [...command.arguments], {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc', ...descriptors],
      env: { ...FEW_ARENAS, ...withoutManager(process.env), [SETUP_VARIABLE]: encodeSetup(setup) },
      cwd: '/',
    });
    this.ended = new Promise((resolve) => {
      this.#child.once('error', (error) => {
        if (this.#child.pid === undefined) resolve({ code: null, signal: null, error });
      });
      this.#child.once('exit', (code, signal) => resolve({ code, signal, error: null }));
    });
    this.ready = this.#watch(log);
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** Asks for a clean end; one that takes too long is made short. */
  async stop(log: (line: string) => void): Promise<WorkerEnd> {
    if (this.#child.connected) this.#child.send({ kind: 'stop' }, () => {});
    else this.#child.kill('SIGTERM');
    const timer = setTimeout(() => {
      log('the worker does not end; killing it, which leaves a gap in every journal');
      this.#child.kill('SIGKILL');
    }, STOP_TIMEOUT_MS);
    const end = await this.ended;
    clearTimeout(timer);
    return end;
  }

  /** Messages are signs of life; without any for long the process is killed, and its end is treated like any other. */
  #watch(log: (line: string) => void): Promise<void> {
    const kill = () => {
      log(`the worker has given no sign of life for ${HUNG_AFTER_MS / 1000} s; killing it`);
      this.#child.kill('SIGKILL');
    };
    let timer = setTimeout(kill, HUNG_AFTER_MS);
    void this.ended.then(() => clearTimeout(timer));
    return new Promise((resolve) => {
      this.#child.on('message', (message) => {
        clearTimeout(timer);
        timer = setTimeout(kill, HUNG_AFTER_MS);
        if ((message as { kind?: unknown } | null)?.kind === 'ready') resolve();
      });
    });
  }
}

/** The descriptors in order of their positions, and the numbers the worker will know them by. */
function handedOver(
  folders: ServiceFolders,
  { runId, groups, socket, socketPath }: Holdings,
): { descriptors: Fd[]; setup: WorkerSetup } {
  const descriptors: Fd[] = [];
  const place = (fd: Fd) => FIRST_HELD + descriptors.push(fd) - 1;
  const setup: WorkerSetup = {
    runId,
    stateFolder: folders.state,
    runtimeFolder: folders.runtime,
    groups: groups.map(({ kind, group, ring }) => ({ kind, group: place(group), ring: place(ring) })),
    socket: socket === null ? null : place(socket),
    socketPath,
  };
  return { descriptors, setup };
}

/**
 * glibc gives each thread a heap of its own and returns none of it: with a thread for each journal that was a third of
 * the worker's anonymous memory (125 MiB against 94 at 300,000 files).
 */
const FEW_ARENAS = { MALLOC_ARENA_MAX: '2' };

/** What the service manager said to the supervisor is not meant for the worker. */
function withoutManager(environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const kept = { ...environment };
  for (const name of MANAGER_VARIABLES) delete kept[name];
  return kept;
}
