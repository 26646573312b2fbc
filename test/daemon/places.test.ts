import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { asRoot } from '../../src/daemon/core/messages.ts';
import { ensureOwnFolder } from '../../src/daemon/own-folder.ts';
import {
  announcedSocket,
  announceSocket,
  MAX_SOCKET_PATH_BYTES,
  recorderFolder,
  socketPlace,
  withdrawSocket,
} from '../../src/daemon/places.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tidemark-places-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** A folder name that makes `join(folder, name, rest)` exactly `bytes` long. */
function filler(bytes: number, rest: string): string {
  return 'd'.repeat(bytes - Buffer.byteLength(join(folder, rest)) - 1);
}

test('the socket lies in the runtime folder, which only we may enter', () => {
  const runtime = join(folder, 'run');
  mkdirSync(runtime, { mode: 0o755 });
  const place = socketPlace({ state: folder, runtime }, 'daemon');
  expect(place).toEqual({ path: join(runtime, 'daemon.sock'), note: null });
  expect(statSync(runtime).mode & 0o777).toBe(0o700);
});

test('where the path would be too long by a little, it gets a short name', () => {
  const name = 'recorder-0123456789abcdef';
  const runtime = join(folder, filler(MAX_SOCKET_PATH_BYTES + 1, `${name}.sock`));
  const place = socketPlace({ state: folder, runtime }, name);
  expect(place.path.startsWith(`${runtime}/`)).toBe(true);
  expect(place.note).toContain('longer than the 98 bytes');
  const fits = socketPlace({ state: folder, runtime: runtime.slice(0, -1) }, name);
  expect(fits.note).toBeNull();
  expect(Buffer.byteLength(fits.path)).toBe(MAX_SOCKET_PATH_BYTES);
});

test('where nothing fits, it goes to a folder of ours among the temporary files; and it can be listened to', async () => {
  const runtime = join(folder, 'd'.repeat(120));
  const place = socketPlace({ state: folder, runtime }, 'daemon');
  expect(Buffer.byteLength(place.path)).toBeLessThanOrEqual(MAX_SOCKET_PATH_BYTES);
  expect(existsSync(runtime)).toBe(false);
  expect(statSync(join(place.path, '..')).mode & 0o777).toBe(0o700);
  const other = socketPlace({ state: folder, runtime: `${runtime}e` }, 'daemon');
  expect(other.path).not.toBe(place.path);
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(place.path, resolve));
  announceSocket(folder, place.path);
  expect(announcedSocket(folder)).toBe(place.path);
  await new Promise((resolve) => server.close(resolve));
  expect(announcedSocket(folder)).toBeNull();
});

test('what is announced must be a socket; what is withdrawn is gone', () => {
  const file = join(folder, 'file');
  writeFileSync(file, '');
  announceSocket(folder, file);
  expect(announcedSocket(folder)).toBeNull();
  withdrawSocket(folder);
  withdrawSocket(folder);
  expect(existsSync(join(folder, 'socket'))).toBe(false);
});

test('a folder that is a symlink or a file is refused', () => {
  mkdirSync(join(folder, 'real'));
  symlinkSync('real', join(folder, 'link'));
  writeFileSync(join(folder, 'file'), '');
  for (const name of ['link', 'file']) {
    expect(() => ensureOwnFolder(join(folder, name))).toThrow(expect.objectContaining({ code: 'state-folder' }));
  }
  chmodSync(join(folder, 'real'), 0o777);
  ensureOwnFolder(join(folder, 'real'));
  expect(statSync(join(folder, 'real')).mode & 0o777).toBe(0o700);
});

test('each root has a folder of its own, whatever its bytes', () => {
  const folders = { state: folder, runtime: folder };
  const [one, two] = [recorderFolder(folders, asRoot('/a\xff')), recorderFolder(folders, asRoot('/a\xfe'))];
  expect(one).not.toBe(two);
  expect(one).toMatch(/\/recorders\/[0-9a-f]{32}$/);
});
