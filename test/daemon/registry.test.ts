import { fork } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from 'esbuild';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { asRoot } from '../../src/daemon/core/messages.ts';
import { Registry } from '../../src/daemon/registry.ts';

let state: string;
let registry: Registry;
beforeEach(() => {
  state = mkdtempSync(join(tmpdir(), 'tidemark-registry-'));
  registry = new Registry(state);
});
afterEach(() => rmSync(state, { recursive: true, force: true }));

const PLAIN = asRoot('/srv/data');
const ODD = asRoot('/srv/caf\xe9 \x1b\n');

test('what is added is there for the next one who asks, names of any bytes included', () => {
  expect(registry.list()).toEqual({ roots: [], damaged: [] });
  expect(readdirSync(state)).toEqual([]);
  expect([registry.add(PLAIN), registry.add(ODD), registry.add(PLAIN)]).toEqual([true, true, false]);
  expect(new Registry(state).list()).toEqual({ roots: [ODD, PLAIN], damaged: [] });
  expect([registry.has(ODD), registry.has(asRoot('/srv'))]).toEqual([true, false]);
});

test('what is removed is gone', () => {
  registry.add(PLAIN);
  expect([registry.remove(PLAIN), registry.remove(PLAIN)]).toEqual([true, false]);
  expect(new Registry(state).list().roots).toEqual([]);
});

test('nobody else may read it', () => {
  registry.add(PLAIN);
  expect(statSync(registry.folder).mode & 0o777).toBe(0o700);
  for (const name of readdirSync(registry.folder)) {
    expect(statSync(join(registry.folder, name)).mode & 0o777).toBe(0o600);
  }
});

test('a file that cannot be understood is named, and the others are read all the same', () => {
  registry.add(PLAIN);
  registry.add(ODD);
  const id = (byte: string) => byte.repeat(32);
  writeFileSync(join(registry.folder, id('0')), '');
  writeFileSync(join(registry.folder, id('1')), '{"format":2,"path":"/srv/x"}');
  writeFileSync(join(registry.folder, id('2')), '{"format":1,"path":"/srv/x"}');
  writeFileSync(join(registry.folder, id('3')), '{"format":1,"path":"../x"}');
  writeFileSync(join(registry.folder, `.${id('4')}.99`), 'left by one that was killed');
  const { roots, damaged } = registry.list();
  expect(roots).toEqual([ODD, PLAIN]);
  expect(damaged.map(({ reason }) => reason)).toEqual([
    'the file is not JSON',
    'format 2, which this version does not know',
    'holds another path than its name says',
    'root refused: not an absolute path',
  ]);
});

test('killed at any moment while adding and removing, it holds what was acknowledged', async () => {
  const script = join(state, 'adder.mjs');
  await build({
    stdin: {
      contents: `
        import { Registry } from './registry.ts';
        const registry = new Registry(process.argv[2]);
        for (let n = 0; ; n++) {
          registry.add('/srv/' + n);
          if (n % 3 === 0) registry.remove('/srv/' + n);
          process.send(n);
          await new Promise((resolve) => setImmediate(resolve));
        }`,
      resolveDir: join(import.meta.dirname, '../../src/daemon'),
      loader: 'ts',
    },
    outfile: script,
    bundle: true,
    platform: 'node',
    format: 'esm',
    logLevel: 'error',
  });
  for (const until of [1, 5, 12]) {
    rmSync(registry.folder, { recursive: true, force: true });
    const child = fork(script, [state]);
    let acknowledged = -1;
    await new Promise<void>((resolve) => {
      child.on('message', (n) => {
        acknowledged = Number(n);
        if (acknowledged >= until) child.kill('SIGKILL');
      });
      child.on('exit', () => resolve());
    });
    const { roots, damaged } = registry.list();
    expect(damaged).toEqual([]);
    for (let n = 0; n <= acknowledged; n++) expect(roots.includes(asRoot(`/srv/${n}`)), `${n}`).toBe(n % 3 !== 0);
  }
});
