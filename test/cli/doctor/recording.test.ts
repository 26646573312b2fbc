/** Rows about the kernel, the backend of a directory, and the service. */
import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { limitRows, privilegeRows } from '../../../src/cli/doctor/kernel.ts';
import { recordingRows, serviceRows } from '../../../src/cli/doctor/recording.ts';
import { unnamedRows } from '../../../src/cli/doctor/unnamed.ts';
import { asRoot } from '../../../src/daemon/core/messages.ts';
import { fromText } from '../../../src/platform/core/byte-path.ts';
import { TidemarkError } from '../../../src/platform/core/errors.ts';
import { openFileSystem } from '../../../src/platform/open-filesystem.ts';
import { portableFileSystem } from '../../../src/platform/portable-filesystem.ts';
import { invoke, NO_SERVICE } from '../harness.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tidemark-rows-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const states = (rows: readonly { topic: string; state: string }[]) =>
  rows.map(({ topic, state }) => `${topic}: ${state}`);

test('capabilities, bit by bit', () => {
  const bits = (...numbers: readonly bigint[]) => numbers.reduce((all, bit) => all | (1n << bit), 0n).toString(16);
  expect(states(privilegeRows('000001ffffffffff'))).toEqual(['privileges: ok', 'lease rights: ok', 'census: ok']);
  expect(states(privilegeRows('0000000000000000'))).toEqual(['privileges: lost', 'lease rights: lost', 'census: lost']);
  expect(states(privilegeRows(bits(21n)))).toEqual(['privileges: ok', 'lease rights: lost', 'census: lost']);
  expect(states(privilegeRows(bits(19n, 28n)))).toEqual(['privileges: lost', 'lease rights: ok', 'census: ok']);
  expect(privilegeRows(null)).toEqual([]);
});

test('limits: those that are there, and what to do about those that are low', () => {
  const files = new Map([
    ['/proc/self/limits', 'Limit  Soft Limit\nMax open files            512       4096  files\n'],
    ['/proc/sys/fs/fanotify/max_user_marks', '8192\n'],
    ['/proc/sys/fs/fanotify/max_queued_events', '16384\n'],
    ['/proc/sys/fs/fanotify/max_user_groups', 'much\n'],
  ]);
  const rows = limitRows((file) => files.get(file) ?? '');
  expect(states(rows)).toEqual(['open files: lost', 'fanotify marks: lost', 'fanotify queue: ok']);
  expect(rows[1]).toMatchObject({
    text: 'at most 8,192: few',
    remedy: 'Raise it with sysctl fs.fanotify.max_user_marks=524288.',
  });
});

test('the backend of a directory, and for each better one why not', () => {
  const better = [
    { name: 'fanotify-filesystem', whyNot: 'no CAP_SYS_ADMIN' },
    { name: 'fanotify-directory', whyNot: 'too\x1b many marks' },
  ] as const;
  expect(recordingRows('/srv/caf\xe9', () => ({ chosen: 'chokidar', better }))).toEqual([
    { topic: 'recording', state: 'lost', text: 'chokidar would record /srv/caf\\xe9' },
    { topic: 'recording', state: 'lost', text: 'not fanotify-filesystem: no CAP_SYS_ADMIN' },
    { topic: 'recording', state: 'lost', text: 'not fanotify-directory: too\\x1b many marks' },
  ]);
  expect(recordingRows('/x', () => ({ chosen: 'fanotify-filesystem', better: [] }))).toMatchObject([{ state: 'ok' }]);
  const broken = () => {
    throw new Error('EACCES');
  };
  expect(recordingRows('/x', broken)).toEqual([{ topic: 'recording', state: 'lost', text: 'not tried at /x: EACCES' }]);
  const [real] = recordingRows(fromText(folder));
  expect(real?.text).toMatch(/^(fanotify-filesystem|fanotify-directory|chokidar|scan) would record /);
});

test('what a file without a name can tell, and the directory does not notice', () => {
  const before = statSync(folder, { bigint: true });
  const rows = unnamedRows(openFileSystem().fileSystem, fromText(folder));
  if (rows.length > 1)
    expect(rows.map(({ topic }) => topic)).toEqual(['lease there', 'reflink there', 'O_DIRECT there']);
  expect(unnamedRows(portableFileSystem(), fromText(folder))[0]?.state).not.toBe('ok');
  expect(unnamedRows(openFileSystem().fileSystem, fromText(join(folder, 'missing')))[0]?.state ?? 'lost').toBe('lost');
  expect(readdirSync(folder)).toEqual([]);
  expect(statSync(folder, { bigint: true }).mtimeNs).toBe(before.mtimeNs);
});

test('the service', async () => {
  expect(await serviceRows(NO_SERVICE)).toMatchObject([
    { state: 'lost', remedy: 'Start it with tidemark daemon start.' },
  ]);
  const describe = async () => ({
    pid: 7,
    workerPid: 8,
    program: '0.1.0',
    uptimeMs: 1,
    socketPath: '/x',
    roots: [{ root: asRoot('/srv'), backend: null, trouble: 'no such directory' }],
  });
  expect(await serviceRows({ ...NO_SERVICE, describe })).toEqual([
    { topic: 'service', state: 'ok', text: 'process 7 (tidemark 0.1.0) records 1 directory' },
    { topic: 'service', state: 'lost', text: '/srv: no such directory' },
  ]);
  const silent = async () => {
    throw new TidemarkError('unavailable', 'daemon-silent', 'it says nothing', { remedy: 'Look at its log.' });
  };
  expect(await serviceRows({ ...NO_SERVICE, describe: silent })).toEqual([
    { topic: 'service', state: 'bad', text: 'it says nothing', remedy: 'Look at its log.' },
  ]);
});

test('a directory as the endpoint gets its own rows, another host does not', async () => {
  const info = (canonicalPath: string) => ({
    root: {
      kind: 'directory',
      canonicalPath,
      parentExists: true,
      identity: null,
      isEmpty: true,
      hostId: '',
      ancestorIds: [],
    },
    ...{ backend: 'scan', whyNotBetter: null, fileSystem: 'ext4', freeBytes: 1, readOnly: false, foldsCase: false },
    ...{ foldsNormalization: false, maxNameBytes: 255, canExchange: true, version: '0.1.0', remarks: [] },
    ...{ nativeAddon: true, runsAsRoot: false },
  });
  const doctor = async (endpoint: string) => {
    const probeEndpoint = async () => ({ rows: [], info: info(fromText(folder)) as never, error: null });
    const { stdout } = await invoke(['doctor', endpoint, '--json'], { dependencies: { probeEndpoint } });
    const texts = stdout.split('\n').filter((line) => line.includes('"recording"'));
    return texts.some((line) => line.includes(folder));
  };
  expect([await doctor(folder), await doctor(`host:${folder}`)]).toEqual([true, false]);
});
