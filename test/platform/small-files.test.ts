/** Many small files by few calls: the same as one by one, whatever lies among them. */
import { createHash } from 'node:crypto';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { initHashing, xxh64 } from '../../src/journal/hash.ts';
import { errnoOf } from '../../src/platform/core/errors.ts';
import type { SmallFile } from '../../src/platform/filesystem.ts';
import { at, IMPLEMENTATIONS, treeMaker } from './implementations.ts';

beforeAll(initHashing);

describe.each(IMPLEMENTATIONS)('$name', ({ fileSystem }) => {
  const makeTree = treeMaker(fileSystem);
  /** Copies, since each is valid only until the next is asked for; of what cannot be read, the code. */
  const read = (root: number, paths: readonly string[], maxBytes: number): (SmallFile | string)[] =>
    Array.from(fileSystem.readSmallFiles(root, paths.map(at), maxBytes), (file) =>
      file instanceof Error ? errnoOf(file) : { ...file, contents: Buffer.from(file.contents) },
    );

  it('reads files of several directories in the order asked', () => {
    const { root, directory } = makeTree();
    for (const folder of ['a', 'a/b', 'c']) mkdirSync(join(directory, folder), { recursive: true });
    const paths = ['x', 'a/x', 'a/y', 'a/b/x', 'c/x', 'a/z', 'y'];
    for (const path of paths) writeFileSync(join(directory, path), `this is ${path}`);
    expect(read(root, paths, 100).map((file) => (file as { contents: Buffer }).contents.toString())).toEqual(
      paths.map((path) => `this is ${path}`),
    );
  });

  it('goes on after one that cannot be read', () => {
    const { root, directory } = makeTree();
    mkdirSync(join(directory, 'a'));
    writeFileSync(join(directory, 'a/x'), 'x');
    symlinkSync('a', join(directory, 'link'));
    const paths = ['gone', 'a/x', 'no/x', 'a', 'link', 'link/x', '../a/x', '', 'a/x'];
    const found = read(root, paths, 10).map((file) => (typeof file === 'string' ? file : file.contents.toString()));
    expect(found).toEqual(['ENOENT', 'x', 'ENOENT', 'EINVAL', 'ELOOP', 'ELOOP', 'EINVAL', 'EINVAL', 'x']);
  });

  it('takes as many calls as the contents need', () => {
    const { root, directory } = makeTree();
    const names = Array.from({ length: 700 }, (_, index) => `f${index}`);
    const contentOf = (name: string) => Buffer.alloc((Number(name.slice(1)) * 37) % 9000, name);
    for (const name of names) writeFileSync(join(directory, name), contentOf(name));
    const found = read(root, names, 16_384) as { contents: Buffer }[];
    expect(found.map(({ contents }) => contents.length)).toEqual(names.map((name) => contentOf(name).length));
    expect(found.every(({ contents }, index) => contents.equals(contentOf(names[index] as string)))).toBe(true);
  });

  it('tells the beginning and the full size of a file that is larger than asked', () => {
    const { root, directory } = makeTree();
    writeFileSync(join(directory, 'large'), 'abcdefgh');
    writeFileSync(join(directory, 'small'), 'x');
    expect(read(root, ['large', 'small'], 3)).toMatchObject([
      { before: { sizeBytes: 8 }, contents: Buffer.from('abc') },
      { before: { sizeBytes: 1 }, contents: Buffer.from('x') },
    ]);
  });

  it('hashes what it read, where hashing comes with it', () => {
    const { root, directory } = makeTree();
    for (const [name, length] of [
      ['empty', 0],
      ['tail', 1001],
      ['block', 65_536],
    ] as const)
      writeFileSync(join(directory, name), Buffer.alloc(length, 'abc'));
    for (const file of read(root, ['empty', 'tail', 'block'], 100_000)) {
      if (typeof file === 'string' || file.digests === null) continue;
      const fast = Buffer.alloc(8);
      fast.writeBigUInt64BE(xxh64(file.contents, 0n));
      expect(file.digests).toEqual({
        strong: createHash('sha256').update(file.contents).digest('binary'),
        fast: fast.toString('latin1'),
      });
    }
  });

  it('reads nothing where nothing is asked for', () => {
    const { root } = makeTree();
    expect(read(root, [], 10)).toEqual([]);
  });
});
