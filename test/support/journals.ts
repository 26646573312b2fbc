/** Ground for end-to-end tests of the journal: a root, a home, a service, and the commands run on them. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdirSync, readFileSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { PROGRAM, type RunResult, temporaryFolder, tidemark } from './tidemark.ts';

export interface Change {
  readonly path: string;
  readonly pathBytes?: string;
  readonly kinds: readonly string[];
  readonly renamedFrom?: string;
  readonly hot: boolean;
  readonly proof: string;
}

export interface Since {
  readonly changes: readonly Change[];
  readonly cursor: string;
  readonly backend: string;
  readonly freshInstance: boolean;
  readonly gaps: readonly { readonly kind: string; readonly scope: string }[];
  /** Of the changes, in order. */
  readonly paths: readonly string[];
}

export interface Checkpoint {
  readonly cursor: string;
  readonly period: number;
  readonly dirty: number;
  readonly hot: readonly string[];
  readonly gaps: readonly { readonly kind: string; readonly scope: string }[];
}

export interface ServiceStatus {
  readonly running: boolean;
  readonly pid: number;
  readonly workerPid: number;
  readonly roots: readonly { readonly root: string; readonly backend: string | null }[];
}

export class JournalGround {
  readonly folder: string;
  readonly home: string;
  readonly root: string;
  readonly #as: readonly string[];
  readonly #dispose: () => void;
  readonly #children: ChildProcess[] = [];

  /** `as`: a program with arguments that runs the rest of its command line as another user. */
  constructor(as: readonly string[] = []) {
    const { path, dispose } = temporaryFolder('tidemark-journal-');
    this.folder = realpathSync(path);
    this.#dispose = dispose;
    this.#as = as;
    this.home = join(this.folder, 'home');
    this.root = join(this.folder, 'root');
    mkdirSync(this.root);
    if (as.length > 0) for (const name of [this.folder, this.root]) chmodSync(name, 0o777);
  }

  /** `tidemark ARGS…` with this home. */
  run(...args: readonly (string | Buffer)[]): Promise<RunResult> {
    const [program, ...words] = this.#as;
    const settings = { home: this.home, cwd: '/' };
    if (program === undefined) return tidemark(args, settings);
    return tidemark([...words, process.execPath, PROGRAM, ...args], { ...settings, program });
  }

  /** The same, which must end with 0. */
  async well(...args: readonly string[]): Promise<RunResult> {
    const result = await this.run(...args);
    expect(result.code, `tidemark ${args.join(' ')}\n${result.stdout}\n${result.stderr}`).toBe(0);
    return result;
  }

  /** A command that goes on; ended with the ground at the latest. */
  start(...args: readonly string[]): ChildProcess {
    const [program = process.execPath, ...words] = [...this.#as, process.execPath, PROGRAM, ...args];
    const child = spawn(program, words, { cwd: '/', env: { ...process.env, TIDEMARK_HOME: this.home, NO_COLOR: '1' } });
    this.#children.push(child);
    return child;
  }

  /** Has the service record the root. */
  async recordInService(): Promise<void> {
    await this.well('daemon', 'start');
    await this.well('journal', 'add', this.root);
  }

  async checkpoint(...options: readonly string[]): Promise<Checkpoint> {
    const { events } = await this.well('journal', 'checkpoint', this.root, '--json', ...options);
    return events.at(-1) as unknown as Checkpoint;
  }

  async since(cursor: string, ...options: readonly string[]): Promise<Since> {
    return sinceOf(await this.well('journal', 'since', cursor, this.root, '--json', ...options));
  }

  /** Exit 0 and no difference, or what differs. */
  async verifyWell(): Promise<void> {
    await this.well('journal', 'verify', this.root, '--json');
  }

  async service(): Promise<ServiceStatus> {
    const { events } = await this.run('daemon', 'status', '--json');
    return events.at(-1) as unknown as ServiceStatus;
  }

  async killWorker(): Promise<void> {
    process.kill((await this.service()).workerPid, 'SIGKILL');
  }

  /** Supervisor and worker at once, as far as that goes. */
  async killService(): Promise<void> {
    const { pid, workerPid } = await this.service();
    for (const victim of [pid, workerPid]) process.kill(victim, 'SIGKILL');
    await this.#gone(pid, workerPid);
  }

  log(): string {
    try {
      return readFileSync(join(this.home, 'state/daemon/log'), 'utf8');
    } catch {
      return '';
    }
  }

  async close(): Promise<void> {
    for (const child of this.#children) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      child.kill('SIGKILL');
      await once(child, 'close');
    }
    await this.run('daemon', 'stop');
    this.#dispose();
  }

  async #gone(...pids: readonly number[]): Promise<void> {
    for (const pid of pids) {
      while (isThere(pid)) await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }
}

/** The answer to `journal since --json`. */
export function sinceOf(result: RunResult): Since {
  const changes = result.events.filter(({ type }) => type === 'change') as unknown as Change[];
  const last = result.events.at(-1);
  expect(last, result.stdout + result.stderr).toMatchObject({ type: 'summary' });
  return { ...(last as unknown as Since), changes, paths: changes.map(({ path }) => path) };
}

/** Resolves with the line of `child`'s stdout that `isWanted`; rejects where it ends before. */
export function lineOf(child: ChildProcess, isWanted: (line: Record<string, unknown>) => boolean): Promise<void> {
  return new Promise((resolve, reject) => {
    let text = '';
    const look = (chunk: Buffer) => {
      text += chunk.toString();
      const lines = text.split('\n');
      text = lines.pop() ?? '';
      if (lines.some((line) => line.startsWith('{') && isWanted(JSON.parse(line)))) {
        child.stdout?.off('data', look);
        resolve();
      }
    };
    child.stdout?.on('data', look);
    child.once('close', (code) => reject(new Error(`ended with ${code} and without the line`)));
  });
}

/** A process that is a zombie is gone: whoever should reap it may be slow. */
function isThere(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}
