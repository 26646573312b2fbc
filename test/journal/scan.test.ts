import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Change } from '../../src/journal/core/change.ts';
import type { CheckpointOptions } from '../../src/journal/core/look.ts';
import { type ScanOptions, type ScanResult, scanTree } from '../../src/journal/scan.ts';
import { Index } from '../../src/journal/store/index.ts';
import { type ByteName, type BytePath, fromText, ROOT } from '../../src/platform/core/byte-path.ts';
import type { Fd, FileSystem } from '../../src/platform/filesystem.ts';
import { openFileSystem } from '../../src/platform/open-filesystem.ts';

const { fileSystem } = openFileSystem();
let folder: string;
let tree: string;
let index: Index;
let root: Fd;
/** Files made by tests count as settled: the clock of the scan runs an hour ahead, unless a test says otherwise. */
const LATER = 3_600_000_000_000n;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tidemark-scan-'));
  tree = join(folder, 'tree');
  mkdirSync(tree);
  root = fileSystem.openRoot(tree);
  index = Index.open(join(folder, 'index'), { durable: false });
});

afterEach(() => {
  index.close();
  fileSystem.close(root);
  rmSync(folder, { recursive: true, force: true });
});

const OPTIONS: CheckpointOptions = {
  ignore: { patterns: [], file: '.tidemarkignore', gitignore: false, vcs: false },
  metadata: { perms: true, times: true, setid: false, owner: false, xattrs: false, acls: false, hardLinks: false },
  digest: 'xxh64',
  symlinks: 'posix-raw',
  oneFileSystem: false,
  rehash: false,
};

const clock = () => BigInt(Date.now()) * 1_000_000n;

function scan(options: Partial<ScanOptions> = {}, on: FileSystem = fileSystem): ScanResult {
  return scanTree(on, root, index, { ...OPTIONS, now: () => clock() + LATER, ...options });
}

function make(files: Readonly<Record<string, string>>): void {
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(tree, path)), { recursive: true });
    writeFileSync(join(tree, path), text);
  }
}

const listed = () => [...index.subtree(ROOT)].map(describeChange);

function describeChange({ path, entry }: Change): string {
  switch (entry?.kind) {
    case undefined:
      return `${path} gone`;
    case 'untracked':
      return `${path} ${entry.what}`;
    case 'problem':
      return `${path} problem ${entry.code}`;
    case 'file':
      return `${path} ${entry.sizeBytes}`;
    case 'symlink':
      return `${path} -> ${entry.target}`;
    case 'directory':
      return `${path}/`;
  }
}

/** What the next scan says changed. */
function changed(options: Partial<ScanOptions> = {}, on: FileSystem = fileSystem): string[] {
  index.acknowledge('test', index.sequence());
  const since = index.sequence();
  scan(options, on);
  return [...index.changesSince(since, 'test').changes].map(describeChange);
}

