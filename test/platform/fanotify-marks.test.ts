/** Marks: silence and its end, directories without privilege, what file systems and kernels refuse. */
import { spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  directoryAt,
  type GroupKind,
  markDirectory,
  markFileSystem,
  openGroup,
  pathOfDirectory,
  silence,
  unmarkDirectory,
  unmarkFileSystem,
  unsilence,
  unsilenceAll,
} from '../../src/platform/fanotify.ts';
import { type Mount, type MountType, mountFresh, whyNotMountable } from '../support/mounts.ts';
import { closeGroup, outputOf, Recorder, startChild, whyNoGroup } from './fanotify-tools.ts';
import { codeOf, OLD_KERNEL_ADDON } from './implementations.ts';

const TYPES: readonly MountType[] = ['ext4', 'xfs', 'btrfs', 'tmpfs', 'overlay'];
const KINDS: readonly GroupKind[] = ['file-systems', 'directories'];

for (const type of TYPES) {
  for (const kind of KINDS) {
    const isUnmarkable = type === 'overlay' && kind === 'file-systems';
    const missing = whyNoGroup(kind) ?? whyNotMountable(type) ?? (isUnmarkable ? 'overlayfs has no such marks' : null);
    const reason = missing === null ? '' : ` (${missing})`;
    describe.skipIf(missing !== null)(`${kind} on ${type}${reason}`, () => onMarks(type, kind));
  }
}

function onMarks(type: MountType, kind: GroupKind): void {
  let mount: Mount;
  let recorder: Recorder;
  const at = (path: string) => join(mount.folder, path);

  beforeEach(() => {
    mount = mountFresh(type);
    for (const name of ['a', 'b']) fs.writeFileSync(at(name), 'text');
    recorder = new Recorder(mount.folder, { kind });
  });
  afterEach(() => {
    recorder.close();
    mount.unmount();
  });

  it('knows directories by the keys that events have', async () => {
    fs.mkdirSync(at('d'));
    const [event] = await recorder.events();
    expect(event?.target).toBe(directoryAt(recorder.root, 'd'));
    expect(recorder.reader.keyOf(event?.directory ?? 0)).toBe(directoryAt(recorder.root, ''));
  });

  it('silences the content of a file, not its names and attributes', async () => {
    expect(silence(recorder.group, recorder.root, 'a')).toBe(true);
    fs.writeFileSync(at('a'), 'more');
    fs.truncateSync(at('a'));
    fs.writeFileSync(at('b'), 'more');
    expect(await recorder.words()).toEqual(['modify+closeWrite /:b']);
    fs.chmodSync(at('a'), 0o600);
    fs.renameSync(at('a'), at('c'));
    fs.writeFileSync(at('c'), 'more');
    fs.unlinkSync(at('c'));
    expect(await recorder.words()).toEqual(['attributes /:a', 'rename /:a > /:c', 'remove /:c']);
  });

  it('unsilences one', async () => {
    for (const name of ['a', 'b']) silence(recorder.group, recorder.root, name);
    expect(unsilence(recorder.group, recorder.root, 'a')).toBe(true);
    expect(unsilence(recorder.group, recorder.root, 'a')).toBe(false);
    for (const name of ['a', 'b']) fs.writeFileSync(at(name), 'more');
    expect(await recorder.words()).toEqual(['modify+closeWrite /:a']);
  });

  it('unsilences all where nothing else would be lost', async () => {
    for (const name of ['a', 'b']) silence(recorder.group, recorder.root, name);
    expect(codeOf(() => unsilenceAll(recorder.group))).toBe(kind === 'directories' ? 'EINVAL' : null);
    for (const name of ['a', 'b']) fs.writeFileSync(at(name), 'more');
    expect(await recorder.words()).toHaveLength(kind === 'directories' ? 0 : 2);
  });

  it('silences only regular files with one name', () => {
    fs.mkdirSync(at('d'));
    fs.symlinkSync('a', at('s'));
    for (const name of ['d', 's', '']) expect(silence(recorder.group, recorder.root, name)).toBe(false);
    fs.linkSync(at('a'), at('l'));
    expect(silence(recorder.group, recorder.root, 'a')).toBe(false);
    expect(codeOf(() => silence(recorder.group, recorder.root, 'none'))).toBe('ENOENT');
    expect(codeOf(() => unsilence(recorder.group, recorder.root, 'none'))).toBe('ENOENT');
    expect(codeOf(() => silence(recorder.group, recorder.root, '../a'))).toBe('EINVAL');
  });

  // The kernel may forget the mark with the inode: then there are more events than needed, never fewer.
  it('can be silenced while it is open for writing', async () => {
    const file = fs.openSync(at('a'), 'r+');
    fs.writeSync(file, 'one');
    await recorder.words();
    expect(silence(recorder.group, recorder.root, 'a')).toBe(true);
    fs.writeSync(file, 'two');
    fs.closeSync(file);
    expect(await recorder.words()).toEqual([]);
  });

  it('can be marked and unmarked', async () => {
    fs.mkdirSync(at('d'));
    recorder.name('d');
    await recorder.words();
    fs.writeFileSync(at('d/x'), '');
    expect(await recorder.words()).toEqual(kind === 'directories' ? [] : ['closeWrite+create d:x']);
    if (kind === 'directories') {
      markDirectory(recorder.group, recorder.root, 'd');
      markDirectory(recorder.group, recorder.root, 'd');
      fs.writeFileSync(at('d/y'), '');
      expect(await recorder.words()).toEqual(['closeWrite+create d:y']);
      unmarkDirectory(recorder.group, recorder.root, 'd');
      expect(codeOf(() => unmarkDirectory(recorder.group, recorder.root, 'd'))).toBe('ENOENT');
      expect(codeOf(() => markDirectory(recorder.group, recorder.root, 'a'))).toBe('ENOTDIR');
    } else {
      unmarkFileSystem(recorder.group, recorder.root);
      expect(codeOf(() => unmarkFileSystem(recorder.group, recorder.root))).toBe('ENOENT');
    }
    fs.writeFileSync(at('d/z'), '');
    expect(await recorder.words()).toEqual([]);
  });

  it.runIf(kind === 'directories')('tells only the visible end of a rename', async () => {
    fs.mkdirSync(at('d'));
    await recorder.words();
    fs.renameSync(at('a'), at('d/a'));
    fs.renameSync(at('d/a'), at('c'));
    expect(await recorder.words()).toEqual(['rename /:a > ?:', 'rename ? > /:c']);
  });
}

