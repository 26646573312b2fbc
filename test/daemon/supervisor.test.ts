/** The supervisor around a worker that only pretends. */
import { spawnSync } from 'node:child_process';
import {
  appendFileSync,
  closeSync,
  existsSync,
  fstatSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { heldName } from '../../src/daemon/core/held-names.ts';
import { closeHoldings, type Openers, takeHoldings } from '../../src/daemon/holdings.ts';
import { ServiceManager } from '../../src/daemon/service-manager.ts';
import { type SupervisorOptions, supervise } from '../../src/daemon/supervisor.ts';
import { TidemarkError } from '../../src/platform/core/errors.ts';

/** Writes what it was given into `lives`, serves, and ends as it is told; dies at once while the file `broken` is there. */
const WORKER = `
import { appendFileSync, existsSync, readFileSync } from 'node:fs';
const setup = JSON.parse(process.env.TIDEMARK_WORKER);
const [folder] = process.argv.slice(2);
const read = (fd) => readFileSync('/proc/self/fd/' + fd, 'utf8');
const groups = setup.groups.map(({ kind, group, ring }) => [kind, read(group), read(ring)]);
const { runId, stateFolder, socketPath } = setup;
const inherited = Object.keys(process.env).filter((name) => /^(LISTEN|NOTIFY|WATCHDOG)/.test(name));
const life = { pid: process.pid, runId, groups, stateFolder, socketPath, inherited };
appendFileSync(folder + '/lives', JSON.stringify(life) + '\\n');
if (existsSync(folder + '/broken')) process.exit(70);
process.on('message', () => {
  appendFileSync(folder + '/ends', process.pid + '\\n');
  process.exit(0);
});
process.send({ kind: 'ready' });
setInterval(() => {}, 1000);
`;

let folder: string;
let controller: AbortController;
let log: string[];
let running: Promise<void>[];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tidemark-supervisor-'));
  writeFileSync(join(folder, 'worker.mjs'), WORKER);
  for (const name of ['group', 'ring']) writeFileSync(join(folder, name), `contents of the ${name}`);
  controller = new AbortController();
  log = [];
  running = [];
});
afterEach(async () => {
  controller.abort();
  await Promise.allSettled(running);
  rmSync(folder, { recursive: true, force: true });
});

/** Files in place of a group; no file systems kind, as for users without privilege. */
const openers: Openers = {
  group(kind) {
    if (kind === 'file-systems') throw Object.assign(new Error('EPERM'), { code: 'EPERM' });
    return { kind, group: openSync(join(folder, 'group'), 'r'), ring: openSync(join(folder, 'ring'), 'r') };
  },
  socket: () => null,
};

function start(of: Partial<SupervisorOptions> = {}): { ready: Promise<void>; ended: Promise<void> } {
  const ready = new Promise<void>((resolve) => {
    const ended = supervise(
      {
        folders: { state: join(folder, 'state'), runtime: join(folder, 'run') },
        worker: { program: process.execPath, arguments: [join(folder, 'worker.mjs'), folder] },
        environment: {},
        log: (line) => log.push(line),
        onReady: resolve,
        openers,
        ...of,
      },
      controller.signal,
    );
    running.push(ended);
  });
  return { ready, ended: running.at(-1) as Promise<void> };
}

interface Life {
  readonly pid: number;
  readonly runId: string;
  readonly groups: readonly [kind: string, group: string, ring: string][];
  readonly stateFolder: string;
  readonly socketPath: string;
  readonly inherited: readonly string[];
}

function lives(): Life[] {
  if (!existsSync(join(folder, 'lives'))) return [];
  const lines = readFileSync(join(folder, 'lives'), 'utf8').trimEnd().split('\n');
  return lines.map((line) => JSON.parse(line));
}

test('the worker gets its folders and the descriptors, intact', async () => {
  await start().ready;
  const [life] = lives();
  expect(life).toMatchObject({
    groups: [['directories', 'contents of the group', 'contents of the ring']],
    stateFolder: join(folder, 'state'),
    socketPath: join(folder, 'run/daemon.sock'),
  });
  expect(life?.runId).toMatch(/^[0-9a-f]{32}$/);
  expect(log).toContain('no fanotify group for file-systems: EPERM');
});

test('a worker that is killed has a successor at once, with the same run and the same descriptors', async () => {
  await start().ready;
  for (let count = 1; count <= 2; count++) {
    const startedMs = performance.now();
    process.kill(lives().at(-1)?.pid ?? 0, 'SIGKILL');
    await vi.waitFor(() => expect(lives()).toHaveLength(count + 1), { timeout: 5000 });
    if (count === 1) expect(performance.now() - startedMs).toBeLessThan(2000);
  }
  const [first, ...others] = lives();
  for (const { pid, runId, groups } of others) {
    expect(pid).not.toBe(first?.pid);
    expect({ runId, groups }).toEqual({ runId: first?.runId, groups: first?.groups });
  }
  expect(log.filter((line) => line.includes('ended by SIGKILL'))).toHaveLength(2);
});

