/** No operation goes through a symlink in the middle of a path, also when it is swapped in at the worst moment. */
import { spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { describe, expect, it } from 'vitest';
import { addonPath } from '../../src/platform/addon.ts';
import type { FileSystem } from '../../src/platform/filesystem.ts';
import { at, codeOf, IMPLEMENTATIONS, NATIVE, treeMaker } from './implementations.ts';

const SECRET = 'secret';
const RACE_MS = 700;

type Attempt = (fileSystem: FileSystem, root: number) => unknown;

/** Each goes through `gate`, a symlink to a directory outside the root. */
const ATTEMPTS: readonly (readonly [string, Attempt])[] = [
  ['stat', (f, r) => f.stat(r, at('gate/secret'))],
  ['openFile', (f, r) => f.openFile(r, at('gate/secret'))],
  ['openDirectory', (f, r) => f.openDirectory(r, at('gate/inner'))],
  ['openDirectory of the link', (f, r) => f.openDirectory(r, at('gate'))],
  ['createFile', (f, r) => f.createFile(r, at('gate/new'), 0o644)],
  ['openForUpdate', (f, r) => f.openForUpdate(r, at('gate/new'), true)],
  ['readSmallFile', (f, r) => f.readSmallFile(r, at('gate/secret'), 100)],
  ['writeSmallFile', (f, r) => f.writeSmallFile(r, at('gate/new'), Buffer.alloc(1), 0o644, 0n)],
  ['makeDirectory', (f, r) => f.makeDirectory(r, at('gate/new'), 0o755)],
  ['removeFile', (f, r) => f.removeFile(r, at('gate/secret'))],
  ['removeDirectory', (f, r) => f.removeDirectory(r, at('gate/inner'))],
  ['makeSymlink', (f, r) => f.makeSymlink(r, at('gate/new'), 'x')],
  ['readSymlink', (f, r) => f.readSymlink(r, at('gate/link'))],
  ['hardLink from', (f, r) => f.hardLink(r, at('gate/secret'), at('taken'))],
  ['hardLink to', (f, r) => f.hardLink(r, at('own'), at('gate/new'))],
  ['renameNoReplace from', (f, r) => f.renameNoReplace(r, at('gate/secret'), at('taken'))],
  ['renameNoReplace to', (f, r) => f.renameNoReplace(r, at('own'), at('gate/new'))],
  ['rename from', (f, r) => f.rename(r, at('gate/secret'), at('taken'))],
  ['rename to', (f, r) => f.rename(r, at('own'), at('gate/secret'))],
  ['exchange', (f, r) => f.exchange(r, at('own'), at('gate/secret'))],
  ['setMode', (f, r) => f.setMode(r, at('gate/secret'), 0o777)],
  ['setMtime', (f, r) => f.setMtime(r, at('gate/secret'), 0n)],
  ['setOwner', (f, r) => f.setOwner(r, at('gate/secret'), 1, 1)],
  ['getXattrs', (f, r) => f.getXattrs(r, at('gate/secret'))],
  ['setXattr', (f, r) => f.setXattr(r, at('gate/secret'), 'user.a', 'b')],
  ['removeXattr', (f, r) => f.removeXattr(r, at('gate/secret'), 'user.kept')],
  ['syncDirectory', (f, r) => f.syncDirectory(r, at('gate/inner'))],
  ['deep', (f, r) => f.stat(r, at('gate/inner/x'))],
];

describe.each(IMPLEMENTATIONS)('symlinks, $name', ({ fileSystem, holdsDescriptors }) => {
  const makeTree = treeMaker(fileSystem);
  const isNative = fileSystem.kind === 'native';

  function makeGate() {
    const outside = makeTree();
    fileSystem.writeSmallFile(outside.root, at('secret'), Buffer.from(SECRET), 0o644, 1_000n);
    fileSystem.makeDirectory(outside.root, at('inner'), 0o755);
    fileSystem.makeSymlink(outside.root, at('link'), 'nowhere');
    const inside = makeTree();
    fs.symlinkSync(outside.directory, join(inside.directory, 'gate'));
    fileSystem.writeSmallFile(inside.root, at('own'), Buffer.from('own'), 0o644, 1_000n);
    return { inside, outside: outside.directory };
  }

  it.each(ATTEMPTS)('%s is refused', (name, attempt) => {
    const { inside, outside } = makeGate();
    const before = snapshot(outside);
    const unsupported = !isNative && /xattr|exchange/i.test(name);
    expect(codeOf(() => attempt(fileSystem, inside.root))).toBe(unsupported ? 'ENOSYS' : 'ELOOP');
    expect(snapshot(outside)).toBe(before);
    expect(fs.readFileSync(join(inside.directory, 'own'), 'utf8')).toBe('own');
    // The control: plain paths follow it.
    expect(fs.readFileSync(join(inside.directory, 'gate/secret'), 'utf8')).toBe(SECRET);
  });

  it('lists nothing through a symlink', () => {
    const { inside } = makeGate();
    const listings = fileSystem.readDirectories(inside.root, [at('gate'), at('gate/inner')]);
    expect(listings.map(({ error }) => error)).toEqual(['ELOOP', 'ELOOP']);
  });

  it.runIf(NATIVE.length > 0 && holdsDescriptors)('holds against a symlink that flips all the time', async () => {
    const { inside, outside } = makeGate();
    const path = join(inside.directory, 'real');
    fs.mkdirSync(path);
    fs.writeFileSync(join(path, 'secret'), 'harmless');
    const before = snapshot(outside);
    const stop = await startFlipping(inside.directory);
    let followed = 0;
    let read = 0;
    for (const end = Date.now() + RACE_MS; Date.now() < end; ) {
      const contents = resultOf(() =>
        fileSystem.readSmallFile(inside.root, at('gate/secret'), 100).contents.toString(),
      );
      expect(contents).not.toBe(SECRET);
      if (contents !== null) read++;
      codeOf(() => fileSystem.writeSmallFile(inside.root, at('gate/new'), Buffer.alloc(1), 0o644, 0n));
      codeOf(() => fileSystem.setMode(inside.root, at('gate/secret'), 0o640));
      codeOf(() => fileSystem.setMtime(inside.root, at('gate/secret'), 5n));
      codeOf(() => fileSystem.removeFile(inside.root, at('gate/new')));
      const [listing] = fileSystem.readDirectories(inside.root, [at('gate')]);
      expect(listing?.entries.some(({ name }) => name === 'inner')).toBe(false);
      if (resultOf(() => fs.readFileSync(join(inside.directory, 'gate/secret'), 'utf8')) === SECRET) followed++;
    }
    await stop();
    expect(snapshot(outside)).toBe(before);
    expect(read).toBeGreaterThan(0);
    // The control: plain paths were led astray in the same time.
    expect(followed).toBeGreaterThan(0);
  });
});

/** Swaps `gate` (a symlink out of the tree) with `real` (a directory) without pause, in a thread of its own. */
async function startFlipping(directory: string): Promise<() => Promise<void>> {
  const flag = new Int32Array(new SharedArrayBuffer(4));
  const worker = new Worker(
    `const { workerData: { addon, directory, flag }, parentPort } = require('node:worker_threads');
     const { openRoot, exchange, close } = require(addon);
     const root = openRoot(directory);
     parentPort.postMessage('flipping');
     while (Atomics.load(flag, 0) === 0) exchange(root, 'gate', 'real');
     close(root);`,
    { eval: true, workerData: { addon: addonPath(), directory, flag } },
  );
  await new Promise((resolve) => worker.once('message', resolve));
  return async () => {
    const ended = new Promise((resolve) => worker.once('exit', resolve));
    Atomics.store(flag, 0, 1);
    await ended;
  };
}

function resultOf<Value>(act: () => Value): Value | null {
  try {
    return act();
  } catch {
    return null;
  }
}

/** Everything about what lies outside, as text. */
function snapshot(directory: string): string {
  return spawnSync('find', [directory, '-printf', '%P %y %m %s %u %T@ %C@ %n %l\\n'], { encoding: 'utf8' }).stdout;
}