describe('a scan', () => {
  test('records every kind of object once, and nothing when nothing changed', () => {
    make({ 'a/b/c.txt': '123', 'a/d': '', z: 'zz', '.tidemark/id': 'x', 'a/.tidemark': 'not the hidden one' });
    symlinkSync('../x', join(tree, 'a/link'));
    execFileSync('mkfifo', [join(tree, 'pipe')]);
    const result = scan();
    expect(listed()).toEqual([
      'a/',
      'a/.tidemark 18',
      'a/b/',
      'a/b/c.txt 3',
      'a/d 0',
      'a/link -> ../x',
      'pipe fifo',
      'z 2',
    ]);
    expect(result).toEqual({ scanned: 8, hashed: 0, entries: 7, entriesBefore: 0, sequence: 9, problems: [] });
    expect(index.get(ROOT)?.entry.kind).toBe('directory');
    expect(changed()).toEqual([]);
    expect(scan()).toEqual({ ...result, entriesBefore: 7 });
  });

  test('finds what was created, changed, removed, renamed and replaced', () => {
    make({ 'a/b/c': '1', 'a/keep': '1', edit: '1', mode: '1', 'dir/x/y': '1', file: '1' });
    scan();
    make({ 'new/deep/er': '1', edit: '2222' });
    chmodSync(join(tree, 'mode'), 0o600);
    renameSync(join(tree, 'a/b'), join(tree, 'moved'));
    rmSync(join(tree, 'dir'), { recursive: true });
    writeFileSync(join(tree, 'dir'), 'file now');
    unlinkSync(join(tree, 'file'));
    mkdirSync(join(tree, 'file'));
    expect(changed()).toEqual([
      'a/b gone',
      'a/b/c gone',
      'dir 8',
      'dir/x gone',
      'dir/x/y gone',
      'edit 4',
      'file/',
      'mode 1',
      'moved/',
      'moved/c 1',
      'new/',
      'new/deep/',
      'new/deep/er 1',
    ]);
    expect(changed()).toEqual([]);
  });

  test('a moved object keeps its identity', () => {
    make({ 'a/x': '1' });
    scan();
    index.acknowledge('test', index.sequence());
    const since = index.sequence();
    renameSync(join(tree, 'a'), join(tree, 'b'));
    scan();
    const changes = new Map(
      [...index.changesSince(since, 'test').changes].map((change) => [change.path as string, change]),
    );
    expect(changes.get('a/x')?.identity).toHaveLength(16);
    expect(changes.get('a/x')?.identity).toBe(changes.get('b/x')?.identity);
  });

  test('keeps known digests of unchanged files, forgets those of changed ones', () => {
    make({ same: '1', touched: '1' });
    scan();
    for (const path of ['same', 'touched'] as BytePath[]) {
      const stat = index.get(path)?.packedStat;
      if (stat != null) index.updateDigests(path, stat, { fast: '8 bytes!', strong: null });
    }
    utimesSync(join(tree, 'touched'), 5, 5);
    expect(changed()).toEqual(['touched 1']);
    const fast = (path: string) => {
      const entry = index.get(path as BytePath)?.entry;
      return entry?.kind === 'file' ? entry.digests.fast : 'none';
    };
    expect([fast('same'), fast('touched')]).toEqual(['8 bytes!', null]);
    // Other options look again at every entry, but believe the stat.
    expect(changed({ metadata: { ...OPTIONS.metadata, owner: true } })).toEqual(
      ['', 'same 1', 'touched 1'].map((path) => (path === '' ? '/' : path)),
    );
    expect(fast('same')).toBe('8 bytes!');
    expect(changed({ rehash: true })).toEqual(['/', 'same 1', 'touched 1']);
    expect(fast('same')).toBeNull();
    expect(changed()).toEqual([]);
  });

  test('a directory that cannot be read keeps what was known in it, and becomes a problem', () => {
    make({ 'a/b/c': '1', 'a/d': '1', e: '1' });
    scan();
    const failing = (code: string): FileSystem => ({
      ...fileSystem,
      traits: fileSystem.traits.bind(fileSystem),
      readDirectories: (fd, paths) =>
        fileSystem
          .readDirectories(fd, paths)
          .map((listing) => (listing.path === 'a' ? { ...listing, error: code, entries: [] } : listing)),
    });
    expect(changed({}, failing('EACCES'))).toEqual(['a problem EACCES']);
    expect(listed()).toEqual(['a problem EACCES', 'a/b/', 'a/b/c 1', 'a/d 1', 'e 1']);
    expect(changed({}, failing('EACCES'))).toEqual([]);
    expect(scan({}, failing('EACCES')).problems).toEqual([
      { path: 'a', code: 'EACCES', message: 'cannot be read: EACCES' },
    ]);
    expect(changed({}, failing('ENOENT'))).toEqual(['a problem changed']);
    unlinkSync(join(tree, 'a/d'));
    expect(changed()).toEqual(['a/', 'a/d gone']);
    expect(scan().problems).toEqual([]);
  });

  test('a new directory that cannot be read is a problem without anything in it', () => {
    make({ 'a/b': '1' });
    const failing: FileSystem = {
      ...fileSystem,
      readDirectories: (fd, paths) =>
        fileSystem
          .readDirectories(fd, paths)
          .map((listing) => (listing.path === 'a' ? { ...listing, error: 'EIO', entries: [] } : listing)),
    };
    scan({}, failing);
    expect(listed()).toEqual(['a problem EIO']);
    expect(changed({}, failing)).toEqual([]);
    expect(changed()).toEqual(['a/', 'a/b 1']);
  });

  test('an entry that cannot be stat’ed is a problem and keeps what was known below', () => {
    make({ 'a/b': '1', c: '1' });
    scan();
    const failing: FileSystem = {
      ...fileSystem,
      readDirectories: (fd, paths) =>
        fileSystem.readDirectories(fd, paths).map((listing) => ({
          ...listing,
          entries: listing.entries.map((entry) =>
            listing.path === '' ? { ...entry, packedStat: new Uint8Array(64), error: 'EIO' } : entry,
          ),
        })),
    };
    expect(changed({}, failing)).toEqual(['a problem EIO', 'c problem EIO']);
    expect(index.get('a/b' as BytePath)).not.toBeNull();
    expect(scan({}, failing).problems).toHaveLength(2);
    expect(changed()).toEqual(['a/', 'c 1']);
  });

  test('a listing out of order is refused before anything counts as gone', () => {
    make({ a: '1', b: '1', c: '1' });
    scan();
    const broken: FileSystem = {
      ...fileSystem,
      readDirectories: (fd, paths) =>
        fileSystem
          .readDirectories(fd, paths)
          .map((listing) => ({ ...listing, entries: [...listing.entries].reverse() })),
    };
    expect(() => scan({}, broken)).toThrow('out of order');
    expect(listed()).toEqual(['a 1', 'b 1', 'c 1']);
  });

  test('names of any bytes stay what they are', () => {
    const names = [
      '\xff\xfe',
      '\xc3\x28',
      '\xe9',
      'ü',
      '\n',
      'a\\b',
      '-rf',
      '__proto__',
      '~',
      ' ',
      '\x7f',
      '.hidden',
      '...',
    ];
    for (const name of names) writeFileSync(Buffer.concat([Buffer.from(`${tree}/`), Buffer.from(name, 'latin1')]), '1');
    scan();
    expect([...index.children(ROOT)].map(({ name }) => name as string)).toEqual([...names].sort());
    expect(changed()).toEqual([]);
  });
});