const noFileSystems = whyNoGroup('file-systems');
const noOverlay = noFileSystems ?? whyNotMountable('overlay');
const noBtrfs = noFileSystems ?? whyNotMountable('btrfs');

describe('what cannot be marked', () => {
  it.skipIf(noOverlay !== null)(`is an overlay as a whole${noOverlay === null ? '' : ` (${noOverlay})`}`, () => {
    const mount = mountFresh('overlay');
    expect(codeOfMark(mount.folder)).toBe('EOPNOTSUPP');
    mount.unmount();
  });

  const subvolume = `is a subvolume as a whole; its directories are${noBtrfs === null ? '' : ` (${noBtrfs})`}`;
  it.skipIf(noBtrfs !== null)(subvolume, async () => {
    const mount = mountFresh('btrfs');
    const folder = join(mount.folder, 'sub');
    spawnSync('btrfs', ['subvolume', 'create', folder]);
    expect(codeOfMark(folder)).toBe('EXDEV');
    const recorder = new Recorder(folder, { kind: 'directories' });
    fs.mkdirSync(join(folder, 'd'));
    const [event] = await recorder.events();
    expect(event?.target).toBe(directoryAt(recorder.root, 'd'));
    expect(recorder.reader.keyOf(event?.directory ?? 0)).toBe(directoryAt(recorder.root, ''));
    recorder.close();
    mount.unmount();
  });

  it.skipIf(OLD_KERNEL_ADDON === null)('is anything, on an old kernel', () => {
    expect(codeOf(() => OLD_KERNEL_ADDON?.openGroup(false))).toBe('EINVAL');
  });
});

function codeOfMark(folder: string): string | null {
  const group = openGroup('file-systems');
  const root = fs.openSync(folder, 'r');
  const code = codeOf(() => markFileSystem(group, root));
  fs.closeSync(root);
  closeGroup(group);
  return code;
}

const noUser = whyNoGroup('directories') ?? (process.getuid?.() === 0 ? null : 'needs root to become somebody else');

describe.skipIf(noUser !== null)(`without any privilege${noUser === null ? '' : ` (${noUser})`}`, () => {
  it('directories can be watched and files silenced, file systems not', async () => {
    const folder = fs.mkdtempSync('/tmp/tidemark-unprivileged-');
    fs.chownSync(folder, 1000, 1000);
    const body = `
      const { EVENT, ...f } = platform;
      const code = (act) => { try { act(); return null; } catch (error) { return error.code; } };
      const folder = ${JSON.stringify(folder)};
      const root = fs.openSync(folder, 'r');
      const group = f.openGroup('directories');
      f.markDirectory(group, root, '');
      const reader = new f.FanotifyReader(group, { onReadable() {}, onMountsChanged() {} });
      fs.mkdirSync(folder + '/d');
      f.markDirectory(group, root, 'd');
      fs.writeFileSync(folder + '/d/a', 'text');
      fs.renameSync(folder + '/d/a', folder + '/b');
      const silenced = f.silence(group, root, 'b');
      fs.writeFileSync(folder + '/b', 'more');
      await reader.barrier();
      const events = reader.take(100).events.map(({ mask, name, from }) => [mask, name, from && from.name]);
      const key = f.directoryAt(root, 'd');
      console.log(JSON.stringify({
        silenced, events, isKey: key.length > 12,
        all: code(() => f.openGroup('file-systems')),
        mark: code(() => f.markFileSystem(group, root)),
        path: code(() => f.pathOfDirectory(root, key)),
      }));
      reader.stop();`;
    const told = JSON.parse(await outputOf(startChild(body, { uid: 1000 })));
    fs.rmSync(folder, { recursive: true });
    expect(told).toEqual({
      silenced: true,
      isKey: true,
      all: 'EPERM',
      mark: 'EPERM',
      path: 'EPERM',
      events: [
        [8 | 64, 'd', null],
        [1 | 2 | 8, 'a', null],
        [32, 'b', 'a'],
      ],
    });
  });
});

const noPath = noFileSystems ?? whyNotMountable('tmpfs');

it.skipIf(noPath !== null)(
  `a path that does not lead to its directory is none${noPath === null ? '' : ` (${noPath})`}`,
  () => {
    const mount = mountFresh('tmpfs');
    for (const name of ['bound', 'beside', 'at']) fs.mkdirSync(join(mount.folder, name));
    const root = fs.openSync(mount.folder, 'r');
    spawnSync('mount', ['--bind', join(mount.folder, 'bound'), join(mount.folder, 'at')]);
    const bound = fs.openSync(join(mount.folder, 'at'), 'r');
    const key = directoryAt(root, 'beside') ?? '';
    expect(pathOfDirectory(root, key)).toBe(join(mount.folder, 'beside'));
    // Seen from the bound directory, what lies beside it has no path.
    expect(pathOfDirectory(bound, key)).toBe(null);
    for (const fd of [root, bound]) fs.closeSync(fd);
    spawnSync('umount', [join(mount.folder, 'at')]);
    mount.unmount();
  },
);
