/**
 * Events outlive the process that reads them: whatever it had not committed, its successor is handed.
 *
 * A reader is killed again and again while others write. Each name that was created must have been noted by one of the
 * readers; the same test catches readers that commit before they noted.
 */
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FanotifyReader, type GroupDescriptors, markFileSystem, openGroup } from '../../src/platform/fanotify.ts';
import { type Mount, mountFresh, whyNotMountable } from '../support/mounts.ts';
import { closeGroup, outputOf, Recorder, startChild, takeAll, whyNoGroup } from './fanotify-tools.ts';

const KILLS = 50;
const CONTROL_KILLS = 15;
/** Some thousand events: the readers go round many times. */
const RING_BYTES = 1 << 20;

/** Where `native/ring.h` has these in the ring's header. */
const HEADER_BYTES = 4096;
const VERSION_AT = 8;
const WRITTEN_AT = 32;
const SILENT = { onReadable() {}, onMountsChanged() {} };

const missing = whyNoGroup('file-systems') ?? whyNotMountable('tmpfs');

describe.skipIf(missing !== null)(`takeover${missing === null ? '' : ` (${missing})`}`, () => {
  let mount: Mount;
  let group: GroupDescriptors;
  let log: string;

  beforeEach(() => {
    mount = mountFresh('tmpfs');
    group = openGroup('file-systems', RING_BYTES);
    const root = fs.openSync(mount.folder, 'r');
    markFileSystem(group, root);
    fs.closeSync(root);
    log = join(fs.mkdtempSync(join(tmpdir(), 'tidemark-takeover-')), 'log');
  });
  afterEach(() => {
    closeGroup(group);
    mount.unmount();
    fs.rmSync(join(log, '..'), { recursive: true });
  });

  it(`after ${KILLS} kills under load nothing is lost`, { timeout: 300_000 }, async () => {
    const { written, lost } = await killReaders(KILLS, 'note(names); reader.commit();');
    expect(lost).toEqual([]);
    console.log(`${written} files written, ${KILLS} readers killed, ${lost.length} lost`);
  });

  it('a reader that commits before it noted is caught', { timeout: 300_000 }, async () => {
    // With some time in between, so that a kill falls into it on any machine.
    const pause = 'Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 20);';
    const { lost } = await killReaders(CONTROL_KILLS, `reader.commit(); ${pause} note(names);`);
    expect(lost.length).toBeGreaterThan(0);
  });

  /** Runs readers that do `then` with each batch, until they are killed; what was lost in the end. */
  async function killReaders(kills: number, then: string): Promise<{ written: number; lost: string[] }> {
    const writers = [0, 1].map((number) => startChild(writerProgram(mount.folder, number)));
    const counts = writers.map(outputOf);
    for (let kill = 0; kill < kills; kill++) {
      const reader = startChild(readerProgram(log, then), { passed: [group.group, group.ring] });
      await new Promise((resolve) => reader.stdout?.once('data', resolve));
      await new Promise((resolve) => setTimeout(resolve, Math.random() * 60));
      reader.kill('SIGKILL');
      await new Promise((resolve) => reader.once('exit', resolve));
    }
    for (const writer of writers) writer.stdin?.end();
    const written = (await Promise.all(counts)).map(Number);
    const noted = new Set(fs.readFileSync(log, 'latin1').split('\n'));
    for (const name of await readRest()) noted.add(name);
    const expected = written.flatMap((count, number) =>
      Array.from({ length: count }, (_, index) => `${number}-${index}`),
    );
    return { written: expected.length, lost: expected.filter((name) => !noted.has(name)) };
  }

  async function readRest(): Promise<string[]> {
    const names: string[] = [];
    const reader = new FanotifyReader(group, SILENT);
    let isDone = false;
    const barrier = reader.barrier().then(() => {
      isDone = true;
    });
    do {
      if (!isDone) await new Promise((resolve) => setImmediate(resolve));
      for (const { events, overflowed } of takeAll(reader, 10_000)) {
        expect(overflowed).toBe(false);
        for (const { name } of events) names.push(name);
      }
      reader.commit();
    } while (!isDone);
    for (const { events } of takeAll(reader, 10_000)) for (const { name } of events) names.push(name);
    await barrier;
    reader.stop();
    return names;
  }

  describe('of a ring', () => {
    let recorder: Recorder;
    const write = (name: string) => fs.writeFileSync(join(mount.folder, name), '');
    const names = (reader: FanotifyReader) =>
      takeAll(reader, 100).flatMap(({ events }) => events.map(({ name }) => name));

    beforeEach(() => {
      recorder = new Recorder(mount.folder, { ringBytes: RING_BYTES });
    });
    afterEach(() => recorder.close());

    it('begins after what was committed', async () => {
      write('a');
      await recorder.words();
      write('b');
      await recorder.events();
      write('c');
      await recorder.reader.barrier();
      recorder.reader.stop();
      const successor = new FanotifyReader(recorder.group, SILENT);
      expect(names(successor)).toEqual(['b', 'c']);
      successor.stop();
    });

    it('tells that there is something to take', async () => {
      write('a');
      await recorder.reader.barrier();
      recorder.reader.stop();
      const told = new Promise<void>((resolve) => {
        const successor = new FanotifyReader(recorder.group, {
          onMountsChanged() {},
          onReadable() {
            successor.stop();
            resolve();
          },
        });
      });
      await told;
    });

    it('finds what the kernel had copied when the reader was killed', async () => {
      for (let index = 0; index < 100; index++) write(`f${index}`);
      await recorder.reader.barrier();
      recorder.reader.stop();
      // As if it had been killed before it could say how far it read.
      fs.writeSync(recorder.group.ring, Buffer.alloc(8), 0, 8, WRITTEN_AT);
      const successor = new FanotifyReader(recorder.group, SILENT);
      expect(names(successor)).toHaveLength(100);
      successor.stop();
    });

    it('tells of a loss where an event was copied in part', async () => {
      write('a');
      await recorder.reader.barrier();
      recorder.reader.stop();
      const header = Buffer.alloc(64);
      fs.readSync(recorder.group.ring, header, 0, 64, 0);
      const end = Number(header.readBigUInt64LE(WRITTEN_AT));
      const torn = Buffer.alloc(24);
      fs.readSync(recorder.group.ring, torn, 0, 24, HEADER_BYTES);
      fs.writeSync(recorder.group.ring, torn, 0, 24, HEADER_BYTES + end);
      const successor = new FanotifyReader(recorder.group, SILENT);
      const batches = takeAll(successor, 100);
      expect(batches.map(({ overflowed, events }) => [overflowed, events.length])).toEqual([
        [false, 1],
        [true, 0],
      ]);
      write('b');
      await successor.barrier();
      expect(names(successor)).toEqual(['b']);
      successor.stop();
    });

    it('says that something was lost where it holds nonsense, and goes on', async () => {
      fs.mkdirSync(join(mount.folder, 'd'));
      for (let index = 0; index < 50; index++) {
        write(`f${index}`);
        fs.renameSync(join(mount.folder, `f${index}`), join(mount.folder, `d/g${index}`));
      }
      await recorder.reader.barrier();
      recorder.reader.stop();
      const sound = Buffer.alloc(64 << 10);
      fs.readSync(recorder.group.ring, sound, 0, sound.length, HEADER_BYTES);
      const header = Buffer.alloc(64);
      fs.readSync(recorder.group.ring, header, 0, 64, 0);
      const end = Number(header.readBigUInt64LE(WRITTEN_AT));
      let losses = 0;
      for (let round = 0; round < 200; round++) {
        const damaged = Buffer.from(sound);
        for (let hit = 0; hit <= round % 8; hit++) {
          const at = (round * 7919 + hit * 104_729) % end;
          damaged[at] = (damaged[at] ?? 0) ^ (1 << (round % 8));
          if (round % 3 === 0) damaged.fill(round, at, Math.min(end, at + 16));
        }
        fs.writeSync(recorder.group.ring, damaged, 0, end, HEADER_BYTES);
        const successor = new FanotifyReader(recorder.group, SILENT);
        if (takeAll(successor, 10).some(({ overflowed }) => overflowed)) losses++;
        successor.stop();
      }
      expect(losses).toBeGreaterThan(50);
      const last = new FanotifyReader(recorder.group, SILENT);
      takeAll(last, 100);
      last.commit();
      write('after');
      await last.barrier();
      expect(names(last)).toEqual(['after']);
      last.stop();
    });

    it('is refused while another process reads it', async () => {
      const child = startChild(
        `try { new platform.FanotifyReader({ kind: 'file-systems', group: 3, ring: 4 }, {}); }
         catch (error) { console.log(error.code); }`,
        { passed: [recorder.group.group, recorder.group.ring] },
      );
      expect((await outputOf(child)).trim()).toBe('EBUSY');
    });

    it('is refused where it is none, or of another version', () => {
      recorder.reader.stop();
      const file = fs.openSync(log, 'w+');
      expect(() => new FanotifyReader({ ...recorder.group, ring: file }, SILENT)).toThrow(/EPROTO/);
      fs.ftruncateSync(file, 1 << 20);
      expect(() => new FanotifyReader({ ...recorder.group, ring: file }, SILENT)).toThrow(/EPROTO/);
      fs.closeSync(file);
      fs.writeSync(recorder.group.ring, Buffer.from([2]), 0, 1, VERSION_AT);
      expect(() => new FanotifyReader(recorder.group, SILENT)).toThrow(/EPROTO/);
      expect(() => new FanotifyReader({ ...recorder.group, group: 9999 }, SILENT)).toThrow(/EBADF/);
    });
  });
});

