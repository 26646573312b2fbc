/** What becomes of a pair whose roots or state are not what they were. */
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { expectNoWork, Ground, LOCAL, type Pair, shown, TO_SSH, WIRINGS } from '../support/situations.ts';
import { type RunResult, tidemark } from '../support/tidemark.ts';
import { snapshotOf, type Tree } from '../support/trees.ts';

let ground: Ground;
beforeAll(async () => {
  ground = await Ground.open();
});
afterAll(() => ground.close());

const SIDES = ['alpha', 'beta'] as const;
type Side = (typeof SIDES)[number];

/** The run halts for `reason`, and no byte, time or name of the two roots changes. */
async function expectHalt(pair: Pair, reason: string, side: Side, ...options: readonly string[]): Promise<void> {
  const before = [snapshotUser(pair.alpha), snapshotUser(pair.beta)];
  const run = await pair.sync(...options);
  expect(run.code, shown(run)).toBe(5);
  expect(run.summary).toMatchObject({ result: 'halted', halt: { reason, side } });
  expect(run.events.filter(({ type }) => type === 'action')).toEqual([]);
  expect([snapshotUser(pair.alpha), snapshotUser(pair.beta)]).toEqual(before);
}

/** The snapshot without the hidden folder, whose lock may be taken and given back. */
function snapshotUser(tree: Tree): string[] {
  const isHidden = (line: string) => line.includes('/.tidemark');
  return snapshotOf(tree.root).filter((line) => !isHidden(line));
}

describe.each(WIRINGS)('$name', (wiring) => {
  it.each(SIDES)('%s missing, replaced, of another type, emptied: halts, and goes on when it is back', async (side) => {
    const pair = ground.pair(wiring);
    await pair.start('a=one b=two d/x=three');
    const { root } = pair[side];
    const aside = join(pair.folder, 'aside');
    renameSync(root, aside);
    await expectHalt(pair, 'root-missing', side);
    mkdirSync(root);
    writeFileSync(join(root, 'other'), 'another directory');
    await expectHalt(pair, 'root-identity', side);
    rmSync(root, { recursive: true });
    writeFileSync(root, 'a file');
    await expectHalt(pair, 'root-type', side);
    expect((await pair.sync('--force')).code).toBe(4);
    rmSync(root);
    mkdirSync(join(pair.folder, 'elsewhere'));
    symlinkSync(join(pair.folder, 'elsewhere'), root);
    await expectHalt(pair, 'root-emptied', side);
    writeFileSync(join(pair.folder, 'elsewhere', 'other'), 'another directory');
    await expectHalt(pair, 'root-identity', side);
    rmSync(root);
    renameSync(aside, root);
    for (const name of ['a', 'b', 'd']) renameSync(join(root, name), join(pair.folder, name));
    await expectHalt(pair, 'root-emptied', side);
    for (const name of ['a', 'b', 'd']) renameSync(join(pair.folder, name), join(root, name));
    await pair.expectIdle();
    pair.expectBoth('a=one b=two d/x=three');
  });

  it('lost state here: a first sync, which deletes nothing', async () => {
    const pair = ground.pair(wiring);
    await pair.start('a=one b=two c=three d/x=four');
    rmSync(pair.home, { recursive: true });
    await expectFirstSync(pair);
  });

  it('lost state over there: a first sync, which deletes nothing', async () => {
    const pair = ground.pair(wiring);
    await pair.start('a=one b=two c=three d/x=four');
    // With both sides here there is only one home; what makes it "there" is the index, which is kept per root.
    if (wiring === LOCAL) rmSync(join(pair.home, 'state'), { recursive: true });
    else rmSync(join(ground.farHome, 'state'), { recursive: true });
    await expectFirstSync(pair);
  });

  it('too many deletions halt; renames are none; the limit can be set', async () => {
    const pair = ground.pair(wiring);
    const many = Array.from({ length: 30 }, (_, index) => `d/f${index}=content-${index}`);
    await pair.start(`k= ${many.join(' ')}`);
    pair.alpha.edit('d=>e');
    const renamed = await pair.syncWell();
    expect(renamed.summary.beta).toMatchObject({ renamed: 1, deleted: 0 });
    pair.alpha.edit(Array.from({ length: 20 }, (_, index) => `-e/f${index}`).join(' '));
    await expectHalt(pair, 'max-delete', 'beta');
    await expectHalt(pair, 'max-delete', 'beta', '--max-delete', '19');
    await expectHalt(pair, 'max-delete', 'beta', '--max-delete', '40%');
    const run = await pair.syncWell('--max-delete', '20');
    expect(run.summary.beta.deleted).toBe(20);
    pair.beta.edit(Array.from({ length: 10 }, (_, index) => `-e/f${index + 20}`).join(' '));
    const few = await pair.syncWell('--max-delete', '1%');
    expect(few.summary.alpha.deleted).toBe(10);
    pair.expectBoth('k= e/');
  });

  it('files as roots', async () => {
    const files = filesOf(ground.pair(wiring));
    writeFileSync(files.alpha, 'one');
    await files.expectSynced('one');
    writeFileSync(files.beta, 'edited over there');
    await files.expectSynced('edited over there');
    writeFileSync(files.alpha, 'here');
    writeFileSync(files.beta, 'there');
    const run = await files.sync();
    expect(run.code, shown(run)).toBe(1);
    expect(run.summary.conflicts).toMatchObject([{ path: '', alpha: 'modified file', beta: 'modified file' }]);
    rmSync(files.beta);
    const halted = await files.sync();
    expect(halted.code, shown(halted)).toBe(5);
    expect(halted.summary.halt).toMatchObject({ reason: 'root-missing', side: 'beta' });
    expect(existsSync(files.beta)).toBe(false);
  });
});

