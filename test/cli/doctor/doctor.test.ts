import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { featureRows } from '../../../src/cli/doctor/features.ts';
import { addonRows } from '../../../src/cli/doctor/machine.ts';
import type { DoctorRow, ProbeResult } from '../../../src/cli/request.ts';
import { TidemarkError } from '../../../src/platform/core/errors.ts';
import { openFileSystem } from '../../../src/platform/open-filesystem.ts';
import { portableFileSystem } from '../../../src/platform/portable-filesystem.ts';
import type { EndpointInfo } from '../../../src/sync/endpoint.ts';
import { invoke } from '../harness.ts';

let home: string;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'tidemark-doctor-test-'));
});
afterEach(() => rmSync(home, { recursive: true, force: true }));

const INFO: EndpointInfo = {
  root: {
    kind: 'directory',
    parentExists: true,
    identity: null,
    isEmpty: true,
    hostId: '',
    ancestorIds: [],
    canonicalPath: '/srv/\x1bx',
  },
  backend: 'scan',
  whyNotBetter: 'no CAP_SYS_ADMIN',
  nativeAddon: true,
  fileSystem: 'ext4',
  freeBytes: 12_000_000_000,
  readOnly: false,
  foldsCase: true,
  foldsNormalization: false,
  maxNameBytes: 255,
  canExchange: false,
  runsAsRoot: false,
  version: '0.1.0',
  remarks: ['tried fanotify'],
};

function json(stdout: string): (DoctorRow & { type: string })[] {
  return stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
}

test('this machine: no row is bad, each topic is there', async () => {
  const { code, stdout, stderr } = await invoke(['doctor', '--json'], { environment: { TIDEMARK_HOME: home } });
  expect(stderr).toBe('');
  const rows = json(stdout);
  const topics = ['program', 'remote half', 'addon', 'lease', 'exchange', 'reflink', 'ssh program', 'ssh agent'];
  expect(rows.map(({ topic }) => topic)).toEqual(expect.arrayContaining([...topics, 'state folder', 'configuration']));
  expect(rows.at(-1)).toMatchObject({ type: 'summary', bad: 0 });
  expect(code).toBe(0);
  expect(readdirSync(home)).toEqual([]);
});

test('a broken configuration is a finding, not the end', async () => {
  writeFileSync(join(home, 'config.toml'), 'conflit = "newer"\n');
  const { code, stdout } = await invoke(['doctor'], { environment: { TIDEMARK_HOME: home } });
  expect(code).toBe(4);
  expect(stdout).toMatch(/bad {3}configuration +.*conflit is not an option/);
  expect(stdout).toContain('1 thing to repair.');
});

test('features are tried and leave nothing behind; the portable file system lacks them', () => {
  const { fileSystem } = openFileSystem();
  expect(featureRows(fileSystem, home).map(({ topic }) => topic)).toEqual(['lease', 'exchange', 'reflink']);
  const portable = featureRows(portableFileSystem(), home);
  expect(portable.map(({ state }) => state)).toEqual(['lost', 'lost', 'lost']);
  expect(featureRows(fileSystem, join(home, 'missing'))).toMatchObject([{ state: 'lost' }]);
  expect(readdirSync(home)).toEqual([]);
});

test('a missing addon says what is lost', () => {
  const rows = addonRows({ fileSystem: portableFileSystem(), addonMissing: 'it does not load' });
  expect(rows).toMatchObject([{ state: 'lost', text: expect.stringContaining('it does not load: no change notif') }]);
});

async function at(result: ProbeResult) {
  const dependencies = { probeEndpoint: async () => result };
  return invoke(['doctor', 'host:x', '--port', '22'], { dependencies, environment: { TIDEMARK_HOME: home } });
}

test('an endpoint', async () => {
  const connection: DoctorRow = { topic: 'host key', state: 'ok', text: 'known' };
  const { code, stdout, probes } = await at({ rows: [connection], info: INFO, error: null });
  expect(probes[0]).toMatchObject({ address: { kind: 'ssh', host: 'host' }, connection: { port: 22 } });
  expect(code).toBe(0);
  expect(stdout).toMatch(/ok {4}host key +known/);
  expect(stdout).toMatch(/ok {4}root +\/srv\/\\x1bx, an empty directory/);
  expect(stdout).toMatch(/lost {2}backend +scan; nothing better because no CAP_SYS_ADMIN/);
  expect(stdout).toMatch(/ok {4}file system +ext4, 12 GB free, names up to 255 bytes/);
  expect(stdout).toMatch(/lost {2}names +names that differ by case/);
});

test('an endpoint that is not reached', async () => {
  const error = new TidemarkError('unavailable', 'refused', 'connection refused', { remedy: 'Is sshd running?' });
  const { code, stdout } = await at({ rows: [], info: null, error });
  expect(code).toBe(4);
  expect(stdout).toMatch(/bad {3}endpoint +connection refused\n +Is sshd running\?/);
});