test('a clean stop waits for the worker and leaves neither lock nor socket behind', async () => {
  const { ready, ended } = start();
  await ready;
  expect(readFileSync(join(folder, 'state/daemon/socket'), 'utf8')).toBe(`${join(folder, 'run/daemon.sock')}\n`);
  controller.abort();
  await ended;
  expect(readFileSync(join(folder, 'ends'), 'utf8')).toBe(`${lives()[0]?.pid}\n`);
  expect(log.at(-1)).toBe('stopped: everything is drained and recorded');
  expect(existsSync(join(folder, 'state/daemon/socket'))).toBe(false);
  controller = new AbortController();
  await start().ready;
});

test('never two for one state folder: the second is told who runs', async () => {
  await start().ready;
  await expect(start().ended).rejects.toMatchObject({
    fault: 'locked',
    code: 'daemon-running',
    message: expect.stringContaining(`process ${process.pid}`),
  });
  expect(lives()).toHaveLength(1);
});

test('a worker that does not come up is tried again and again, and comes up when the cause is gone', async () => {
  appendFileSync(join(folder, 'broken'), '');
  const reasons: string[] = [];
  const { ready } = start({ onFailedStart: (reason) => reasons.push(reason) });
  await vi.waitFor(() => expect(lives().length).toBeGreaterThanOrEqual(2), { timeout: 5000 });
  rmSync(join(folder, 'broken'));
  await ready;
  expect(reasons[0]).toBe('exit code 70');
});

test('a stop while nothing runs does not wait for the pause to end', async () => {
  appendFileSync(join(folder, 'broken'), '');
  const { ended } = start();
  await vi.waitFor(() => expect(log.some((line) => /in [1-9]\d\d ms/.test(line))).toBe(true), { timeout: 8000 });
  controller.abort();
  const startedMs = performance.now();
  await ended;
  expect(performance.now() - startedMs).toBeLessThan(1000);
});

test('a worker program that is not there', async () => {
  const { ended } = start({ worker: { program: join(folder, 'missing'), arguments: [] } });
  await vi.waitFor(() => expect(log.some((line) => line.includes('ENOENT'))).toBe(true), { timeout: 5000 });
  controller.abort();
  await ended;
});

test('what a service manager said to the supervisor is not passed on', async () => {
  const given = { NOTIFY_SOCKET: '/nowhere', WATCHDOG_USEC: '1000000', LISTEN_PID: '1' };
  const before = { ...process.env };
  Object.assign(process.env, given);
  try {
    await start().ready;
  } finally {
    for (const name of Object.keys(given)) delete process.env[name];
    Object.assign(process.env, before);
  }
  expect(lives()[0]?.inherited).toEqual([]);
});

test('without anything handed over, everything is opened here, and every run has an id of its own', () => {
  const manager = new ServiceManager({}, process.pid, () => {});
  const options = { socketPath: join(folder, 's'), environment: {}, pid: process.pid, manager, log: () => {}, openers };
  const [one, two] = [takeHoldings(options), takeHoldings(options)];
  expect(one.groups.map(({ kind }) => kind)).toEqual(['directories']);
  expect(one.runId).not.toBe(two.runId);
  for (const holdings of [one, two]) closeHoldings(holdings);
  expect(() => fstatSync(one.groups[0]?.group ?? -1)).toThrow('EBADF');
});

test('a supervisor that follows another one goes on with its run, descriptors and all', () => {
  const runId = '0123456789abcdef0123456789abcdef';
  const names = ['directories-group', 'directories-ring'].map((part) => heldName({ runId, part: part as never }));
  const script = `
    import { supervise } from ${JSON.stringify(join(folder, 'supervisor.mjs'))};
    const stop = new AbortController();
    await supervise({
      folders: { state: '${folder}/state', runtime: '${folder}/run' },
      worker: { program: process.execPath, arguments: ['${folder}/worker.mjs', '${folder}'] },
      environment: { ...process.env, LISTEN_PID: String(process.pid) },
      log: (line) => console.log(line),
      onReady: () => stop.abort(),
    }, stop.signal);`;
  writeFileSync(join(folder, 'successor.mjs'), script);
  const bundle = spawnSync(
    join(import.meta.dirname, '../../node_modules/.bin/esbuild'),
    [
      join(import.meta.dirname, '../../src/daemon/supervisor.ts'),
      '--bundle',
      '--platform=node',
      '--format=esm',
      `--outfile=${join(folder, 'supervisor.mjs')}`,
      '--log-level=error',
    ],
    { encoding: 'utf8' },
  );
  expect(bundle.stderr).toBe('');
  const stored = ['group', 'ring'].map((name) => openSync(join(folder, name), 'r'));
  const { stdout, status } = spawnSync(process.execPath, [join(folder, 'successor.mjs')], {
    stdio: ['ignore', 'pipe', 'inherit', ...stored],
    encoding: 'utf8',
    env: { ...process.env, LISTEN_FDS: '2', LISTEN_FDNAMES: names.join(':') },
  });
  for (const fd of stored) closeSync(fd);
  expect({ status, stdout }).toMatchObject({
    status: 0,
    stdout: expect.stringContaining(`going on with run ${runId}`),
  });
  expect(lives()).toMatchObject([
    { runId, groups: [['directories', 'contents of the group', 'contents of the ring']] },
  ]);
});

test('an error of the folders ends it with a word about them', async () => {
  writeFileSync(join(folder, 'state'), '');
  const ended = start().ended;
  await expect(ended).rejects.toBeInstanceOf(TidemarkError);
  await expect(ended).rejects.toMatchObject({ code: 'state-folder' });
});
