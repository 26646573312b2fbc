/** Runs the built program as a user would, with a private home, and reads what it says. */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export const PROGRAM = join(import.meta.dirname, '../../bin/tidemark.js');

/** The summary line of `--json`, as far as tests look at it. */
export interface JsonSummary {
  readonly type: 'summary';
  readonly result: string;
  readonly alpha: SideCounts;
  readonly beta: SideCounts;
  readonly conflicts: readonly { path: string; alpha: string; beta: string }[];
  readonly deferred: readonly { path: string; reason: string }[];
  readonly failed: readonly { path: string; side: string; error: string; message: string }[];
  readonly halt: { reason: string; side: string; detail: string } | null;
  readonly bytes: { literal: number; matched: number; reused: number; sent: number; received: number };
  readonly scanned: { alpha: number; beta: number };
  readonly hashed: { alpha: number; beta: number };
}

export interface SideCounts {
  readonly root: string;
  readonly backend: string;
  readonly created: number;
  readonly modified: number;
  readonly deleted: number;
  readonly renamed: number;
  readonly metadata: number;
}

export interface RunResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
  /** Objects of stdout, where it is NDJSON. */
  readonly events: readonly Record<string, unknown>[];
  readonly summary: JsonSummary;
}

export interface RunSettings {
  readonly home: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  readonly timeoutMs?: number;
  /** Run in place of Node and the program; gets the arguments. */
  readonly program?: string;
}

/** `tidemark ARGS…`, to its end. `summary` throws on access where there is none. */
export function tidemark(args: readonly (string | Buffer)[], settings: RunSettings): Promise<RunResult> {
  return new Promise((resolve) => {
    const given = args as string[];
    execFile(
      settings.program ?? process.execPath,
      settings.program === undefined ? [PROGRAM, ...given] : given,
      {
        cwd: settings.cwd,
        env: environment(settings),
        maxBuffer: 256 * 1024 * 1024,
        timeout: settings.timeoutMs ?? 120_000,
        killSignal: 'SIGKILL',
      },
      (error, stdout, stderr) => {
        const code = error === null ? 0 : typeof error.code === 'number' ? error.code : -1;
        resolve(resultOf(code, stdout, stderr));
      },
    );
  });
}

/** The same, but running: for tests that interrupt it. */
export function startTidemark(args: readonly string[], settings: RunSettings): ChildProcess {
  return spawn(process.execPath, [PROGRAM, ...args], { cwd: settings.cwd, env: environment(settings) });
}

/** A private temporary folder, removed by `dispose`. */
export function temporaryFolder(prefix = 'tidemark-test-'): { readonly path: string; dispose(): void } {
  const path = mkdtempSync(join(tmpdir(), prefix));
  return { path, dispose: () => rmSync(path, { recursive: true, force: true }) };
}

function environment(settings: RunSettings): NodeJS.ProcessEnv {
  return { ...process.env, TIDEMARK_HOME: settings.home, NO_COLOR: '1', ...settings.env };
}

function resultOf(code: number, stdout: string, stderr: string): RunResult {
  const events = stdout
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  return {
    code,
    stdout,
    stderr,
    events,
    get summary(): JsonSummary {
      const last = events.at(-1);
      if (last?.type !== 'summary') throw new Error(`no summary; exit ${code}\nstdout: ${stdout}\nstderr: ${stderr}`);
      return last as unknown as JsonSummary;
    },
  };
}
