/** Every operation on every kind of object, on each file system. */
import * as fs from 'node:fs';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { DirectoryEntry, FileEntry, SymlinkEntry } from '../../../src/journal/core/entry.ts';
import { packXattrs } from '../../../src/journal/core/xattrs.ts';
import type { FileSystem } from '../../../src/platform/filesystem.ts';
import { BOTH_KINDS } from './kinds.ts';
import { at, fileEntry, NEW_NS, type Order, verdicts, Workbench } from './workbench.ts';

const DIRECTORY: DirectoryEntry = { kind: 'directory', mode: 0o755 };
const LINK: SymlinkEntry = { kind: 'symlink', target: 'elsewhere' };

interface Case {
  readonly name: string;
  readonly orders: (bench: Workbench) => Order[];
  /** Contents afterwards by path; null: nothing there. */
  readonly tree: Readonly<Record<string, string | null>>;
  readonly versions?: readonly string[];
  readonly verdicts?: readonly string[];
}

const CASES: readonly Case[] = [
  { name: 'create a file', orders: (b) => [b.put('new', 'n')], tree: { new: 'n' } },
  { name: 'create an empty file', orders: (b) => [b.put('new', '')], tree: { new: '' } },
  { name: 'create a file in a directory', orders: (b) => [b.put('dir/new', 'n')], tree: { 'dir/new': 'n' } },
  { name: 'create a symlink', orders: (b) => [b.place('new', LINK)], tree: { new: '-> elsewhere' } },
  {
    name: 'create a chain of directories with a file',
    orders: (b) => [b.place('d', DIRECTORY), b.place('d/e', DIRECTORY), b.put('d/e/f', 'n')],
    tree: { d: '<directory>', 'd/e': '<directory>', 'd/e/f': 'n' },
  },
  {
    name: 'replace a file',
    orders: (b) => [b.put('file', 'newer')],
    tree: { file: 'newer' },
    versions: ['overwritten file=old'],
  },
  {
    name: 'replace a file by a symlink',
    orders: (b) => [b.place('file', LINK)],
    tree: { file: '-> elsewhere' },
    versions: ['overwritten file=old'],
  },
  {
    name: 'replace a file by a directory, and fill it',
    orders: (b) => [b.place('file', DIRECTORY), b.put('file/in', 'n')],
    tree: { file: '<directory>', 'file/in': 'n' },
    versions: ['overwritten file=old'],
  },
  {
    name: 'replace a symlink by a file',
    orders: (b) => [b.put('link', 'n')],
    tree: { link: 'n' },
    versions: ['overwritten link=-> target'],
  },
  {
    name: 'replace a symlink by a symlink',
    orders: (b) => [b.place('link', LINK)],
    tree: { link: '-> elsewhere' },
    versions: ['overwritten link=-> target'],
  },
  {
    name: 'replace a symlink by a directory',
    orders: (b) => [b.place('link', DIRECTORY)],
    tree: { link: '<directory>' },
    versions: ['overwritten link=-> target'],
  },
  {
    name: 'replace an empty directory by a file',
    orders: (b) => [b.put('empty', 'n')],
    tree: { empty: 'n' },
    versions: ['overwritten empty=nothing'],
  },
  {
    name: 'replace a directory by a symlink, its content removed before',
    orders: (b) => [b.remove('dir/inner'), b.place('dir', LINK)],
    tree: { dir: '-> elsewhere' },
    versions: ['deleted dir/inner=inner', 'overwritten dir=nothing'],
  },
  {
    name: 'refuse to replace a directory that holds something',
    orders: (b) => [b.put('dir', 'n')],
    tree: { dir: '<directory>', 'dir/inner': 'inner' },
    verdicts: ['failed ENOTEMPTY'],
  },
  {
    name: 'remove a file',
    orders: (b) => [b.remove('file')],
    tree: { file: null },
    versions: ['deleted file=old'],
  },
  {
    name: 'remove a symlink',
    orders: (b) => [b.remove('link')],
    tree: { link: null },
    versions: ['deleted link=-> target'],
  },
  {
    name: 'remove a directory with its content',
    orders: (b) => [b.remove('dir/inner'), b.remove('dir')],
    tree: { dir: null },
    versions: ['deleted dir/inner=inner', 'deleted dir=nothing'],
  },
  {
    name: 'refuse to remove a directory that holds something',
    orders: (b) => [b.remove('dir')],
    tree: { 'dir/inner': 'inner' },
    verdicts: ['failed ENOTEMPTY'],
  },
  { name: 'rename a file', orders: (b) => [b.rename('file', 'dir/moved')], tree: { file: null, 'dir/moved': 'old' } },
  { name: 'rename a symlink', orders: (b) => [b.rename('link', 'moved')], tree: { link: null, moved: '-> target' } },
  {
    name: 'rename a directory, then change what is in it',
    orders: (b) => {
      const orders = [b.rename('dir', 'moved')];
      const before = b.entry('dir/inner');
      return [...orders, b.put('moved/inner', 'changed', {}, before), b.put('moved/new', 'n')];
    },
    tree: { dir: null, 'moved/inner': 'changed', 'moved/new': 'n' },
    versions: ['overwritten moved/inner=inner'],
  },
  {
    name: 'refuse to rename over something',
    orders: (b) => [b.rename('file', 'dir/inner')],
    tree: { file: 'old', 'dir/inner': 'inner' },
    verdicts: ['changed target'],
  },
  {
    name: 'move a file aside and put another in its place',
    orders: (b) => {
      const rename = b.rename('file', 'file.aside');
      return [rename, b.put('file', 'n', {}, null)];
    },
    tree: { file: 'n', 'file.aside': 'old' },
  },
  {
    name: 'remove a file and put another in its place',
    orders: (b) => {
      const remove = b.remove('file');
      return [remove, b.put('file', 'n', {}, null)];
    },
    tree: { file: 'n' },
    versions: ['deleted file=old'],
  },
  {
    name: 'copy from another file',
    orders: (b) => [b.place('copy', fileEntry('old'), { content: 'copy', copyFrom: at('file') })],
    tree: { file: 'old', copy: 'old' },
  },
  {
    name: 'copy over another file',
    orders: (b) => [b.place('dir/inner', fileEntry('old'), { content: 'copy', copyFrom: at('file') })],
    tree: { 'dir/inner': 'old' },
    versions: ['overwritten dir/inner=inner'],
  },
  {
    name: 'copy from a file of the same batch',
    orders: (b) => [b.put('new', 'n'), b.place('copy', fileEntry('n'), { content: 'copy', copyFrom: at('new') })],
    tree: { new: 'n', copy: 'n' },
  },
  {
    name: 'refuse to copy other content',
    orders: (b) => [b.place('copy', fileEntry('xxx'), { content: 'copy', copyFrom: at('file') })],
    tree: { copy: null },
    verdicts: ['changed target'],
  },
  {
    name: 'link to a file of the same batch, twice',
    orders: (b) => [
      b.put('new', 'n'),
      b.place('two', fileEntry('n', { linkTo: 'new' }), { content: 'link', copyFrom: at('new') }),
      b.place('three', fileEntry('n', { linkTo: 'new' }), { content: 'link', copyFrom: at('new') }),
    ],
    tree: { new: 'n', two: 'n', three: 'n' },
  },
  {
    name: 'replace a file by a link',
    orders: (b) => [
      b.place('dir/inner', fileEntry('old', { linkTo: 'file' }), { content: 'link', copyFrom: at('file') }),
    ],
    tree: { 'dir/inner': 'old' },
    versions: ['overwritten dir/inner=inner'],
  },
  {
    name: 'refuse to remove or rename the root',
    orders: (b) => [b.remove(''), b.rename('', 'x')],
    tree: { file: 'old' },
    verdicts: ['failed EBUSY', 'failed EBUSY'],
  },
  {
    name: 'refuse a path whose directory is unknown',
    orders: (b) => [b.put('no/such', 'n')],
    tree: { no: null },
    verdicts: ['changed target'],
  },
  {
    name: 'refuse what is not synced at the target',
    orders: (b) => [b.put('file', 'n', {}, { kind: 'untracked', what: 'fifo' })],
    tree: { file: 'old' },
    verdicts: ['failed EEXIST'],
  },
];