describe('a racy file', () => {
  /** An edit of the same size that leaves every byte of the stat as it was, as one within a clock tick does. */
  function sameTickEdit(): void {
    make({ f: 'old' });
    const first = lstatSync(join(tree, 'f'), { bigint: true });
    scan({ now: () => first.ctimeNs });
    const record = index.get('f' as BytePath);
    if (record?.packedStat == null) throw new Error('not recorded');
    index.updateDigests('f' as BytePath, record.packedStat, { fast: 'of "old"', strong: null });
    writeFileSync(join(tree, 'f'), 'new');
    const second = lstatSync(join(tree, 'f'), { bigint: true });
    // Where the kernel did stamp anew, the record is brought up to that stamp: now only the content differs.
    const stat = Buffer.from(record.packedStat);
    stat.writeBigInt64LE(second.mtimeNs, 40);
    stat.writeBigInt64LE(second.ctimeNs, 48);
    const entry = { ...record.entry, mtimeNs: second.mtimeNs, digests: { fast: 'of "old"', strong: null } };
    index.put('f' as BytePath, { ...record, entry, packedStat: stat } as typeof record, '');
    expect(readFileSync(join(tree, 'f'), 'utf8')).toBe('new');
  }

  test('is not believed at the next look, and from then on is', () => {
    sameTickEdit();
    expect(index.get('f' as BytePath)?.racy).toBe(true);
    expect(changed()).toEqual(['f 3']);
    expect(index.get('f' as BytePath)?.entry).toMatchObject({ digests: { fast: null } });
    expect(index.get('f' as BytePath)?.racy).toBe(false);
    expect(changed()).toEqual([]);
  });

  test('control: without the rule the edit is missed', () => {
    sameTickEdit();
    const record = index.get('f' as BytePath);
    if (record !== null) index.put('f' as BytePath, { ...record, racy: false }, '');
    expect(changed()).toEqual([]);
  });
});

