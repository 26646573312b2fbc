/** Runs that do not come to their end: killed, interrupted, in each other's way, out of space. */
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Ground, LOCAL, type Pair, shown, TO_SSH, WIRINGS, type Wiring } from '../support/situations.ts';
import { startTidemark } from '../support/tidemark.ts';
import { litterIn, noise, type Tree } from '../support/trees.ts';
import { itWith } from './skips.ts';

let ground: Ground;
beforeAll(async () => {
  ground = await Ground.open();
});
afterAll(() => ground.close());

const BIG_BYTES = 48 << 20;

describe.each(WIRINGS)('$name', (wiring) => {
  it('kill -9 of the program in the middle of a copy: the next run finishes', async () => {
    const pair = await busyPair(wiring);
    const run = startTidemark(pair.arguments(), pair.settings);
    await untilStaging(pair.beta);
    run.kill('SIGKILL');
    await once(run, 'close');
    expectOldOrNew(pair);
    await expectFinishes(pair);
  });

  const signals =
    wiring === LOCAL
      ? ([
          ['SIGINT', 130],
          ['SIGTERM', 143],
        ] as const)
      : ([['SIGINT', 130]] as const);
  it.each(signals)('%s ends the run with %i and leaves nothing half-done', async (signal, code) => {
    const pair = await busyPair(wiring);
    const run = startTidemark(pair.arguments(), pair.settings);
    await untilStaging(pair.beta);
    run.kill(signal);
    const [exitCode] = await once(run, 'close');
    expect(exitCode).toBe(code);
    expectOldOrNew(pair);
    await expectFinishes(pair);
  });

  it('a second run on the same pair is refused while the first works', async () => {
    const pair = await busyPair(wiring);
    const first = startTidemark(pair.arguments(), pair.settings);
    await untilStaging(pair.beta);
    const closed = once(first, 'close');
    first.kill('SIGSTOP');
    const second = await pair.sync();
    expect(second.code, shown(second)).toBe(6);
    first.kill('SIGCONT');
    const [code] = await closed;
    expect(code).toBe(0);
    pair.expectEqual();
  });

  itWith('mount')(
    'a full disk: what does not fit is listed, the rest is synced, and there is a next time',
    async () => {
      const pair = ground.pair(wiring);
      mkdirSync(pair.beta.root);
      const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=8m,mode=755', 'tidemark-test', pair.beta.root]);
      expect(mounted.status).toBe(0);
      try {
        const names = Array.from({ length: 12 }, (_, index) => `f${index}`);
        pair.alpha.edit(`small=one ${names.map((name, index) => `${name}=*1M:${index + 20}`).join(' ')} big=*20M:50`);
        pair.beta.edit('theirs=two');
        const run = await pair.sync();
        expect(run.code, shown(run)).toBe(3);
        const failed = run.summary.failed;
        expect(new Set(failed.map(({ side, error }) => `${side} ${error}`))).toEqual(new Set(['beta ENOSPC']));
        expect(failed.map(({ path }) => path)).toContain('big');
        const there = readdirSync(pair.beta.root).filter((name) => name !== '.tidemark');
        expect([...there, ...failed.map(({ path }) => path)].sort()).toEqual(
          [...names, 'big', 'small', 'theirs'].sort(),
        );
        expect(there).toContain('small');
        expect(pair.alpha.list()).toContain('theirs=two');
        expect(litterIn(pair.beta.root)).toEqual([]);
        spawnSync('mount', ['-o', 'remount,size=64m', pair.beta.root]);
        await pair.syncWell();
        pair.expectEqual();
        await pair.expectIdle();
      } finally {
        spawnSync('umount', [pair.beta.root]);
      }
    },
  );
});

describe.each(WIRINGS.filter((wiring) => wiring !== LOCAL))('$name', (wiring) => {
  it('kill -9 of the agent in the middle of a copy: exit 4, and the next run finishes', async () => {
    const pair = await busyPair(wiring);
    const run = startTidemark(pair.arguments(), pair.settings);
    let errors = '';
    run.stderr?.on('data', (chunk) => {
      errors += chunk;
    });
    await untilStaging(pair.beta);
    const agents = agentProcesses();
    expect(agents.length).toBeGreaterThan(0);
    for (const pid of agents) process.kill(pid, 'SIGKILL');
    const [code] = await once(run, 'close');
    expect(code, errors).toBe(4);
    expect(errors).toMatch(/connection|agent/);
    expectOldOrNew(pair);
    await expectFinishes(pair);
  });
});

