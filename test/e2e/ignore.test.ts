/** Ignoring what was synced, and no longer ignoring it: neither ever deletes. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Ground, LOCAL, shown, WIRINGS } from '../support/situations.ts';

let ground: Ground;
beforeAll(async () => {
  ground = await Ground.open();
});
afterAll(() => ground.close());

describe.each(WIRINGS)('$name', (wiring) => {
  it('--ignore, then not', async () => {
    const pair = ground.pair(wiring);
    await pair.start('a.o=one b.o=two c.o=three k=four d/e.o=five');
    const ignoring = ['--ignore', '*.o'];
    await pair.expectIdle(0, ...ignoring);
    pair.alpha.edit('-a.o b.o=more');
    pair.beta.edit('-d/e.o n.o=new');
    await pair.expectIdle(0, ...ignoring);
    expect(pair.alpha.list()).toEqual(pair.alpha.expected('b.o=more c.o=three k=four d/e.o=five'));
    expect(pair.beta.list()).toEqual(pair.beta.expected('a.o=one b.o=two c.o=three k=four d/ n.o=new'));
    // What was left alone meanwhile has no common past: one-sided names are copied, different contents conflict.
    const run = await pair.sync();
    expect(run.code, shown(run)).toBe(1);
    expect(run.summary.alpha.deleted + run.summary.beta.deleted, shown(run)).toBe(0);
    expect(run.summary.conflicts.map(({ path }) => path)).toEqual(['b.o']);
    expect(pair.alpha.list()).toEqual(pair.alpha.expected('a.o=one b.o=more c.o=three k=four d/e.o=five n.o=new'));
    expect(pair.beta.list()).toEqual(pair.beta.expected('a.o=one b.o=two c.o=three k=four d/e.o=five n.o=new'));
  });
});

describe('.tidemarkignore', () => {
  it('is synced itself and takes effect on both sides', async () => {
    const pair = ground.pair(LOCAL);
    pair.alpha.edit('.tidemarkignore=*.tmp%0a a.tmp=one k=two');
    pair.beta.edit('b.tmp=three');
    await pair.syncWell();
    expect(pair.beta.list()).toEqual(pair.beta.expected('.tidemarkignore=*.tmp%0a b.tmp=three k=two'));
    await pair.expectIdle();
    pair.beta.edit('.tidemarkignore=*.other%0a');
    const run = await pair.syncWell();
    expect(run.summary.alpha.deleted + run.summary.beta.deleted, shown(run)).toBe(0);
    pair.expectBoth('.tidemarkignore=*.other%0a a.tmp=one b.tmp=three k=two');
    await pair.expectIdle();
  });

  it('blocks the deletion of a directory that holds ignored files on the other side', async () => {
    const pair = ground.pair(LOCAL);
    const ignoring = ['--ignore', '*.o'];
    await pair.start('d/x=one k=', ...ignoring);
    pair.beta.edit('d/mine.o=two');
    pair.alpha.edit('-d');
    const run = await pair.sync(...ignoring);
    expect(run.code, shown(run)).toBe(1);
    expect(run.summary.conflicts.map(({ path }) => path)).toEqual(['d']);
    expect(pair.beta.list()).toContain('d/mine.o=two');
    await pair.expectIdle(1, ...ignoring);
  });
});
