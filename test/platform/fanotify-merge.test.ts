/** Which events of one name become one, and which must not. */
import * as fs from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { EVENT } from '../../src/platform/fanotify.ts';
import { type Mount, mountFresh, whyNotMountable } from '../support/mounts.ts';
import { Recorder, takeAll, whyNoGroup } from './fanotify-tools.ts';

const missing = whyNoGroup('file-systems') ?? whyNotMountable('tmpfs');

describe.skipIf(missing !== null)(`one batch${missing === null ? '' : ` (${missing})`}`, () => {
  let mount: Mount;
  let recorder: Recorder;
  const at = (path: string) => join(mount.folder, path);

  beforeAll(() => {
    mount = mountFresh('tmpfs');
  });
  afterAll(() => mount.unmount());
  beforeEach(() => {
    for (const name of fs.readdirSync(mount.folder)) fs.rmSync(at(name), { recursive: true });
    recorder = new Recorder(mount.folder);
  });
  afterEach(() => recorder.close());

  /** A step, and then as much time as the kernel's queue needs to become empty: so it cannot merge across steps. */
  async function step(act: () => void): Promise<void> {
    act();
    await recorder.reader.barrier();
  }

  it('has one event for a name, wherever the others lie between', async () => {
    for (let round = 0; round < 3; round++) {
      await step(() => fs.writeFileSync(at('a'), `${round}`));
      await step(() => fs.writeFileSync(at('b'), `${round}`));
    }
    await step(() => fs.unlinkSync(at('a')));
    expect(await recorder.words()).toEqual(['modify+closeWrite+create+remove /:a', 'modify+closeWrite+create /:b']);
  });

  it('keeps the same name in two directories apart', async () => {
    fs.mkdirSync(at('d'));
    recorder.name('d');
    fs.writeFileSync(at('a'), '');
    fs.writeFileSync(at('d/a'), '');
    expect((await recorder.words()).slice(1)).toEqual(['closeWrite+create /:a', 'closeWrite+create d:a']);
  });

  it('begins anew after a rename of the name, at both its ends', async () => {
    await step(() => fs.writeFileSync(at('a'), ''));
    await step(() => fs.writeFileSync(at('b'), ''));
    await step(() => fs.renameSync(at('a'), at('b')));
    await step(() => fs.writeFileSync(at('a'), ''));
    await step(() => fs.writeFileSync(at('b'), ''));
    await step(() => fs.writeFileSync(at('a'), 'x'));
    expect(await recorder.words()).toEqual([
      'closeWrite+create /:a',
      'closeWrite+create /:b',
      'rename /:a > /:b',
      'modify+closeWrite+create /:a',
      'modify+closeWrite /:b',
    ]);
  });

  it('keeps every rename, also of the same two names', async () => {
    fs.writeFileSync(at('a'), '');
    await recorder.words();
    for (let round = 0; round < 3; round++) {
      await step(() => fs.renameSync(at('a'), at('b')));
      await step(() => fs.renameSync(at('b'), at('a')));
    }
    const there = 'rename /:a > /:b';
    const back = 'rename /:b > /:a';
    expect(await recorder.words()).toEqual([there, back, there, back, there, back]);
  });

  it('holds renames and other names apart, however many there are', async () => {
    const names = Array.from({ length: 300 }, (_, index) => `n${index}`);
    for (const name of names) fs.writeFileSync(at(name), '');
    await recorder.reader.barrier();
    for (const [index, name] of names.entries()) fs.renameSync(at(name), at(`m${(index * 7) % 300}`));
    await recorder.reader.barrier();
    for (const name of names) fs.writeFileSync(at(name), '');
    for (const [index] of names.entries()) fs.appendFileSync(at(`m${index}`), 'x');
    const words = await recorder.words();
    expect(words.length).toBe(1200);
    expect(words.slice(300, 600).every((line) => line.startsWith('rename'))).toBe(true);
    expect(words.slice(600, 900)).toEqual(names.map((name) => `closeWrite+create /:${name}`));
    expect(words.slice(900)).toEqual(names.map((_, index) => `modify+closeWrite /:m${index}`));
  });

  it('tells a file and a directory of one name apart, and two directories', async () => {
    await step(() => fs.writeFileSync(at('x'), ''));
    await step(() => fs.unlinkSync(at('x')));
    await step(() => fs.mkdirSync(at('x')));
    await step(() => fs.rmdirSync(at('x')));
    await step(() => fs.mkdirSync(at('x')));
    await step(() => fs.rmdirSync(at('x')));
    await step(() => fs.writeFileSync(at('x'), ''));
    const events = await recorder.events();
    const both = EVENT.create | EVENT.remove | EVENT.directory;
    expect(events.map(({ mask }) => mask)).toEqual([
      EVENT.create | EVENT.closeWrite | EVENT.remove,
      both,
      both,
      EVENT.create | EVENT.closeWrite,
    ]);
    expect(new Set(events.map(({ target }) => target)).size).toBe(3);
  });

  it('never reaches back into the batch before', async () => {
    await step(() => fs.writeFileSync(at('a'), ''));
    expect(await recorder.words()).toEqual(['closeWrite+create /:a']);
    await step(() => fs.writeFileSync(at('a'), 'x'));
    expect(await recorder.words()).toEqual(['modify+closeWrite /:a']);
  });

  it('ends at its limit, and the rest comes next', async () => {
    for (let index = 0; index < 10; index++) fs.writeFileSync(at(`f${index}`), '');
    await recorder.reader.barrier();
    const batches = takeAll(recorder.reader, 4);
    expect(batches.map(({ events }) => events.length)).toEqual([4, 4, 2]);
    expect(batches.map(({ hasMore }) => hasMore)).toEqual([true, true, false]);
    expect(recorder.reader.take(4).events).toEqual([]);
  });

  it('ends where its memory does', async () => {
    const names = Array.from({ length: 6000 }, (_, index) => `${index}`.padStart(240, 'n'));
    for (const name of names) fs.writeFileSync(at(name), '');
    const batches = await recorder.batches();
    expect(batches.length).toBeGreaterThan(1);
    expect(batches.flatMap(({ events }) => events).map(({ name }) => name)).toEqual(names);
  });
});

