/** One invocation of the command line without a process: what it printed, returned and asked for. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';
import type { Environment } from '../../src/cli/folders.ts';
import { Terminal, type TextStream } from '../../src/cli/output/terminal.ts';
import { run } from '../../src/cli/program.ts';
import type { Dependencies, ProbeRequest, ServiceAccess, SyncRequest, VerifyRequest } from '../../src/cli/request.ts';
import { fromText } from '../../src/platform/core/byte-path.ts';
import type { Summary } from '../../src/sync/report.ts';

/** A stream that keeps what is written to it. */
export class KeptStream implements TextStream {
  text = '';
  readonly isTTY: boolean;
  readonly columns = 80;
  readonly #listeners: ((error: Error) => void)[] = [];

  constructor(isTTY = false) {
    this.isTTY = isTTY;
  }

  write(text: string, done?: (error?: Error | null) => void): boolean {
    this.text += text;
    done?.();
    return true;
  }

  on(_event: 'error', listener: (error: Error) => void): void {
    this.#listeners.push(listener);
  }

  fail(error: Error): void {
    for (const listener of this.#listeners) listener(error);
  }

  get lines(): string[] {
    return this.text.split('\n').slice(0, -1);
  }
}

export interface Invoked {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
  readonly syncs: readonly SyncRequest[];
  readonly verifications: readonly VerifyRequest[];
  readonly probes: readonly ProbeRequest[];
}

export interface InvokeOptions {
  readonly environment?: Environment;
  readonly homeDirectory?: string;
  readonly dependencies?: Partial<Dependencies>;
  readonly signal?: AbortSignal;
  readonly isTTY?: boolean;
}

const EMPTY_HOME = mkdtempSync(join(tmpdir(), 'tidemark-cli-home-'));
afterAll(() => rmSync(EMPTY_HOME, { recursive: true, force: true }));

/** No service runs, and none is started. */
export const NO_SERVICE: ServiceAccess = {
  run: async () => {},
  start: async () => 4711,
  stop: async () => false,
  describe: async () => null,
  registered: () => [],
  install: () => ({ file: '/units/tidemark.service', outcome: 'written', warning: null }),
  uninstall: () => null,
};

/** Runs `tidemark ...argv` (texts) with an engine that does nothing and finds everything equal. */
export async function invoke(argv: readonly string[], options: InvokeOptions = {}): Promise<Invoked> {
  const [stdout, stderr] = [new KeptStream(options.isTTY), new KeptStream(options.isTTY)];
  const terminal = new Terminal(stdout, stderr);
  const [syncs, verifications, probes] = [[] as SyncRequest[], [] as VerifyRequest[], [] as ProbeRequest[]];
  const dependencies: Dependencies = {
    async runSync(request, reporter, signal) {
      syncs.push(request);
      return (await options.dependencies?.runSync?.(request, reporter, signal)) ?? summary();
    },
    async runVerify(request, reporter, signal) {
      verifications.push(request);
      const result = await options.dependencies?.runVerify?.(request, reporter, signal);
      return result ?? { differences: [], entries: 3, hashedBytes: 2048, elapsedMs: 12 };
    },
    async probeEndpoint(request, signal) {
      probes.push(request);
      return (await options.dependencies?.probeEndpoint?.(request, signal)) ?? { rows: [], info: null, error: null };
    },
    async serveAgent() {
      await options.dependencies?.serveAgent?.();
    },
    async journals(folders) {
      const made = await options.dependencies?.journals?.(folders);
      if (made === undefined) throw new Error('no journals in this test');
      return made;
    },
    async service(place) {
      return (await options.dependencies?.service?.(place)) ?? NO_SERVICE;
    },
  };
  const code = await run(argv.map(fromText), {
    environment: options.environment ?? {},
    homeDirectory: options.homeDirectory ?? EMPTY_HOME,
    terminal,
    prompter: { isInteractive: () => false, askSecret: async () => '' },
    signal: options.signal ?? new AbortController().signal,
    nowMs: () => 0,
    wallClockMs: () => 0,
    dependencies,
  });
  await terminal.close();
  return { code, stdout: stdout.text, stderr: stderr.text, syncs, verifications, probes };
}

/** A summary with nothing in it but what is given. */
export function summary(of: Partial<Summary> = {}): Summary {
  const side = { backend: 'scan', cursor: 'c1', created: 0, modified: 0, deleted: 0, renamed: 0, metadata: 0 } as const;
  return {
    result: 'in-sync',
    mode: 'two-way-safe',
    alpha: { root: '/a', ...side },
    beta: { root: '/b', ...side },
    conflicts: [],
    deferred: [],
    failed: [],
    halt: null,
    bytes: { literal: 0, matched: 0, reused: 0, sent: 0, received: 0 },
    scanned: { alpha: 3, beta: 3 },
    hashed: { alpha: 0, beta: 0 },
    entries: { alpha: 78_579, beta: 78_579 },
    elapsedMs: 912.4,
    ...of,
  };
}
