/** Names that differ by case only, synced with a file system that takes them for the same. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect } from 'vitest';
import { type FoldingFolder, foldingFolder, whyNoFolding } from '../support/folding.ts';
import { type RunResult, tidemark } from '../support/tidemark.ts';
import { Tree } from '../support/trees.ts';
import { itWith } from './skips.ts';

let folding: FoldingFolder | null = null;
beforeAll(() => {
  if (whyNoFolding() === null) folding = foldingFolder();
});
afterAll(() => folding?.dispose());

let work: string;
let beta: string;
let alpha: Tree;
beforeEach(() => {
  work = mkdtempSync(join(tmpdir(), 'tidemark-folding-'));
  alpha = new Tree(join(work, 'alpha'));
  beta = join(folding?.path ?? work, 'beta');
  mkdirSync(beta);
});
afterEach(() => {
  for (const made of [work, beta]) rmSync(made, { recursive: true, force: true });
});

const sync = (): Promise<RunResult> => tidemark(['sync', alpha.root, beta, '--json'], { home: join(work, 'home') });
const onBeta = (): string[] => new Tree(beta).list();
const conflicts = ({ summary }: RunResult): string[] => summary.conflicts.map(({ path }) => path).sort();

itWith('folding', 'distinct')('both new: one conflict each, all else arrives', async () => {
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

itWith('folding', 'distinct')('a second one beside what is there: the first goes on', async () => {
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

itWith('folding', 'distinct')('one on each side: the side that can hold both gets both', async () => {
  alpha.edit('a=one');
  writeFileSync(join(beta, 'A'), 'two');
  const result = await sync();
  expect([result.code, conflicts(result)]).toEqual([1, ['a']]);
  expect([alpha.list(), onBeta()]).toEqual([['A=two', 'a=one'], ['A=two']]);
});

itWith('folding')('another spelling of a name is a rename, from either side', async () => {
  alpha.edit('Readme=one Dir/x=2 Dir/y=3 q=4');
  expect((await sync()).code).toBe(0);
  alpha.edit('Readme=>aside aside=>README Dir=>aside aside=>DIR');
  const result = await sync();
  expect([result.code, result.summary.beta.renamed]).toEqual([0, 2]);
  expect(onBeta()).toEqual(['DIR/x=2', 'DIR/y=3', 'README=one', 'q=4']);
  new Tree(beta).edit('q=>aside aside=>Q');
  expect((await sync()).code).toBe(0);
  expect(alpha.list()).toEqual(['DIR/x=2', 'DIR/y=3', 'Q=4', 'README=one']);
});

itWith('folding')('a new name that folds with none is no conflict', async () => {
  alpha.edit('a=one d/b=2');
  expect((await sync()).code).toBe(0);
  alpha.edit('B=3 d/a=4');
  expect((await sync()).code).toBe(0);
  expect(onBeta()).toEqual(['B=3', 'a=one', 'd/a=4', 'd/b=2']);
});
