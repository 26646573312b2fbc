import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { UnitSettings } from '../../src/daemon/core/unit-file.ts';
import { installUnit, type UnitFolders, uninstallUnit } from '../../src/daemon/install.ts';

let folder: string;
let folders: UnitFolders;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tidemark-install-'));
  folders = { user: join(folder, 'config/systemd/user'), system: join(folder, 'etc/systemd/system') };
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const SETTINGS: UnitSettings = {
  kind: 'user',
  node: '/usr/bin/node',
  script: '/opt/tidemark.js',
  environment: [],
  canNotify: true,
};

test('written, left as it is, replaced, removed', () => {
  const file = join(folders.user, 'tidemark.service');
  expect(installUnit(SETTINGS, folders, false)).toEqual({ file, outcome: 'written' });
  expect(statSync(file).mode & 0o777).toBe(0o644 & ~process.umask());
  expect(installUnit(SETTINGS, folders, false).outcome).toBe('unchanged');
  expect(installUnit({ ...SETTINGS, node: '/opt/node' }, folders, false).outcome).toBe('replaced');
  expect(readFileSync(file, 'utf8')).toContain('ExecStart="/opt/node"');
  expect(readdirSync(folders.user)).toEqual(['tidemark.service']);
  expect(uninstallUnit('user', folders)).toBe(file);
  expect(uninstallUnit('user', folders)).toBeNull();
  expect(readdirSync(folders.user)).toEqual([]);
});

test("somebody else's unit is neither overwritten nor removed, unless it is asked for", () => {
  installUnit({ ...SETTINGS, kind: 'system' }, folders, false);
  const file = join(folders.system, 'tidemark.service');
  writeFileSync(file, '[Service]\nExecStart=/bin/true\n');
  const foreign = expect.objectContaining({ fault: 'unavailable', code: 'foreign-unit' });
  expect(() => installUnit({ ...SETTINGS, kind: 'system' }, folders, false)).toThrow(foreign);
  expect(() => uninstallUnit('system', folders)).toThrow(foreign);
  expect(readFileSync(file, 'utf8')).toContain('/bin/true');
  expect(installUnit({ ...SETTINGS, kind: 'system' }, folders, true).outcome).toBe('overwritten');
});

test('a path that no unit can hold, and a folder that cannot be written to', () => {
  const odd = { ...SETTINGS, script: '/a\nb' };
  expect(() => installUnit(odd, folders, false)).toThrow(expect.objectContaining({ code: 'unit-path' }));
  writeFileSync(join(folder, 'config'), '');
  expect(() => installUnit(SETTINGS, folders, false)).toThrow(expect.objectContaining({ code: 'unit-file' }));
});
