/** Files, directories and other objects that make trouble. */
import { spawn, spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  agentCommandWith,
  expectNoWork,
  Ground,
  LOCAL,
  type Pair,
  shown,
  WIRINGS,
  type Wiring,
} from '../support/situations.ts';
import { PROGRAM, type RunResult, tidemark } from '../support/tidemark.ts';
import { AS_NOBODY, itWith } from './skips.ts';

let ground: Ground;
beforeAll(async () => {
  ground = await Ground.open();
  chmodSync(ground.folder, 0o755);
});
afterAll(() => ground.close());

describe.each(WIRINGS)('$name', (wiring) => {
  it('a sparse file of 4 GiB stays sparse', async () => {
    const pair = ground.pair(wiring);
    pair.alpha.edit('sparse=*4G:0 k=one');
    const startedMs = Date.now();
    const run = await pair.syncWell();
    expect(Date.now() - startedMs).toBeLessThan(60_000);
    const stat = statSync(pair.beta.at('sparse'));
    expect(stat.size).toBe(4 * 1024 ** 3);
    expect(stat.blocks * 512).toBeLessThan(1 << 20);
    expect(run.summary.bytes.literal).toBeLessThan(1 << 20);
    pair.expectTidy();
    await pair.expectIdle();
    pair.remove();
  });

  it('a sparse file with data in it keeps its holes', async () => {
    const pair = ground.pair(wiring);
    pair.beta.edit('sparse=*64M:0');
    patch(pair.beta.at('sparse'), 32 << 20, 'in the middle');
    await pair.syncWell();
    expect(statSync(pair.alpha.at('sparse')).blocks * 512).toBeLessThan(1 << 20);
    pair.expectEqual();
    patch(pair.beta.at('sparse'), 48 << 20, 'further on');
    await pair.syncWell();
    expect(statSync(pair.alpha.at('sparse')).blocks * 512).toBeLessThan(2 << 20);
    pair.expectEqual();
    await pair.expectIdle();
  });

  it('a FIFO is reported as nothing, never read, and keeps its directory', async () => {
    const pair = ground.pair(wiring);
    pair.alpha.edit('p| k=one d/p| d/x=two');
    await pair.syncWell();
    expect(pair.beta.list()).toEqual(pair.beta.expected('k=one d/x=two'));
    expect(pair.alpha.list()).toEqual(pair.alpha.expected('p| k=one d/p| d/x=two'));
    await pair.expectIdle();
  });

  it('a FIFO in a directory deleted on the other side keeps it, as a conflict', async () => {
    const pair = ground.pair(wiring);
    await pair.start('d/x=one d/y=two k=three');
    pair.alpha.edit('d/p|');
    pair.beta.edit('-d n=new');
    const run = await pair.sync();
    expect(run.code, shown(run)).toBe(1);
    expect(run.summary.conflicts.map(({ path }) => path)).toEqual(['d']);
    expect(pair.alpha.list()).toEqual(pair.alpha.expected('d/p| k=three n=new'));
    pair.alpha.edit('-d/p');
    await pair.syncWell();
    pair.expectBoth('k=three n=new');
  });

  it('a read-only directory takes part', async () => {
    const pair = ground.pair(wiring);
    await pair.start('d/x=one d/e/y=two d!555');
    pair.beta.edit('d!755 d/x=more d/n=new -d/e d!555');
    await pair.syncWell();
    pair.expectBoth('d/!555 d/x=more d/n=new');
    pair.alpha.edit('-d k=');
    await pair.syncWell();
    pair.expectBoth('k=');
  });

  itWith('otherUser')('unreadable files and directories fail by name, all else is synced', async () => {
    const pair = ground.pair(wiring);
    pair.alpha.edit('a=one secret=two d/x=three d/hidden=four closed/y=five');
    pair.beta.edit('b=six');
    await giveAway(pair);
    chmodSync(pair.alpha.at('secret'), 0);
    chmodSync(pair.alpha.at('d/hidden'), 0);
    chmodSync(pair.alpha.at('closed'), 0);
    for (const path of ['secret', 'd/hidden', 'closed']) chownSync(pair.alpha.at(path), 0, 0);
    const run = await syncAsNobody(pair, wiring);
    expect(run.code, shown(run)).toBe(3);
    const failed = run.summary.failed.map(({ path, side, error }) => `${side} ${path} ${error}`).sort();
    expect(failed).toEqual(['alpha closed EACCES', 'alpha d/hidden EACCES', 'alpha secret EACCES']);
    expect(pair.beta.list()).toEqual(pair.beta.expected('a=one b=six d/x=three'));
    expect(pair.alpha.list().filter((line) => !/secret|hidden|closed/.test(line))).toEqual(
      pair.alpha.expected('a=one b=six d/x=three'),
    );
    const again = await syncAsNobody(pair, wiring);
    expectNoWork(again);
    expect(again.code).toBe(3);
    for (const path of ['secret', 'd/hidden', 'closed']) chownSync(pair.alpha.at(path), 65534, 65534);
    chmodSync(pair.alpha.at('secret'), 0o644);
    chmodSync(pair.alpha.at('d/hidden'), 0o644);
    chmodSync(pair.alpha.at('closed'), 0o755);
    const healed = await syncAsNobody(pair, wiring);
    expect(healed.code, shown(healed)).toBe(0);
    pair.expectBoth('a=one b=six secret=two d/x=three d/hidden=four closed/y=five');
  });

  itWith('otherUser')('an unreadable directory does not count as emptied', async () => {
    const pair = ground.pair(wiring);
    pair.alpha.edit('d/x=one d/e/y=two k=three');
    await giveAway(pair);
    expect((await syncAsNobody(pair, wiring)).code).toBe(0);
    chownSync(pair.beta.at('d'), 0, 0);
    chmodSync(pair.beta.at('d'), 0o700);
    const run = await syncAsNobody(pair, wiring);
    expect(run.code, shown(run)).toBe(3);
    expect(run.summary.failed.map(({ path, side }) => `${side} ${path}`)).toEqual(['beta d']);
    expect(pair.alpha.list()).toEqual(pair.alpha.expected('d/x=one d/e/y=two k=three'));
    chownSync(pair.beta.at('d'), 65534, 65534);
    chmodSync(pair.beta.at('d'), 0o755);
    expect((await syncAsNobody(pair, wiring)).code).toBe(0);
    pair.expectBoth('d/x=one d/e/y=two k=three');
  });

  itWith('otherUser')('a directory that may not be written to fails by name, all else is synced', async () => {
    const pair = ground.pair(wiring);
    pair.alpha.edit('d/x=one k=two');
    await giveAway(pair);
    expect((await syncAsNobody(pair, wiring)).code).toBe(0);
    chownSync(pair.beta.at('d'), 0, 0);
    pair.alpha.edit('d/x=more d/n=new k=changed');
    await giveAway(pair, ['d/x', 'd/n', 'k']);
    const run = await syncAsNobody(pair, wiring);
    expect(run.code, shown(run)).toBe(3);
    expect(run.summary.failed.map(({ path, side, error }) => `${side} ${path} ${error}`).sort()).toEqual([
      'beta d/n EACCES',
      'beta d/x EACCES',
    ]);
    expect(pair.beta.list()).toEqual(pair.beta.expected('d/x=one k=changed'));
    chownSync(pair.beta.at('d'), 65534, 65534);
    expect((await syncAsNobody(pair, wiring)).code).toBe(0);
    pair.expectBoth('d/x=more d/n=new k=changed');
  });

  it('a file written to all the time never arrives torn', async () => {
    const pair = ground.pair(wiring);
    pair.alpha.edit('k=one');
    // Rewrites the whole file in place, each version one letter over and over: a mix of letters is a torn copy.
    const file = join(pair.alpha.root, 'busy');
    const script = `
      const fs = require('fs');
      const fd = fs.openSync(process.argv[1], 'w+');
      for (let round = 0; ; round++) fs.writeSync(fd, Buffer.alloc(1 << 19, 97 + round % 26), 0, 1 << 19, 0);`;
    const writer = spawn(process.execPath, ['-e', script, file]);
    try {
      await untilItExists(file);
      expectPlainCopiesToTear(file);
      for (let round = 0; round < 2; round++) {
        const run = await pair.sync();
        expect([0, 1], shown(run)).toContain(run.code);
        if (run.code === 1) expect(run.summary.deferred.map(({ path }) => path)).toEqual(['busy']);
        expectWholeVersion(pair);
      }
    } finally {
      writer.kill('SIGKILL');
      await new Promise((resolve) => writer.once('close', resolve));
    }
    await pair.syncWell();
    pair.expectEqual();
    await pair.expectIdle();
  });
});

