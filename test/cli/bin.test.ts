/** The file that npm puts into the path, and what is loaded before a command needs it. */
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, readlinkSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from 'esbuild';
import { afterEach, beforeEach, expect, test } from 'vitest';

const PROJECT = join(import.meta.dirname, '../..');
const BIN = join(PROJECT, 'bin/tidemark.js');

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tidemark-bin-'));
  for (const name of ['bin', 'dist']) mkdirSync(join(folder, name));
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }');
  copyFileSync(BIN, join(folder, 'bin/tidemark.js'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function start(...argv: string[]) {
  return spawnSync(process.execPath, [join(folder, 'bin/tidemark.js'), ...argv], { encoding: 'utf8' });
}

test('npx needs it to be executable', () => {
  expect(statSync(BIN).mode & 0o111).toBe(0o111);
});

test('not built: says what to do', () => {
  expect(start('sync')).toMatchObject({ status: 4, stdout: '', stderr: expect.stringContaining('Run npm ci') });
});

test('built, but a package is missing: says what to do', () => {
  writeFileSync(join(folder, 'dist/cli.js'), "import 'no-such-package'; export const main = () => 0;");
  const { status, stderr } = start('sync');
  expect([status, stderr.split('\n')]).toEqual([
    4,
    ["tidemark: Cannot find package 'no-such-package'", '  Run npm ci in the checkout, or install tidemark again.', ''],
  ]);
});

test('built: the exit code of the program', () => {
  writeFileSync(join(folder, 'dist/cli.js'), 'export const main = async () => process.argv.length;');
  expect(start('a', 'b').status).toBe(4);
  expect(start('a', 'b', 'c').status).toBe(5);
});

test('a Node that is too old is refused before anything is loaded', () => {
  writeFileSync(join(folder, 'dist/cli.js'), "throw new Error('loaded');");
  const pretend = "Object.defineProperty(process.versions, 'node', { value: '20.18.3' });";
  writeFileSync(join(folder, 'pretend.cjs'), pretend);
  const argv = ['--require', join(folder, 'pretend.cjs'), join(folder, 'bin/tidemark.js')];
  const { status, stderr } = spawnSync(process.execPath, argv, { encoding: 'utf8' });
  expect([status, stderr]).toEqual([4, 'tidemark: Node 20.18.3 is too old\n  Install Node 20.19 or later.\n']);
});

test('until a command runs only commander is loaded: no engine, ssh, store or configuration parser', async () => {
  const { metafile } = await build({
    entryPoints: [join(PROJECT, 'src/cli/main.ts')],
    bundle: true,
    platform: 'node',
    format: 'esm',
    splitting: true,
    packages: 'external',
    external: ['./run-sync.ts', '../transport/agent-main.ts'],
    outdir: folder,
    write: false,
    metafile: true,
    logLevel: 'error',
  });
  const packages = new Set<string>();
  const pending = Object.keys(metafile.outputs).filter((output) => output.endsWith('/main.js'));
  expect(pending).toHaveLength(1);
  for (const output of pending) {
    for (const { path, kind, external } of metafile.outputs[output]?.imports ?? []) {
      if (kind === 'dynamic-import') continue;
      if (external !== true) pending.push(path);
      else if (!path.startsWith('node:')) packages.add(path);
    }
  }
  expect([...packages]).toEqual(['commander']);
});

test('the sample tree is what a checkout gives: a link, a script, an odd name', () => {
  const sample = join(PROJECT, 'fixtures/quickstart');
  expect(readlinkSync(join(sample, 'favourite.md'))).toBe('recipes/bread.md');
  expect(statSync(join(sample, 'tools/count-words.sh')).mode & 0o100).toBe(0o100);
  expect(statSync(join(sample, "shopping lists/#1 (don't forget!).txt")).isFile()).toBe(true);
});
