/** Somebody else changes the target between the plan and the commit: he keeps what he wrote, and hears of it. */
import * as fs from 'node:fs';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { FileEntry } from '../../../src/journal/core/entry.ts';
import { packStat as packed, sameStat } from '../../../src/platform/core/stat-codec.ts';
import type { Stat } from '../../../src/platform/filesystem.ts';
import { hookedFileSystem, type Method, once } from './hooked-filesystem.ts';
import { BOTH_KINDS } from './kinds.ts';
import { at, NEW_NS, type Order, verdicts, Workbench } from './workbench.ts';

/** What the other program does. Each leaves content that must be found afterwards. */
const EDITS: Readonly<Record<string, { act: (b: Workbench) => void; left: string | null }>> = {
  'edits in place, same size': { act: (b) => fs.writeFileSync(b.path('file'), 'NEW'), left: 'NEW' },
  'edits in place and puts the mtime back': {
    act: (b) => {
      const { atime, mtime } = fs.statSync(b.path('file'));
      fs.writeFileSync(b.path('file'), 'NEW');
      fs.utimesSync(b.path('file'), atime, mtime);
    },
    left: 'NEW',
  },
  'saves by rename': { act: (b) => saveByRename(b, 'file', 'SAVED'), left: 'SAVED' },
  'saves by rename with the same size and time': { act: (b) => saveByRename(b, 'file', 'NEW', true), left: 'NEW' },
  'changes the mode': { act: (b) => fs.chmodSync(b.path('file'), 0o611), left: 'old' },
  'removes it': { act: (b) => fs.rmSync(b.path('file')), left: null },
  'puts a directory there': {
    act: (b) => {
      fs.rmSync(b.path('file'));
      fs.mkdirSync(b.path('file'));
    },
    left: '<directory>',
  },
  'puts a symlink there': {
    act: (b) => {
      fs.rmSync(b.path('file'));
      fs.symlinkSync('dir/inner', b.path('file'));
    },
    left: '-> dir/inner',
  },
};

const OPERATIONS: Readonly<Record<string, (b: Workbench) => Order>> = {
  'replace by a file': (b) => b.put('file', 'theirs'),
  'replace by a symlink': (b) => b.place('file', { kind: 'symlink', target: 'x' }),
  'replace by a directory': (b) => b.place('file', { kind: 'directory', mode: 0o755 }),
  remove: (b) => b.remove('file'),
  metadata: (b) => b.place('file', { ...(b.entry('file') as FileEntry), mode: 0o640, mtimeNs: NEW_NS }),
  rename: (b) => b.rename('file', 'moved'),
};

/** The calls that take the target out of its place, in whichever way the file system can. */
const DISPLACING: readonly Method[] = ['exchange', 'rename'];