describe('names in JSON', () => {
  it('bytes that are not UTF-8 are given beside the escaped path', async () => {
    const pair = ground.pair(LOCAL);
    pair.alpha.edit('%ffa=one ok=two');
    pair.beta.edit('%ffa=other');
    const run = await pair.sync();
    expect(run.code).toBe(1);
    const [conflict] = run.summary.conflicts as readonly { path: string; pathBytes?: string }[];
    expect(Buffer.from(conflict?.pathBytes ?? '', 'base64').toString('latin1')).toBe('\xffa');
    expect(run.stdout.includes('\uFFFD')).toBe(false);
    const action = run.events.find(({ type }) => type === 'action');
    expect(action).toMatchObject({ path: 'ok' });
    expect(action).not.toHaveProperty('pathBytes');
  });
});

describe('objects that are neither file, directory nor symlink', () => {
  it('a socket keeps its directory', async () => {
    const pair = ground.pair(LOCAL);
    await pair.start('d/x=one k=');
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(join(pair.alpha.root, 'd/s'), resolve));
    pair.beta.edit('-d');
    const run = await pair.sync();
    expect(run.code, shown(run)).toBe(1);
    expect(run.summary.conflicts.map(({ path }) => path)).toEqual(['d']);
    expect(lstatSync(pair.alpha.at('d/s')).isSocket()).toBe(true);
    await new Promise((resolve) => server.close(resolve));
  });

  itWith('root')('a device is neither opened nor copied', async () => {
    const pair = ground.pair(LOCAL);
    pair.alpha.edit('k=one');
    spawnSync('mknod', [join(pair.alpha.root, 'zero'), 'c', '1', '5']);
    await pair.syncWell();
    expect(pair.beta.list()).toEqual(pair.beta.expected('k=one'));
    await pair.expectIdle();
  });

  it('a FIFO where the other side has a file is a conflict', async () => {
    const pair = ground.pair(LOCAL);
    await pair.start('a=one k=');
    pair.alpha.edit('-a a|');
    pair.beta.edit('a=two');
    const run = await pair.sync();
    expect(run.code, shown(run)).toBe(1);
    expect(pair.alpha.list()).toEqual(pair.alpha.expected('a| k='));
    expect(pair.beta.list()).toEqual(pair.beta.expected('a=two k='));
  });
});

