/** Many events, little room: nothing is lost but what the kernel says it dropped. */
import * as fs from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FanotifyReader, openGroup } from '../../src/platform/fanotify.ts';
import { type Mount, mountFresh, whyNotMountable } from '../support/mounts.ts';
import { closeGroup, outputOf, Recorder, startChild, takeAll, whyNoGroup } from './fanotify-tools.ts';

const WRITERS = 4;
const FILES_EACH = 3000;
const TINY_RING_BYTES = 1 << 16;
/** The kernel's default limit of a queue, fs.fanotify.max_queued_events. */
const QUEUE_LIMIT = Number(readOr('/proc/sys/fs/fanotify/max_queued_events', '16384'));

const missing = whyNoGroup('file-systems') ?? whyNotMountable('tmpfs');

describe.skipIf(missing !== null)(`under pressure${missing === null ? '' : ` (${missing})`}`, () => {
  let mount: Mount;
  let recorder: Recorder;
  const at = (path: string) => join(mount.folder, path);

  beforeEach(() => {
    mount = mountFresh('tmpfs');
  });
  afterEach(() => {
    recorder.close();
    mount.unmount();
  });

  /** Takes and commits until `promise` is done, and once more. */
  async function drainUntil(promise: Promise<unknown>): Promise<string[]> {
    const names: string[] = [];
    let isDone = false;
    const end = promise.finally(() => {
      isDone = true;
    });
    const drain = () => {
      for (const { events } of takeAll(recorder.reader, 1000)) for (const { name } of events) names.push(name);
      recorder.reader.commit();
    };
    while (!isDone) {
      drain();
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    await end;
    drain();
    return names;
  }

  const allNames = () =>
    Array.from({ length: WRITERS * FILES_EACH }, (_, index) => `${index % WRITERS}-${Math.floor(index / WRITERS)}`);

  async function write(): Promise<void> {
    await Promise.all(
      Array.from({ length: WRITERS }, (_, number) =>
        outputOf(
          startChild(`for (let index = 0; index < ${FILES_EACH}; index++)
            fs.writeFileSync(${JSON.stringify(mount.folder)} + '/${number}-' + index, '');`),
        ),
      ),
    );
  }

  it('a barrier holds back for all that returned before it', { timeout: 60_000 }, async () => {
    recorder = new Recorder(mount.folder);
    await write();
    await recorder.reader.barrier();
    const names = takeAll(recorder.reader, 1_000_000).flatMap(({ events }) => events.map(({ name }) => name));
    expect(new Set(names)).toEqual(new Set(allNames()));
  });

  it('a barrier passes while others go on writing', { timeout: 60_000 }, async () => {
    recorder = new Recorder(mount.folder);
    const writing = write();
    for (let round = 0; round < 20; round++) {
      fs.writeFileSync(at(`round-${round}`), '');
      await recorder.reader.barrier();
      const names = takeAll(recorder.reader, 1_000_000).flatMap(({ events }) => events.map(({ name }) => name));
      recorder.reader.commit();
      expect(names).toContain(`round-${round}`);
    }
    await drainUntil(writing);
  });

  it('a tiny ring stops the reading and loses nothing', { timeout: 60_000 }, async () => {
    recorder = new Recorder(mount.folder, { ringBytes: TINY_RING_BYTES });
    await write();
    await expect.poll(() => recorder.reader.usage()).toBeGreaterThan(0.8);
    expect(recorder.reader.usage()).toBeLessThanOrEqual(1);
    let isPassed = false;
    const barrier = recorder.reader.barrier().then(() => {
      isPassed = true;
    });
    takeAll(recorder.reader, 1000);
    expect(isPassed).toBe(false);
    recorder.reader.stop();
    await expect(barrier).rejects.toThrow(/ECANCELED/);
    const before = recorder.reader;
    Object.assign(recorder, { reader: new FanotifyReader(recorder.group, { onReadable() {}, onMountsChanged() {} }) });
    expect(before).not.toBe(recorder.reader);
    const names = await drainUntil(recorder.reader.barrier());
    // In the order of the queue, which holds what one writer did in its order.
    for (let number = 0; number < WRITERS; number++) {
      const own = [...new Set(names.filter((name) => name.startsWith(`${number}-`)))];
      expect(own).toEqual(Array.from({ length: FILES_EACH }, (_, index) => `${number}-${index}`));
    }
    expect(recorder.reader.usage()).toBe(0);
  });

  it('a barrier passes in a full ring if the queue is empty', async () => {
    recorder = new Recorder(mount.folder, { ringBytes: TINY_RING_BYTES });
    for (let index = 0; recorder.reader.usage() < 0.7; index++) {
      fs.writeFileSync(at(`${index}`), '');
      await recorder.reader.barrier();
    }
    await recorder.reader.barrier();
  });

  it('a queue with a limit overflows, and says so where it did', async () => {
    recorder = new Recorder(mount.folder, { kind: 'directories', ringBytes: TINY_RING_BYTES });
    for (let index = 0; index < QUEUE_LIMIT + 2000; index++) fs.closeSync(fs.openSync(at(`f${index}`), 'w'));
    let isPassed = false;
    const barrier = recorder.reader.barrier().then(() => {
      isPassed = true;
    });
    const told: boolean[] = [];
    let names = 0;
    while (!isPassed || told.length === 0) {
      for (const { overflowed, events } of takeAll(recorder.reader, 100_000)) {
        if (overflowed || events.length > 0) told.push(overflowed);
        names += events.length;
      }
      recorder.reader.commit();
      await new Promise((resolve) => setImmediate(resolve));
    }
    await barrier;
    told.push(...takeAll(recorder.reader, 100_000).map(({ overflowed }) => overflowed));
    recorder.reader.commit();
    expect(told.filter((overflowed) => overflowed)).toHaveLength(1);
    expect(names).toBeLessThan(QUEUE_LIMIT + 2000);
    fs.writeFileSync(at('after'), '');
    expect((await recorder.words()).at(-1)).toBe('closeWrite+create /:after');
  });

  it('wakes JavaScript once, however much there is', async () => {
    recorder = new Recorder(mount.folder);
    for (let index = 0; index < 1000; index++) fs.writeFileSync(at(`f${index}`), '');
    await recorder.reader.barrier();
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(recorder.calls).toBe(1);
    takeAll(recorder.reader, 10_000);
    fs.writeFileSync(at('g'), '');
    await expect.poll(() => recorder.calls).toBe(2);
  });

  it('goes through events fast', { timeout: 120_000 }, async () => {
    recorder = new Recorder(mount.folder, { ringBytes: 64 << 20 });
    for (const [what, files, rounds] of [
      ['all different', 100_000, 1],
      ['ten of each name', 10_000, 10],
    ] as const) {
      for (let round = 0; round < rounds; round++)
        for (let index = 0; index < files; index++) {
          fs.closeSync(fs.openSync(at(`file-${index}`), 'w'));
          if (rounds > 1 && index % 2000 === 0) await recorder.reader.barrier();
        }
      await recorder.reader.barrier();
      const before = recorder.reader.counters().received;
      // Processor time: the reader has nothing to do now, and other tests run beside this one.
      const start = process.cpuUsage();
      const count = takeAll(recorder.reader, 20_000).reduce((sum, { events }) => sum + events.length, 0);
      const { user, system } = process.cpuUsage(start);
      const received = recorder.reader.counters().received - before;
      const thousandsPerSecond = Math.round((received / (user + system)) * 1000);
      console.log(`${what}: ${received} events in ${count} objects, ${thousandsPerSecond} k/s`);
      recorder.reader.commit();
    }
  });
});

describe('a reader', () => {
  const noGroup = whyNoGroup('directories');
  it.skipIf(noGroup !== null)(`is gone once stopped${noGroup === null ? '' : ` (${noGroup})`}`, () => {
    const threads = () => fs.readdirSync('/proc/self/task').length;
    const descriptors = () => fs.readdirSync('/proc/self/fd').length;
    const before = [threads(), descriptors()];
    for (let round = 0; round < 50; round++) {
      const group = openGroup('directories', TINY_RING_BYTES);
      const reader = new FanotifyReader(group, { onReadable() {}, onMountsChanged() {} });
      expect(threads()).toBe((before[0] ?? 0) + 1);
      reader.stop();
      reader.stop();
      expect(() => reader.take(1)).toThrow(/EBADF/);
      closeGroup(group);
    }
    expect([threads(), descriptors()]).toEqual(before);
  });

  it.skipIf(noGroup !== null)(`does not swallow errors${noGroup === null ? '' : ` (${noGroup})`}`, async () => {
    const body = `process.on('uncaughtException', (error) => { console.log(error.message); process.exit(); });
      const folder = fs.mkdtempSync('/tmp/tidemark-thrown-');
      const group = platform.openGroup('directories');
      platform.markDirectory(group, fs.openSync(folder, 'r'), '');
      new platform.FanotifyReader(group, { onReadable() { throw new Error('thrown'); }, onMountsChanged() {} });
      fs.writeFileSync(folder + '/a', '');
      fs.rmSync(folder, { recursive: true });`;
    expect(await outputOf(startChild(body))).toBe('thrown\n');
  });

  it.skipIf(noGroup !== null)(`lets the process end${noGroup === null ? '' : ` (${noGroup})`}`, async () => {
    const open = `const group = platform.openGroup('directories');
      const reader = new platform.FanotifyReader(group, { onReadable() {}, onMountsChanged() {} });`;
    await outputOf(startChild(`${open} reader.unref();`));
    await outputOf(startChild(`${open} setTimeout(() => process.exit(), 20);`));
    await outputOf(startChild(`${open} reader.barrier().then(() => reader.stop());`));
    const inThread = `
      import { Worker } from 'node:worker_threads';
      const worker = new Worker(\`
        import(require('node:worker_threads').workerData).then((platform) => {
          ${open}
          require('node:worker_threads').parentPort.postMessage('running');
        });\`, { eval: true, workerData: platformFile, execArgv: [] });
      worker.once('message', () => worker.terminate());
      await new Promise((resolve) => worker.once('exit', resolve));
      if (fs.readdirSync('/proc/self/fd').some((fd) => {
        try { return fs.readlinkSync('/proc/self/fd/' + fd).includes('mountinfo'); } catch { return false; }
      })) throw new Error('the reader outlived its thread');`;
    await outputOf(startChild(inThread));
  });
});

function readOr(path: string, otherwise: string): string {
  try {
    return fs.readFileSync(path, 'utf8');
  } catch {
    return otherwise;
  }
}
