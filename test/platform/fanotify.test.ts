/** What fanotify tells of each operation, on real file systems, and how keys and paths belong together. */
import { spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { directoryAt, EVENT, objectAt, openObject, pathOfDirectory } from '../../src/platform/fanotify.ts';
import { type Mount, type MountType, mountFresh, whyNotMountable } from '../support/mounts.ts';
import { Recorder, type RecorderOptions, whyNoGroup } from './fanotify-tools.ts';

const noGroup = whyNoGroup('file-systems');
const TYPES: readonly MountType[] = ['ext4', 'xfs', 'btrfs', 'tmpfs'];

for (const type of TYPES) {
  const missing = noGroup ?? whyNotMountable(type);
  describe.skipIf(missing !== null)(`on ${type}${missing === null ? '' : ` (${missing})`}`, () => onFileSystem(type));
}

function onFileSystem(type: MountType): void {
  let mount: Mount;
  let recorder: Recorder;
  const at = (path: string) => join(mount.folder, path);
  const record = (options?: RecorderOptions) => {
    recorder.close();
    recorder = new Recorder(mount.folder, options);
    return recorder;
  };

  beforeAll(() => {
    mount = mountFresh(type);
  });
  afterAll(() => mount.unmount());
  beforeEach(() => {
    // Names of all bytes are beyond rmSync.
    spawnSync('find', [mount.folder, '-mindepth', '1', '-delete']);
    recorder = new Recorder(mount.folder);
  });
  afterEach(() => recorder.close());

  describe('tells', () => {
    it('a new file, its content and its attributes, in one', async () => {
      fs.writeFileSync(at('a'), 'text');
      fs.chmodSync(at('a'), 0o600);
      expect(await recorder.words()).toEqual(['modify+closeWrite+attributes+create /:a']);
    });

    it('a removal, and the removal of a directory with its key', async () => {
      fs.mkdirSync(at('d'));
      fs.writeFileSync(at('a'), '');
      const key = directoryAt(recorder.root, 'd');
      await recorder.words();
      fs.rmdirSync(at('d'));
      fs.unlinkSync(at('a'));
      const events = await recorder.events();
      expect(events.map(({ mask, name, target }) => [mask, name, target])).toEqual([
        [EVENT.remove | EVENT.directory, 'd', key],
        [EVENT.remove, 'a', null],
      ]);
    });

    it('what happens in a new directory', async () => {
      fs.mkdirSync(at('d/e'), { recursive: true });
      fs.writeFileSync(at('d/e/f'), 'text');
      recorder.name('d');
      recorder.name('d/e');
      expect(await recorder.words()).toEqual(['create+dir /:d', 'create+dir d:e', 'modify+closeWrite+create d/e:f']);
    });

    it('attributes of a directory as its own', async () => {
      fs.mkdirSync(at('d'));
      recorder.name('d');
      await recorder.words();
      fs.chmodSync(at('d'), 0o700);
      const [event] = await recorder.events();
      expect(event).toMatchObject({ mask: EVENT.attributes | EVENT.directory, name: '' });
      expect(event?.target).toBe(directoryAt(recorder.root, 'd'));
    });

    it('both ends of a rename, with the key of what was renamed', async () => {
      fs.mkdirSync(at('d'));
      fs.writeFileSync(at('a'), '');
      recorder.name('d');
      await recorder.words();
      const key = objectAt(recorder.root, 'a');
      fs.renameSync(at('a'), at('d/b'));
      const [event] = await recorder.events();
      expect(event).toMatchObject({ mask: EVENT.rename, name: 'b', target: key, from: { name: 'a' } });
      expect(objectAt(recorder.root, 'd/b')).toBe(key);
      fs.renameSync(at('d'), at('e'));
      expect(await recorder.words()).toEqual(['rename+dir /:d > /:e']);
    });

    it('an exchange as two renames', async () => {
      fs.writeFileSync(at('a'), '');
      fs.writeFileSync(at('b'), '');
      await recorder.words();
      const { status } = spawnSync('mv', ['--exchange', at('a'), at('b')]);
      if (status !== 0) exchangeByPython(at('a'), at('b'));
      expect((await recorder.words()).sort()).toEqual(['rename /:a > /:b', 'rename /:b > /:a']);
    });

    it('a tree moved in as one event', async () => {
      fs.mkdirSync(at('outside/tree/deep'), { recursive: true });
      fs.mkdirSync(at('inside'));
      for (const path of ['outside', 'inside']) recorder.name(path);
      await recorder.words();
      fs.renameSync(at('outside/tree'), at('inside/tree'));
      expect(await recorder.words()).toEqual(['rename+dir outside:tree > inside:tree']);
    });

    it('names of any bytes', async () => {
      const name = Buffer.from([0x66, 0xff, 0x0a, 0xc3, 0x28]);
      fs.writeFileSync(Buffer.concat([Buffer.from(`${mount.folder}/`), name]), '');
      expect((await recorder.events()).map((event) => Buffer.from(event.name, 'latin1'))).toEqual([name]);
    });

    it('the longest name', async () => {
      fs.renameSync(write('x'.repeat(255)), at('y'.repeat(255)));
      const events = await recorder.events();
      expect(events.at(-1)).toMatchObject({ name: 'y'.repeat(255), from: { name: 'x'.repeat(255) } });
    });

    it('changes of the mount table', async () => {
      const other = mountFresh('tmpfs');
      await recorder.words();
      other.unmount();
      await expect.poll(() => recorder.mountChanges).toBeGreaterThan(0);
    });
  });

  describe('foreign directories', () => {
    beforeEach(async () => {
      for (const path of ['ours', 'theirs', 'theirs/deep']) {
        fs.mkdirSync(at(path));
        recorder.name(path);
      }
      await recorder.words();
      recorder.reader.setForeign(recorder.number('theirs'));
      recorder.reader.setForeign(recorder.number('theirs/deep'));
    });

    it('are counted and left out', async () => {
      const before = recorder.reader.counters();
      fs.writeFileSync(at('theirs/a'), 'text');
      fs.writeFileSync(at('ours/a'), 'text');
      expect(await recorder.words()).toEqual(['modify+closeWrite+create ours:a']);
      const after = recorder.reader.counters();
      // One to three for each file, as the reader is slower or faster than we are.
      const foreign = after.foreign - before.foreign;
      const received = after.received - before.received;
      expect([foreign, received - foreign].every((count) => count >= 1 && count <= 3)).toBe(true);
    });

    it('are unknown again when they are asked for, or all at once', async () => {
      recorder.number('theirs');
      fs.writeFileSync(at('theirs/a'), '');
      fs.writeFileSync(at('theirs/deep/a'), '');
      expect(await recorder.words()).toEqual(['closeWrite+create theirs:a']);
      recorder.reader.resetForeign();
      fs.writeFileSync(at('theirs/deep/b'), '');
      expect(await recorder.words()).toEqual(['closeWrite+create theirs/deep:b']);
    });

    it('let renames pass that begin or end elsewhere', async () => {
      fs.renameSync(write('theirs/a'), at('ours/a'));
      fs.renameSync(at('ours/a'), at('theirs/b'));
      fs.renameSync(at('theirs/b'), at('theirs/c'));
      expect(await recorder.words()).toEqual(['rename theirs:a > ours:a', 'rename ours:a > theirs:b']);
    });

    it('are unknown again once a directory came into sight', async () => {
      fs.renameSync(at('theirs/deep'), at('ours/deep'));
      fs.writeFileSync(at('ours/deep/a'), '');
      expect(await recorder.words()).toEqual(['rename+dir theirs:deep > ours:deep', 'closeWrite+create theirs/deep:a']);
    });

    it('let events of followed objects pass', async () => {
      fs.linkSync(write('ours/a'), at('theirs/a'));
      await recorder.words();
      const key = objectAt(recorder.root, 'ours/a') ?? '';
      recorder.reader.follow(key);
      fs.appendFileSync(at('theirs/a'), 'more');
      fs.appendFileSync(write('theirs/b'), 'more');
      const events = await recorder.events();
      expect(events.map(({ mask, name, target }) => [mask, name, target])).toEqual([
        [EVENT.modify | EVENT.closeWrite, 'a', key],
      ]);
      recorder.reader.unfollow(key);
      fs.appendFileSync(at('theirs/a'), 'more');
      expect(await recorder.words()).toEqual([]);
    });

    it('tell of new links to what existed, and of nothing else', async () => {
      write('ours/a');
      await recorder.words();
      const key = objectAt(recorder.root, 'ours/a') ?? '';
      for (let index = 0; index < 100; index++) write(`theirs/new-${index}`);
      fs.linkSync(at('ours/a'), at('theirs/link'));
      const events = await recorder.events();
      expect(events).toMatchObject([{ mask: EVENT.create, name: 'link', target: key }]);
      const found = openObject(recorder.root, key) ?? -1;
      expect(fs.fstatSync(found).ino).toBe(fs.statSync(at('ours/a')).ino);
      fs.closeSync(found);
    });
  });

  it('gives numbers up when there are too many', async () => {
    const { reader } = record({ directoryLimit: 3 });
    for (let index = 0; index < 5; index++) fs.mkdirSync(at(`d${index}/e`), { recursive: true });
    const [batch] = await recorder.batches();
    expect(batch?.reset).toBe(false);
    const numbers = new Set(batch?.events.map(({ directory }) => directory));
    expect(numbers.size).toBe(6);
    write('d1/x');
    const [next] = await recorder.batches();
    expect(next?.reset).toBe(true);
    expect(next?.events.map(({ name }) => name)).toEqual(['x']);
    for (const { directory } of next?.events ?? []) expect(numbers).not.toContain(directory);
    for (const number of numbers) expect(() => reader.keyOf(number)).toThrow(/EINVAL/);
  });

  describe('keys and paths', () => {
    it('belong together', async () => {
      fs.mkdirSync(at('d/e'), { recursive: true });
      const [first, second] = await recorder.events();
      expect(first?.target).toBe(directoryAt(recorder.root, 'd'));
      expect(second?.target).toBe(directoryAt(recorder.root, 'd/e'));
      expect(recorder.reader.keyOf(second?.directory ?? 0)).toBe(first?.target);
      expect(pathOfDirectory(recorder.root, second?.target ?? '')).toBe(at('d/e'));
      fs.renameSync(at('d'), at('f (deleted)'));
      expect(pathOfDirectory(recorder.root, first?.target ?? '')).toBe(at('f (deleted)'));
      fs.rmSync(at('f (deleted)'), { recursive: true });
      expect(pathOfDirectory(recorder.root, first?.target ?? '')).toBe(null);
      expect(pathOfDirectory(recorder.root, second?.target ?? '')).toBe(null);
    });

    it('have nothing to say where there is no directory', () => {
      write('a');
      fs.symlinkSync('/', at('l'));
      expect(directoryAt(recorder.root, 'a')).toBe(null);
      expect(directoryAt(recorder.root, 'l')).toBe(null);
      expect(directoryAt(recorder.root, 'none/at/all')).toBe(null);
      expect(objectAt(recorder.root, 'none/at/all')).toBe(null);
      expect(openObject(recorder.root, objectAt(recorder.root, 'l') ?? '')).toBeTypeOf('number');
    });

    it('are refused where they cannot be keys', () => {
      for (const key of ['', 'short', 'x'.repeat(300)]) {
        expect(() => pathOfDirectory(recorder.root, key)).toThrow(/EINVAL/);
        expect(() => recorder.reader.intern(key)).toThrow(/EINVAL/);
      }
    });
  });

  function write(path: string): string {
    fs.writeFileSync(at(path), '');
    return at(path);
  }
}

/** coreutils before 9.5 have no `mv --exchange`. */
function exchangeByPython(left: string, right: string): void {
  const script =
    'import ctypes,sys\nsys.exit(ctypes.CDLL(None).renameat2(-100,sys.argv[1].encode(),-100,sys.argv[2].encode(),2))';
  expect(spawnSync('python3', ['-c', script, left, right]).status).toBe(0);
}
