/** What goes over the wire, and how fast it may. */
import { copyFileSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FROM_SSH, Ground, type Pair, shown, TO_SSH, WIRINGS } from '../support/situations.ts';
import { noise } from '../support/trees.ts';

let ground: Ground;
beforeAll(async () => {
  ground = await Ground.open();
});
afterAll(() => ground.close());

const MIB = 1 << 20;

describe.each(WIRINGS)('$name', (wiring) => {
  it('an insertion into a large file sends little more than the insertion', async () => {
    const pair = ground.pair(wiring);
    await pair.start('big=*8M:3 k=one');
    const old = readFileSync(pair.alpha.at('big'));
    const inserted = Buffer.concat([old.subarray(0, 3 * MIB), Buffer.from('something new'), old.subarray(3 * MIB)]);
    writeFileSync(pair.alpha.at('big'), inserted);
    const run = await pair.syncWell();
    const { literal, matched } = run.summary.bytes;
    expect(literal, shown(run)).toBeLessThan(100_000);
    expect(literal + matched).toBe(inserted.length);
    expect(run.summary.bytes.sent + run.summary.bytes.received).toBeLessThan(300_000);
    pair.expectEqual();
    await pair.expectIdle();
  });

  it('an appended and a truncated file', async () => {
    const pair = ground.pair(wiring);
    await pair.start('log=*4M:3 cut=*4M:4');
    const log = readFileSync(pair.beta.at('log'));
    writeFileSync(pair.beta.at('log'), Buffer.concat([log, noise(5000, 9)]));
    writeFileSync(pair.beta.at('cut'), readFileSync(pair.beta.at('cut')).subarray(0, 3 * MIB));
    const run = await pair.syncWell();
    expect(run.summary.bytes.literal, shown(run)).toBeLessThan(100_000);
    pair.expectEqual();
  });

  it('renamed and copied content is taken from what is there', async () => {
    const pair = ground.pair(wiring);
    await pair.start('a=*3M:3 d/b=*3M:4 k=one');
    pair.alpha.edit('d=>e');
    const renamed = await pair.syncWell();
    expect(renamed.summary.bytes, shown(renamed)).toMatchObject({ literal: 0 });
    expect(renamed.summary.beta).toMatchObject({ renamed: 1, created: 0, deleted: 0 });
    copyFileSync(pair.alpha.at('a'), pair.alpha.at('copy'));
    const copied = await pair.syncWell();
    expect(copied.summary.bytes, shown(copied)).toMatchObject({ literal: 0, reused: 3 * MIB });
    pair.expectEqual();
    pair.beta.edit('a=>moved moved!600');
    const moved = await pair.syncWell();
    expect(moved.summary.bytes.literal).toBe(0);
    pair.expectEqual();
    await pair.expectIdle();
  });
});

describe('over ssh', () => {
  it.each([TO_SSH, FROM_SSH])('--bwlimit holds ($name)', async (wiring) => {
    const pair = ground.pair(wiring);
    pair.alpha.edit('a=*4M:3 b=*2M:4');
    const startedMs = Date.now();
    await pair.syncWell('--bwlimit', '3M');
    const seconds = (Date.now() - startedMs) / 1000;
    expect(seconds).toBeGreaterThan(1.2);
    expect(seconds).toBeLessThan(15);
    pair.expectEqual();
  });

  it.each([
    // Compresses what would otherwise wait for the link, and so little at the beginning.
    ['auto', 0, 0.7, ['--bwlimit', '4M']],
    ['zstd', 0, 0.3, []],
    ['brotli', 0, 0.3, []],
    ['none', 1, 1.2, []],
  ] as const)('--compress %s', async (mode, least, most, more) => {
    const pair = ground.pair(TO_SSH);
    const line = 'all work and no play makes a dull boy, number ';
    const text = Array.from({ length: 160_000 }, (_, index) => `${line}${index}\n`).join('');
    pair.alpha.edit('k=');
    writeFileSync(pair.alpha.at('text'), text);
    const run = await pair.sync('--compress', mode, ...more);
    if (run.code === 2 && mode === 'zstd') return expectNoZstd(run);
    expect(run.code, shown(run)).toBe(0);
    expect(run.summary.bytes.sent).toBeGreaterThan(least * text.length);
    expect(run.summary.bytes.sent).toBeLessThan(most * text.length);
    pair.expectEqual();
  });

  it('many small files do not take a round trip each', async () => {
    const pair = ground.pair(TO_SSH);
    pair.alpha.edit(Array.from({ length: 2000 }, (_, index) => `d${index % 20}/f${index}=content-${index}`).join(' '));
    const startedMs = Date.now();
    const run = await pair.syncWell();
    expect(Date.now() - startedMs).toBeLessThan(20_000);
    expect(run.summary.beta.created).toBe(2020);
    pair.expectEqual();
    await pair.expectIdle();
  });

  it('data that cannot be compressed is not blown up', async () => {
    const pair = ground.pair(TO_SSH);
    pair.alpha.edit('a=*4M:3');
    const run = await pair.syncWell('--compress', 'auto');
    expect(run.summary.bytes.sent).toBeLessThan(4.1 * MIB);
    expectSameSize(pair);
  });
});

function expectSameSize(pair: Pair): void {
  expect(statSync(pair.beta.at('a')).size).toBe(4 * MIB);
  pair.expectEqual();
}

/** Node before 22.15 has no zstd. Where this side or the other one lacks it, the word is refused, not ignored. */
function expectNoZstd({ stderr }: { readonly stderr: string }): void {
  expect(stderr).toMatch(/zstd/);
}