describe('what is left alone', () => {
  test('ignored paths are untracked, not entered, and come back when the rules go', () => {
    make({
      'src/a.c': '1',
      'src/a.o': '1',
      'build/x/y': '1',
      'keep.o': '1',
      '.tidemarkignore': '*.o\n!keep.o\nbuild/\n',
    });
    scan();
    expect(listed()).toEqual([
      '.tidemarkignore 19',
      'build ignored',
      'keep.o 1',
      'src/',
      'src/a.c 1',
      'src/a.o ignored',
    ]);
    expect(changed()).toEqual([]);
    utimesSync(join(tree, 'build'), 9, 9);
    expect(changed()).toEqual([]);
    // The file is read in the same scan that finds it changed.
    make({ '.tidemarkignore': 'src\n' });
    expect(changed()).toEqual([
      '.tidemarkignore 4',
      'build/',
      'build/x/',
      'build/x/y 1',
      'src ignored',
      'src/a.c gone',
      'src/a.o gone',
    ]);
    unlinkSync(join(tree, '.tidemarkignore'));
    expect(changed()).toEqual(['.tidemarkignore gone', 'src/', 'src/a.c 1', 'src/a.o 1']);
  });

  test('precedence: version control < .gitignore, deeper over higher < the ignore file < the command line', () => {
    make({
      '.git/x': '1',
      '.gitignore': '*.a\n!.git\n',
      'd/.gitignore': '!*.a\n*.b\n',
      'd/1.a': '',
      'd/1.b': '',
      'd/1.c': '',
      '1.a': '',
      '1.b': '',
      '.tidemarkignore': '*.c\n!1.b\n',
    });
    const rules = (patterns: string[], gitignore = true) => ({
      ignore: { patterns, file: '.tidemarkignore', gitignore, vcs: true },
    });
    const ignored = (options: Partial<ScanOptions>) => {
      scan(options);
      return listed()
        .filter((line) => line.endsWith(' ignored'))
        .map((line) => line.slice(0, -' ignored'.length));
    };
    expect(ignored(rules([], false))).toEqual(['.git', 'd/1.c']);
    expect(ignored(rules([]))).toEqual(['1.a', 'd/1.c']);
    expect(ignored(rules(['!*.c', 'd/*.b', '.git']))).toEqual(['.git', '1.a', 'd/1.b']);
  });

  test('rules that cannot be used', () => {
    make({ 'd/.gitignore': 'x'.repeat(5000), 'd/f': '1', e: '1' });
    const git = { ignore: { ...OPTIONS.ignore, gitignore: true } };
    expect(scan(git).problems).toEqual([
      { path: 'd', code: 'ignore-rules', message: expect.stringContaining('longer than 4096 bytes') },
    ]);
    expect(listed()).toEqual(['d problem ignore-rules', 'e 1']);
    make({ '.tidemarkignore': 'x'.repeat(5000) });
    expect(() => scan()).toThrow(expect.objectContaining({ fault: 'usage', code: 'ignore-rules' }));
    const many = { ...OPTIONS.ignore, patterns: Array(10_001).fill('x') };
    expect(() => scan({ ignore: many })).toThrow(expect.objectContaining({ fault: 'usage' }));
  });

  test('symlinks by mode', () => {
    mkdirSync(join(tree, 'd'));
    for (const [name, target] of [
      ['up', '..'],
      ['in', '../d/x'],
      ['absolute', '/etc'],
      ['out', 'x/../../../y'],
      ['round', '../d/../z'],
    ] as const) {
      symlinkSync(target, join(tree, 'd', name));
    }
    scan({ symlinks: 'ignore' });
    expect(listed()).toEqual([
      'd/',
      'd/absolute symlink',
      'd/in symlink',
      'd/out symlink',
      'd/round symlink',
      'd/up symlink',
    ]);
    expect(scan({ symlinks: 'portable' }).problems.map(({ path, code }) => `${path} ${code}`)).toEqual([
      'd/absolute not-portable',
      'd/out not-portable',
    ]);
    expect(listed()).toContain('d/up -> ..');
    expect(scan({ symlinks: 'portable' }).problems).toHaveLength(2);
    scan();
    expect(listed()).toContain('d/absolute -> /etc');
  });

  test('other file systems, with the option', () => {
    make({ 'd/x': '1', 'm/y': '1' });
    const mounted: FileSystem = {
      ...fileSystem,
      readDirectories: (fd, paths) =>
        fileSystem.readDirectories(fd, paths).map((listing) => ({
          ...listing,
          entries: listing.entries.map((entry) => {
            if (entry.name !== 'm') return entry;
            const packedStat = Buffer.from(entry.packedStat);
            packedStat.writeBigUInt64LE(0xdead_0000_beefn, 0);
            return { ...entry, packedStat };
          }),
        })),
    };
    scan({ oneFileSystem: true }, mounted);
    expect(listed()).toEqual(['d/', 'd/x 1', 'm mount']);
    scan({}, mounted);
    expect(listed()).toEqual(['d/', 'd/x 1', 'm/', 'm/y 1']);
  });
});

