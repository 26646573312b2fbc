/** Settling where the file system does as it is told by the test: races, faults, and what has become of the file. */

import { spawnSync } from 'node:child_process';
import {
  mkdirSync,
  renameSync,
  statSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { digestFiles } from '../../src/journal/digest-files.ts';
import { SYNCFS_FILES } from '../../src/journal/durable.ts';
import { hashBytes, initHashing } from '../../src/journal/hash.ts';
import { settleFiles } from '../../src/journal/settle.ts';
import { unpackStat } from '../../src/platform/core/stat-codec.ts';
import type { FileSystem } from '../../src/platform/filesystem.ts';
import { systemError } from '../../src/platform/system-error.ts';
import { digestOf, NOBODY, SettleFolder, verdictOf } from '../support/settle-tools.ts';
import { altered, bytePath, FILE_SYSTEMS, NATIVE, withoutLeases } from '../support/supply-tools.ts';
import { hookedFileSystem, type Method, once } from '../sync/apply/hooked-filesystem.ts';

beforeAll(initHashing);

const LARGE = 600_000;
const fast = (content: Buffer) => hashBytes(content, 'both').fast;
function replaceBy(make: () => void, file: string): void {
  unlinkSync(file);
  make();
}

const later = () => BigInt(Date.now() + 60_000) * 1_000_000n;

describe.each(FILE_SYSTEMS.map((fileSystem) => [fileSystem.kind, fileSystem] as const))('%s', (kind, fileSystem) => {
  let folder: SettleFolder;
  beforeEach(() => {
    folder = new SettleFolder(fileSystem);
  });
  afterEach(() => folder.close());

  test('nothing asked, nothing answered', () => {
    expect(settleFiles(fileSystem, folder.root, [], { durable: true, strong: false, census: null })).toEqual([]);
  });

  test('answers in the order asked, each with the stat of what was hashed', () => {
    const names = ['b', 'a', 'missing', 'c'];
    for (const name of ['a', 'b', 'c']) writeFileSync(folder.at(name), name);
    const results = folder.settle(names, { strong: true });
    expect(results.map(({ path }) => path)).toEqual(names);
    expect(results.map(({ outcome }) => outcome)).toEqual(['settled', 'settled', 'gone', 'settled']);
    for (const result of results) {
      if (result.outcome !== 'settled') continue;
      expect(result.digests).toEqual(hashBytes(Buffer.from(result.path), 'both'));
      expect(unpackStat(result.packedStat).ino).toBe(statSync(folder.at(result.path), { bigint: true }).ino);
    }
  });

  test('what is no regular file is gone', () => {
    mkdirSync(folder.at('directory'));
    mkdirSync(folder.at('real'));
    writeFileSync(folder.at('real/file'), 'x');
    symlinkSync('real/file', folder.at('link'));
    symlinkSync('real', folder.at('way'));
    spawnSync('mkfifo', [folder.at('fifo')]);
    const names = ['directory', 'link', 'fifo', 'nothing', 'way/file', 'real/file/below'];
    expect(folder.settle(names).map(verdictOf)).toEqual(names.map(() => 'gone'));
  });

  const replaced: readonly (readonly [string, (file: string) => void, string])[] = [
    ['is removed', (file) => unlinkSync(file), 'gone'],
    ['becomes a directory', (file) => replaceBy(() => mkdirSync(file), file), 'gone'],
    ['becomes a symlink', (file) => replaceBy(() => symlinkSync('other', file), file), 'gone'],
  ];
  test.each(replaced)('a file that %s after the first look', (_, act, verdict) => {
    writeFileSync(folder.at('f'), Buffer.alloc(LARGE, 'o'));
    const hooked = hookedFileSystem(
      fileSystem,
      once(['openFile'], () => act(folder.at('f'))),
    );
    expect(folder.settleOn(hooked, ['f']).map(verdictOf)).toEqual([verdict]);
  });

  test.each([100, LARGE])('a file of %d bytes that is replaced after the first look is read anew', (size) => {
    const fresh = Buffer.alloc(size, 'n');
    writeFileSync(folder.at('f'), Buffer.alloc(size, 'o'));
    const replace = () => {
      writeFileSync(folder.at('new'), fresh);
      renameSync(folder.at('new'), folder.at('f'));
    };
    const hooked = hookedFileSystem(fileSystem, once(['openFile'], replace));
    const [result] = folder.settleOn(hooked, ['f']);
    expect(digestOf(result)).toBe(fast(fresh));
    if (result?.outcome !== 'settled') throw new Error('not settled');
    expect(unpackStat(result.packedStat).ino).toBe(statSync(folder.at('f'), { bigint: true }).ino);
  });

  test.each(['truncated', 'rewritten', 'touched'])('a file that is %s while it is read', (how) => {
    const file = folder.at('f');
    writeFileSync(file, Buffer.alloc(LARGE, 'o'));
    const acts: Record<string, () => void> = {
      truncated: () => truncateSync(file, 10),
      rewritten: () => writeFileSync(file, Buffer.alloc(LARGE, 'n')),
      touched: () => utimesSync(file, 1, 1),
    };
    // After the first stat of the reading; a lease would keep all but the last out, and this thread with them.
    const hooked = hookedFileSystem(withoutLeases(fileSystem), once(['advise'], acts[how] ?? (() => {})));
    const [result] = folder.settleOn(hooked, ['f'], { now: later });
    const [expected] = folder.settle(['f']);
    expect(digestOf(result)).toBe(digestOf(expected));
  });

  test('a file that never rests is hot', () => {
    writeFileSync(folder.at('f'), Buffer.alloc(LARGE, 'o'));
    let seconds = 1;
    const hooked = hookedFileSystem(withoutLeases(fileSystem), (method) => {
      if (method === 'advise') utimesSync(folder.at('f'), seconds, seconds++);
    });
    expect(folder.settleOn(hooked, ['f'])).toMatchObject([{ outcome: 'hot', reason: 'changes again and again' }]);
  });

  test('without a lease the census decides', () => {
    const names = ['f'];
    writeFileSync(folder.at('f'), 'x');
    const noLease = withoutLeases(fileSystem);
    const { ino } = statSync(folder.at('f'), { bigint: true });
    const open = {
      isComplete: false,
      isOpenForWriting: (path: string, inode: { ino: bigint }) => path === 'f' && inode.ino === ino,
    };
    expect(folder.settleOn(noLease, names).map(verdictOf)).toEqual(['unproven']);
    expect(folder.settleOn(noLease, names, { census: NOBODY }).map(verdictOf)).toEqual(['closed']);
    expect(folder.settleOn(noLease, names, { census: { ...NOBODY, isComplete: false } }).map(verdictOf)).toEqual([
      'unproven',
    ]);
    expect(folder.settleOn(noLease, names, { census: open }).map(verdictOf)).toEqual(['hot']);
  });

  test('where others than this kernel can write, no census proves anything', () => {
    writeFileSync(folder.at('f'), 'x');
    const traits = fileSystem.traits(folder.root);
    for (const type of ['nfs', 'cifs', 'fuse', '9p', 'ceph']) {
      const remote = altered(withoutLeases(fileSystem), { traits: () => ({ ...traits, type }) });
      expect(folder.settleOn(remote, ['f'], { census: NOBODY }).map(verdictOf)).toEqual(['unproven']);
    }
  });

  test.skipIf(process.geteuid?.() === 0)('an unreadable file is a problem', () => {
    writeFileSync(folder.at('f'), 'x', { mode: 0 });
    expect(folder.verdict('f')).toBe('EACCES');
  });

  describe('a failed writeback', () => {
    /** As after a direct write that collided: the error is told once, cache and disk are what they are. */
    const failingOnce = (method: Method, more: Partial<FileSystem> = {}) => {
      let isTold = false;
      const fail = () => {
        if (isTold) return;
        isTold = true;
        throw systemError('EIO', 'sync_file_range');
      };
      return altered(fileSystem, {
        ...more,
        checkWriteback: method === 'checkWriteback' ? fail : fileSystem.checkWriteback,
        readSmallFile: (root, path, maxBytes, check) => {
          if (method === 'readSmallFile' && check === true) fail();
          return fileSystem.readSmallFile(root, path, maxBytes, check);
        },
      });
    };
    const content = Buffer.alloc(LARGE, 'c');
    const disk = (bytes: Buffer): Partial<FileSystem> => ({
      openDirect: (fd) => fileSystem.openFile(folder.root, fdName(fd)),
      readDirect: (_fd, into, position) => bytes.copy(into, 0, position, position + into.length),
    });
    const fdName = (_fd: number) => 'f' as Parameters<FileSystem['openFile']>[1];

    test.each(['checkWriteback', 'readSmallFile'] as const)(
      'told by %s: what the disk holds, too, is settled',
      (method) => {
        const bytes = method === 'readSmallFile' ? content.subarray(0, 1000) : content;
        writeFileSync(folder.at('f'), bytes);
        const [result] = folder.settleOn(failingOnce(method, disk(bytes)), ['f']);
        expect(digestOf(result)).toBe(fast(bytes));
      },
    );

    test.each(['checkWriteback', 'readSmallFile'] as const)(
      'told by %s: what only the cache holds is a problem',
      (method) => {
        const bytes = method === 'readSmallFile' ? content.subarray(0, 1000) : content;
        writeFileSync(folder.at('f'), bytes);
        const other = Buffer.alloc(bytes.length, 'd');
        let dropped = 0;
        const failing = failingOnce(method, {
          ...disk(other),
          advise: (_fd, advice) => {
            dropped += Number(advice === 'dontneed');
          },
        });
        expect(folder.settleOn(failing, ['f']).map(verdictOf)).toEqual(['EIO']);
        // The cache may be the only place where the content still is.
        expect(dropped).toBe(0);
      },
    );

    test('where the disk cannot be asked, it is a problem', () => {
      writeFileSync(folder.at('f'), content);
      const failing = failingOnce('checkWriteback', { openDirect: () => null });
      expect(folder.settleOn(failing, ['f']).map(verdictOf)).toEqual(['EIO']);
    });
  });

  describe('a file written past the cache', () => {
    const cached = Buffer.alloc(LARGE, 'c');
    const disk = Buffer.alloc(LARGE, 'd');

    /** The disk holds `disk`; the cache holds what is really in the file, until its pages are dropped. */
    function collided(onDrop: () => void): FileSystem {
      writeFileSync(folder.at('f'), cached);
      return altered(withoutLeases(fileSystem), {
        openDirect: () => fileSystem.openFile(folder.root, 'f' as Parameters<FileSystem['openFile']>[1]),
        readDirect: (_fd, into, position) => disk.copy(into, 0, position, position + into.length),
        advise: (_fd, advice) => advice === 'dontneed' && onDrop(),
      });
    }

    test('a stale cache is dropped, and what the disk holds is recorded', () => {
      const refill = () => {
        writeFileSync(folder.at('f'), disk);
        utimesSync(folder.at('f'), 1, 1);
      };
      // The stats stay what they were in the real thing; here they move, and the file is read once more.
      const [result] = folder.settleOn(collided(refill), ['f'], { now: later }, true);
      expect(digestOf(result)).toBe(fast(disk));
    });

    test('a cache that stays stale is never recorded', () => {
      expect(
        folder
          .settleOn(
            collided(() => {}),
            ['f'],
            { now: later },
            true,
          )
          .map(verdictOf),
      ).toEqual(['stale-cache']);
    });

    test('negative control: not asked for, the stale cache is recorded', () => {
      expect(
        digestOf(
          folder.settleOn(
            collided(() => {}),
            ['f'],
            { now: later },
            false,
          )[0],
        ),
      ).toBe(fast(cached));
    });

    test('the cache is believed where a file cannot be read past it', () => {
      const none = altered(
        collided(() => {}),
        { openDirect: () => null },
      );
      const refused = altered(
        collided(() => {}),
        {
          readDirect: () => {
            throw systemError('EINVAL', 'read');
          },
        },
      );
      for (const one of [none, refused])
        expect(digestOf(folder.settleOn(one, ['f'], { now: later }, true)[0])).toBe(fast(cached));
    });

    test.each([0, 1, 4096, 262_144, 262_145, 1_000_003])('the real thing, of %d bytes', (size) => {
      const content = Buffer.alloc(size, 'r');
      writeFileSync(folder.at('f'), content);
      const [result] = folder.settle(['f'], {}, true);
      expect(digestOf(result)).toBe(fast(content));
    });
  });

  describe('one syncfs for many', () => {
    const names = Array.from({ length: SYNCFS_FILES }, (_, index) => `f${index}`);
    const isMemory = () => ['tmpfs', 'ramfs'].includes(fileSystem.traits(folder.root).type);

    /** How often syncfs and a single file's opening for a sync were called. */
    function counted(now: () => bigint, fault?: 'EIO') {
      let [all, single] = [0, 0];
      const counting = altered(fileSystem, {
        syncFileSystem: (fd) => {
          all++;
          if (fault !== undefined) throw systemError(fault, 'syncfs');
          if (kind === 'native') fileSystem.syncFileSystem(fd);
        },
        openFile: (root, path) => {
          single++;
          return fileSystem.openFile(root, path);
        },
      });
      const results = folder.settleOn(counting, names, { now });
      expect(results.every(({ outcome }) => outcome === 'settled')).toBe(true);
      return { all, single };
    }

    test('stands for files that were at rest', ({ skip }) => {
      if (isMemory()) skip('the temporary directory is in memory');
      for (const name of names) writeFileSync(folder.at(name), name);
      expect(counted(later)).toEqual({ all: 1, single: 0 });
      // Stamped this very moment: the next change need not show.
      const justNow = () => statSync(folder.at('f0'), { bigint: true }).mtimeNs;
      for (const name of names) utimesSync(folder.at(name), new Date(), new Date());
      expect(counted(justNow)).toEqual({ all: 1, single: names.length });
    });

    test('where it fails, each is asked for itself', ({ skip }) => {
      if (isMemory()) skip('the temporary directory is in memory');
      for (const name of names) writeFileSync(folder.at(name), name);
      expect(counted(later, 'EIO')).toEqual({ all: 1, single: names.length });
    });

    test('nothing is synced where it need not be durable', () => {
      for (const name of names) writeFileSync(folder.at(name), name);
      let calls = 0;
      const counting = altered(fileSystem, {
        syncFileSystem: () => void calls++,
        openFile: () => {
          calls++;
          throw systemError('EIO', 'open');
        },
      });
      const results = folder.settleOn(counting, names, { durable: false });
      expect(results.every(({ outcome }) => outcome === 'settled')).toBe(true);
      expect(calls).toBe(0);
    });
  });
});

test.skipIf(NATIVE === null)('settling small files costs little more than reading them', () => {
  const native = NATIVE as FileSystem;
  const folder = new SettleFolder(native);
  const names = Array.from({ length: 1500 }, (_, index) => `f${index}`);
  for (const name of names) writeFileSync(folder.at(name), name.repeat(200));
  const requests = names.map((name) => ({ path: bytePath(name), packedStat: null, strong: false }));
  const fastest = (act: () => unknown) => Math.min(...[1, 2, 3, 4].map(() => timed(act)));
  const reading = fastest(() => digestFiles(native, folder.root, requests, 'xxh64'));
  const settling = fastest(() => folder.settle(names, { durable: false }));
  folder.close();
  // Two opens instead of one, one of them without reading.
  expect(settling / reading).toBeLessThan(3);
});

function timed(act: () => unknown): number {
  const started = performance.now();
  act();
  return performance.now() - started;
}