describe.each(BOTH_KINDS)('$name', ({ fileSystem }) => {
  let bench: Workbench;
  beforeEach(() => {
    bench = new Workbench(fileSystem);
    bench.write('file', 'old', 0o600);
    bench.write('dir/inner', 'inner');
    fs.mkdirSync(bench.path('empty'));
    fs.symlinkSync('target', bench.path('link'));
    bench.observe();
  });
  afterEach(() => bench.close());

  test.each(CASES)('$name', (row) => {
    const orders = row.orders(bench);
    const outcomes = bench.apply(orders);
    expect(verdicts(outcomes)).toEqual(row.verdicts ?? orders.map(() => 'done'));
    for (const [path, content] of Object.entries(row.tree)) expect([path, bench.read(path)]).toEqual([path, content]);
    expect(bench.versions().sort()).toEqual([...(row.versions ?? [])].sort());
    expect(bench.litter()).toEqual([]);
    // What is recorded is what is there: a fresh look finds the same entries and stats.
    const recorded = new Map(bench.index.records);
    bench.observe();
    for (const [path, { entry, packedStat }] of bench.index.records) {
      const known = recorded.get(path);
      const { linkTo: _linkTo, ...rest } = { linkTo: '', ...known?.entry };
      expect([path, rest]).toEqual([path, entry]);
      if (entry.kind === 'file')
        expect(
          Buffer.from(known?.packedStat ?? []).equals(packedStat ?? Buffer.alloc(0)) || row.name.includes('link'),
        ).toBe(true);
    }
    expect([...recorded.keys()].sort()).toEqual([...bench.index.records.keys()].sort());
  });

  test('without backup nothing is kept', () => {
    bench.options = { ...bench.options, backup: false };
    const outcomes = bench.apply([
      bench.put('file', 'n'),
      bench.remove('link'),
      bench.remove('dir/inner'),
      bench.remove('dir'),
      bench.put('empty', 'n'),
    ]);
    expect(verdicts(outcomes)).toEqual(['done', 'done', 'done', 'done', 'done']);
    expect(bench.versions()).toEqual([]);
    expect(fs.readdirSync(bench.path('.tidemark/versions'))).toEqual([]);
    expect(bench.litter()).toEqual([]);
  });

  test('mode, time, size and digests of a created file', () => {
    const [outcome] = bench.apply([bench.put('new', 'n', { mode: 0o4751 })]);
    const stat = fs.statSync(bench.path('new'), { bigint: true });
    expect(Number(stat.mode & 0o7777n)).toBe(0o751);
    expect(stat.mtimeNs).toBe(NEW_NS);
    expect(outcome).toMatchObject({ status: 'done', entry: { ...fileEntry('n'), mode: 0o751 }, bytes: { literal: 1 } });
    expect(bench.index.get(at('new'))).toMatchObject({ racy: false, entry: { mode: 0o751 } });
  });

  test('metadata of a file that stays', () => {
    const inode = fs.statSync(bench.path('file')).ino;
    const before = bench.entry('file');
    if (before.kind !== 'file') throw new Error();
    const outcomes = bench.apply([bench.place('file', { ...before, mode: 0o640, mtimeNs: NEW_NS })]);
    expect(verdicts(outcomes)).toEqual(['done']);
    const stat = fs.statSync(bench.path('file'), { bigint: true });
    expect([Number(stat.mode & 0o7777n), stat.mtimeNs, stat.ino]).toEqual([0o640, NEW_NS, BigInt(inode)]);
    expect(bench.read('file')).toBe('old');
  });

  test('without --perms a replaced file keeps its mode, a new one obeys the umask; without --times it is now', () => {
    bench.options = { ...bench.options, metadata: { ...bench.options.metadata, perms: false, times: false } };
    bench.apply([bench.put('file', 'n', { mode: 0o777 }), bench.put('new', 'n', { mode: 0o777 })]);
    expect(fs.statSync(bench.path('file')).mode & 0o7777).toBe(0o600);
    expect(fs.statSync(bench.path('new')).mode & 0o7777).toBe(0o755);
    expect(Date.now() - fs.statSync(bench.path('new')).mtimeMs).toBeLessThan(60_000);
  });

  test('hard links outside keep the old content when a linked file is replaced', () => {
    fs.linkSync(bench.path('file'), bench.path('dir/other-name'));
    bench.observe();
    expect(verdicts(bench.apply([bench.put('file', 'n')]))).toEqual(['done']);
    expect([bench.read('file'), bench.read('dir/other-name')]).toEqual(['n', 'old']);
  });

  test('--setid takes setuid and setgid over', () => {
    bench.options = { ...bench.options, metadata: { ...bench.options.metadata, setid: true } };
    bench.apply([bench.put('new', 'n', { mode: 0o6755 })]);
    expect(fs.statSync(bench.path('new')).mode & 0o7777).toBe(0o6755);
  });

  describe.skipIf(!hasXattrs(fileSystem))('attributes (not in the portable file system, nor on older tmpfs)', () => {
    const path = (name: string) => at(name);
    const packed = (...pairs: [string, string][]) => packXattrs(new Map(pairs)) ?? undefined;

    test('with --xattrs they arrive, change and go; others stay', () => {
      bench.options = { ...bench.options, metadata: { ...bench.options.metadata, xattrs: true } };
      fileSystem.setXattr(bench.root, path('file'), 'user.old', 'x');
      bench.observe();
      const xattrs = packed(['user.a', '1'], ['user.b', '']);
      const before = bench.entry('file');
      const outcomes = bench.apply([
        bench.put('new', 'n', { ...(xattrs === undefined ? {} : { xattrs }) }),
        bench.place('dir', { ...bench.entry('dir'), ...(xattrs === undefined ? {} : { xattrs }) } as DirectoryEntry),
        bench.place('file', { ...before, ...(xattrs === undefined ? {} : { xattrs }) } as FileEntry),
      ]);
      expect(verdicts(outcomes)).toEqual(['done', 'done', 'done']);
      for (const name of ['new', 'dir', 'file']) {
        expect([...fileSystem.getXattrs(bench.root, path(name))].sort()).toEqual([
          ['user.a', '1'],
          ['user.b', ''],
        ]);
        expect(bench.index.get(path(name))?.entry).toMatchObject({ xattrs });
      }
    });

    test('attributes the other side does not know stay', () => {
      bench.options = { ...bench.options, metadata: { ...bench.options.metadata, xattrs: true } };
      fileSystem.setXattr(bench.root, path('file'), 'user.tag', 'mine');
      bench.observe();
      const { xattrs: _, ...before } = bench.entry('file') as FileEntry;
      expect(verdicts(bench.apply([bench.place('file', { ...before, mode: 0o640 })]))).toEqual(['done']);
      expect([...fileSystem.getXattrs(bench.root, path('file'))]).toEqual([['user.tag', 'mine']]);
      expect(verdicts(bench.apply([bench.place('file', { ...before, mode: 0o640, xattrs: '' })]))).toEqual(['done']);
      expect([...fileSystem.getXattrs(bench.root, path('file'))]).toEqual([]);
    });

    test('without --xattrs a replaced file keeps its own', () => {
      fileSystem.setXattr(bench.root, path('file'), 'user.tag', 'mine');
      bench.observe();
      const xattrs = packed(['user.theirs', '1']) ?? '';
      expect(verdicts(bench.apply([bench.put('file', 'n', { xattrs })]))).toEqual(['done']);
      expect([...fileSystem.getXattrs(bench.root, path('file'))]).toEqual([['user.tag', 'mine']]);
    });

    test('attributes nobody syncs are refused from a peer', () => {
      bench.options = { ...bench.options, metadata: { ...bench.options.metadata, xattrs: true } };
      const xattrs = packed(['security.capability', 'x']) ?? '';
      expect(verdicts(bench.apply([bench.put('new', 'n', { xattrs })]))).toEqual(['failed malformed']);
      expect([bench.read('new'), bench.litter()]).toEqual([null, []]);
    });
  });
});

function hasXattrs(fileSystem: FileSystem): boolean {
  const bench = new Workbench(fileSystem);
  try {
    bench.write('file', '');
    fileSystem.setXattr(bench.root, at('file'), 'user.try', '');
    return true;
  } catch {
    return false;
  } finally {
    bench.close();
  }
}