describe('metadata that is asked for', () => {
  const metadata = OPTIONS.metadata;

  test('hard links: all names but the first point to it', () => {
    make({ 'b/one': 'x', other: 'y' });
    linkSync(join(tree, 'b/one'), join(tree, 'a'));
    linkSync(join(tree, 'b/one'), join(tree, 'z'));
    const links = () =>
      [...index.subtree(ROOT)].flatMap(({ path, entry }) =>
        entry?.kind === 'file' && entry.linkTo !== undefined ? [`${path}=>${entry.linkTo}`] : [],
      );
    const on = { metadata: { ...metadata, hardLinks: true } };
    scan(on);
    expect(links()).toEqual(['b/one=>a', 'z=>a']);
    expect(changed(on)).toEqual([]);
    unlinkSync(join(tree, 'a'));
    scan(on);
    expect(links()).toEqual(['z=>b/one']);
    unlinkSync(join(tree, 'z'));
    scan(on);
    expect(links()).toEqual([]);
    scan();
    expect(links()).toEqual([]);
  });

  test('hard links: an ignored name is none to link to', () => {
    make({ 'b.o': 'x' });
    linkSync(join(tree, 'b.o'), join(tree, 'c'));
    linkSync(join(tree, 'b.o'), join(tree, 'd'));
    const ignore = { ...OPTIONS.ignore, patterns: ['*.o'] };
    scan({ ignore, metadata: { ...metadata, hardLinks: true } });
    expect(index.get('c' as BytePath)?.entry).not.toHaveProperty('linkTo');
    expect(index.get('d' as BytePath)?.entry).toMatchObject({ linkTo: 'c' });
  });

  test('attributes: user.* and ACLs by option, nothing else ever', () => {
    make({ f: '1', 'd/x': '1' });
    const xattrs = new Map([
      ['user.b', '2'],
      ['user.a', '1'],
      ['security.selinux', 'x'],
      ['trusted.x', 'y'],
      ['system.posix_acl_access', 'acl'],
    ]);
    let reads = 0;
    const attributed: FileSystem = {
      ...fileSystem,
      getXattrs: (_, path) => {
        reads++;
        if (path === 'd/x') throw Object.assign(new Error('x'), { code: 'EACCES' });
        return path === 'f' ? xattrs : new Map();
      },
    };
    scan({ metadata: { ...metadata, xattrs: true } }, attributed);
    const packed = (path: string) => {
      const entry = index.get(path as BytePath)?.entry;
      return entry?.kind === 'file' || entry?.kind === 'directory' ? entry.xattrs : 'none';
    };
    expect(packed('f')).toBe('\x06user.a\x01\0\0\x001\x06user.b\x01\0\0\x002');
    expect(packed('d')).toBe('');
    expect(listed()).toContain('d/x problem EACCES');
    reads = 0;
    expect(changed({ metadata: { ...metadata, xattrs: true } }, attributed)).toEqual([]);
    // The root, and the file that could not be read.
    expect(reads).toBe(2);
    scan({ metadata: { ...metadata, acls: true } }, attributed);
    expect(packed('f')).toBe('\x17system.posix_acl_access\x03\0\0\0acl');
  });

  test('owner of every kind', () => {
    make({ 'd/f': '1' });
    symlinkSync('x', join(tree, 'l'));
    scan({ metadata: { ...metadata, owner: true } });
    const owner = `${process.getuid?.()}:${lstatSync(join(tree, 'l')).gid}`;
    const owners = [...index.subtree(ROOT)].map(({ entry }) => (entry as { owner?: string }).owner);
    expect(owners).toEqual([owner, owner, owner]);
  });
});

