/** Symlinks by option, mounts inside roots, and sources that may not be written to. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Ground, LOCAL, shown } from '../support/situations.ts';
import { itWith } from './skips.ts';

let ground: Ground;
beforeAll(async () => {
  ground = await Ground.open({ ssh: false });
});
afterAll(() => ground.close());

describe('symlinks', () => {
  it('--symlinks ignore neither copies nor deletes them', async () => {
    const pair = ground.pair(LOCAL);
    await pair.start('a=one l->a');
    pair.alpha.edit('-l m->a b=two');
    await pair.syncWell('--symlinks', 'ignore');
    expect(pair.alpha.list()).toEqual(pair.alpha.expected('a=one m->a b=two'));
    expect(pair.beta.list()).toEqual(pair.beta.expected('a=one l->a b=two'));
  });

  it('--symlinks portable names those that lead out', async () => {
    const pair = ground.pair(LOCAL);
    pair.alpha.edit('a=one d/l->../a in->d/l out->../x abs->/etc/passwd');
    const run = await pair.sync('--symlinks', 'portable');
    expect(run.code, shown(run)).toBe(3);
    expect(run.summary.failed.map(({ path }) => path).sort()).toEqual(['abs', 'out']);
    expect(pair.beta.list()).toEqual(pair.beta.expected('a=one d/l->../a in->d/l'));
  });
});

describe('other file systems', () => {
  itWith('mount')('--one-file-system stays out of mounts, and a mount is never deleted', async () => {
    const pair = ground.pair(LOCAL);
    await pair.start('a=one d/x=two', '--one-file-system');
    mkdirSync(join(pair.alpha.root, 'd/m'));
    const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tidemark-test', join(pair.alpha.root, 'd/m')]);
    expect(mounted.status).toBe(0);
    try {
      pair.alpha.edit('d/m/inside=three');
      const stays = await pair.sync('--one-file-system');
      expect(stays.code, shown(stays)).toBe(0);
      expect(pair.beta.list()).toEqual(pair.beta.expected('a=one d/x=two'));
      pair.beta.edit('-d');
      const run = await pair.sync('--one-file-system');
      expect(run.code, shown(run)).toBe(1);
      expect(existsSync(pair.alpha.at('d/m/inside'))).toBe(true);
    } finally {
      spawnSync('umount', [join(pair.alpha.root, 'd/m')]);
    }
  });

  itWith('mount')('what lies on a mount inside a root is read but not written, and fails by name', async () => {
    const pair = ground.pair(LOCAL);
    pair.beta.edit('a=one d/m/');
    const mounted = spawnSync('mount', [
      '-t',
      'tmpfs',
      '-o',
      'size=4m,mode=755',
      'tidemark-test',
      join(pair.beta.root, 'd/m'),
    ]);
    expect(mounted.status).toBe(0);
    try {
      pair.alpha.edit('d/m/x=two d/m/y=three');
      const run = await pair.sync();
      expect(run.code, shown(run)).toBe(3);
      const failed = run.summary.failed.map(({ path, side, error }) => `${side} ${path} ${error}`);
      expect(failed.sort()).toEqual(['beta d/m/x EXDEV', 'beta d/m/y EXDEV']);
      expect(pair.alpha.list()).toEqual(pair.alpha.expected('a=one d/m/x=two d/m/y=three'));
      expect(pair.beta.list()).toEqual(pair.beta.expected('a=one d/m/'));
    } finally {
      spawnSync('umount', [join(pair.beta.root, 'd/m')]);
    }
  });

  for (const mode of ['one-way-safe', 'one-way-replica']) {
    itWith('mount')(`${mode} from a read-only source`, async () => {
      const pair = ground.pair(LOCAL);
      pair.alpha.edit('a=one d/x=two');
      expect(spawnSync('mount', ['--bind', pair.alpha.root, pair.alpha.root]).status).toBe(0);
      try {
        expect(spawnSync('mount', ['-o', 'remount,ro,bind', pair.alpha.root]).status).toBe(0);
        await pair.syncWell('--mode', mode);
        expect(existsSync(pair.alpha.at('.tidemark'))).toBe(false);
        pair.expectEqual();
        await pair.expectIdle(0, '--mode', mode);
        spawnSync('mount', ['-o', 'remount,rw,bind', pair.alpha.root]);
        pair.alpha.edit('a=more -d');
        spawnSync('mount', ['-o', 'remount,ro,bind', pair.alpha.root]);
        await pair.syncWell('--mode', mode);
        pair.expectBoth('a=more');
      } finally {
        spawnSync('umount', [pair.alpha.root]);
      }
    });
  }
});