describe('the killed program', () => {
  it('was at work in both directions', async () => {
    const pair = await busyPair(TO_SSH);
    pair.beta.edit('z/also=*24M:9 edited=by+beta -deleted');
    const run = startTidemark(pair.arguments(), pair.settings);
    await Promise.race([untilStaging(pair.beta), untilStaging(pair.alpha)]);
    run.kill('SIGKILL');
    await once(run, 'close');
    await expectFinishes(pair);
  });

  it('leaves no agent behind', async () => {
    const pair = await busyPair(TO_SSH);
    const run = startTidemark(pair.arguments(), pair.settings);
    await untilStaging(pair.beta);
    run.kill('SIGKILL');
    await once(run, 'close');
    await until(() => agentProcesses().length === 0);
    await expectFinishes(pair);
  });

  it.each(['SIGKILL', 'SIGINT'] as const)(
    'resumes a large file after %s: what had arrived is not sent again',
    async (signal) => {
      const pair = ground.pair(TO_SSH);
      pair.alpha.edit('k=');
      await pair.syncWell();
      pair.alpha.edit('big=*64M:3');
      const run = startTidemark(pair.arguments('--bwlimit', '24M', '--compress', 'none'), pair.settings);
      await untilStaging(pair.beta, 24 << 20);
      run.kill(signal);
      const [exitCode] = await once(run, 'close');
      expect(exitCode).toBe(signal === 'SIGINT' ? 130 : null);
      await until(() => agentProcesses().length === 0);
      const rest = await pair.syncWell();
      expect(rest.summary.bytes.literal, shown(rest)).toBeLessThan(56 << 20);
      pair.expectEqual();
    },
  );
});

/** A pair with a past and much to do on beta. */
async function busyPair(wiring: Wiring): Promise<Pair> {
  const pair = ground.pair(wiring);
  await pair.start(`big=old edited=one deleted=two k=three ${many('m', 40)}`);
  pair.alpha.edit(`big=*48M:7 edited=by+alpha -deleted ${many('n', 200)}`);
  return pair;
}

function many(prefix: string, count: number): string {
  return Array.from({ length: count }, (_, index) => `d${index % 5}/${prefix}${index}=${prefix}-${index}`).join(' ');
}

/** Waits until a file of at least `bytes` is being made on that side. */
async function untilStaging(tree: Tree, bytes = 1): Promise<void> {
  await until(() =>
    litterIn(tree.root).some((name) => {
      const stat = statSync(join(tree.root, '.tidemark/staging', name), { throwIfNoEntry: false });
      return (stat?.isDirectory() ?? false) || (stat?.size ?? 0) >= bytes;
    }),
  );
}

async function until(isSo: () => boolean): Promise<void> {
  const deadlineMs = Date.now() + 30_000;
  while (!isSo()) {
    if (Date.now() > deadlineMs) throw new Error('waited for 30 s in vain');
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

/** Nothing of a file that was being replaced is to be seen. */
function expectOldOrNew(pair: Pair): void {
  const content = readFileSync(pair.beta.at('big'));
  const isOld = content.equals(Buffer.from('old'));
  expect(isOld || content.equals(noise(BIG_BYTES, 7))).toBe(true);
  const edited = readFileSync(pair.beta.at('edited'), 'utf8');
  expect(['one', 'by+alpha']).toContain(edited);
}

async function expectFinishes(pair: Pair): Promise<void> {
  const edited = [pair.alpha, pair.beta].map((tree) => readFileSync(tree.at('edited'), 'utf8'));
  const isConflict = !edited.includes('one') && edited[0] !== edited[1];
  const run = await pair.sync();
  expect(run.code, shown(run)).toBe(isConflict ? 1 : 0);
  expect(run.summary.conflicts.map(({ path }) => path)).toEqual(isConflict ? ['edited'] : []);
  if (isConflict) pair.expectTidy();
  else pair.expectEqual();
  await pair.expectIdle(isConflict ? 1 : 0);
  pair.remove();
}

/** Agents started from the far home of this file. */
function agentProcesses(): number[] {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  return pids.flatMap((pid) => {
    try {
      const words = readFileSync(`/proc/${pid}/cmdline`, 'latin1').split('\0');
      return words.some((word) => word.startsWith(ground.farHome)) ? [Number(pid)] : [];
    } catch {
      return [];
    }
  });
}