it.each(WIRINGS)('files as roots, in one directory of one host, $name', async (wiring) => {
  const pair = ground.pair(wiring);
  pair.alpha.edit('f=one');
  const target = join(pair.alpha.root, 'g');
  const there = pair.addresses[1].replace(pair.beta.root, pair.alpha.root);
  const words = ['sync', `${pair.addresses[0]}/f`, `${there}/g`, '--json', ...ground.sshOptions];
  const run = await tidemark(words, pair.settings);
  expect(run.code, shown(run)).toBe(0);
  expect(readFileSync(target, 'utf8')).toBe('one');
  expectNoWork(await tidemark(words, pair.settings));
});

describe('with --force', () => {
  it.each(SIDES)('an emptied %s empties the other', async (side) => {
    const pair = ground.pair(LOCAL);
    await pair.start('a=one b=two d/x=three');
    pair[side].edit('-a -b -d');
    const run = await pair.syncWell('--force');
    expect(run.summary[side === 'alpha' ? 'beta' : 'alpha'].deleted).toBe(4);
    pair.expectBoth('');
    await pair.expectIdle();
  });

  it('another directory in place of a root is a first sync, which deletes nothing', async () => {
    const pair = ground.pair(LOCAL);
    await pair.start('a=one b=two d/x=three');
    rmSync(pair.beta.root, { recursive: true });
    pair.beta.edit('c=four');
    await pair.syncWell('--force');
    pair.expectBoth('a=one b=two c=four d/x=three');
    await pair.expectIdle();
  });

  it('a missing root is made again and filled', async () => {
    const pair = ground.pair(TO_SSH);
    await pair.start('a=one b=two d/x=three');
    rmSync(pair.beta.root, { recursive: true });
    await pair.syncWell('--force');
    pair.expectBoth('a=one b=two d/x=three');
    await pair.expectIdle();
  });

  it('deletions above the limit go', async () => {
    const pair = ground.pair(LOCAL);
    const many = Array.from({ length: 12 }, (_, index) => `f${index}=content-${index}`);
    await pair.start(`k= ${many.join(' ')}`);
    pair.beta.edit(many.map((_, index) => `-f${index}`).join(' '));
    await expectHalt(pair, 'max-delete', 'alpha');
    await pair.syncWell('--force');
    pair.expectBoth('k=');
  });
});

describe('the same directories by other names', () => {
  it('one root moved: its state is found by its identity', async () => {
    const pair = ground.pair(LOCAL);
    await pair.start('a=one b=two');
    renameSync(pair.beta.root, `${pair.beta.root}-moved`);
    const moved = await ground.pair(LOCAL);
    renameSync(`${pair.beta.root}-moved`, moved.beta.root);
    renameSync(pair.alpha.root, moved.alpha.root);
    renameSync(pair.home, moved.home);
    moved.alpha.edit('-a');
    const run = await moved.syncWell();
    expect(run.summary.beta.deleted, shown(run)).toBe(1);
    moved.expectBoth('b=two');
  });

  it('relative paths in two folders are two pairs', async () => {
    const [one, two] = [ground.pair(LOCAL), ground.pair(LOCAL)];
    for (const pair of [one, two]) {
      pair.alpha.edit(`only-in-${pair === one ? 'one' : 'two'}=x k=`);
      const run = await tidemark(['sync', 'A', 'B', '--json'], { home: one.home, cwd: pair.folder });
      expect(run.code, shown(run)).toBe(0);
      pair.expectEqual();
    }
    two.expectBoth('only-in-two=x k=');
  });
});

/** Everything deleted on one side comes back, everything edited conflicts. */
async function expectFirstSync(pair: Pair): Promise<void> {
  pair.alpha.edit('-a b=more n=new');
  pair.beta.edit('c=other');
  const run = await pair.sync();
  expect(run.code, shown(run)).toBe(1);
  expect(run.summary.conflicts.map(({ path }) => path).sort()).toEqual(['b', 'c']);
  expect(run.summary.alpha.deleted + run.summary.beta.deleted).toBe(0);
  expect(pair.alpha.list()).toEqual(pair.alpha.expected('a=one b=more c=three d/x=four n=new'));
  expect(pair.beta.list()).toEqual(pair.beta.expected('a=one b=two c=other d/x=four n=new'));
  await pair.expectIdle(1);
}

interface Files {
  readonly alpha: string;
  readonly beta: string;
  sync(): Promise<RunResult>;
  expectSynced(text: string): Promise<void>;
}

/** The file `f` in each root of a pair, as a pair of its own. */
function filesOf(pair: Pair): Files {
  pair.alpha.edit('');
  pair.beta.edit('');
  const [alpha, beta] = [`${pair.alpha.root}/f`, `${pair.beta.root}/f`];
  const words = ['sync', ...pair.addresses.map((address) => `${address}/f`), '--json', ...ground.sshOptions];
  const sync = () => tidemark(words, pair.settings);
  return {
    alpha,
    beta,
    sync,
    expectSynced: async (text) => {
      const run = await sync();
      expect(run.code, shown(run)).toBe(0);
      expect([alpha, beta].map((file) => readFileSync(file, 'utf8'))).toEqual([text, text]);
      expectNoWork(await sync());
    },
  };
}
