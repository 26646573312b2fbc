/** A run under other options than the last one: what the old ones left alone is dealt with, though nothing changed. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Ground, LOCAL, shown } from '../support/situations.ts';

let ground: Ground;
beforeAll(async () => {
  ground = await Ground.open();
});
afterAll(() => ground.close());

describe('options that change between two runs', () => {
  it.each([
    ['perms', '--no-perms', 'a=one!644', 'a!600'],
    ['times', '--no-times', 'a=one@1000000000', 'a@1000000009'],
  ])('%s, off and on again', async (_, off, before, edit) => {
    const pair = ground.pair(LOCAL);
    await pair.start(before);
    pair.alpha.edit(edit);
    await pair.syncWell(off);
    await pair.syncWell();
    pair.expectEqual();
  });

  it('setid, turned on', async () => {
    const pair = ground.pair(LOCAL);
    pair.alpha.edit('a=one!4755');
    await pair.syncWell();
    await pair.syncWell('--setid');
    pair.expectEqual();
  });

  it('one way, then as a replica, then both ways', async () => {
    const pair = ground.pair(LOCAL);
    await pair.start('a=one', '--mode', 'one-way-safe');
    pair.beta.edit('b=two d/x=three');
    await pair.syncWell('--mode', 'one-way-safe');
    expect(pair.beta.list()).not.toEqual(pair.alpha.list());
    const dry = await pair.sync('--mode', 'two-way-safe', '-n');
    expect(dry.summary.alpha.created, shown(dry)).toBe(3);
    await pair.syncWell('--mode', 'one-way-replica');
    pair.expectEqual();
    expect(pair.beta.list()).toHaveLength(1);
    pair.beta.edit('b=two');
    await pair.syncWell('--mode', 'one-way-safe');
    await pair.syncWell();
    pair.expectEqual();
    expect(pair.alpha.list()).toHaveLength(2);
  });
});
