import { expect, test, vi } from 'vitest';
import { asRoot, type RootPath } from '../../src/daemon/core/messages.ts';
import { HostedRoots, type HostedRootsOptions } from '../../src/daemon/hosted-roots.ts';
import { TidemarkError } from '../../src/platform/core/errors.ts';
import { FakeJournal } from './fake-journal.ts';

const [A, B] = [asRoot('/a'), asRoot('/b')];

/** Roots around a keeper that does what `begin` says; everything that happens is noted. */
function hosted(registered: readonly RootPath[], of: Partial<HostedRootsOptions['keeper']> = {}) {
  const happened: string[] = [];
  const known = new Set<RootPath>(registered);
  const log: string[] = [];
  const roots = new HostedRoots({
    keeper: {
      add: async (path) => {
        happened.push(`add ${path}`);
        return (await of.add?.(path)) ?? new FakeJournal();
      },
      remove: async (path, forget) => {
        happened.push(`remove ${path} ${forget}`);
        await of.remove?.(path, forget);
      },
      release: () => of.release?.(),
    },
    registry: {
      list: () => ({ roots: [...known], damaged: [{ file: '/roots/x', reason: 'not JSON' }] }),
      has: (root) => known.has(root),
      add: (root) => !known.has(root) && known.add(root) !== undefined,
      remove: (root) => known.delete(root),
    },
    lock: (root) => {
      happened.push(`lock ${root}`);
      return { release: () => void happened.push(`release ${root}`) };
    },
    log: (line) => log.push(line),
    nowMs: () => 0,
    firstPauseMs: 5,
  });
  return { roots, happened, log, known };
}

test('what is registered is recorded; what is damaged in the registry is told', async () => {
  const { roots, happened, log } = hosted([A, B]);
  roots.start();
  await roots.journal(A);
  await roots.journal(B);
  expect(happened).toEqual(['lock /a', 'add /a', 'lock /b', 'add /b']);
  expect(roots.roots()).toEqual([
    { root: A, backend: 'fanotify-directory', trouble: null },
    { root: B, backend: 'fanotify-directory', trouble: null },
  ]);
  expect(log).toContain('registered root not understood: /roots/x: not JSON');
  await roots.stop();
  roots.releaseLocks();
  expect(happened.slice(4)).toEqual(['release /a', 'release /b']);
});

test('trouble with one touches no other, is told once, and is tried again until it goes away', async () => {
  let isMounted = false;
  const { roots, happened, log } = hosted([A, B], {
    add: async (path) => {
      if (path.toString() === '/a' && !isMounted)
        throw Object.assign(new Error('no such directory'), { code: 'ENOENT' });
      return new FakeJournal();
    },
  });
  roots.start();
  await roots.journal(B);
  await vi.waitFor(() => expect(happened.filter((line) => line === 'add /a').length).toBeGreaterThan(2));
  expect(roots.roots()[0]).toEqual({ root: A, backend: null, trouble: 'no such directory' });
  expect(log.filter((line) => line.startsWith('not recording /a'))).toEqual(['not recording /a: no such directory']);
  expect(happened).toContain('release /a');
  await expect(roots.journal(A)).rejects.toMatchObject({ fault: 'unavailable', code: 'journal-trouble' });
  isMounted = true;
  await vi.waitFor(() => expect(roots.roots()[0]?.backend).toBe('fanotify-directory'));
  expect(log).toContain('recording /a by fanotify-directory');
  await roots.stop();
});

test('a root that does not begin is not registered by asking for it', async () => {
  const refused = new TidemarkError('unavailable', 'refused', 'not this one', { remedy: 'Take another.' });
  const { roots, known } = hosted([], { add: () => Promise.reject(refused) });
  await expect(roots.add(A)).rejects.toBe(refused);
  expect([...known]).toEqual([]);
  expect(roots.roots()).toEqual([]);
  await expect(roots.journal(A)).rejects.toMatchObject({ code: 'journal-unknown' });
});

test('adding twice begins once', async () => {
  const { roots, happened, known } = hosted([]);
  expect(await Promise.all([roots.add(A), roots.add(A)])).toEqual(['fanotify-directory', 'fanotify-directory']);
  expect(happened).toEqual(['lock /a', 'add /a']);
  expect([...known]).toEqual([A]);
});

test('removing waits for what is under way, gives the lock back, and is for good', async () => {
  const { roots, happened, known } = hosted([A]);
  roots.start();
  await roots.remove(A, true);
  expect(happened).toEqual(['lock /a', 'add /a', 'remove /a true', 'release /a']);
  expect([...known]).toEqual([]);
  await expect(roots.remove(A, false)).rejects.toMatchObject({ code: 'journal-unknown' });
});

test('what is to be forgotten is begun first; where that fails, it is said, and the root is out all the same', async () => {
  const { roots, happened } = hosted([]);
  await roots.remove(A, true);
  expect(happened).toEqual(['lock /a', 'add /a', 'remove /a true', 'release /a']);
  const broken = hosted([B], { add: () => Promise.reject(new Error('no such directory')) });
  await expect(broken.roots.remove(B, true)).rejects.toMatchObject({ message: 'no such directory' });
  expect([broken.roots.roots(), [...broken.known]]).toEqual([[], []]);
});

test('after the stop nothing begins any more', async () => {
  const { roots, happened } = hosted([A]);
  await roots.stop();
  await expect(roots.add(B)).rejects.toMatchObject({ code: 'daemon-stopping' });
  expect(happened.filter((line) => line.startsWith('add'))).toEqual([]);
});

test('events are taken once each registered root has been tried', async () => {
  let isReleased = false;
  let begin: () => void = () => {};
  const begun = new Promise<void>((resolve) => {
    begin = resolve;
  });
  const { roots } = hosted([A, B], {
    async add(path) {
      if (path.toString() === B) await begun;
      return new FakeJournal();
    },
    release() {
      isReleased = true;
    },
  });
  roots.start();
  await roots.journal(A);
  expect(isReleased).toBe(false);
  begin();
  await roots.journal(B);
  await roots.stop();
  expect(isReleased).toBe(true);
});
