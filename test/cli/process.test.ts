/** The program as a process, around an engine that only pretends: signals, pipes, bytes, exit codes. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from 'esbuild';
import { afterAll, beforeAll, expect, test } from 'vitest';

const PROJECT = join(import.meta.dirname, '../..');

/** What alpha is called decides what the engine does. */
const PRETENDED_ENGINE = `
const side = { root: '', backend: 'scan', cursor: '', created: 0, modified: 0, deleted: 0, renamed: 0, metadata: 0 };
const zero = { alpha: 0, beta: 0 };
const summary = (of) => ({
  result: 'deferred', mode: 'two-way-safe', alpha: side, beta: side, conflicts: [], failed: [], halt: null,
  bytes: { literal: 0, matched: 0, reused: 0, sent: 0, received: 0 }, scanned: zero, hashed: zero, entries: zero,
  elapsedMs: 0, ...of,
});
const PATH = 'name'.repeat(20);
export async function runSync({ alpha }, reporter, signal) {
  if (alpha.path === 'stubborn') { console.error('running'); await new Promise(() => setInterval(() => {}, 1000)); }
  if (alpha.path === 'waiting') {
    console.error('running');
    const alive = setInterval(() => {}, 1000);
    await new Promise((resolve) => signal.addEventListener('abort', resolve));
    clearInterval(alive);
    throw signal.reason;
  }
  const count = alpha.path === 'many' ? 50_000 : 0;
  for (let index = 0; index < count; index++) {
    reporter.event({ type: 'action', side: 'beta', operation: 'create', kind: 'file', path: PATH + index });
    if (index % 1000 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  return summary({ deferred: [{ path: alpha.path, reason: 'to show it' }] });
}`;

const REQUIRE =
  "import { createRequire as __createRequire } from 'node:module';const require = __createRequire(import.meta.url);";

let folder: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'tidemark-process-'));
  await build({
    stdin: {
      contents: "import { main } from './main.ts'; process.exit(await main());",
      resolveDir: join(PROJECT, 'src/cli'),
      loader: 'ts',
    },
    outfile: join(folder, 'program.mjs'),
    bundle: true,
    platform: 'node',
    format: 'esm',
    banner: { js: REQUIRE },
    external: ['../transport/agent-main.ts', '../daemon/journals.ts', './run-daemon.ts', 'lmdb', 'ssh2', 'vitest'],
    logLevel: 'error',
    plugins: [
      {
        name: 'pretended-engine',
        setup(builder) {
          builder.onLoad({ filter: /src\/cli\/run-sync\.ts$/ }, () => ({
            contents: PRETENDED_ENGINE,
            loader: 'ts',
          }));
          builder.onResolve({ filter: /run-sync\.ts$/ }, () => ({ path: join(PROJECT, 'src/cli/run-sync.ts') }));
        },
      },
    ],
  });
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const environment = () => ({ ...process.env, TIDEMARK_HOME: folder });

function start(...argv: string[]): ChildProcess {
  return spawn(process.execPath, [join(folder, 'program.mjs'), ...argv], { env: environment() });
}

/** Resolves when the child has said `text` on stderr. */
function said(child: ChildProcess, text: string): Promise<void> {
  return new Promise((resolve, reject) => {
    let all = '';
    child.on('close', () => reject(new Error(`ended without "${text}": ${all}`)));
    child.stderr?.on('data', (chunk: Buffer) => {
      all += chunk.toString();
      if (all.includes(text)) resolve();
    });
  });
}

function ended(child: ChildProcess): Promise<number | null> {
  return new Promise((resolve) => child.on('close', (code) => resolve(code)));
}

test.each([
  ['SIGINT', 130],
  ['SIGTERM', 143],
  ['SIGHUP', 129],
] as const)('%s: the run ends in its own time, with %i', async (signal, code) => {
  const child = start('sync', 'waiting', 'b');
  const end = ended(child);
  await said(child, 'running');
  child.kill(signal);
  expect(await end).toBe(code);
});

test('a second signal ends a run that does not listen', async () => {
  const child = start('sync', 'stubborn', 'b');
  const end = ended(child);
  await said(child, 'running');
  child.kill('SIGINT');
  await said(child, 'interrupt again');
  child.kill('SIGTERM');
  expect(await end).toBe(143);
});

function shell(command: string) {
  const env = { ...environment(), NODE: process.execPath, PROGRAM: join(folder, 'program.mjs') };
  return spawnSync('bash', ['-c', command], { env, encoding: 'utf8' });
}

test('a reader that hangs up: the run goes on to its end, without a word', () => {
  const { stdout, stderr } = shell('$NODE $PROGRAM sync many b --json | head -n 1; echo $PIPESTATUS');
  expect(stderr).toBe('');
  expect(stdout).toMatch(/^\{"type":"action".*\}\n1\n$/);
});

test('all output arrives through a slow pipe', () => {
  const { stdout } = shell('$NODE $PROGRAM sync many b --json | (sleep 0.5; wc -l)');
  expect(stdout.trim()).toBe('50001');
});

test.runIf(process.platform === 'linux')('an argument that is not UTF-8 arrives as it was typed', () => {
  const { stdout, status } = shell("$NODE $PROGRAM sync $'caf\\xe9' b --json --no-progress");
  expect(JSON.parse(stdout).deferred).toEqual([
    { path: 'caf\\xe9', pathBytes: Buffer.from('caf\xe9', 'latin1').toString('base64'), reason: 'to show it' },
  ]);
  expect(status).toBe(1);
});