// Why the order of events, and where renames say things went, is never to be relied on.
describe.skipIf(missing !== null)(`the kernel's queue${missing === null ? '' : ` (${missing})`}`, () => {
  it('merges equal renames into the first of them', async () => {
    const mount = mountFresh('tmpfs');
    const recorder = new Recorder(mount.folder, { ringBytes: 1 << 16 });
    const [a, b] = [join(mount.folder, 'a'), join(mount.folder, 'b')];
    fillRing(recorder);
    fs.writeFileSync(a, '');
    for (let round = 0; round < 3; round++) {
      fs.renameSync(a, b);
      fs.renameSync(b, a);
    }
    fs.renameSync(a, b);
    const renames: string[] = [];
    let isDone = false;
    const barrier = recorder.reader.barrier().then(() => {
      isDone = true;
    });
    const drain = () => {
      for (const { events } of takeAll(recorder.reader, 1000)) {
        for (const { name, from } of events) if (from !== null) renames.push(`${from.name} > ${name}`);
      }
      recorder.reader.commit();
    };
    while (!isDone) {
      drain();
      await new Promise((resolve) => setImmediate(resolve));
    }
    await barrier;
    drain();
    expect(renames).toEqual(['a > b', 'b > a']);
    expect(fs.existsSync(b)).toBe(true);
    recorder.close();
    mount.unmount();
  });
});

/** Makes the reader stop for want of room, so that what follows stays in the kernel's queue. */
function fillRing(recorder: Recorder): void {
  const deadline = Date.now() + 10_000;
  for (let index = 0; recorder.reader.usage() < 0.9 && Date.now() < deadline; index++)
    fs.writeFileSync(join(recorder.folder, `fill-${index}-${'x'.repeat(200)}`), '');
  for (let index = 0; index < 100; index++)
    fs.writeFileSync(join(recorder.folder, `more-${index}-${'x'.repeat(200)}`), '');
}
