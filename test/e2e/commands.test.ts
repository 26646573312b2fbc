/** The commands beside `sync`, and the two that the README begins with. */
import { cpSync, existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Ground, LOCAL, shown, TO_SSH, WIRINGS } from '../support/situations.ts';
import { PROGRAM, tidemark } from '../support/tidemark.ts';

let ground: Ground;
beforeAll(async () => {
  ground = await Ground.open();
});
afterAll(() => ground.close());

describe.each(WIRINGS)('verify, $name', (wiring) => {
  it('0 where both are equal, 1 and each difference otherwise; writes nothing', async () => {
    const pair = ground.pair(wiring);
    await pair.start('a=one b=two d/x=three l->a e/');
    const words = ['verify', ...pair.addresses, ...ground.sshOptions];
    const before = [...pair.alpha.snapshot(), ...pair.beta.snapshot()];
    const equal = await tidemark(words, pair.settings);
    expect(equal.code, shown(equal)).toBe(0);
    expect([...pair.alpha.snapshot(), ...pair.beta.snapshot()]).toEqual(before);
    pair.alpha.edit('a=two@1000000000 n=new');
    pair.beta.edit('a@1000000000 -l d/x!600');
    const different = await tidemark([...words, '--json'], pair.settings);
    expect(different.code, shown(different)).toBe(1);
    const found = different.events.filter(({ type }) => type === 'difference').map(({ path }) => path);
    expect(found).toEqual(['a', 'd/x', 'l', 'n']);
    const forPeople = await tidemark(words, pair.settings);
    for (const path of ['a', 'd/x', 'l', 'n']) expect(forPeople.stdout).toContain(path);
  });
});

describe('doctor', () => {
  it('tells of this machine', async () => {
    const pair = ground.pair(LOCAL);
    const run = await tidemark(['doctor'], pair.settings);
    expect(run.code, shown(run)).toBe(0);
    expect(run.stdout).toMatch(/Node|node/);
    expect(existsSync(pair.home)).toBe(false);
  });

  it('tells of an endpoint here and over ssh', async () => {
    const pair = ground.pair(TO_SSH);
    pair.alpha.edit('a=one');
    pair.beta.edit('b=two');
    const before = [...pair.alpha.snapshot(), ...pair.beta.snapshot()];
    for (const endpoint of [pair.alpha.root, ground.address(pair.beta.root)]) {
      const run = await tidemark(['doctor', endpoint, ...ground.sshOptions], pair.settings);
      expect(run.code, shown(run)).toBe(0);
    }
    expect([...pair.alpha.snapshot(), ...pair.beta.snapshot()]).toEqual(before);
  });

  it('fails where the endpoint cannot be reached', async () => {
    const pair = ground.pair(LOCAL);
    const run = await tidemark(['doctor', 'ssh://no-such-host.invalid/x', ...ground.sshOptions], pair.settings);
    expect(run.code, shown(run)).toBe(4);
    expect(run.stdout + run.stderr).toMatch(/no-such-host/);
  });
});

describe('help and completion', () => {
  it.each(['bash', 'zsh', 'fish'])('completion %s', async (shell) => {
    const run = await tidemark(['completion', shell], { home: ground.folder });
    expect(run.code).toBe(0);
    expect(run.stdout).toContain('max-delete');
  });

  it('a shell nobody knows', async () => {
    expect((await tidemark(['completion', 'csh'], { home: ground.folder })).code).toBe(2);
  });

  it('--help and --version', async () => {
    const help = await tidemark(['--help'], { home: ground.folder });
    expect(help.code).toBe(0);
    expect(help.stdout).toMatch(/sync[\s\S]*verify[\s\S]*doctor/);
    const version = await tidemark(['--version'], { home: ground.folder });
    expect([version.code, version.stdout.trim()]).toEqual([0, '0.1.0']);
  });

  it('nothing, without a terminal: help and 2', async () => {
    const run = await tidemark([], { home: ground.folder });
    expect(run.code, shown(run)).toBe(2);
    expect(run.stdout + run.stderr).toMatch(/sync/);
  });
});

describe('the first lines of the README', () => {
  it('the sample tree is copied, and then there is nothing to do', async () => {
    const pair = ground.pair(LOCAL);
    const sample = join(pair.folder, 'quickstart');
    cpSync(join(PROGRAM, '../../fixtures/quickstart'), sample, { recursive: true });
    const copy = join(pair.folder, 'copy');
    const first = await tidemark(['sync', sample, copy], pair.settings);
    expect(first.code, shown(first)).toBe(0);
    expect(readdirSync(copy)).toEqual(readdirSync(sample));
    const second = await tidemark(['sync', sample, copy], pair.settings);
    expect([second.code, second.stdout]).toEqual([0, expect.stringMatching(/^nothing to do/)]);
  });
});

describe('a real tree', () => {
  it('headers of this system, edited on both sides', async () => {
    const source = ['/usr/include', '/usr/share/doc', '/etc'].find(
      (path) => existsSync(path) && statSync(path).isDirectory(),
    );
    const pair = ground.pair(TO_SSH);
    pair.alpha.edit('k=');
    copySome(source ?? '/etc', join(pair.alpha.root, 'tree'), { left: 3000 });
    await pair.syncWell();
    pair.expectEqual();
    await pair.expectIdle();
    const [one = 'k', two = 'k'] = pair.alpha
      .list()
      .filter((line) => /^tree\/[^/]+=/.test(line))
      .map((line) => line.split('=')[0] ?? 'k');
    pair.alpha.edit(`${one}=changed odd%0aname%ff=one new/deep/er/x=two s->tree`);
    pair.beta.edit(`${two === one ? 'k' : two}!600 tree=>wood 🎉/é=three %2d-rf=four`);
    await pair.syncWell();
    pair.expectEqual();
    await pair.expectIdle();
  });
});

/** Copies files, directories and symlinks until `budget.left` is used up: a real tree, but not a large one. */
function copySome(from: string, to: string, budget: { left: number }): void {
  cpSync(from, to, {
    recursive: true,
    verbatimSymlinks: true,
    filter: (path) => {
      const stat = statSync(path, { throwIfNoEntry: false });
      if (stat === undefined || (!stat.isDirectory() && !stat.isFile())) return false;
      return stat.isDirectory() || budget.left-- > 0;
    },
  });
}
