/** Wrong use and bad circumstances: a message with cause and remedy, the right exit code, nothing half-done. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, realpathSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Ground, LOCAL, type Pair, shown, TO_SSH, WIRINGS } from '../support/situations.ts';
import { type RunResult, tidemark } from '../support/tidemark.ts';
import { snapshotOf } from '../support/trees.ts';
import { itWith } from './skips.ts';

let ground: Ground;
beforeAll(async () => {
  ground = await Ground.open();
});
afterAll(() => ground.close());

/** Runs for people; the first line names the program and the cause, further lines are indented and say what to do. */
async function expectRefusal(
  pair: Pair,
  words: readonly string[],
  { code, message, remedy }: { code: number; message: RegExp; remedy?: RegExp | null },
): Promise<RunResult> {
  const before = [pair.alpha.root, pair.beta.root].map(snapshotOf);
  const run = await tidemark([...words, ...ground.sshOptions], pair.settings);
  expect(run.code, shown(run)).toBe(code);
  expect(run.stdout).toBe('');
  const [first = '', ...rest] = run.stderr.trimEnd().split('\n');
  expect(first, run.stderr).toMatch(/^tidemark: /);
  expect(run.stderr).toMatch(message);
  expect(run.stderr).not.toMatch(/\n\s+at /);
  if (remedy !== null) expect(rest.join('\n'), 'a remedy').toMatch(remedy ?? /^ {2}\S/);
  expect([pair.alpha.root, pair.beta.root].map(snapshotOf)).toEqual(before);
  return run;
}

describe('wrong use', () => {
  it.each([
    [['--no-such-option'], /no-such-option/],
    [['--mod', 'two-way-safe'], /--mode/],
    [['--mode', 'both-ways'], /both-ways/],
    [['--conflict', 'mine'], /mine/],
    [['--max-delete', 'many'], /many/],
    [['--max-delete', '-3'], /-3/],
    [['--bwlimit', 'fast'], /fast/],
    [['--compress', 'lots'], /lots/],
    [['--digest', 'md5'], /md5/],
    [['--port', '99999'], /99999/],
    [['--host-key', 'no'], /no/],
    [['--symlinks', 'follow'], /follow/],
    [['--keep-versions', '3 moons'], /3 moons/],
    [['third-endpoint'], /argument|third-endpoint/],
  ])('%s', async (options, message) => {
    const pair = ground.pair(LOCAL);
    pair.alpha.edit('a=one');
    await expectRefusal(pair, ['sync', ...pair.addresses, ...options], { code: 2, message, remedy: null });
    expect(existsSync(pair.home)).toBe(false);
    pair.remove();
  });

  it.each([
    [['sync']],
    [['sync', 'only-one']],
    [['no-such-command']],
    [['sync', '', 'b']],
    [['sync', 'a', 'ssh://']],
    [['sync', 'a', 'ssh://-oProxyCommand=x/y']],
    [['sync', 'a', '-oProxyCommand=x:/y']],
    [['sync', 'a', 'ftp://host/path']],
    [['sync', 'a', 'ssh://host:port/path']],
  ])('%s', async (words) => {
    const pair = ground.pair(LOCAL);
    const run = await tidemark(words, pair.settings);
    expect(run.code, shown(run)).toBe(2);
    expect(run.stderr).toMatch(/\S/);
    pair.remove();
  });

  it.each([
    ['this is not TOML', /config\.toml/],
    ['mode = "sideways"', /sideways/],
    ['unknown-key = 1', /unknown-key/],
    ['max-delete = []', /max-delete/],
    ['force = true', /force/],
  ])('configuration: %s', async (text, message) => {
    const pair = ground.pair(LOCAL);
    pair.alpha.edit('a=one');
    mkdirSync(pair.home, { mode: 0o700 });
    writeFileSync(join(pair.home, 'config.toml'), text);
    await expectRefusal(pair, ['sync', ...pair.addresses], { code: 2, message, remedy: null });
  });

  it('configuration that cannot be read', async () => {
    const pair = ground.pair(LOCAL);
    pair.alpha.edit('a=one');
    mkdirSync(join(pair.home, 'config.toml'), { recursive: true, mode: 0o700 });
    await expectRefusal(pair, ['sync', ...pair.addresses], { code: 2, message: /config\.toml/, remedy: null });
  });

  it('a TIDEMARK_HOME that is relative', async () => {
    const pair = ground.pair(LOCAL);
    pair.alpha.edit('a=one');
    const run = await tidemark(pair.arguments(), { ...pair.settings, home: 'relative' });
    expect(run.code, shown(run)).toBe(2);
  });
});

