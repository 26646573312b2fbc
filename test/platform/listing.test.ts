import { spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { BytePath } from '../../src/platform/core/byte-path.ts';
import { ROOT } from '../../src/platform/core/byte-path.ts';
import { isSymlink, modeOf, unpackStat } from '../../src/platform/core/stat-codec.ts';
import { at, IMPLEMENTATIONS, treeMaker } from './implementations.ts';

describe.each(IMPLEMENTATIONS)('listing, $name', ({ fileSystem }) => {
  const makeTree = treeMaker(fileSystem);

  it('lists names in byte order with stats and targets', () => {
    const { root } = makeTree();
    const names = ['Z', 'a', 'a.b', 'a-b', 'ab', '\xff', '\xc3\xa9', '-', '__proto__', 'b\n', '.hidden'];
    for (const name of names) fileSystem.writeSmallFile(root, at(name), Buffer.from(name), 0o600, 5n);
    fileSystem.makeSymlink(root, at('link'), 'target \xfe');
    fileSystem.makeDirectory(root, at('directory'), 0o700);
    const [listing] = fileSystem.readDirectories(root, [ROOT]);
    expect(listing?.error).toBeNull();
    expect(listing?.entries.map(({ name }) => name)).toEqual([...names, 'link', 'directory'].sort());
    for (const { name, packedStat, target, error } of listing?.entries ?? []) {
      expect(error).toBeNull();
      expect(unpackStat(packedStat)).toEqual(fileSystem.stat(root, at(name)));
      expect(target).toBe(isSymlink(modeOf(packedStat)) ? 'target \xfe' : null);
    }
  });

  it('answers for each directory in the order asked', () => {
    const { root } = makeTree();
    const paths: BytePath[] = [];
    for (let index = 0; index < 30; index++) {
      const path = at(`d${(index * 7) % 30}`);
      paths.push(path);
      fileSystem.makeDirectory(root, path, 0o755);
      for (let file = 0; file < index % 9; file++)
        fileSystem.writeSmallFile(root, at(`${path}/f${file}`), Buffer.alloc(0), 0o644, 0n);
    }
    const listings = fileSystem.readDirectories(root, paths);
    expect(listings.map(({ path }) => path)).toEqual(paths);
    expect(listings.map(({ entries }) => entries.length)).toEqual(paths.map((_, index) => index % 9));
    for (const { entries } of listings)
      expect(entries.map(({ name }) => name)).toEqual(entries.map((_, index) => `f${index}`).sort());
  });

  it('says of each directory why it could not be listed', () => {
    const { root } = makeTree();
    fileSystem.makeDirectory(root, at('good'), 0o755);
    fileSystem.writeSmallFile(root, at('file'), Buffer.alloc(0), 0o644, 0n);
    fileSystem.makeSymlink(root, at('link'), 'good');
    const paths = ['good', 'no', 'file', 'link', 'link/x', '..', 'good/../good', ''].map(at);
    const listings = fileSystem.readDirectories(root, paths);
    expect(listings.map(({ error }) => error)).toEqual([
      null,
      'ENOENT',
      'ENOTDIR',
      'ELOOP',
      'ELOOP',
      'EINVAL',
      'EINVAL',
      null,
    ]);
    expect(listings.map(({ entries }) => entries.length)).toEqual([0, 0, 0, 0, 0, 0, 0, 3]);
    expect(fileSystem.readDirectories(root, [])).toEqual([]);
  });

  it('tells special files by their mode and opens none', () => {
    const { root, directory } = makeTree();
    // Opening the pipe would wait for a writer, or wake one up.
    spawnSync('mkfifo', [join(directory, 'pipe')]);
    const [listing] = fileSystem.readDirectories(root, [ROOT]);
    expect(modeOf(listing?.entries[0]?.packedStat ?? new Uint8Array(64)) & 0o170000).toBe(0o010000);
    expect(() => fileSystem.openFile(root, at('pipe'))).toThrow('EINVAL');
    expect(() => fileSystem.readSmallFile(root, at('pipe'), 10)).toThrow('EINVAL');
  });

  it('lists directories larger than a kernel buffer', () => {
    const { root, directory } = makeTree();
    const count = 700;
    const name = (index: number) => `${'n'.repeat(240)}${String(index).padStart(5, '0')}`;
    for (let index = 0; index < count; index++) fs.writeFileSync(join(directory, name(index)), '');
    const [listing] = fileSystem.readDirectories(root, [ROOT]);
    expect(listing?.entries.length).toBe(count);
    expect(listing?.entries.every((entry, index) => entry.name === name(index))).toBe(true);
  });
});
