import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { ensureFolder, folderFault, foldersFrom } from '../../src/cli/folders.ts';
import { invoke } from './harness.ts';

let home: string;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'tidemark-folders-'));
});
afterEach(() => rmSync(home, { recursive: true, force: true }));

test('one folder for everything', () => {
  const folders = foldersFrom({ TIDEMARK_HOME: '/t', XDG_STATE_HOME: '/x' }, '/home/me');
  expect(folders).toEqual({ state: '/t/state', config: '/t', runtime: '/t/run' });
});

test('XDG folders, with their defaults; relative values do not count', () => {
  expect(foldersFrom({}, '/home/me')).toEqual({
    state: '/home/me/.local/state/tidemark',
    config: '/home/me/.config/tidemark',
    runtime: '/home/me/.local/state/tidemark/run',
  });
  const given = { XDG_STATE_HOME: '/s', XDG_CONFIG_HOME: '/c', XDG_RUNTIME_DIR: '/r' };
  expect(foldersFrom(given, '/h')).toEqual({ state: '/s/tidemark', config: '/c/tidemark', runtime: '/r/tidemark' });
  const relative = { XDG_STATE_HOME: 's', XDG_CONFIG_HOME: './c', XDG_RUNTIME_DIR: '', TIDEMARK_HOME: '' };
  expect(foldersFrom(relative, '/h')).toEqual(foldersFrom({}, '/h'));
});

test('a relative TIDEMARK_HOME is refused', async () => {
  const { code, stderr } = await invoke(['sync', 'a', 'b'], { environment: { TIDEMARK_HOME: 'here' } });
  expect(code).toBe(2);
  expect(stderr).toContain('TIDEMARK_HOME "here" is not an absolute path');
});

test('commands make no folder by themselves', async () => {
  const environment = { TIDEMARK_HOME: join(home, 'none') };
  for (const argv of [['sync', '-n', 'a', 'b'], ['verify', 'a', 'b'], ['doctor'], ['completion', 'bash']]) {
    expect((await invoke(argv, { environment })).code).toBe(0);
  }
  expect(existsSync(join(home, 'none'))).toBe(false);
});

test('a folder is made for its owner only, with its parents', () => {
  const folder = join(home, 'a', 'b');
  ensureFolder(folder);
  ensureFolder(folder);
  expect(statSync(folder).mode & 0o777).toBe(0o700);
  expect(statSync(join(home, 'a')).mode & 0o777).toBe(0o700);
});

test.each([
  ['writable by others', () => chmodSync(join(home, 'f'), 0o777), 'can be written to by others'],
  ['writable by the group', () => chmodSync(join(home, 'f'), 0o770), 'can be written to by others'],
])('%s: refused', (_what, spoil, reason) => {
  mkdirSync(join(home, 'f'));
  spoil();
  expect(() => ensureFolder(join(home, 'f'))).toThrow(reason);
});

test('faults of what is no directory', () => {
  writeFileSync(join(home, 'file'), '');
  symlinkSync(join(home, 'nowhere'), join(home, 'link'));
  expect(folderFault(join(home, 'file'))).toBe('is not a directory');
  expect(folderFault(join(home, 'link'))).toBe('is a symbolic link to nowhere');
  expect(folderFault(join(home, 'missing'))).toBeNull();
  expect(() => ensureFolder(join(home, 'file'))).toThrow('is not a directory');
});
