/** How the addon is found, and that it serves many threads; what another user's process may see. */
import { spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { buildSync } from 'esbuild';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { addonPath, loadAddonFrom } from '../../src/platform/addon.ts';
import { NATIVE } from './implementations.ts';

const NOBODY = 65534;
const hasAddon = NATIVE.length > 0;

let folder = '';
/** The platform as one file, as the agent carries it. */
let bundle = '';
let alone = '';

beforeAll(() => {
  folder = fs.mkdtempSync(join(tmpdir(), 'tidemark-addon-'));
  bundle = join(folder, 'with/agent.mjs');
  alone = join(folder, 'alone/agent.mjs');
  for (const outfile of [bundle, alone]) {
    const entryPoints = [join(import.meta.dirname, '../../src/platform/open-filesystem.ts')];
    buildSync({ entryPoints, outfile, bundle: true, platform: 'node', format: 'esm', target: 'node20.19' });
  }
  if (hasAddon) fs.copyFileSync(addonPath(), join(folder, 'with/tidemark.node'));
  spawnSync('chmod', ['-R', 'a+rX', folder]);
});

afterAll(() => fs.rmSync(folder, { recursive: true, force: true }));

/** Runs `body` in a process of its own with `fileSystem` and `addonMissing` at hand; returns what it prints as JSON. */
function runBundle(file: string, body: string, options: { env?: Record<string, string>; uid?: number } = {}): unknown {
  const { env = {}, uid } = options;
  const script = `import { openFileSystem } from ${JSON.stringify(file)};
    const { fileSystem, addonMissing } = openFileSystem();
    ${body}`;
  const result = spawnSync(process.execPath, ['--input-type=module', '-e', script], {
    encoding: 'utf8',
    cwd: '/',
    env: { ...process.env, ...env },
    ...(uid === undefined ? {} : { uid, gid: uid }),
  });
  if (result.status !== 0) throw new Error(result.stderr);
  return JSON.parse(result.stdout);
}

const REPORT = 'console.log(JSON.stringify([fileSystem.kind, addonMissing]))';

describe('the addon', () => {
  it.runIf(hasAddon)('is found beside a bundle in any folder', () => {
    expect(runBundle(bundle, REPORT)).toEqual(['native', null]);
  });

  it('may be missing', () => {
    expect(runBundle(alone, REPORT)).toEqual(['portable', expect.stringContaining('does not load')]);
  });

  it('may be switched off', () => {
    const env = { TIDEMARK_NO_ADDON: '1' };
    expect(runBundle(bundle, REPORT, { env })).toEqual(['portable', 'TIDEMARK_NO_ADDON is set']);
  });

  it('is refused where it is damaged or of another build', () => {
    const damaged = join(folder, 'damaged.node');
    fs.writeFileSync(damaged, 'no library');
    expect(loadAddonFrom(damaged)).toMatchObject({ addon: null, missing: expect.stringContaining('does not load') });
    const other = join(folder, 'other.cjs');
    fs.writeFileSync(other, 'exports.interfaceVersion = 0;');
    expect(loadAddonFrom(other)).toMatchObject({ addon: null, missing: expect.stringContaining('another build') });
  });

  it.runIf(hasAddon)('serves several threads at once and closes quietly', async () => {
    const warnings: unknown[] = [];
    const work = Array.from({ length: 4 }, (_, index) => runWorker(index, warnings));
    expect(await Promise.all(work)).toEqual([200, 200, 200, 200]);
    expect(warnings).toEqual([]);
  });

  it.runIf(hasAddon)('keeps a broken lease from ending the process', () => {
    const file = join(folder, 'leased');
    fs.writeFileSync(file, '');
    const body = `
      import * as fs from 'node:fs';
      const fd = fileSystem.openFile(fileSystem.openRoot(${JSON.stringify(folder)}), 'leased');
      const lease = fileSystem.takeReadLease(fd);
      try { fs.openSync(${JSON.stringify(file)}, fs.constants.O_WRONLY | fs.constants.O_NONBLOCK); } catch {}
      console.log(JSON.stringify([lease, fileSystem.holdsReadLease(fd)]));`;
    expect(runBundle(bundle, body)).toEqual([expect.stringMatching(/held|unsupported/), false]);
  });
});

describe.runIf(process.getuid?.() === 0)('another user', () => {
  it.each([
    ['native', {}],
    ['portable', { TIDEMARK_NO_ADDON: '1' }],
  ])('gets an error for what it may not read, never a short list (%s)', (kind, env) => {
    if (kind === 'native' && !hasAddon) return;
    const tree = join(folder, `tree-${kind}`);
    for (const name of ['unreadable', 'unsearchable', 'open']) {
      fs.mkdirSync(join(tree, name), { recursive: true });
      fs.writeFileSync(join(tree, name, 'x'), 'text');
    }
    fs.chmodSync(join(tree, 'unreadable'), 0o711);
    fs.chmodSync(join(tree, 'unsearchable'), 0o744);
    fs.chmodSync(join(tree, 'open/x'), 0o600);
    const body = `
      const root = fileSystem.openRoot(${JSON.stringify(tree)});
      const listings = fileSystem.readDirectories(root, ['unreadable', 'unsearchable', 'open', 'unsearchable/x']);
      const code = (act) => { try { act(); return null; } catch (error) { return error.code; } };
      console.log(JSON.stringify([
        fileSystem.kind,
        listings.map(({ error, entries }) => [error, entries.map(({ name, error }) => [name, error])]),
        fileSystem.readSmallFile(root, 'unreadable/x', 9).contents.toString(),
        code(() => fileSystem.readSmallFile(root, 'open/x', 9)),
        code(() => fileSystem.stat(root, 'unsearchable/x')),
        code(() => fileSystem.setMode(root, 'unreadable/x', 0o777)),
        code(() => fileSystem.setMtime(root, 'unreadable/x', 5n)),
        code(() => fileSystem.setOwner(root, 'unreadable/x', 1, 1)),
      ]));`;
    expect(runBundle(bundle, body, { env, uid: NOBODY })).toEqual([
      kind,
      [
        ['EACCES', []],
        [null, [['x', 'EACCES']]],
        [null, [['x', null]]],
        ['EACCES', []],
      ],
      'text',
      'EACCES',
      'EACCES',
      'EPERM',
      'EPERM',
      'EPERM',
    ]);
  });
});

/** Writes, lists and reads 200 files in a thread; returns how many came back right. */
function runWorker(index: number, warnings: unknown[]): Promise<unknown> {
  const directory = join(folder, `thread-${index}`);
  fs.mkdirSync(directory);
  const script = `
    const { parentPort } = require('node:worker_threads');
    import(${JSON.stringify(bundle)}).then(({ openFileSystem }) => {
      process.on('warning', (warning) => parentPort.postMessage(String(warning)));
      const { fileSystem } = openFileSystem();
      const root = fileSystem.openRoot(${JSON.stringify(directory)});
      for (let file = 0; file < 200; file++)
        fileSystem.writeSmallFile(root, 'f' + file, Buffer.from('${index}-' + file), 0o644, BigInt(file));
      let right = 0;
      for (const { name } of fileSystem.readDirectories(root, [''])[0].entries)
        if (fileSystem.readSmallFile(root, name, 99).contents.toString() === '${index}-' + name.slice(1)) right++;
      fileSystem.close(root);
      setImmediate(() => parentPort.postMessage(right));
    });`;
  const worker = new Worker(script, { eval: true });
  return new Promise((resolve, reject) => {
    let right: unknown = null;
    worker.on('message', (message) => {
      if (typeof message === 'number') right = message;
      else warnings.push(message);
    });
    worker.once('error', reject);
    worker.once('exit', () => resolve(right));
  });
}