function patch(file: Buffer, at: number, text: string): void {
  const run = spawnSync('dd', [`of=${file}`, 'bs=1', `seek=${at}`, 'conv=notrunc'], { input: text });
  if (run.status !== 0) throw new Error(String(run.stderr));
}

/** Everything so far belongs to nobody, who gets a home. */
async function giveAway(pair: Pair, paths?: readonly string[]): Promise<void> {
  const give = (path: string) => spawnSync('chown', ['-R', '65534:65534', path]);
  if (paths === undefined) {
    for (const folder of [pair.home, `${pair.folder}/far`, pair.alpha.root, pair.beta.root]) {
      mkdirSync(folder, { recursive: true });
      give(folder);
    }
  } else for (const path of paths) give(join(pair.alpha.root, path));
}

/** Both halves run as nobody, wherever they run. */
async function syncAsNobody(pair: Pair, wiring: Wiring): Promise<RunResult> {
  const far = agentCommandWith(`${pair.folder}/far`, ...AS_NOBODY);
  // The server's files belong to root; nobody gets in as root with a copy of the key, and acts as nobody over there.
  const options = wiring === LOCAL ? [] : ['--agent-command', far, ...nobodysSsh(pair)];
  const wrapper = join(pair.folder, 'as-nobody.sh');
  writeFileSync(wrapper, `#!/bin/sh\nexec ${AS_NOBODY.join(' ')} ${process.execPath} ${PROGRAM} "$@"\n`, {
    mode: 0o755,
  });
  return tidemark(pair.arguments(...options), { ...pair.settings, env: { HOME: pair.home }, program: wrapper });
}

function nobodysSsh(pair: Pair): string[] {
  const { sshd } = pair.ground;
  if (sshd === null) return [];
  const folder = join(pair.folder, 'ssh');
  mkdirSync(folder, { recursive: true });
  for (const name of ['ssh_config', 'known_hosts', 'id_test']) {
    const text = readFileSync(join(sshd.folder, name), 'utf8').replaceAll(sshd.folder, folder);
    writeFileSync(join(folder, name), text, { mode: 0o600 });
  }
  spawnSync('chown', ['-R', '65534:65534', folder]);
  return ['--ssh-config', join(folder, 'ssh_config')];
}

async function untilItExists(file: string): Promise<void> {
  while (!(statSync(file, { throwIfNoEntry: false })?.size ?? 0))
    await new Promise((resolve) => setTimeout(resolve, 5));
}

/** The control: read without care the file shows parts of several versions, so a torn copy would be seen. */
function expectPlainCopiesToTear(file: string): void {
  const deadlineMs = Date.now() + 20_000;
  while (new Set(readFileSync(file)).size < 2) if (Date.now() > deadlineMs) throw new Error('the writer never tears');
}

function expectWholeVersion(pair: Pair): void {
  if (!readdirSync(pair.beta.root).includes('busy')) return;
  const content = readFileSync(pair.beta.at('busy'));
  expect(new Set(content).size, 'letters in the copy').toBe(1);
}
