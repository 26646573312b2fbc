/** Leases, locks, holes, reflinks, attributes and handles. */
import * as fs from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ROOT } from '../../src/platform/core/byte-path.ts';
import type { Fd } from '../../src/platform/filesystem.ts';
import { at, codeOf, IMPLEMENTATIONS, treeMaker } from './implementations.ts';

const MIB = 1024 * 1024;

describe.each(IMPLEMENTATIONS)('$name', ({ fileSystem }) => {
  const isNative = fileSystem.kind === 'native';
  const makeTree = treeMaker(fileSystem);

  it('refuses a lease while a writer has the file open', () => {
    const { root } = makeTree();
    fileSystem.writeSmallFile(root, at('x'), Buffer.from('text'), 0o644, 0n);
    // On overlayfs a lease proves nothing.
    const held = isNative && fileSystem.traits(root).type !== 'overlay' ? 'held' : 'unsupported';
    expect(fileSystem.readSmallFile(root, at('x'), 9).lease).toBe(held);
    const writer = fileSystem.openForUpdate(root, at('x'), false);
    const refused = held === 'held' ? 'refused' : 'unsupported';
    expect(fileSystem.readSmallFile(root, at('x'), 9)).toMatchObject({ lease: refused, contents: Buffer.from('text') });
    const reader = fileSystem.openFile(root, at('x'));
    expect(fileSystem.takeReadLease(reader)).toBe(refused);
    fileSystem.close(writer);
    expect(fileSystem.takeReadLease(reader)).toBe(held);
    expect(fileSystem.holdsReadLease(reader)).toBe(held === 'held');
    fileSystem.releaseLease(reader);
    expect(fileSystem.holdsReadLease(reader)).toBe(false);
    fileSystem.close(reader);
  });

  it.runIf(isNative)('sees a lease broken by a writer, and lives on', () => {
    const { root, directory } = makeTree();
    fileSystem.writeSmallFile(root, at('x'), Buffer.from('text'), 0o644, 0n);
    const reader = fileSystem.openFile(root, at('x'));
    if (fileSystem.takeReadLease(reader) === 'held') {
      // Not waiting, the writer is turned away; the lease is broken all the same, and SIGIO has been sent.
      const flags = fs.constants.O_WRONLY | fs.constants.O_NONBLOCK;
      expect(codeOf(() => fs.openSync(join(directory, 'x'), flags))).toBe('EAGAIN');
      expect(fileSystem.holdsReadLease(reader)).toBe(false);
      fileSystem.releaseLease(reader);
      fs.closeSync(fs.openSync(join(directory, 'x'), flags));
    }
    fileSystem.close(reader);
  });

  it('locks once', () => {
    const { root } = makeTree();
    const first = fileSystem.openForUpdate(root, at('lock'), true);
    const second = fileSystem.openForUpdate(root, at('lock'), true);
    expect(fileSystem.tryLock(first)).toBe(true);
    expect(fileSystem.tryLock(first)).toBe(true);
    expect(fileSystem.tryLock(second)).toBe(false);
    fileSystem.close(first);
    expect(fileSystem.tryLock(second)).toBe(true);
    fileSystem.close(second);
  });

  it('locks for many, or for one', () => {
    const { root } = makeTree();
    const [first, second] = [1, 2].map(() => fileSystem.openForUpdate(root, at('lock'), true)) as [Fd, Fd];
    expect(fileSystem.tryLock(first)).toBe(true);
    expect(fileSystem.tryLock(second, 'shared')).toBe(false);
    expect(fileSystem.tryLock(first, 'shared')).toBe(true);
    expect(fileSystem.tryLock(second, 'shared')).toBe(true);
    expect(fileSystem.tryLock(first)).toBe(false);
    for (const fd of [first, second]) fileSystem.close(fd);
  });

  it('finds the data of a sparse file', () => {
    const { root } = makeTree();
    const fd = fileSystem.createFile(root, at('sparse'), 0o600);
    fs.ftruncateSync(fd, 8 * MIB);
    fs.writeSync(fd, Buffer.alloc(4096, 1), 0, 4096, 2 * MIB);
    const range = fileSystem.nextData(fd, 0, 8 * MIB);
    if (isNative) {
      expect(range).toEqual({ start: 2 * MIB, end: 2 * MIB + 4096 });
      expect(fileSystem.nextData(fd, 2 * MIB + 1, 8 * MIB)).toEqual({ start: 2 * MIB + 1, end: 2 * MIB + 4096 });
      expect(fileSystem.nextData(fd, 2 * MIB + 4096, 8 * MIB)).toBeNull();
      expect(fileSystem.nextData(fd, 0, 2 * MIB + 10)).toEqual({ start: 2 * MIB, end: 2 * MIB + 10 });
      expect(fileSystem.nextData(fd, 0, MIB)).toBeNull();
    } else {
      expect(range).toEqual({ start: 0, end: 8 * MIB });
    }
    expect(fileSystem.nextData(fd, 8 * MIB, 8 * MIB)).toBeNull();
    fileSystem.advise(fd, 'sequential');
    fileSystem.advise(fd, 'dontneed');
    fileSystem.close(fd);
  });

  it('clones, or says that it cannot', () => {
    const { root } = makeTree();
    fileSystem.writeSmallFile(root, at('from'), Buffer.from('text'), 0o644, 0n);
    const from = fileSystem.openFile(root, at('from'));
    const to = fileSystem.createFile(root, at('to'), 0o600);
    const code = codeOf(() => fileSystem.clone(from, to));
    if (isNative && code === null) expect(fileSystem.fstat(to).sizeBytes).toBe(4);
    else expect(code).toBe(isNative ? 'EOPNOTSUPP' : 'ENOSYS');
    fileSystem.close(from);
    fileSystem.close(to);
  });

  it('keeps extended attributes as bytes', () => {
    const { root } = makeTree();
    fileSystem.writeSmallFile(root, at('x'), Buffer.from('text'), 0o644, 0n);
    if (!isNative) {
      expect(codeOf(() => fileSystem.getXattrs(root, at('x')))).toBe('ENOSYS');
      return;
    }
    const value = '\0\xff\n'.repeat(300);
    if (codeOf(() => fileSystem.setXattr(root, at('x'), 'user.a', value)) === 'EOPNOTSUPP') return;
    fileSystem.setXattr(root, at('x'), 'user.b\xfe', '');
    expect(fileSystem.getXattrs(root, at('x'))).toEqual(
      new Map([
        ['user.a', value],
        ['user.b\xfe', ''],
      ]),
    );
    fileSystem.removeXattr(root, at('x'), 'user.a');
    expect([...fileSystem.getXattrs(root, at('x')).keys()]).toEqual(['user.b\xfe']);
    expect(codeOf(() => fileSystem.removeXattr(root, at('x'), 'user.a'))).toBe('ENODATA');
    expect(fileSystem.getXattrs(root, ROOT)).toEqual(new Map());
  });

  it.runIf(isNative && process.getuid?.() === 0)('reads and sets attributes of a symlink itself', () => {
    const { root } = makeTree();
    fileSystem.writeSmallFile(root, at('x'), Buffer.from('text'), 0o644, 0n);
    fileSystem.makeSymlink(root, at('l'), 'x');
    expect(codeOf(() => fileSystem.setXattr(root, at('l'), 'user.a', 'b'))).not.toBeNull();
    if (codeOf(() => fileSystem.setXattr(root, at('l'), 'trusted.a', 'b')) !== null) return;
    expect(fileSystem.getXattrs(root, at('l'))).toEqual(new Map([['trusted.a', 'b']]));
    expect(fileSystem.getXattrs(root, at('x'))).toEqual(new Map());
  });

  it.runIf(isNative)('carries access control lists', () => {
    const { root } = makeTree();
    fileSystem.writeSmallFile(root, at('x'), Buffer.from('text'), 0o644, 0n);
    // Version 2; user::rw-, user:1234:r--, group::r--, mask::r--, other::r--.
    const acl = Buffer.alloc(4 + 5 * 8);
    acl.writeUInt32LE(2, 0);
    const rows = [
      [1, 6, 0xffffffff],
      [2, 4, 1234],
      [4, 4, 0xffffffff],
      [16, 4, 0xffffffff],
      [32, 4, 0xffffffff],
    ] as const;
    for (const [index, [tag, rights, id]] of rows.entries()) {
      acl.writeUInt16LE(tag, 4 + index * 8);
      acl.writeUInt16LE(rights, 6 + index * 8);
      acl.writeUInt32LE(id, 8 + index * 8);
    }
    const name = 'system.posix_acl_access';
    if (codeOf(() => fileSystem.setXattr(root, at('x'), name, acl.toString('latin1'))) === 'EOPNOTSUPP') return;
    expect(fileSystem.getXattrs(root, at('x')).get(name)).toBe(acl.toString('latin1'));
  });

  it('knows objects by handle, whatever their name', () => {
    const { root } = makeTree();
    fileSystem.makeDirectory(root, at('d'), 0o755);
    const before = fileSystem.handle(root, at('d'));
    if (!isNative) expect(before).toBeNull();
    fileSystem.rename(root, at('d'), at('e'));
    expect(fileSystem.handle(root, at('e'))).toBe(before);
    if (before !== null) expect(fileSystem.handle(root, ROOT)).not.toBe(before);
  });
});
