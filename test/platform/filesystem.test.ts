import * as fs from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ROOT } from '../../src/platform/core/byte-path.ts';
import { at, codeOf, IMPLEMENTATIONS, treeMaker } from './implementations.ts';

/** Not a whole number of microseconds, and one whose conversion through a double falls short. */
const MTIMES = [1_700_000_000_123_456_789n, 1_799_999_999_999_999_999n, 1_234_567_890_000_001_000n, 1n, 0n];

describe.each(IMPLEMENTATIONS)('$name', ({ fileSystem, hasNewCalls }) => {
  const isNative = fileSystem.kind === 'native';
  const makeTree = treeMaker(fileSystem);
  const write = (root: number, path: string, text: string) =>
    fileSystem.writeSmallFile(root, at(path), Buffer.from(text), 0o644, 1_700_000_000_000_000_000n);
  /** Exactly; through node:fs within a microsecond. */
  const isTime = (actual: bigint | undefined, wanted: bigint): boolean => {
    const off = (actual ?? 0n) - wanted;
    return isNative ? off === 0n : off > -1000n && off < 1000n;
  };
  const read = (root: number, path: string) => fileSystem.readSmallFile(root, at(path), 1000).contents.toString();

  it('writes and reads a small file with mode and mtime', () => {
    const { root } = makeTree();
    fileSystem.makeDirectory(root, at('a'), 0o755);
    fileSystem.writeSmallFile(root, at('a/x'), Buffer.from('hello'), 0o4751, 1_700_000_000_123_456_789n);
    const file = fileSystem.readSmallFile(root, at('a/x'), 100);
    expect(file.contents.toString()).toBe('hello');
    expect(file.before).toEqual(file.after);
    expect(file.before).toEqual(fileSystem.stat(root, at('a/x')));
    expect(file.before.mode).toBe(0o104751);
    expect(file.before.sizeBytes).toBe(5);
    expect(isTime(file.before.mtimeNs, 1_700_000_000_123_456_789n)).toBe(true);
    expect(codeOf(() => write(root, 'a/x', 'again'))).toBe('EEXIST');
    expect(read(root, 'a/x')).toBe('hello');
  });

  it('reads no more than asked for', () => {
    const { root } = makeTree();
    write(root, 'x', '0123456789');
    const file = fileSystem.readSmallFile(root, at('x'), 4);
    expect(file.contents.toString()).toBe('0123');
    expect(file.before.sizeBytes).toBe(10);
    write(root, 'empty', '');
    expect(fileSystem.readSmallFile(root, at('empty'), 4).contents.length).toBe(0);
  });

  it('leaves nothing behind where writing fails', () => {
    const { root, directory } = makeTree();
    expect(codeOf(() => fileSystem.writeSmallFile(root, at('no/x'), Buffer.alloc(1), 0o644, 0n))).toBe('ENOENT');
    expect(fs.readdirSync(directory)).toEqual([]);
  });

  it('stats what node stats', () => {
    const { root, directory } = makeTree();
    write(root, 'x', 'text');
    const ours = fileSystem.stat(root, at('x'));
    const theirs = fs.lstatSync(join(directory, 'x'), { bigint: true });
    expect(ours).toMatchObject({ dev: theirs.dev, ino: theirs.ino, ctimeNs: theirs.ctimeNs, mtimeNs: theirs.mtimeNs });
    expect(ours).toMatchObject({ nlink: 1, uid: Number(theirs.uid), gid: Number(theirs.gid), sizeBytes: 4 });
    expect(ours?.birthNs).toBe(isNative && !hasNewCalls ? 0n : theirs.birthtimeNs);
    expect(fileSystem.stat(root, ROOT)?.ino).toBe(fs.lstatSync(directory, { bigint: true }).ino);
    const fd = fileSystem.openFile(root, at('x'));
    expect(fileSystem.fstat(fd)).toEqual(ours);
    fileSystem.close(fd);
  });

  it('says null where nothing is, and nothing else', () => {
    const { root } = makeTree();
    write(root, 'file', '');
    for (const path of ['no', 'no/x', 'file/x']) expect(fileSystem.stat(root, at(path))).toBeNull();
  });

  it.each(['..', '.', '../x', 'a/../x', '/x', 'x/', 'a//x', 'a/./x', 'a\0x', 'a\u012f..'])(
    'refuses the path %j',
    (path) => {
      const { root } = makeTree();
      fileSystem.makeDirectory(root, at('a'), 0o755);
      expect(codeOf(() => fileSystem.stat(root, at(path)))).toBe('EINVAL');
      expect(codeOf(() => fileSystem.openDirectory(root, at(path)))).toBe('EINVAL');
      expect(codeOf(() => fileSystem.makeDirectory(root, at(path), 0o755))).toBe('EINVAL');
    },
  );

  it('opens regular files only', () => {
    const { root, directory } = makeTree();
    fileSystem.makeDirectory(root, at('directory'), 0o755);
    fileSystem.makeSymlink(root, at('link'), 'x');
    write(root, 'x', '');
    expect(codeOf(() => fileSystem.openFile(root, at('directory')))).toBe('EINVAL');
    expect(codeOf(() => fileSystem.openFile(root, at('link')))).toBe('ELOOP');
    expect(codeOf(() => fileSystem.openFile(root, at('no')))).toBe('ENOENT');
    expect(codeOf(() => fileSystem.openForUpdate(root, at('link'), true))).toBe('ELOOP');
    expect(codeOf(() => fileSystem.openForUpdate(root, at('no'), false))).toBe('ENOENT');
    expect(codeOf(() => fileSystem.openDirectory(root, at('x')))).toBe('ENOTDIR');
    expect(codeOf(() => fileSystem.openDirectory(root, at('link')))).toBe('ELOOP');
    expect(fs.existsSync(join(directory, 'no'))).toBe(false);
  });

  it('creates and updates files', () => {
    const { root } = makeTree();
    const created = fileSystem.createFile(root, at('x'), 0o600);
    fs.writeSync(created, 'one');
    fileSystem.close(created);
    expect(codeOf(() => fileSystem.createFile(root, at('x'), 0o600))).toBe('EEXIST');
    const updated = fileSystem.openForUpdate(root, at('x'), false);
    fs.writeSync(updated, 'two', 3);
    fileSystem.close(updated);
    expect(read(root, 'x')).toBe('onetwo');
    fileSystem.close(fileSystem.openForUpdate(root, at('y'), true));
    expect(fileSystem.stat(root, at('y'))?.mode).toBe(0o100600);
  });

  it('hands out descriptors that are roots themselves', () => {
    const { root } = makeTree();
    fileSystem.makeDirectory(root, at('a'), 0o755);
    const inner = fileSystem.openDirectory(root, at('a'));
    write(inner, 'x', 'inner');
    fileSystem.close(inner);
    expect(read(root, 'a/x')).toBe('inner');
  });

  it('renames, replacing or not', () => {
    const { root } = makeTree();
    write(root, 'one', '1');
    write(root, 'two', '2');
    expect(codeOf(() => fileSystem.renameNoReplace(root, at('one'), at('two')))).toBe('EEXIST');
    expect(read(root, 'two')).toBe('2');
    fileSystem.renameNoReplace(root, at('one'), at('three'));
    expect(fileSystem.stat(root, at('one'))).toBeNull();
    expect(fileSystem.stat(root, at('three'))?.nlink).toBe(1);
    fileSystem.rename(root, at('three'), at('two'));
    expect(read(root, 'two')).toBe('1');
    expect(codeOf(() => fileSystem.rename(root, at('no'), at('two')))).toBe('ENOENT');
  });

  it('renames directories and symlinks without replacing', () => {
    const { root } = makeTree();
    for (const name of ['d', 'e']) fileSystem.makeDirectory(root, at(name), 0o755);
    fileSystem.makeSymlink(root, at('l'), 'nowhere');
    expect(codeOf(() => fileSystem.renameNoReplace(root, at('d'), at('e')))).toBe('EEXIST');
    expect(codeOf(() => fileSystem.renameNoReplace(root, at('d'), at('l')))).toBe('EEXIST');
    expect(codeOf(() => fileSystem.renameNoReplace(root, at('d'), at('d/inside')))).toBe('EINVAL');
    fileSystem.renameNoReplace(root, at('d'), at('e/d'));
    fileSystem.renameNoReplace(root, at('l'), at('e/l'));
    expect(fileSystem.readSymlink(root, at('e/l'))).toBe('nowhere');
    expect(codeOf(() => fileSystem.removeDirectory(root, at('e')))).toBe('ENOTEMPTY');
  });

  it('exchanges, or says that it cannot', () => {
    const { root } = makeTree();
    write(root, 'file', 'text');
    fileSystem.makeDirectory(root, at('d'), 0o755);
    if (!hasNewCalls) {
      expect(codeOf(() => fileSystem.exchange(root, at('file'), at('d')))).toBe('ENOSYS');
      return;
    }
    fileSystem.exchange(root, at('file'), at('d'));
    expect(read(root, 'd')).toBe('text');
    expect(codeOf(() => fileSystem.exchange(root, at('file'), at('no')))).toBe('ENOENT');
    expect(codeOf(() => fileSystem.exchange(root, at('file'), at('file/x')))).not.toBe('ENOSYS');
  });

  it('removes, links and reads symlinks', () => {
    const { root } = makeTree();
    write(root, 'x', 'text');
    fileSystem.hardLink(root, at('x'), at('y'));
    expect(fileSystem.stat(root, at('y'))?.nlink).toBe(2);
    expect(codeOf(() => fileSystem.hardLink(root, at('x'), at('y')))).toBe('EEXIST');
    fileSystem.removeFile(root, at('x'));
    expect(fileSystem.stat(root, at('x'))).toBeNull();
    fileSystem.makeSymlink(root, at('l'), '\xff\n->../y');
    expect(fileSystem.readSymlink(root, at('l'))).toBe('\xff\n->../y');
    expect(codeOf(() => fileSystem.readSymlink(root, at('y')))).toBe('EINVAL');
    fileSystem.makeDirectory(root, at('d'), 0o755);
    expect(codeOf(() => fileSystem.removeDirectory(root, at('y')))).toBe('ENOTDIR');
    expect(codeOf(() => fileSystem.removeFile(root, at('d')))).toMatch(/EISDIR|EPERM/);
    fileSystem.removeDirectory(root, at('d'));
  });

  it.each(MTIMES)('sets the mtime %d and leaves the access time', (mtimeNs) => {
    const { root, directory } = makeTree();
    write(root, 'x', 'text');
    fileSystem.makeSymlink(root, at('l'), 'x');
    const atime = () => fs.lstatSync(join(directory, 'x'), { bigint: true }).atimeNs / 1000n;
    const before = atime();
    for (const path of ['x', 'l']) {
      fileSystem.setMtime(root, at(path), mtimeNs);
      expect(isTime(fileSystem.stat(root, at(path))?.mtimeNs, mtimeNs)).toBe(true);
    }
    expect(atime()).toBe(before);
  });

  it('sets times before 1970', () => {
    const { root } = makeTree();
    write(root, 'x', '');
    const mtimeNs = isNative ? -1_000_000_001n : -2_000_000_000n;
    fileSystem.setMtime(root, at('x'), mtimeNs);
    expect(fileSystem.stat(root, at('x'))?.mtimeNs).toBe(mtimeNs);
  });

  it('sets modes of files and directories, never through a symlink', () => {
    const { root } = makeTree();
    write(root, 'x', '');
    fileSystem.makeDirectory(root, at('d'), 0o755);
    fileSystem.makeSymlink(root, at('l'), 'x');
    fileSystem.setMode(root, at('x'), 0o6711);
    fileSystem.setMode(root, at('d'), 0o1500);
    expect(codeOf(() => fileSystem.setMode(root, at('l'), 0o777))).toBe('ELOOP');
    expect(fileSystem.stat(root, at('x'))?.mode).toBe(0o106711);
    expect(fileSystem.stat(root, at('d'))?.mode).toBe(0o041500);
    fileSystem.setMode(root, ROOT, 0o700);
    expect(fileSystem.stat(root, ROOT)?.mode).toBe(0o040700);
  });

  it.runIf(process.getuid?.() === 0)('sets owners, of symlinks themselves', () => {
    const { root } = makeTree();
    write(root, 'x', '');
    fileSystem.makeSymlink(root, at('l'), 'x');
    fileSystem.setOwner(root, at('l'), 12, 34);
    expect(fileSystem.stat(root, at('l'))).toMatchObject({ uid: 12, gid: 34 });
    expect(fileSystem.stat(root, at('x'))).toMatchObject({ uid: 0 });
  });

  it('syncs directories and describes the file system', () => {
    const { root } = makeTree();
    fileSystem.makeDirectory(root, at('d'), 0o755);
    fileSystem.syncDirectory(root, at('d'));
    fileSystem.syncDirectory(root, ROOT);
    expect(codeOf(() => fileSystem.syncFileSystem(root))).toBe(isNative ? null : 'ENOSYS');
    const traits = fileSystem.traits(root);
    expect(traits).toMatchObject({ readOnly: false, maxNameBytes: 255 });
    expect(traits.totalBytes).toBeGreaterThan(traits.freeBytes);
    expect(traits.type).toMatch(/^[a-z0-9]+$/);
  });

  it('throws errors that say what failed', () => {
    const { root } = makeTree();
    try {
      fileSystem.removeFile(root, at('no'));
      expect.unreachable();
    } catch (error) {
      expect(error).toMatchObject({ code: 'ENOENT', errno: -2, syscall: 'unlink' });
      expect((error as Error).message).toMatch(/^ENOENT: no such file or directory, unlink/);
    }
  });
});
