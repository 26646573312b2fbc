import { spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { isOwnUnit, UNIT_NAME, type UnitSettings, unitText } from '../../../src/daemon/core/unit-file.ts';

const folder = mkdtempSync(join(tmpdir(), 'tidemark-unit-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const SETTINGS: UnitSettings = {
  kind: 'user',
  node: process.execPath,
  script: '/opt/tidemark/bin/tidemark.js',
  environment: [],
  canNotify: true,
};

/** Values of `key` in the unit, in order. */
function values(text: string, key: string): string[] {
  return text
    .split('\n')
    .filter((line) => line.startsWith(`${key}=`))
    .map((line) => line.slice(key.length + 1));
}

test('a unit of the user', () => {
  const text = unitText(SETTINGS);
  expect(values(text, 'ExecStart')).toEqual([`"${process.execPath}" "/opt/tidemark/bin/tidemark.js" "daemon" "run"`]);
  expect(values(text, 'Type')).toEqual(['notify']);
  expect(values(text, 'Restart')).toEqual(['on-failure']);
  expect(Number(values(text, 'FileDescriptorStoreMax')[0])).toBeGreaterThanOrEqual(5);
  expect(values(text, 'CapabilityBoundingSet')).toEqual([]);
  expect(values(text, 'WantedBy')).toEqual(['default.target']);
  expect(isOwnUnit(text)).toBe(true);
});

test('a unit of the system keeps the capabilities that recording takes, and no more', () => {
  const text = unitText({ ...SETTINGS, kind: 'system' });
  const [kept = ''] = values(text, 'CapabilityBoundingSet');
  for (const name of ['CAP_SYS_ADMIN', 'CAP_DAC_READ_SEARCH', 'CAP_LEASE', 'CAP_SYS_PTRACE'])
    expect(kept).toContain(name);
  expect(kept).not.toContain('CAP_NET');
  expect(values(text, 'WantedBy')).toEqual(['multi-user.target']);
});

test('nothing that would hide mounts, or that V8 cannot live with', () => {
  const text = unitText({ ...SETTINGS, kind: 'system' });
  const words = ['Protect', 'PrivateTmp', 'PrivateMounts', 'ReadOnly', 'Inaccessible', 'MemoryDenyWriteExecute='];
  for (const word of words) expect(values(text, word)).toEqual([]);
  expect(text.split('\n').filter((line) => /^(Protect|Private|ReadOnly|MemoryDeny)/.test(line))).toEqual([]);
});

test('without the addon it cannot notify, and keeps no descriptors', () => {
  const text = unitText({ ...SETTINGS, canNotify: false });
  expect(values(text, 'Type')).toEqual(['exec']);
  expect(text).not.toMatch(/Watchdog|FileDescriptorStore/);
});

test('paths and values with signs that mean something', () => {
  const script = '/opt/50% "off"/$HOME\\x/tidemark.js';
  const text = unitText({ ...SETTINGS, script, environment: [['TIDEMARK_HOME', '/a b/$c%']] });
  expect(values(text, 'ExecStart')[0]).toContain('"/opt/50%% \\"off\\"/$$HOME\\\\x/tidemark.js"');
  expect(values(text, 'Environment')).toEqual(['"TIDEMARK_HOME=/a b/$c%%"']);
  expect(() => unitText({ ...SETTINGS, script: '/a\nExecStop=/bin/evil' })).toThrow(RangeError);
});

test("somebody else's unit is not ours", () => {
  expect(isOwnUnit('[Unit]\nDescription=tidemark\n')).toBe(false);
});

const analyze = spawnSync('systemd-analyze', ['--version']).status === 0;
const why = analyze ? '' : ' [skipped: systemd-analyze is not installed]';
describe.skipIf(!analyze)(`systemd-analyze verify${why}`, () => {
  test.each(['user', 'system'] as const)('a %s unit', (kind) => {
    // It looks whether the programs are there.
    const script = join(folder, 'ti de%mark.js');
    writeFileSync(script, '');
    chmodSync(script, 0o755);
    const file = join(folder, UNIT_NAME);
    const environment = [['TIDEMARK_HOME', '/srv/a b']] as const;
    writeFileSync(file, unitText({ ...SETTINGS, kind, script, environment }));
    const words = [...(kind === 'user' ? ['--user'] : []), 'verify', file];
    const env = { ...process.env, XDG_RUNTIME_DIR: folder };
    const { status, stdout, stderr } = spawnSync('systemd-analyze', words, { encoding: 'utf8', env });
    expect({ status, said: `${stdout}${stderr}` }).toEqual({ status: 0, said: '' });
  });
});