describe.each(BOTH_KINDS)('$name', ({ fileSystem }) => {
  // replace-fallback.ts names the window that the portable file system cannot close.
  const hasNoExchange = fileSystem.kind === 'portable';
  const hasNoLeases = fileSystem.kind === 'portable';
  let bench: Workbench;
  beforeEach(() => {
    bench = new Workbench(fileSystem);
    bench.write('file', 'old');
    bench.write('dir/inner', 'inner');
    fs.symlinkSync('target', bench.path('link'));
    bench.observe();
  });
  afterEach(() => bench.close());

  describe.each(Object.keys(OPERATIONS))('%s', (operation) => {
    test.each(Object.keys(EDITS))('somebody %s before', (edit) => {
      const order = OPERATIONS[operation]?.(bench) as Order;
      EDITS[edit]?.act(bench);
      expect(verdicts(bench.apply([order]))).toEqual(['changed target']);
      expect(bench.read('file')).toBe(EDITS[edit]?.left);
      expect(bench.read('moved')).toBe(null);
      expect(bench.litter()).toEqual([]);
      expect(bench.versions()).toEqual([]);
    });
  });

  test
    .skipIf(hasNoExchange)
    .each(['saves by rename', 'saves by rename with the same size and time', 'puts a symlink there'])(
    'somebody %s at the last moment of an exchange',
    (edit) => {
      const hooked = hookedFileSystem(
        fileSystem,
        once(DISPLACING, () => EDITS[edit]?.act(bench)),
      );
      expect(verdicts(bench.apply([bench.put('file', 'theirs')], { fileSystem: hooked }))).toEqual(['changed target']);
      expect(bench.read('file')).toBe(EDITS[edit]?.left);
      expect(bench.litter()).toEqual([]);
    },
  );

  test('somebody saves by rename at the last moment of a removal', () => {
    let isArmed = false;
    const hooked = hookedFileSystem(fileSystem, (method, args) => {
      if (isArmed || method !== 'renameNoReplace' || args[1] !== 'file') return;
      isArmed = true;
      saveByRename(bench, 'file', 'NEW', true);
    });
    expect(verdicts(bench.apply([bench.remove('file')], { fileSystem: hooked }))).toEqual(['changed target']);
    expect(bench.read('file')).toBe('NEW');
    expect(bench.litter()).toEqual([]);
  });

  test.skipIf(hasNoExchange)(
    'somebody saves again right after an exchange that has to be undone: both his contents survive',
    () => {
      const hooked = hookedFileSystem(
        fileSystem,
        once(['exchange'], () => saveByRename(bench, 'file', 'FIRST')),
        once(['exchange'], () => saveByRename(bench, 'file', 'SECOND')),
      );
      bench.options = { ...bench.options, backup: false };
      expect(verdicts(bench.apply([bench.put('file', 'theirs')], { fileSystem: hooked }))).toEqual(['changed target']);
      expect(bench.read('file')).toBe('SECOND');
      expect(bench.versions()).toEqual(['conflict file=FIRST']);
    },
  );

  test('somebody creates the file that is to be created', () => {
    const orders = [
      bench.put('new', 'theirs'),
      bench.place('d', { kind: 'directory', mode: 0o755 }),
      bench.put('d/f', 'x'),
    ];
    fs.writeFileSync(bench.path('new'), 'MINE');
    fs.writeFileSync(bench.path('d'), 'MINE');
    expect(verdicts(bench.apply(orders))).toEqual(['changed target', 'changed target', 'changed target']);
    expect([bench.read('new'), bench.read('d')]).toEqual(['MINE', 'MINE']);
    expect(bench.litter()).toEqual([]);
  });

  test('somebody puts something where a file is to be moved', () => {
    const order = bench.rename('file', 'moved');
    fs.writeFileSync(bench.path('moved'), 'MINE');
    expect(verdicts(bench.apply([order]))).toEqual(['changed target']);
    expect([bench.read('file'), bench.read('moved')]).toEqual(['old', 'MINE']);
  });

  test('somebody retargets a symlink', () => {
    const orders = [bench.put('link', 'theirs')];
    fs.rmSync(bench.path('link'));
    fs.symlinkSync('MINE', bench.path('link'));
    expect(verdicts(bench.apply(orders))).toEqual(['changed target']);
    expect(bench.read('link')).toBe('-> MINE');
  });

  test('somebody puts another directory in place of one', () => {
    const orders = [bench.remove('dir/inner'), bench.remove('dir')];
    fs.renameSync(bench.path('dir'), bench.path('aside'));
    fs.mkdirSync(bench.path('dir'));
    expect(verdicts(bench.apply(orders))).toEqual(['changed target', 'changed target']);
    expect(bench.read('aside/inner')).toBe('inner');
  });

  test('somebody puts a symlink in place of a parent directory: nothing is written through it', () => {
    const orders = [bench.put('dir/new', 'theirs'), bench.put('dir/inner', 'theirs')];
    const outside = fs.mkdtempSync(`${bench.directory}-outside-`);
    fs.writeFileSync(`${outside}/inner`, 'MINE');
    fs.renameSync(bench.path('dir'), bench.path('aside'));
    fs.symlinkSync(outside, bench.path('dir'));
    expect(verdicts(bench.apply(orders)).every((verdict) => verdict !== 'done')).toBe(true);
    expect(fs.readdirSync(outside)).toEqual(['inner']);
    expect(fs.readFileSync(`${outside}/inner`, 'utf8')).toBe('MINE');
    fs.rmSync(outside, { recursive: true });
  });

  test.skipIf(hasNoLeases)('a file open for writing is left alone', () => {
    const orders = [bench.put('file', 'theirs')];
    const writer = fs.openSync(bench.path('file'), 'r+');
    try {
      expect(verdicts(bench.apply(orders))).toEqual(['changed target']);
      expect(verdicts(bench.apply([bench.remove('file')]))).toEqual(['changed target']);
    } finally {
      fs.closeSync(writer);
    }
    expect(bench.read('file')).toBe('old');
    expect(verdicts(bench.apply([bench.remove('file')]))).toEqual(['done']);
  });

  test.skipIf(hasNoLeases).each(['replace by a file', 'remove', 'metadata'])(
    'a writer that waits for the lease during: %s',
    (name) => {
      const order = OPERATIONS[name]?.(bench) as Order;
      bench.options = { ...bench.options, backup: false };
      // An open that does not wait breaks the lease all the same, and so stands for one that does.
      const knock = () => {
        expect(() => fs.openSync(bench.path('file'), fs.constants.O_WRONLY | fs.constants.O_NONBLOCK)).toThrow(
          /EAGAIN/,
        );
      };
      const methods: readonly Method[] = name === 'metadata' ? ['setMtime'] : ['exchange', 'renameNoReplace'];
      let isDone = false;
      const hooked = hookedFileSystem(fileSystem, (method, args) => {
        if (isDone || !methods.includes(method) || !args.includes('file')) return;
        isDone = true;
        knock();
      });
      expect(verdicts(bench.apply([order], { fileSystem: hooked }))).toEqual(['changed target']);
      expect(isDone).toBe(true);
      expect(bench.read('file')).toBe('old');
      expect(bench.litter()).toEqual([]);
    },
  );

  test('a racy record is proven by the content', () => {
    for (const path of ['file', 'dir/inner']) {
      const record = bench.index.get(at(path));
      if (record !== null) bench.index.records.set(at(path), { ...record, racy: true });
    }
    const stat = fs.statSync(bench.path('dir/inner'), { bigint: true });
    const orders = [bench.put('file', 'theirs'), bench.put('dir/inner', 'theirs')];
    // The same stat with other content, as a write within one tick of the clock leaves it.
    fs.writeFileSync(bench.path('dir/inner'), 'INNER');
    fs.utimesSync(bench.path('dir/inner'), 1_500_000_000.125, 1_500_000_000.125);
    expect(fs.statSync(bench.path('dir/inner'), { bigint: true }).ino).toBe(stat.ino);
    const live = fileSystem.stat(bench.root, at('dir/inner'));
    const record = bench.index.get(at('dir/inner'));
    if (live === null || record === null) throw new Error();
    bench.index.records.set(at('dir/inner'), { ...record, packedStat: packed(live) });
    expect(verdicts(bench.apply(orders))).toEqual(['done', 'changed target']);
    expect(bench.read('dir/inner')).toBe('INNER');
  });

  test('control: an applier that trusts the live stat instead of the recorded one loses the edit', () => {
    const order = bench.put('file', 'theirs');
    EDITS['edits in place, same size']?.act(bench);
    const record = bench.index.get(at('file'));
    const live = fileSystem.stat(bench.root, at('file'));
    if (record === null || live === null) throw new Error();
    bench.index.records.set(at('file'), { ...record, packedStat: packed(live) });
    expect(verdicts(bench.apply([order]))).toEqual(['done']);
    expect(bench.read('file')).toBe('theirs');
  });

  test('an edit right after the commit is not taken for what was put there', () => {
    const hooked = hookedFileSystem(
      fileSystem,
      () => {},
      (method, args) => {
        if (method === 'placeNew' && args[3] === 'new') fs.writeFileSync(bench.path('new'), 'MINE');
      },
    );
    expect(verdicts(bench.apply([bench.put('new', 'thei')], { fileSystem: hooked }))).toEqual(['done']);
    const record = bench.index.get(at('new'));
    const live = packed(fileSystem.stat(bench.root, at('new')) as Stat);
    expect(record?.racy === true || !sameStat(record?.packedStat as Uint8Array, live)).toBe(true);
  });

  test('a file whose time is now is recorded as racy', () => {
    bench.apply([bench.put('new', 'x', { mtimeNs: BigInt(Date.now()) * 1_000_000n })]);
    expect(bench.index.get(at('new'))?.racy).toBe(true);
  });
});

function saveByRename(bench: Workbench, path: string, content: string, keepsTime = false): void {
  const { atime, mtime, mode } = fs.lstatSync(bench.path(path));
  fs.writeFileSync(bench.path('saving'), content);
  fs.chmodSync(bench.path('saving'), mode & 0o7777);
  if (keepsTime) fs.utimesSync(bench.path('saving'), atime, mtime);
  fs.renameSync(bench.path('saving'), bench.path(path));
}
