/** Small C programs that write to files in ways Node has none for; compiled when they are first needed. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface, type Interface } from 'node:readline';

export type WriterProgram =
  | 'aio-writer'
  | 'map-writer'
  | 'open-writer'
  | 'power-loss'
  | 'ring-writer'
  | 'stalled-writer'
  | 'thread-writer';

const SOURCES = join(import.meta.dirname, 'writers');

let folder: string | null = null;
const compiled = new Map<WriterProgram, string>();

/** Why they cannot be compiled here; null where they can. */
export function whyNoCompiler(): string | null {
  return spawnSync(process.env.CC ?? 'cc', ['--version']).error === undefined ? null : 'no C compiler';
}

/** Removes what was compiled. */
export function disposePrograms(): void {
  if (folder !== null) rmSync(folder, { recursive: true, force: true });
  folder = null;
  compiled.clear();
}

/** Path of the compiled program. */
export function programFor(name: WriterProgram): string {
  const known = compiled.get(name);
  if (known !== undefined) return known;
  folder ??= mkdtempSync(join(tmpdir(), 'tidemark-writers-'));
  const program = join(folder, name);
  const words = ['-O1', '-Wall', '-Wextra', '-Werror', '-pthread', '-o', program, join(SOURCES, `${name}.c`)];
  const { status, stderr } = spawnSync(process.env.CC ?? 'cc', words, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`${name}.c: ${stderr}`);
  compiled.set(name, program);
  return program;
}

/** A running one; it talks in lines. Waiting for a line that never comes ends with an error when the program ends. */
export class RunningWriter {
  readonly #process: ChildProcess;
  readonly #lines: AsyncIterator<string>;
  readonly #reader: Interface;
  readonly exited: Promise<number | null>;

  constructor(name: WriterProgram, ...args: readonly string[]) {
    this.#process = spawn(programFor(name), args, { stdio: ['pipe', 'pipe', 'inherit'] });
    this.exited = once(this.#process, 'exit').then(([code]) => code as number | null);
    if (this.#process.stdout === null) throw new Error('no output');
    this.#reader = createInterface(this.#process.stdout);
    this.#lines = this.#reader[Symbol.asyncIterator]();
  }

  get pid(): number {
    return this.#process.pid ?? 0;
  }

  async line(): Promise<string> {
    const next = await this.#lines.next();
    if (next.done === true) throw new Error(`the writer ended with ${await this.exited}`);
    return next.value;
  }

  /** Waits for a line, which has to be this one. */
  async says(expected: string): Promise<void> {
    const line = await this.line();
    if (line !== expected) throw new Error(`the writer said ${line}, not ${expected}`);
  }

  /** Sends an empty line. */
  go(): void {
    this.#process.stdin?.write('\n');
  }

  /** Ends its input and waits for its end. */
  async end(): Promise<void> {
    this.#process.stdin?.end();
    await this.exited;
    this.#reader.close();
  }
}
