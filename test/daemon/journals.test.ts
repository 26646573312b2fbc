/** Finding the journal of a root where no service runs; the journals are real, without notification. */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { asRoot } from '../../src/daemon/core/messages.ts';
import { Journals } from '../../src/daemon/journals.ts';
import { announceSocket, recorderFolder } from '../../src/daemon/places.ts';
import { Registry } from '../../src/daemon/registry.ts';
import { takeRootLock } from '../../src/daemon/root-lock.ts';
import { fromText, ROOT } from '../../src/platform/core/byte-path.ts';

let folder: string;
let state: string;
let path: string;
let journals: Journals;
beforeEach(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'tidemark-journals-')));
  state = join(folder, 'state');
  path = fromText(join(folder, 'root'));
  mkdirSync(join(folder, 'root'));
  journals = new Journals({ state, runtime: join(folder, 'run') });
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

test('added without a service, a root is registered; removed, no more', async () => {
  expect(await journals.add(path)).toEqual({ root: path, backend: null, isNew: true });
  expect(await journals.add(path)).toMatchObject({ isNew: false });
  expect(new Registry(state).list().roots).toEqual([path]);
  expect(await journals.remove(path, false)).toBe(path);
  await expect(journals.remove(path, false)).rejects.toMatchObject({ code: 'journal-unknown' });
});

test('a root that vanished can be asked for and removed by its name', async () => {
  await journals.add(path);
  rmSync(join(folder, 'root'), { recursive: true });
  expect(await journals.status(path)).toMatchObject({ recording: false });
  expect(await journals.remove(path, false)).toBe(path);
  await expect(journals.status(path)).rejects.toMatchObject({ code: 'root-missing' });
});

test('the status of a root nobody ever recorded makes nothing, and says what to do', async () => {
  expect(await journals.status(path)).toMatchObject({
    recording: false,
    backend: 'scan',
    whyNotBetter: 'nobody records it (tidemark journal add)',
    period: 0,
  });
  expect(existsSync(state)).toBe(false);
  await journals.add(path);
  expect((await journals.status(path)).whyNotBetter).toContain('tidemark daemon start');
});

test('checkpoint and changes by a scan in this process, across openings', async () => {
  const first = await journals.open(path);
  expect(first.by).toBe('nobody');
  const { cursor } = await first.journal.checkpoint(ROOT);
  await first.close();
  writeFileSync(join(folder, 'root/new'), 'x');
  const second = await journals.open(path);
  const answer = await second.journal.changes(cursor, ROOT);
  expect(answer.freshInstance).toBe(false);
  expect([...answer.changes].flat().map((change) => change.path)).toContain('new');
  await second.close();
  expect(await journals.status(path)).toMatchObject({ recording: false, backend: 'scan' });
});

test('one process at a time; the lock is given back', async () => {
  const folders = { state, runtime: join(folder, 'run') };
  const lock = takeRootLock(folders, asRoot(path));
  await expect(journals.open(path)).rejects.toMatchObject({
    fault: 'locked',
    code: 'journal-locked',
    message: expect.stringContaining(`process ${process.pid}`),
  });
  lock.release();
  await (await journals.open(path)).close();
  await (await journals.open(path)).close();
});

test('a recorder that was killed leaves a socket to which nobody listens: the root is nobody’s', async () => {
  const place = recorderFolder({ state, runtime: '' }, asRoot(path));
  await (await journals.open(path)).close();
  announceSocket(place, join(folder, 'gone.sock'));
  const opened = await journals.open(path);
  expect(opened.by).toBe('nobody');
  await opened.close();
});

test('there is nothing to follow where nobody records', async () => {
  const rounds = journals.log(path, true, new AbortController().signal);
  await expect(rounds[Symbol.asyncIterator]().next()).rejects.toMatchObject({ code: 'journal-not-recorded' });
  expect(readdirSync(join(folder, 'root'))).toEqual([]);
});
