/** The commands of the service, around one that only pretends. */
import { expect, test } from 'vitest';
import type { ServiceAccess } from '../../../src/cli/request.ts';
import { asRoot } from '../../../src/daemon/core/messages.ts';
import type { ServiceDescription } from '../../../src/daemon/service.ts';
import { TidemarkError } from '../../../src/platform/core/errors.ts';
import { invoke, NO_SERVICE } from '../harness.ts';

const RUNNING: ServiceDescription = {
  pid: 100,
  workerPid: 101,
  program: '0.1.0',
  uptimeMs: 200_000,
  socketPath: '/run/x',
  roots: [
    { root: asRoot('/srv/a'), backend: 'fanotify-filesystem', trouble: null },
    { root: asRoot('/srv/caf\xe9'), backend: null, trouble: 'no such\x1b directory' },
    { root: asRoot('/srv/new'), backend: null, trouble: null },
  ],
};

function run(line: string, of: Partial<ServiceAccess> = {}) {
  return invoke(['daemon', ...line.split(' ')], { dependencies: { service: async () => ({ ...NO_SERVICE, ...of }) } });
}

test('status of a service that runs', async () => {
  const describe = async () => RUNNING;
  const { code, stdout } = await run('status --json', { describe });
  expect(code).toBe(0);
  expect(JSON.parse(stdout)).toEqual({
    type: 'status',
    running: true,
    pid: 100,
    workerPid: 101,
    uptimeMs: 200_000,
    program: '0.1.0',
    roots: [
      { root: '/srv/a', backend: 'fanotify-filesystem' },
      {
        root: '/srv/caf\\xe9',
        rootBytes: Buffer.from('/srv/caf\xe9', 'latin1').toString('base64'),
        backend: null,
        trouble: 'no such\x1b directory',
      },
      { root: '/srv/new', backend: null },
    ],
  });
  expect((await run('status', { describe })).stdout.split('\n')).toEqual([
    'running: process 100, worker 101, up 3 min 20 s, tidemark 0.1.0',
    '  /srv/a        fanotify-filesystem',
    '  /srv/caf\\xe9  not recorded: no such\\x1b directory',
    '  /srv/new      about to begin',
    '',
  ]);
});

test('status where none runs: 4, and what would be recorded', async () => {
  const registered = () => ['/srv/a'];
  const { code, stdout } = await run('status --json', { registered });
  expect(code).toBe(4);
  expect(JSON.parse(stdout)).toEqual({ type: 'status', running: false, roots: [{ root: '/srv/a', backend: null }] });
  const text = await run('status', { registered });
  expect(text).toMatchObject({ code: 4, stdout: 'not running\n  /srv/a  waits to be recorded\n' });
  expect(text.stderr).toContain('tidemark daemon start');
});

test('start and stop', async () => {
  expect(await run('start')).toMatchObject({ code: 0, stdout: 'started: process 4711\n' });
  expect(JSON.parse((await run('start --json')).stdout)).toEqual({ type: 'started', pid: 4711 });
  expect(await run('stop')).toMatchObject({ code: 0, stdout: 'was not running\n' });
  expect((await run('stop --json', { stop: async () => true })).stdout).toBe('{"type":"stopped","wasRunning":true}\n');
});

test('two at once: 6, and who runs', async () => {
  const start = async () => {
    throw new TidemarkError('locked', 'daemon-running', 'the service runs already (process 7)', { remedy: 'Look.' });
  };
  expect(await run('start', { start })).toMatchObject({
    code: 6,
    stderr: 'tidemark: the service runs already (process 7)\n  Look.\n',
  });
});

test('run: the log goes to stderr, escaped; its regular end is 0', async () => {
  const serve: ServiceAccess['run'] = async (log) => log('worker \x1b serves');
  expect(await run('run', { run: serve })).toMatchObject({ code: 0, stdout: '', stderr: 'worker \\x1b serves\n' });
});

test('install: for whom, what was done, and what comes next', async () => {
  const asked: unknown[] = [];
  const install: ServiceAccess['install'] = (kind, force) => {
    asked.push([kind, force]);
    return { file: `/units/${kind}`, outcome: 'replaced', warning: 'it may go away' };
  };
  const user = await run('install --user', { install });
  expect(user).toMatchObject({ code: 0, stdout: 'written in place of an older one of ours: /units/user\n' });
  expect(user.stderr).toContain('note: it may go away');
  expect(user.stderr).toContain('systemctl --user daemon-reload && systemctl --user enable --now tidemark');
  const system = await run('install --system --force --json', { install });
  expect(JSON.parse(system.stdout)).toEqual({
    type: 'installed',
    file: '/units/system',
    kind: 'system',
    outcome: 'replaced',
  });
  expect(asked).toEqual([
    ['user', false],
    ['system', true],
  ]);
  expect((await run('install --user --system')).code).toBe(2);
});

test('uninstall', async () => {
  expect(await run('uninstall --user')).toMatchObject({ code: 0, stdout: 'was not installed\n' });
  const uninstall = () => '/units/tidemark.service';
  const { stdout, stderr } = await run('uninstall --user', { uninstall });
  expect(stdout).toBe('removed /units/tidemark.service\n');
  expect(stderr).toContain('systemctl --user daemon-reload');
});

test.each([
  [['daemon'], 'which command?'],
  [['daemon', 'restart'], "unknown command 'restart'"],
  [['daemon', 'start', 'now'], 'too many arguments'],
])('wrong use: %j', async (argv, message) => {
  const { code, stdout, stderr } = await invoke(argv);
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
  expect(stderr).toContain(message);
});
