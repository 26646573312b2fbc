/** What the file system refuses: space, permissions, syncs. One path fails, nothing is half-changed, the rest goes on. */
import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import type { FileEntry } from '../../../src/journal/core/entry.ts';
import { joinPath, parentOf } from '../../../src/platform/core/byte-path.ts';
import { clearLeftovers } from '../../../src/sync/apply/leftovers.ts';
import { hookedFileSystem, type Method } from './hooked-filesystem.ts';
import { BOTH_KINDS } from './kinds.ts';
import { at, fileEntry, NEW_NS, type Order, verdicts, Workbench } from './workbench.ts';

const IS_ROOT = process.geteuid?.() === 0;
const NOBODY = 65_534;

describe.each(BOTH_KINDS)('$name', ({ fileSystem }) => {
  const benches: Workbench[] = [];
  const cleanups: (() => void)[] = [];
  afterEach(() => {
    for (const bench of benches.splice(0)) bench.close();
    for (const clean of cleanups.splice(0)) clean();
  });

  function bench(options = {}, base?: string): Workbench {
    const made = base === undefined ? new Workbench(fileSystem, options) : new Workbench(fileSystem, options, base);
    benches.push(made);
    return made;
  }

  describe.skipIf(!IS_ROOT || !canMount())('a full disk (needs root to mount a small tmpfs)', () => {
    function smallDisk(): string {
      const directory = fs.mkdtempSync('/tmp/tidemark-full-');
      spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=2m', 'tmpfs', directory]);
      cleanups.push(() => {
        spawnSync('umount', [directory]);
        fs.rmdirSync(directory);
      });
      return directory;
    }

    test('what does not fit fails, what is small enough arrives, old content stays', () => {
      const b = bench({}, smallDisk());
      b.write('old', randomBytes(600_000));
      b.observe();
      const before = fs.readFileSync(b.path('old'));
      const large = randomBytes(3_000_000);
      const orders = [streamed(b, 'old', large), b.put('small', 'x'), streamed(b, 'new', large), b.put('last', 'y')];
      const outcomes = b.apply(orders);
      expect(verdicts(outcomes)).toEqual(['failed ENOSPC', 'done', 'failed ENOSPC', 'done']);
      expect(fs.readFileSync(b.path('old')).equals(before)).toBe(true);
      expect([b.read('small'), b.read('new'), b.read('last')]).toEqual(['x', null, 'y']);
      expect(b.litter()).toEqual([]);
    });

    test('small files and copies', () => {
      const b = bench({}, smallDisk());
      const filler = randomBytes(1_700_000);
      b.write('filler', filler);
      b.observe();
      const content = randomBytes(250_000);
      const orders = [
        b.put('one', content),
        b.put('two', content),
        b.put('three', content),
        b.place('copy', fileEntry(filler), { content: 'copy', copyFrom: at('filler') }),
      ];
      const result = verdicts(b.apply(orders));
      expect(result.slice(1)).toEqual(['failed ENOSPC', 'failed ENOSPC', 'failed ENOSPC']);
      expect(b.litter()).toEqual([]);
    });
  });

  describe.skipIf(!IS_ROOT)('without privileges (needs root to become nobody)', () => {
    function asNobody<T>(b: Workbench, work: () => T): T {
      spawnSync('chown', ['-R', `${NOBODY}:${NOBODY}`, b.directory]);
      b.observe();
      process.setegid?.(NOBODY);
      process.seteuid?.(NOBODY);
      try {
        return work();
      } finally {
        process.seteuid?.(0);
        process.setegid?.(0);
      }
    }

    function readOnlyTree(): Workbench {
      const b = bench();
      b.write('ro/file', 'old');
      b.write('ro/sub/gone', 'old');
      fs.chmodSync(b.path('ro/sub'), 0o555);
      fs.chmodSync(b.path('ro'), 0o555);
      return b;
    }

    // The portable renameNoReplace links first and leaves the link where the old name cannot be removed.
    const leavesLinks = fileSystem.kind === 'portable';

    test.skipIf(leavesLinks)('content goes into read-only directories, which are read-only again afterwards', () => {
      const b = readOnlyTree();
      const outcomes = asNobody(b, () =>
        b.apply([
          b.put('ro/file', 'new'),
          b.put('ro/made', 'new'),
          b.remove('ro/sub/gone'),
          b.remove('ro/sub'),
          b.place('ro/dir', { kind: 'directory', mode: 0o500 }),
          b.place('ro/dir/deeper', { kind: 'directory', mode: 0o000 }),
          b.put('ro/dir/deeper/file', 'new'),
        ]),
      );
      expect(verdicts(outcomes)).toEqual(outcomes.map(() => 'done'));
      expect([b.read('ro/file'), b.read('ro/made'), b.read('ro/sub'), b.read('ro/dir/deeper/file')]).toEqual([
        'new',
        'new',
        null,
        'new',
      ]);
      const modes = ['ro', 'ro/dir', 'ro/dir/deeper'].map((path) => fs.statSync(b.path(path)).mode & 0o7777);
      expect(modes).toEqual([0o555, 0o500, 0o000]);
      expect(b.litter()).toEqual([]);
    });

    test('a read-only directory is moved into another one', () => {
      const b = readOnlyTree();
      fs.mkdirSync(b.path('other'), 0o555);
      const outcomes = asNobody(b, () => b.apply([b.rename('ro/sub', 'other/sub')]));
      expect(verdicts(outcomes)).toEqual(['done']);
      expect(b.read('other/sub/gone')).toBe('old');
      const modes = ['ro', 'other', 'other/sub'].map((path) => fs.statSync(b.path(path)).mode & 0o7777);
      expect(modes).toEqual([0o555, 0o555, 0o555]);
    });

    test('a mode that changes while the directory is widened holds in the end', () => {
      const b = readOnlyTree();
      const outcomes = asNobody(b, () =>
        b.apply([b.put('ro/made', 'new'), b.place('ro', { kind: 'directory', mode: 0o511 }), b.put('ro/more', 'new')]),
      );
      expect(verdicts(outcomes)).toEqual(['done', 'done', 'done']);
      expect(fs.statSync(b.path('ro')).mode & 0o7777).toBe(0o511);
      expect(b.index.get(at('ro'))?.entry).toMatchObject({ mode: 0o511 });
    });

    test('the next start narrows what a killed run left', () => {
      const b = readOnlyTree();
      asNobody(b, () => {
        const applier = b.applier();
        const { operation, content } = b.put('ro/made', 'new');
        // A batch of its own, and then nothing more: the process is gone.
        b.pushTo(applier, { operation, content }, b.put('ro/made', 'newer', {}, fileEntry('new')));
      });
      expect(fs.statSync(b.path('ro')).mode & 0o7777).toBe(0o755);
      expect(b.read('.tidemark/widened')).not.toBe(null);
      clearLeftovers(fileSystem, b.root, Date.now());
      expect(fs.statSync(b.path('ro')).mode & 0o7777).toBe(0o555);
      expect(b.litter()).toEqual([]);
    });

    test.skipIf(leavesLinks)('files of others cannot be changed, and say so', () => {
      const b = bench();
      b.write('dir/file', 'old');
      const outcomes = asNobody(b, () => {
        process.seteuid?.(0);
        fs.chownSync(b.path('dir'), 0, 0);
        b.observe();
        process.seteuid?.(NOBODY);
        return b.apply([b.put('dir/file', 'new'), b.put('dir/new', 'new'), b.remove('dir/file')]);
      });
      expect(verdicts(outcomes)).toEqual(['failed EACCES', 'failed EACCES', 'failed EACCES']);
      expect(b.read('dir/file')).toBe('old');
      expect(b.litter()).toEqual([]);
    });

    test('files without read permission are replaced and removed all the same', () => {
      const b = bench();
      b.write('a', 'old', 0o000);
      b.write('b', 'old', 0o000);
      const outcomes = asNobody(b, () => b.apply([b.put('a', 'new', { mode: 0o000 }), b.remove('b')]));
      expect(verdicts(outcomes)).toEqual(['done', 'done']);
      expect([b.read('a'), b.read('b')]).toEqual(['new', null]);
      expect(fs.statSync(b.path('a')).mode & 0o7777).toBe(0);
    });
  });

  test.skipIf(!IS_ROOT)('a replaced file keeps its owner (needs root)', () => {
    const b = bench();
    b.write('file', 'old');
    fs.chownSync(b.path('file'), NOBODY, NOBODY);
    b.observe();
    expect(verdicts(b.apply([b.put('file', 'new'), b.put('other', 'new')]))).toEqual(['done', 'done']);
    expect([fs.statSync(b.path('file')).uid, fs.statSync(b.path('other')).uid]).toEqual([NOBODY, 0]);
  });

  test.skipIf(!IS_ROOT)('--owner (needs root)', () => {
    const b = bench();
    b.write('file', 'old');
    b.observe();
    b.options = { ...b.options, metadata: { ...b.options.metadata, owner: true } };
    const owner = `${NOBODY}:${NOBODY}`;
    const file = b.entry('file') as FileEntry;
    const outcomes = b.apply([
      b.put('new', 'x', { owner }),
      b.place('dir', { kind: 'directory', mode: 0o755, owner }),
      b.place('link', { kind: 'symlink', target: 't', owner }),
      b.place('file', { ...file, owner, mtimeNs: NEW_NS }),
    ]);
    expect(verdicts(outcomes)).toEqual(['done', 'done', 'done', 'done']);
    expect(['new', 'dir', 'link', 'file'].map((path) => fs.lstatSync(b.path(path)).uid)).toEqual([
      NOBODY,
      NOBODY,
      NOBODY,
      NOBODY,
    ]);
    expect(b.entry('file')).toMatchObject({ owner });
  });

  describe('a sync that fails', () => {
    /** Fails the n-th sync of any kind, and only that one: the kernel reports lost pages once. */
    function failing(nth: number, failed: string[]) {
      const syncs: readonly Method[] = ['syncFileSystem', 'syncDirectory'];
      let count = 0;
      return hookedFileSystem(fileSystem, (method) => {
        if (!syncs.includes(method) || ++count !== nth) return;
        failed.push(method);
        throw Object.assign(new Error('EIO: i/o error'), { code: 'EIO' });
      });
    }

    test('before the commit: nothing is put in place, nothing staged is trusted again', () => {
      const b = bench();
      b.write('file', 'old');
      b.observe();
      const failed: string[] = [];
      const orders = [b.put('file', 'new'), ...[1, 2, 3, 4, 5].map((n) => b.put(`f${n}`, 'new'))];
      const outcomes = b.apply(orders, { fileSystem: failing(1, failed) });
      expect(failed).toHaveLength(1);
      if (fileSystem.kind === 'portable') return; // fsync is node:fs there: the hook saw the directories only
      expect(verdicts(outcomes)).toEqual(outcomes.map(() => 'failed EIO'));
      expect([b.read('file'), b.read('f1'), b.litter(), b.versions()]).toEqual(['old', null, [], []]);
    });

    test('after the commit: done, but the index does not say so', () => {
      const b = bench();
      const failed: string[] = [];
      b.observe();
      const outcomes = b.apply([b.place('link', { kind: 'symlink', target: 'x' })], {
        fileSystem: failing(1, failed),
      });
      expect(failed).toEqual(['syncDirectory']);
      expect(verdicts(outcomes)).toEqual(['failed EIO']);
      expect(b.read('link')).toBe('-> x');
      expect(b.index.get(at('link'))).toBe(null);
    });

    test('files under way are lost with it', () => {
      const b = bench();
      b.observe();
      const failed: string[] = [];
      const applier = b.applier({ fileSystem: failing(1, failed) });
      const content = randomBytes(1000);
      const stream = streamed(b, 'stream', content);
      const [begin, data, end] = stream.content;
      if (begin === undefined || data === undefined || end === undefined) throw new Error();
      b.pushTo(applier, { operation: stream.operation, content: [begin, data] });
      b.pushTo(applier, b.place('link', { kind: 'symlink', target: 'x' }));
      b.pushTo(applier, b.put('link', 'y', {}, { kind: 'symlink', target: 'x' }));
      b.pushTo(applier, { operation: null, content: [end] });
      const outcomes = applier.finish();
      expect(failed).toHaveLength(1);
      expect(verdicts(outcomes.filter(({ id }) => id === stream.operation.id))).toEqual(['failed EIO']);
      expect(b.read('stream')).toBe(null);
    });

    test('--no-fsync never syncs', () => {
      const b = bench({ durable: false });
      b.write('file', 'old');
      b.observe();
      const calls: string[] = [];
      const hooked = hookedFileSystem(fileSystem, (method) => method.startsWith('sync') && calls.push(method));
      expect(verdicts(b.apply([b.put('file', 'new'), b.put('new', 'new')], { fileSystem: hooked }))).toEqual([
        'done',
        'done',
      ]);
      expect(calls).toEqual([]);
    });
  });

  test('every parent of what was created is synced before it is recorded', () => {
    const b = bench();
    b.observe();
    const synced = new Set<string>();
    let recorded = false;
    const hooked = hookedFileSystem(fileSystem, (method, args) => {
      if (method === 'syncDirectory' && !recorded) synced.add(String(args[1]));
      if (method === 'syncFileSystem' && !recorded) synced.add('everything');
    });
    const transaction = b.index.transaction.bind(b.index);
    b.index.transaction = (work) => {
      recorded = true;
      return transaction(work);
    };
    const chain = joinPath(at('d'), 'e');
    b.apply(
      [
        b.place('d', { kind: 'directory', mode: 0o755 }),
        b.place(chain, { kind: 'directory', mode: 0o755 }),
        b.put('d/e/f', 'x'),
      ],
      {
        fileSystem: hooked,
      },
    );
    for (const path of ['', parentOf(chain), chain]) expect(synced.has(path) || synced.has('everything')).toBe(true);
  });
});

function streamed(b: Workbench, path: string, content: Buffer): Order {
  const { operation } = b.put(path, content);
  const { id } = operation;
  const data = [];
  for (let start = 0; start < content.length; start += 200_000) {
    data.push({ kind: 'data' as const, id, bytes: content.subarray(start, start + 200_000) });
  }
  return {
    operation,
    content: [
      { kind: 'begin', id, sizeBytes: content.length },
      ...data,
      { kind: 'end', id, entry: fileEntry(content) },
    ],
  };
}

function canMount(): boolean {
  const directory = fs.mkdtempSync(join('/tmp', 'tidemark-mount-'));
  const mounted = spawnSync('mount', ['-t', 'tmpfs', 'tmpfs', directory]).status === 0;
  if (mounted) spawnSync('umount', [directory]);
  fs.rmdirSync(directory);
  return mounted;
}