describe('a root that is a file', () => {
  test('is recorded as the root, through every change', () => {
    make({ f: '123', other: 'x' });
    const only = { only: 'f' as ByteName };
    expect(scan(only)).toMatchObject({ scanned: 1, entries: 0 });
    expect(index.get(ROOT)?.entry).toMatchObject({ kind: 'file', sizeBytes: 3 });
    expect(listed()).toEqual([]);
    expect(changed(only)).toEqual([]);
    make({ f: '12345' });
    expect(changed(only)).toEqual([' 5']);
    unlinkSync(join(tree, 'f'));
    expect(changed(only)).toEqual([' gone']);
    symlinkSync('other', join(tree, 'f'));
    expect(changed(only)).toEqual([' -> other']);
  });
});

describe('a scan that is stopped', () => {
  test('leaves a sound index that the next scan completes', () => {
    make(Object.fromEntries(Array.from({ length: 300 }, (_, each) => [`d${each}/e/f`, '1'])));
    const controller = new AbortController();
    const stopping = { signal: controller.signal, onProgress: () => controller.abort() };
    expect(() => scan(stopping)).toThrow(expect.objectContaining({ fault: 'interrupted' }));
    scan();
    expect(index.entryCount()).toBe(900);
    expect(changed()).toEqual([]);
  });
});

describe('scans of a changing tree', () => {
  const path = fc.array(fc.constantFrom('a', 'b', 'c'), { minLength: 1, maxLength: 3 }).map((names) => names.join('/'));
  const step = fc.tuple(fc.constantFrom('file', 'directory', 'remove', 'rename', 'link'), path, path);

  test('end in the same index as one scan of the end', () => {
    fc.assert(
      fc.property(fc.array(fc.array(step, { maxLength: 6 }), { maxLength: 5 }), (rounds) => {
        for (const steps of rounds) {
          for (const [kind, at, to] of steps) change(kind, join(tree, at), join(tree, to));
          scan();
        }
        const fresh = Index.open(join(folder, 'fresh'), { durable: false });
        scanTree(fileSystem, root, fresh, { ...OPTIONS, now: () => clock() + LATER });
        expect([...index.subtree(ROOT)]).toEqual([...fresh.subtree(ROOT)]);
        expect(index.entryCount()).toBe(fresh.entryCount());
        fresh.close();
        rmSync(join(folder, 'fresh'), { recursive: true });
      }),
      { numRuns: 40 },
    );
  });

  /** What cannot be done here and now is left out. */
  function change(kind: string, at: string, to: string): void {
    try {
      if (kind === 'file') writeFileSync(at, String(Math.random()));
      else if (kind === 'directory') mkdirSync(at);
      else if (kind === 'remove') rmSync(at, { recursive: true });
      else if (kind === 'rename') renameSync(at, to);
      else symlinkSync('x', at);
    } catch {}
  }
});

test('names given as text are bytes', () => {
  expect(fromText('é')).toBe('\xc3\xa9');
});