/** Creates files until its input ends, and prints how many. */
function writerProgram(folder: string, number: number): string {
  return `
    let count = 0, isOver = false;
    process.stdin.on('end', () => { isOver = true; }).resume();
    const file = (index) => ${JSON.stringify(folder)} + '/${number}-' + index;
    while (!isOver) {
      for (let index = 0; index < 40; index++, count++) {
        fs.writeFileSync(file(count), 'x');
        if (count >= 1000) fs.unlinkSync(file(count - 1000));
      }
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
    console.log(count);`;
}

/** Reads the group of descriptors 3 and 4 until it is killed. What it notes it notes for good. */
function readerProgram(log: string, then: string): string {
  return `
    const log = fs.openSync(${JSON.stringify(log)}, 'a');
    const note = (names) => fs.writeSync(log, names.join('\\n') + '\\n', null, 'latin1');
    const reader = new platform.FanotifyReader({ kind: 'file-systems', group: 3, ring: 4 }, {
      onMountsChanged() {},
      onReadable() {
        for (let hasMore = true; hasMore; ) {
          const batch = reader.take(500);
          if (batch.overflowed) throw new Error('lost');
          hasMore = batch.hasMore;
          const names = batch.events.map(({ name }) => name);
          ${then}
        }
      },
    });
    console.log('ready');`;
}
