/**
 * Names that differ by case only, synced with a file system that takes them for the same.
 *
 * Such a one is the temporary directory itself (macOS), the directory named by TIDEMARK_TEST_FOLDING, or, for root on
 * Linux, an image of ext4 with case folding or of vfat; without any of them these tests are skipped.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type RunResult, tidemark } from '../support/tidemark.ts';
import { Tree } from '../support/trees.ts';

const PREFIX = 'tidemark-folding-';
const cleanups: (() => void)[] = [];
afterAll(() => {
  for (const cleanup of cleanups.splice(0).reverse()) cleanup();
});

const folder = foldingFolder();

describe.skipIf(folder === null)(`names that fold (${folder ?? 'no file system here folds names'})`, () => {
  let work: string;
  let beta: string;
  let alpha: Tree;

  beforeEach(() => {
    work = mkdtempSync(join(tmpdir(), PREFIX));
    // On a temporary directory that folds, both sides would.
    alpha = new Tree(join(work, 'alpha'));
    beta = mkdtempSync(join(folder ?? tmpdir(), PREFIX));
  });
  afterEach(() => {
    for (const made of [work, beta]) rmSync(made, { recursive: true, force: true });
  });

  const sync = (...args: string[]): Promise<RunResult> =>
    tidemark(['sync', alpha.root, beta, '--json', ...args], { home: join(work, 'home') });
  const onBeta = (): string[] => new Tree(beta).list();
  const conflicts = ({ summary }: RunResult): string[] => summary.conflicts.map(({ path }) => path).sort();

  test.skipIf(folder === tmpdir())('both new: one conflict each, all else arrives', async () => {
    alpha.edit('a=one A=two d/x=1 d/X=2 d/y=3 other=4 E/in=5 e/too=6');
    const before = alpha.list();
    for (let run = 0; run < 2; run++) {
      const result = await sync();
      expect(result.code).toBe(1);
      expect(conflicts(result)).toEqual(['A', 'E', 'a', 'd/X', 'd/x', 'e']);
      expect([result.summary.deferred, result.summary.failed]).toEqual([[], []]);
      expect(onBeta()).toEqual(['d/y=3', 'other=4']);
      expect(alpha.list()).toEqual(before);
    }
    alpha.edit('A=>b d/X=>d/z E=>f');
    expect((await sync()).code).toBe(0);
    expect(onBeta()).toEqual(['a=one', 'b=two', 'd/x=1', 'd/y=3', 'd/z=2', 'e/too=6', 'f/in=5', 'other=4']);
    expect(alpha.list()).toEqual(onBeta());
  });

  test.skipIf(folder === tmpdir())('a second one beside what is there: the first goes on', async () => {
    alpha.edit('a=one d/x=1');
    expect((await sync()).code).toBe(0);
    alpha.edit('A=two d/X=2 new=3');
    const result = await sync();
    expect([result.code, conflicts(result)]).toEqual([1, ['A', 'd/X']]);
    expect(onBeta()).toEqual(['a=one', 'd/x=1', 'new=3']);
    alpha.edit('a=edited');
    writeFileSync(join(beta, 'd/x'), 'edited there');
    const next = await sync();
    expect([next.code, conflicts(next)]).toEqual([1, ['A', 'd/X']]);
    expect(onBeta()).toEqual(['a=edited', 'd/x=edited%20there', 'new=3']);
    expect(readFileSync(alpha.at('d/x'), 'utf8')).toBe('edited there');
    expect(readFileSync(alpha.at('A'), 'utf8')).toBe('two');
  });

  test.skipIf(folder === tmpdir())('one on each side: the side that can hold both gets both', async () => {
    alpha.edit('a=one');
    writeFileSync(join(beta, 'A'), 'two');
    const result = await sync();
    expect([result.code, conflicts(result)]).toEqual([1, ['a']]);
    expect([alpha.list(), onBeta()]).toEqual([['A=two', 'a=one'], ['A=two']]);
  });

  test('a new name that folds with none is no conflict', async () => {
    alpha.edit('a=one d/b=2');
    expect((await sync()).code).toBe(0);
    alpha.edit('B=3 d/a=4');
    expect((await sync()).code).toBe(0);
    expect(onBeta()).toEqual(['B=3', 'a=one', 'd/a=4', 'd/b=2']);
  });
});

/** A directory below which case folds, also in new directories; null where none can be had. */
function foldingFolder(): string | null {
  const given = process.env.TIDEMARK_TEST_FOLDING;
  for (const directory of given === undefined ? [tmpdir()] : [given, tmpdir()])
    if (foldsCase(directory)) return directory;
  return process.platform === 'linux' && process.geteuid?.() === 0
    ? (foldingImage('ext4') ?? foldingImage('vfat'))
    : null;
}

function foldingImage(type: 'ext4' | 'vfat'): string | null {
  const place = mkdtempSync(join(tmpdir(), PREFIX));
  cleanups.push(() => rmSync(place, { recursive: true, force: true }));
  const [image, mounted] = [join(place, 'image'), join(place, 'mounted')];
  writeFileSync(image, '');
  truncateSync(image, 32 << 20);
  mkdirSync(mounted);
  const make = type === 'ext4' ? ['mkfs.ext4', '-q', '-O', 'casefold', image] : ['mkfs.vfat', image];
  if (!succeeds(make) || !succeeds(['mount', '-o', 'loop', image, mounted])) return null;
  cleanups.push(() => succeeds(['umount', mounted]));
  const directory = join(mounted, 'folding');
  mkdirSync(directory);
  if (type === 'ext4' && !succeeds(['chattr', '+F', directory])) return null;
  return foldsCase(directory) ? directory : null;
}

function foldsCase(directory: string): boolean {
  const probe = mkdtempSync(join(directory, `${PREFIX}probe-`));
  try {
    return existsSync(probe.replace(PREFIX, PREFIX.toUpperCase()));
  } finally {
    rmSync(probe, { recursive: true });
  }
}

function succeeds([command = '', ...args]: readonly string[]): boolean {
  return spawnSync(command, args, { stdio: 'ignore' }).status === 0;
}
