/** Who has files open for writing, whatever the files are called where they were opened. */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type OpenWriter, takeCensus, writerView } from '../../src/journal/census.ts';
import { IMPLEMENTATIONS } from '../platform/implementations.ts';
import { SettleFolder } from '../support/settle-tools.ts';
import { Writer } from '../support/supply-tools.ts';
import { disposePrograms, RunningWriter, whyNoCompiler } from '../support/writer-programs.ts';

/** The old kernel has no ioctl for mappings, no statx and no numbers of mounts; paths play no part here. */
const WAYS = IMPLEMENTATIONS.filter(({ name }) => name !== 'portable, checked');

afterAll(disposePrograms);

const canMount = process.geteuid?.() === 0 && spawnSync('unshare', ['-m', 'true']).status === 0;

describe.runIf(process.platform === 'linux').each(WAYS.map(({ name, fileSystem }) => [name, fileSystem] as const))(
  '%s',
  (_, fileSystem) => {
    let folder: SettleFolder;
    let outside: string;
    let opened: number[];
    beforeEach(() => {
      folder = new SettleFolder(fileSystem);
      outside = fs.mkdtempSync(join(tmpdir(), 'tidemark-outside-'));
      opened = [];
    });
    afterEach(() => {
      for (const fd of opened) fs.closeSync(fd);
      folder.close();
      fs.rmSync(outside, { recursive: true });
    });

    const open = (path: string | Buffer, flags: string | number) => {
      const fd = fs.openSync(path, flags, 0o644);
      opened.push(fd);
      return fd;
    };
    const inodeOf = (path: string | Buffer) => {
      const { dev, ino } = fs.statSync(path, { bigint: true });
      return { dev, ino };
    };
    /** Rows of this process; others may have files of the same disk open that have several names. */
    const ours = (): OpenWriter[] => folder.census().writers.filter(({ pid }) => pid === process.pid);

    test('tells path, inode, process and how', () => {
      fs.mkdirSync(folder.at('d'));
      open(folder.at('d/f'), 'w');
      const { ino, dev } = inodeOf(folder.at('d/f'));
      expect(ours()).toEqual([
        {
          path: 'd/f',
          inode: { dev, ino },
          pid: process.pid,
          process: expect.any(String),
          how: 'descriptor',
          isDirect: false,
        },
      ]);
      expect(ours()[0]?.process).toBe(fs.readFileSync('/proc/self/comm', 'latin1').trim());
    });

    test('who only reads, files without a name and files elsewhere are not told', () => {
      for (const name of ['read', 'removed', 'directory/x']) {
        fs.mkdirSync(folder.at('directory'), { recursive: true });
        fs.writeFileSync(folder.at(name), name);
      }
      fs.writeFileSync(join(outside, 'f'), 'x');
      open(folder.at('read'), 'r');
      open(folder.at('directory'), 'r');
      open(folder.at('removed'), 'r+');
      fs.unlinkSync(folder.at('removed'));
      open(join(outside, 'f'), 'r+');
      // Begins like the root.
      fs.writeFileSync(`${folder.path}-more`, 'x');
      open(`${folder.path}-more`, 'r+');
      expect(ours()).toEqual([]);
      fs.unlinkSync(`${folder.path}-more`);
    });

    test('in path order, another process among them', async () => {
      for (const name of ['b', 'a', 'a-b']) open(folder.at(name), 'a');
      const writer = new Writer(folder.at('c'));
      await writer.opened;
      const { writers } = folder.census();
      expect(writers.map(({ path }) => path).filter((path) => path !== null)).toEqual(['a', 'a-b', 'b', 'c']);
      expect(writers.find(({ path }) => path === 'c')?.process).toBe('sh');
      await writer.close();
    });

    test('names are bytes', () => {
      for (const bytes of ['new\nline', 'back\\slash', '\xff\xfe', 'end (deleted)', ' blank ']) {
        const name = Buffer.concat([Buffer.from(`${folder.path}/`), Buffer.from(bytes, 'latin1')]);
        open(name, 'a');
      }
      const found = ours().map(({ path }) => path);
      expect(found).toEqual([' blank ', 'back\\slash', 'end (deleted)', 'new\nline', '\xff\xfe']);
    });

    test('a file under a directory that was renamed since', () => {
      fs.mkdirSync(folder.at('old'));
      open(folder.at('old/f'), 'a');
      fs.renameSync(folder.at('old'), folder.at('new'));
      expect(ours().map(({ path }) => path)).toEqual(['new/f']);
    });

    test('a hard link from outside: the inode, for whoever knows its names here', () => {
      fs.writeFileSync(folder.at('f'), 'x');
      fs.linkSync(folder.at('f'), join(outside, 'link'));
      open(join(outside, 'link'), 'a');
      const inode = inodeOf(folder.at('f'));
      expect(ours()).toMatchObject([{ path: null, inode }]);
      const view = writerView(folder.census());
      expect(view.isOpenForWriting('f' as never, inode)).toBe(true);
      expect(view.isOpenForWriting('f' as never, { ...inode, ino: 1n })).toBe(false);
    });

    test('of two names in the tree, one of which was removed', () => {
      fs.writeFileSync(folder.at('f'), 'x');
      fs.linkSync(folder.at('f'), folder.at('g'));
      open(folder.at('f'), 'a');
      fs.unlinkSync(folder.at('f'));
      expect(ours()).toMatchObject([{ path: null, inode: inodeOf(folder.at('g')) }]);
    });

    test('direct writing', ({ skip }) => {
      fs.writeFileSync(folder.at('f'), 'x');
      try {
        open(folder.at('f'), fs.constants.O_RDWR | fs.constants.O_DIRECT);
      } catch {
        skip('no direct access here');
      }
      open(folder.at('g'), 'w');
      expect(ours().map(({ path, isDirect }) => [path, isDirect])).toEqual([
        ['f', true],
        ['g', false],
      ]);
    });

    test.skipIf(whyNoCompiler() !== null).each([[[]], [['quiet']]])(
      'a mapping without a descriptor %j',
      async (words) => {
        fs.writeFileSync(folder.at('f'), Buffer.alloc(4096));
        const writer = new RunningWriter('map-writer', folder.at('f'), ...words);
        await writer.says('ready');
        const { writers } = folder.census();
        expect(writers.filter(({ pid }) => pid === writer.pid)).toMatchObject([
          { path: 'f', inode: inodeOf(folder.at('f')), how: 'mapping', process: 'map-writer' },
        ]);
        await writer.end();
      },
    );

    test('a mapping for reading only is none', () => {
      // The addon itself and every library is one.
      const root = fileSystem.openRoot('/');
      const { writers } = takeCensus(fileSystem, '/', root);
      fileSystem.close(root);
      expect(writers.filter(({ path, how }) => how === 'mapping' && path?.endsWith('.so.6'))).toEqual([]);
    });

    test('the whole machine as root', () => {
      open(folder.at('f'), 'w');
      const root = fileSystem.openRoot('/');
      const { writers } = takeCensus(fileSystem, '/', root);
      fileSystem.close(root);
      expect(writers.map(({ path }) => path)).toContain(folder.at('f').slice(1));
    });

    describe.skipIf(!canMount)('mounted elsewhere', () => {
      /** A process with mounts of its own that sees the root at another place, and has `f` of it open. */
      async function elsewhere(): Promise<() => Promise<void>> {
        fs.writeFileSync(folder.at('f'), 'x');
        const script = 'mount --bind "$1" "$2" && exec 3>>"$2/f"; echo open; read line';
        const child = spawn('unshare', ['-m', 'sh', '-c', script, 'sh', folder.path, outside], {
          stdio: ['pipe', 'pipe', 'inherit'],
        });
        await once(child.stdout, 'data');
        return async () => {
          child.stdin.end('\n');
          await once(child, 'exit');
        };
      }

      test('the name in the root is found by the mounts of the process', async () => {
        const end = await elsewhere();
        const found = folder.census().writers.filter(({ inode }) => inode.ino === inodeOf(folder.at('f')).ino);
        expect(found.map(({ path }) => path)).toEqual(['f']);
        await end();
      });

      test('also where the root itself is a part of what is mounted', () => {
        fs.mkdirSync(folder.at('part'));
        fs.writeFileSync(folder.at('part/f'), 'x');
        spawnSync('mount', ['--bind', folder.at('part'), outside]);
        try {
          open(folder.at('part/f'), 'a');
          const root = fileSystem.openRoot(outside);
          const { writers } = takeCensus(fileSystem, outside, root);
          fileSystem.close(root);
          expect(writers.filter(({ pid }) => pid === process.pid).map(({ path }) => path)).toEqual(['f']);
        } finally {
          spawnSync('umount', ['-l', outside]);
        }
      });
    });
  },
);

test('all ways of taking it agree', () => {
  const censuses = WAYS.map(({ fileSystem }) => {
    const folder = new SettleFolder(fileSystem, tmpdir());
    const { writers } = folder.census();
    folder.close();
    return writers.filter(({ pid }) => pid === process.pid).map(({ path, how }) => `${path} ${how}`);
  });
  for (const census of censuses) expect(census).toEqual(censuses[0]);
});
