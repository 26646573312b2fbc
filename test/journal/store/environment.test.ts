import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { Worker } from 'node:worker_threads';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Environment } from '../../../src/journal/store/environment.ts';
import { Index } from '../../../src/journal/store/index.ts';
import { fromText, joinPath, ROOT } from '../../../src/platform/core/byte-path.ts';
import { bundle } from './bundle.ts';
import { directoryRecord, fileRecord } from './records.ts';

/** Runs as a child or a thread: fills directories in transactions and says how far it came, or reads all. */
const SCRIPT = `
import { parentPort, workerData } from 'node:worker_threads';
import { Index } from './src/journal/store/index.ts';
import { ROOT } from './src/platform/core/byte-path.ts';
import { directoryRecord, fileRecord } from './test/journal/store/records.ts';
const { folder, mode, name } = workerData ?? { folder: process.argv[2], mode: process.argv[3], name: 'child' };
const index = Index.open(folder);
const say = (text) => (parentPort === null ? process.stdout.write(text + '\\n') : parentPort.postMessage(text));
if (mode === 'asked') {
  // 0: nothing, 1: asked, 2: done
  const state = new Int32Array(workerData.shared);
  say('ready');
  Atomics.wait(state, 0, 0);
  index.put(name, fileRecord(7, 7), '');
  Atomics.store(state, 0, 2);
  Atomics.notify(state, 0);
} else if (mode === 'read') {
  let seen = 0;
  for (const change of index.subtree(ROOT)) if (change.entry !== null) seen++;
  say('seen ' + seen);
} else {
  const rounds = mode === 'write' ? 1e9 : 20;
  for (let round = 0; round < rounds; round++) {
    index.transaction(() => {
      if (index.get(ROOT) === null) index.put(ROOT, directoryRecord(1), '');
      index.put(name + round, directoryRecord(2), '');
      index.put(name + '-mark-' + round, fileRecord(2, 1), '');
      for (let file = 0; file < 40; file++) index.put(name + round + '/' + file, fileRecord(file + 3, 20000 + file), '');
      if (round % 5 === 4) index.remove(name + (round - 2), '');
      if (round % 5 === 3) index.rename(name + (round - 3), name + 'moved' + round, '');
    });
    say('did ' + round);
  }
}
index.close();
`;

let folder: string;
let script: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'tidemark-store-'));
  script = await bundle(SCRIPT, folder);
});

afterAll(() => rmSync(folder, { recursive: true }));

/** Everything the index says of itself fits together. */
function checkWhole(index: Index): number {
  let entries = 0;
  const open = [ROOT];
  for (let path = open.pop(); path !== undefined; path = open.pop()) {
    for (const { name, record } of index.children(path)) {
      entries++;
      if (record.entry.kind === 'directory') open.push(joinPath(path, name));
      else if (record.entry.kind === 'file' && record.entry.sizeBytes > 20_000) {
        expect(index.filesOfSize(record.entry.sizeBytes, 9999)).toContain(joinPath(path, name));
      }
    }
  }
  expect(index.entryCount()).toBe(entries);
  expect([...index.subtree(ROOT)].length).toBe(entries);
  return entries;
}

async function killedAfter(child: ChildProcess, lines: number): Promise<number> {
  if (child.stdout === null) throw new Error('no output');
  let last = -1;
  for await (const line of createInterface(child.stdout)) {
    last = Number(line.slice('did '.length));
    if (last + 1 >= lines) child.kill('SIGKILL');
  }
  return last;
}