describe.each(WIRINGS)('roots that do not fit, $name', (wiring) => {
  const alike = [
    ['the same directory', (pair: Pair) => pair.alpha.root],
    ['the same by a symlink', (pair: Pair) => linked(pair, pair.alpha.root, 'link')],
    ['one inside the other', (pair: Pair) => join(pair.alpha.root, 'd')],
    ['one inside the other by a symlink', (pair: Pair) => linked(pair, join(pair.alpha.root, 'd'), 'link')],
    ['one inside the other, still missing', (pair: Pair) => join(pair.alpha.root, 'd', 'new')],
    ['the other way round', (pair: Pair) => pair.folder],
    ['by way of ..', (pair: Pair) => join(pair.folder, '..', pair.folder.split('/').at(-1) ?? '', 'A')],
  ] as const;
  it.each(alike)('%s', async (_, otherOf) => {
    const pair = ground.pair(wiring);
    pair.alpha.edit('a=one d/x=two');
    const other = otherOf(pair);
    const [alpha] = pair.addresses;
    const beta = wiring.beta === 'ssh' ? ground.address(other) : other;
    await expectRefusal(pair, ['sync', alpha, beta], { code: 2, message: /same|inside|itself/ });
    pair.remove();
  });

  it('a missing parent of beta', async () => {
    const pair = ground.pair(wiring);
    pair.alpha.edit('a=one');
    const [alpha, beta] = pair.addresses;
    await expectRefusal(pair, ['sync', alpha, `${beta}/not/there`], { code: 4, message: /not\/there|parent|director/ });
    expect(existsSync(pair.beta.root)).toBe(false);
  });

  it('both missing', async () => {
    const pair = ground.pair(wiring);
    await expectRefusal(pair, ['sync', ...pair.addresses], { code: 4, message: /does not exist/ });
  });

  it('a missing alpha of a one-way mode', async () => {
    const pair = ground.pair(wiring);
    pair.beta.edit('a=one');
    const words = ['sync', ...pair.addresses, '--mode', 'one-way-replica'];
    await expectRefusal(pair, words, { code: 4, message: /does not exist/ });
  });

  it('a file against a directory', async () => {
    const pair = ground.pair(wiring);
    writeFileSync(pair.alpha.root, 'one');
    pair.beta.edit('a=one');
    await expectRefusal(pair, ['sync', ...pair.addresses], { code: 4, message: /file.*directory|directory.*file/s });
  });

  it('a root that is a FIFO', async () => {
    const pair = ground.pair(wiring);
    spawnSync('mkfifo', [pair.alpha.root]);
    pair.beta.edit('a=one');
    await expectRefusal(pair, ['sync', ...pair.addresses], { code: 4, message: /neither/, remedy: null });
  });
});

describe('a root given by a symlink', () => {
  it('is followed, and is the same pair as by its name', async () => {
    const pair = ground.pair(TO_SSH);
    await pair.start('a=one b=two');
    const link = linked(pair, pair.alpha.root, 'link');
    pair.alpha.edit('-a');
    const [, beta] = pair.addresses;
    const run = await tidemark(['sync', link, beta, '--json', ...ground.sshOptions], pair.settings);
    expect(run.code, shown(run)).toBe(0);
    expect(run.summary.beta.deleted).toBe(1);
    expect(realpathSync(link)).toBe(realpathSync(pair.alpha.root));
  });
});

describe('damaged state', () => {
  it('an archive of garbage is named, nothing is touched', async () => {
    const pair = ground.pair(LOCAL);
    await pair.start('a=one b=two');
    const found = spawnSync('find', [pair.home, '-type', 'f', '-size', '+4k'], { encoding: 'utf8' });
    const files = found.stdout.split('\n').filter((name) => name !== '' && !name.endsWith('lock.mdb'));
    expect(files.length).toBeGreaterThan(0);
    for (const file of files) writeFileSync(file, Buffer.alloc(20_000, 'x'));
    pair.alpha.edit('-a');
    const run = await pair.sync();
    // Either it says so, or it starts anew; what it must not do is delete.
    expect([0, 4], shown(run)).toContain(run.code);
    expect(pair.beta.list()).toEqual(pair.beta.expected('a=one b=two'));
  });
});

describe('names the other side cannot hold', () => {
  itWith('vfat')('fail by name, all else is synced', async () => {
    const pair = ground.pair(LOCAL);
    const image = join(pair.folder, 'image');
    spawnSync('truncate', ['-s', '16M', image]);
    spawnSync('mkfs.vfat', [image], { env: { ...process.env, PATH: `${process.env.PATH}:/usr/sbin:/sbin` } });
    mkdirSync(pair.beta.root);
    expect(spawnSync('mount', ['-o', 'loop', image, pair.beta.root]).status).toBe(0);
    try {
      pair.alpha.edit('ok=one a:b=two d/x?y=three');
      const run = await pair.sync('--no-perms');
      expect(run.code, shown(run)).toBe(3);
      expect(run.summary.failed.map(({ path }) => path).sort()).toEqual(['a:b', 'd/x?y']);
    } finally {
      spawnSync('umount', [pair.beta.root]);
    }
  });
});

function linked(pair: Pair, target: string, name: string): string {
  const link = join(pair.folder, name);
  symlinkSync(target, link);
  return link;
}
