/** Renames that change the spelling only, on a file system that takes both spellings for one name. */
import * as fs from 'node:fs';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type BytePath, joinPath, nameOf, parentOf } from '../../../src/platform/core/byte-path.ts';
import type { Fd, FileSystem } from '../../../src/platform/filesystem.ts';
import { BOTH_KINDS } from './kinds.ts';
import { verdicts, Workbench } from './workbench.ts';

describe.each(BOTH_KINDS)('$name', ({ fileSystem }) => {
  let bench: Workbench;
  /** Targets of renames that succeed, in order. */
  let renamed: string[];

  beforeEach(() => {
    renamed = [];
    bench = new Workbench(folding(fileSystem, (path) => renamed.push(path)));
    bench.write('Readme', 'one');
    bench.write('Dir/x', 'two');
    bench.write('linked', 'three');
    fs.linkSync(bench.path('linked'), bench.path('other'));
    bench.write('taken', 'four');
    bench.observe();
  });
  afterEach(() => bench.close());

  test('a file, and a directory with what it holds', () => {
    const outcomes = bench.apply([bench.rename('Readme', 'README'), bench.rename('Dir', 'DIR')]);
    expect(verdicts(outcomes)).toEqual(['done', 'done']);
    expect(fs.readdirSync(bench.directory).sort()).toEqual(['.tidemark', 'DIR', 'README', 'linked', 'other', 'taken']);
    expect([bench.read('README'), bench.read('DIR/x'), bench.litter()]).toEqual(['one', 'two', []]);
  });

  test.each([
    ['a name that somebody else has', 'Readme', 'TAKEN'],
    ['a file with further names', 'linked', 'LINKED'],
  ])('%s is left alone', (_name, from, to) => {
    expect(verdicts(bench.apply([bench.rename(from, to)]))).toEqual(['changed target']);
    expect(renamed.filter((path) => !path.startsWith('.tidemark/'))).toEqual([]);
    expect(fs.readdirSync(bench.directory)).toContain(from);
  });

  test('a new spelling that is taken at the last moment: back to the old one', () => {
    const hooked = folding(fileSystem, (path) => {
      if (path.startsWith('.tidemark-')) fs.writeFileSync(bench.path('README'), 'mine');
    });
    const outcomes = bench.apply([bench.rename('Readme', 'README')], { fileSystem: hooked });
    expect(verdicts(outcomes)).toEqual(['changed target']);
    expect(bench.read('README')).toBe('mine');
    // On a real one the old spelling would be taken as well, and the file would stay aside, complete.
    const names = fs.readdirSync(bench.directory).filter((name) => bench.read(name) === 'one');
    expect(names).toHaveLength(1);
  });
});

/** Looks names up without regard to case, as far as renames need it. */
function folding(fileSystem: FileSystem, onRename: (to: BytePath) => void): FileSystem {
  const found = (root: Fd, path: BytePath): BytePath => {
    const listing = fileSystem.readDirectories(root, [parentOf(path)])[0]?.entries ?? [];
    const name = listing.find((entry) => entry.name.toLowerCase() === nameOf(path).toLowerCase())?.name;
    return name === undefined ? path : joinPath(parentOf(path), name);
  };
  return {
    ...fileSystem,
    stat: (root, path) => fileSystem.stat(root, path === '' ? path : found(root, path)),
    renameNoReplace(root, from, to) {
      if (fileSystem.stat(root, found(root, to)) !== null) throw Object.assign(new Error('taken'), { code: 'EEXIST' });
      fileSystem.renameNoReplace(root, found(root, from), to);
      onRename(to);
    },
  };
}
