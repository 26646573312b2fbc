/** Settling by another user, and by processes and threads whose leases are broken. Each is a process of its own. */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, chownSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { addonPath } from '../../src/platform/addon.ts';
import { NATIVE } from '../support/supply-tools.ts';
import { disposePrograms, RunningWriter, whyNoCompiler } from '../support/writer-programs.ts';
import { bundle } from './store/bundle.ts';

const UID = 1000;
const AS_USER = ['--reuid=1000', '--regid=1000', '--clear-groups'];
const isRoot = process.geteuid?.() === 0;
const canChangeUser = isRoot && spawnSync('setpriv', ['--version']).error === undefined;

/** argv: addon, folder, what to do. Prints one line of JSON. */
const SCRIPT = `
import { openSync } from 'node:fs';
import { spawnSync } from 'node:child_process';
import { isMainThread, Worker, workerData } from 'node:worker_threads';
import { loadAddonFrom } from './src/platform/addon.ts';
import { nativeFileSystem } from './src/platform/native-filesystem.ts';
import { takeCensus } from './src/journal/census.ts';
import { initHashing } from './src/journal/hash.ts';
import { settleFiles } from './src/journal/settle.ts';

const [addonFile, folder, what, ...names] = isMainThread ? process.argv.slice(2) : workerData;
const say = (value) => process.stdout.write(JSON.stringify(value) + '\\n');

async function settle(census) {
  const fileSystem = nativeFileSystem(loadAddonFrom(addonFile).addon);
  await initHashing();
  const requests = names.map((path) => ({ path, isDirect: false }));
  const root = fileSystem.openRoot(folder);
  const results = settleFiles(fileSystem, root, requests, { durable: true, strong: true, census });
  return results.map((result) => result.proof ?? result.problem?.code ?? result.outcome);
}

if (what === 'settle') say(await settle(null));
if (what === 'settle-complete') say(await settle({ isComplete: true, isOpenForWriting: () => false }));
if (what === 'settle-default-signal') {
  loadAddonFrom(addonFile);
  process.on('SIGIO', () => {}).removeAllListeners('SIGIO');
  say(await settle(null));
}
if (what === 'settle-in-thread')
  new Worker(new URL(import.meta.url), { workerData: [addonFile, folder, 'settle', ...names] });
if (what === 'settle-in-child')
  spawnSync(process.execPath, [process.argv[1], addonFile, folder, 'settle', ...names], { stdio: 'inherit' });
if (what === 'census') {
  const fileSystem = nativeFileSystem(loadAddonFrom(addonFile).addon);
  openSync(folder + '/' + names[0], 'r+');
  const { writers, hiddenProcesses, isComplete } = takeCensus(fileSystem, folder, fileSystem.openRoot(folder));
  const own = writers.filter(({ pid }) => pid === process.pid);
  say({ own: own.map(({ path, how }) => [path, how]), hides: hiddenProcesses > 0, isComplete });
}
`;

let scripts: string;
let script: string;
let folder: string;

beforeAll(async () => {
  scripts = mkdtempSync(join(tmpdir(), 'tidemark-settle-script-'));
  chmodSync(scripts, 0o755);
  script = await bundle(SCRIPT, scripts);
});
afterAll(() => {
  rmSync(scripts, { recursive: true });
  disposePrograms();
});
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tidemark-settle-'));
  chmodSync(folder, 0o755);
});
afterEach(() => rmSync(folder, { recursive: true }));

const words = (what: string, names: readonly string[]) => [script, addonPath(), folder, what, ...names];

function asUser(what: string, ...names: readonly string[]): unknown {
  const args = [...AS_USER, process.execPath, ...words(what, names)];
  const { stdout, stderr, status } = spawnSync('setpriv', args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(stderr);
  return JSON.parse(stdout);
}

describe.skipIf(NATIVE === null || !canChangeUser)('another user', () => {
  beforeEach(() => {
    for (const name of ['own', 'foreign', 'secret']) writeFileSync(join(folder, name), name);
    chownSync(join(folder, 'own'), UID, UID);
    chmodSync(join(folder, 'secret'), 0o600);
  });

  test('has leases on files of his own only; of others the census has to speak', () => {
    expect(asUser('settle', 'own', 'foreign', 'secret')).toEqual(['leased', 'unproven', 'EACCES']);
    expect(asUser('settle-complete', 'own', 'foreign', 'secret')).toEqual(['leased', 'closed', 'EACCES']);
  });

  test('sees writers of his own, and that there are processes he cannot look into', () => {
    expect(asUser('census', 'own')).toEqual({ own: [['own', 'descriptor']], hides: true, isComplete: false });
  });

  test('knows that there may be more where /proc hides the processes of others', ({ skip }) => {
    const script = 'mount -t proc -o hidepid=invisible proc /proc && exec setpriv "$@"';
    const args = ['-m', 'sh', '-c', script, 'sh', ...AS_USER, process.execPath, ...words('census', ['own'])];
    const { stdout, stderr, status } = spawnSync('unshare', args, { encoding: 'utf8' });
    if (status !== 0) skip(`no such /proc here: ${stderr}`);
    expect(JSON.parse(stdout)).toEqual({ own: [['own', 'descriptor']], hides: false, isComplete: false });
  });
});

describe.skipIf(NATIVE === null || whyNoCompiler() !== null)('the signal of a broken lease', () => {
  /** Settles a file that takes seconds to read; a writer comes as soon as it is leased. */
  async function broken(what: string) {
    writeFileSync(join(folder, 'f'), '');
    truncateSync(join(folder, 'f'), 6 * 2 ** 30);
    const writer = new RunningWriter('open-writer', join(folder, 'f'));
    await writer.says('ready');
    writer.go();
    const child = spawn(process.execPath, words(what, ['f']), { stdio: ['ignore', 'pipe', 'inherit'] });
    let said = '';
    child.stdout.on('data', (bytes) => {
      said += bytes;
    });
    const [code, signal] = await once(child, 'close');
    const waited = await writer.line();
    await writer.end();
    return { code, signal, said: said.trim(), isGranted: waited !== 'never' };
  }

  test.each(['settle', 'settle-in-thread', 'settle-in-child'])('harms nobody: %s', async (what) => {
    expect(await broken(what)).toEqual({ code: 0, signal: null, said: '["hot"]', isGranted: true });
  });

  test('negative control: it is sent, and would end a process that does not ignore it', async () => {
    expect(await broken('settle-default-signal')).toMatchObject({ code: null, signal: 'SIGIO', isGranted: true });
  });
});
