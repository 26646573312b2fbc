import * as fs from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { BytePath } from '../../src/platform/core/byte-path.ts';
import { joinPath, ROOT, toBuffer } from '../../src/platform/core/byte-path.ts';
import { at, codeOf, IMPLEMENTATIONS, treeMaker } from './implementations.ts';

const NAMES = [
  ['not UTF-8', 'caf\xe9'],
  [
    'every byte',
    Array.from({ length: 255 }, (_, index) => String.fromCharCode(index + 1))
      .join('')
      .replace('/', ''),
  ],
  ['newline', 'a\nb'],
  ['prototype', '__proto__'],
  ['constructor', 'constructor'],
  ['leading dash', '-rf'],
  ['blank', ' '],
  ['three dots', '...'],
  ['255 bytes', '\xff'.repeat(255)],
  ['escape sequence', '\x1b[2J\x9b2J'],
  ['bidi override', '\xe2\x80\xaegpj.exe'],
] as const;

describe.each(IMPLEMENTATIONS)('hostile names, $name', ({ fileSystem, holdsDescriptors }) => {
  const makeTree = treeMaker(fileSystem);

  it.each(NAMES)('%s', (_, name) => {
    const { root, directory } = makeTree();
    fileSystem.makeDirectory(root, at(name), 0o755);
    const inside = joinPath(at(name), name);
    fileSystem.writeSmallFile(root, inside, Buffer.from('x'), 0o644, 0n);
    const [outer, inner] = fileSystem.readDirectories(root, [ROOT, at(name)]);
    expect(outer?.entries.map((entry) => entry.name)).toEqual([name]);
    expect(inner?.entries.map((entry) => entry.name)).toEqual([name]);
    const raw = fs.readdirSync(directory, { encoding: 'buffer' });
    expect(raw).toEqual([toBuffer(name)]);
    fileSystem.renameNoReplace(root, inside, at('moved'));
    expect(fileSystem.readSmallFile(root, at('moved'), 9).contents.toString()).toBe('x');
  });

  it('keeps names apart that decode to the same text', () => {
    const { root } = makeTree();
    const names = ['caf\xe9', 'caf\xe8', 'caf\xef\xbf\xbd'];
    for (const name of names) fileSystem.writeSmallFile(root, at(name), toBuffer(name), 0o644, 0n);
    for (const name of names) expect(fileSystem.readSmallFile(root, at(name), 99).contents).toEqual(toBuffer(name));
    // The control: as text two of them are one.
    expect(toBuffer('caf\xe9').toString('utf8')).toBe(toBuffer('caf\xe8').toString('utf8'));
  });

  it('refuses names longer than the file system takes', () => {
    const { root } = makeTree();
    expect(codeOf(() => fileSystem.makeDirectory(root, at('n'.repeat(256)), 0o755))).toBe('ENAMETOOLONG');
    expect(codeOf(() => fileSystem.stat(root, at('n'.repeat(9000))))).toBe('ENAMETOOLONG');
    expect(codeOf(() => fileSystem.stat(root, at(`${'n'.repeat(9000)}/x`)))).toBe('ENAMETOOLONG');
  });

  it.runIf(holdsDescriptors)('works 200 directories deep with names of 255 bytes', () => {
    const { root } = makeTree();
    let path: BytePath = ROOT;
    for (let depth = 0; depth < 200; depth++) {
      path = joinPath(path, 'd'.repeat(255));
      fileSystem.makeDirectory(root, path, 0o755);
    }
    const file = joinPath(path, 'f'.repeat(255));
    const other = joinPath(path, 'g'.repeat(255));
    fileSystem.writeSmallFile(root, file, Buffer.from('deep'), 0o644, 7_000n);
    expect(fileSystem.readSmallFile(root, file, 9).contents.toString()).toBe('deep');
    expect(fileSystem.readDirectories(root, [path])[0]?.entries.length).toBe(1);
    fileSystem.renameNoReplace(root, file, other);
    fileSystem.setMode(root, other, 0o600);
    fileSystem.setMtime(root, other, 9_000n);
    expect(fileSystem.stat(root, other)).toMatchObject({ mode: 0o100600, mtimeNs: 9_000n });
    fileSystem.close(fileSystem.openFile(root, other));
    fileSystem.syncDirectory(root, path);
    fileSystem.removeFile(root, other);
    fileSystem.removeDirectory(root, path);
    expect(fileSystem.stat(root, path)).toBeNull();
    // The control: as one path the kernel refuses it.
    expect(codeOf(() => fs.statSync(join('/', path)))).toBe('ENAMETOOLONG');
  });
});