describe('the store', () => {
  test('survives kill -9 in the middle of writing, with everything that was said to be done', async () => {
    const store = join(folder, 'killed');
    for (const lines of [3, 17, 40]) {
      rmSync(store, { recursive: true, force: true });
      const done = await killedAfter(
        spawn(process.execPath, [script, store, 'write'], { stdio: ['ignore', 'pipe', 'inherit'] }),
        lines,
      );
      const index = Index.open(store);
      expect(index.get(fromText(`child-mark-${done}`))).not.toBeNull();
      checkWhole(index);
      index.put(fromText('after'), fileRecord(1, 1), '');
      index.close();
    }
  });

  test('threads of one process write in turn and see each other', async () => {
    const store = join(folder, 'threads');
    const index = Index.open(store);
    index.put(ROOT, directoryRecord(1), '');
    const names = ['a', 'b', 'c'];
    await Promise.all(
      names.map(async (name) => {
        const worker = new Worker(script, { workerData: { folder: store, mode: 'some', name } });
        worker.on('message', (text: string) => {
          const round = Number(text.slice('did '.length));
          // What a thread says it committed is seen at once, whatever was read here just before.
          expect(index.get(fromText(`${name}-mark-${round}`))).not.toBeNull();
          index.put(fromText(`${name}-seen-${round}`), fileRecord(round + 1, 5), '');
        });
        const [code] = await once(worker, 'exit');
        expect(code).toBe(0);
      }),
    );
    // 20 directories of 41 each, of which 4 are removed and 4 moved, 20 marks, and 20 files written here.
    expect(checkWhole(index)).toBe(names.length * (16 * 41 + 20 + 20));
    index.close();
  });

  test('what another thread committed is seen after the next await at the latest', async () => {
    const store = join(folder, 'seen');
    const index = Index.open(store);
    index.put(ROOT, directoryRecord(1), '');
    const shared = new SharedArrayBuffer(4);
    const state = new Int32Array(shared);
    const worker = new Worker(script, { workerData: { folder: store, mode: 'asked', name: 'told', shared } });
    await once(worker, 'message');
    expect(index.get(fromText('told'))).toBeNull();
    Atomics.store(state, 0, 1);
    Atomics.notify(state, 0);
    Atomics.wait(state, 0, 1);
    // One stretch of code keeps one view.
    expect(index.get(fromText('told'))).toBeNull();
    await Promise.resolve();
    expect(index.get(fromText('told'))).not.toBeNull();
    await once(worker, 'exit');
    index.close();
  });

  test('a cache of directories does not outlive their removal by another thread', async () => {
    const store = join(folder, 'cache');
    const index = Index.open(store);
    index.put(ROOT, directoryRecord(1), '');
    for (const name of ['c0', 'c1', 'c2']) index.put(fromText(name), directoryRecord(5), '');
    index.put(fromText('c2/old'), fileRecord(6, 7), '');
    expect(index.get(fromText('c2/old'))).not.toBeNull();
    const worker = new Worker(script, { workerData: { folder: store, mode: 'some', name: 'c' } });
    await once(worker, 'exit');
    expect(index.get(fromText('c2/old'))).toBeNull();
    expect(() => index.put(fromText('c2/new'), fileRecord(8, 9), '')).toThrow('no directory recorded');
    index.close();
  });

  test('damage is an error, not an end of the process', () => {
    const store = join(folder, 'damaged');
    const fill = (name: string) => {
      const index = Index.open(join(store, name));
      index.transaction(() => {
        index.put(ROOT, directoryRecord(1), '');
        for (let file = 0; file < 3000; file++) index.put(fromText(`f${file}`), fileRecord(file, 5), '');
      });
      index.close();
      return join(store, name, 'data.mdb');
    };
    const whole = statSync(fill('whole')).size;
    const cuts = [1, 100, 4096, 5000, 8192, Math.floor(whole / 2), whole - 65 * 4096, whole - 4096];
    for (const cut of cuts) {
      truncateSync(fill(`cut${cut}`), cut);
      const { status, signal, stdout, stderr } = spawnSync(
        process.execPath,
        [script, join(store, `cut${cut}`), 'read'],
        { encoding: 'utf8' },
      );
      const outcome = /state-damaged/.test(stderr)
        ? 'damaged'
        : stdout.trim() === 'seen 3000'
          ? 'whole'
          : `${status} ${signal} ${stdout} ${stderr}`;
      if (cut < whole - 64 * 4096) expect(`${cut} ${outcome}`).toBe(`${cut} damaged`);
      // A page or two may lawfully be missing at the end. If they were not, that is not noticed, but does no harm either.
      else expect(status === 0 || outcome === 'damaged').toBe(true);
    }
    for (const [name, bytes] of [
      ['data.mdb', 'not a store at all'],
      ['data.mdb', '\0'.repeat(20_000)],
    ] as const) {
      const file = fill('other');
      writeFileSync(join(file, '..', name), bytes);
      expect(() => Index.open(join(store, 'other'))).toThrow(
        expect.objectContaining({ code: 'state-damaged', fault: 'unavailable' }),
      );
      rmSync(join(store, 'other'), { recursive: true });
    }
  });

  test('another layout, or a newer one, is refused and left alone', () => {
    const store = join(folder, 'formats');
    Environment.open(store, { durable: false, kind: 'archive', format: 7 }).close();
    const before = readFileSync(join(store, 'data.mdb'));
    expect(() => Index.open(store)).toThrow(expect.objectContaining({ code: 'state-damaged' }));
    expect(() => Environment.open(store, { durable: false, kind: 'archive', format: 6 })).toThrow(
      expect.objectContaining({ code: 'state-newer' }),
    );
    expect(readFileSync(join(store, 'data.mdb')).equals(before)).toBe(true);
  });

  test('files that are symlinks are not opened', () => {
    const store = join(folder, 'linked');
    Index.open(store).close();
    const victim = join(folder, 'victim');
    writeFileSync(victim, 'precious');
    rmSync(join(store, 'data.mdb'));
    symlinkSync(victim, join(store, 'data.mdb'));
    expect(() => Index.open(store)).toThrow(expect.objectContaining({ code: 'state-unusable' }));
    expect(readFileSync(victim, 'utf8')).toBe('precious');
  });
});
