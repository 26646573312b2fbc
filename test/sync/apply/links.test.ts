/** Files with several names: changed as one, left as one, and nobody's edit is taken for our own doing. */
import * as fs from 'node:fs';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { FileEntry } from '../../../src/journal/core/entry.ts';
import { LinkGroups } from '../../../src/sync/apply/link-groups.ts';
import { BOTH_KINDS } from './kinds.ts';
import { at, fileEntry, type Order, verdicts, Workbench } from './workbench.ts';

const NAMES = ['a', 'b', 'd/c'];

describe.each(BOTH_KINDS)('$name', ({ fileSystem }) => {
  let bench: Workbench;
  let links: LinkGroups;
  beforeEach(() => {
    bench = new Workbench(fileSystem);
    links = new LinkGroups();
    bench.write('a', 'old');
    fs.mkdirSync(bench.path('d'));
    for (const name of ['b', 'd/c']) fs.linkSync(bench.path('a'), bench.path(name));
    bench.write('other', 'other');
    bench.observe();
  });
  afterEach(() => bench.close());

  const link = (path: string, content: string, more: Partial<FileEntry> = {}): Order =>
    bench.place(path, fileEntry(content, { linkTo: 'a', ...more }), { content: 'link', copyFrom: at('a') });
  const apply = (...orders: Order[]) => verdicts(bench.apply(orders, { links }));
  const inodes = () => new Set(NAMES.map((name) => fs.statSync(bench.path(name)).ino));

  /** A fresh look at the tree finds what is recorded: nothing would be read again. */
  function expectRecorded(...names: string[]): void {
    const recorded = new Map(bench.index.records);
    bench.observe();
    const stat = (index: typeof recorded, name: string) => index.get(at(name))?.packedStat ?? new Uint8Array();
    for (const name of names) {
      const [known, live] = [stat(recorded, name), stat(bench.index.records, name)];
      // The link count is not compared: it is not the name's own.
      expect([name, ...known.subarray(12)]).toEqual([name, ...live.subarray(12)]);
    }
  }

  test.each([true, false])('all names get new content at once and stay one file (backup: %s)', (backup) => {
    bench.options = { ...bench.options, backup };
    expect(apply(bench.put('a', 'new'), link('b', 'new'), link('d/c', 'new'))).toEqual(['done', 'done', 'done']);
    expect(NAMES.map((name) => bench.read(name))).toEqual(['new', 'new', 'new']);
    expect(inodes().size).toBe(1);
    expectRecorded(...NAMES);
    expect(bench.litter()).toEqual([]);
    expect(bench.versions().length).toBe(backup ? 3 : 0);
  });

  test('what one stage of a run did does not stop the next', () => {
    expect(apply(bench.put('a', 'new'))).toEqual(['done']);
    expect(apply(link('b', 'new'))).toEqual(['done']);
    expect(apply(bench.remove('d/c'))).toEqual(['done']);
    expect(fs.statSync(bench.path('a')).ino).toBe(fs.statSync(bench.path('b')).ino);
    expectRecorded('a', 'b');
  });

  test('an edit through another name is seen, even with its time put back', () => {
    expect(apply(bench.put('a', 'new'))).toEqual(['done']);
    const { atime, mtime } = fs.statSync(bench.path('d/c'));
    fs.writeFileSync(bench.path('d/c'), 'mine');
    fs.truncateSync(bench.path('d/c'), 3);
    fs.utimesSync(bench.path('d/c'), atime, mtime);
    expect(apply(link('d/c', 'new'), bench.remove('b'))).toEqual(['changed target', 'changed target']);
    expect([bench.read('b'), bench.read('d/c')]).toEqual(['min', 'min']);
    expect(bench.litter()).toEqual([]);
  });

  test('an edit of the file to link to is seen', () => {
    expect(apply(bench.put('a', 'new'))).toEqual(['done']);
    fs.writeFileSync(bench.path('a'), 'own');
    expect(apply(link('b', 'new'), link('d/c', 'new'))).toEqual(['changed target', 'changed target']);
    expect(NAMES.map((name) => bench.read(name))).toEqual(['own', 'old', 'old']);
  });

  test('names that are one file already are no proof of the content to come', () => {
    expect(apply(link('b', 'new'))).toEqual(['changed target']);
    expect(bench.index.get(at('b'))?.entry).toMatchObject({ digests: fileEntry('old').digests });
  });

  test('a change of metadata is made once, for all names', () => {
    const after = { ...(bench.entry('a') as FileEntry), mode: 0o640, mtimeNs: 1_400_000_000_000_000_000n };
    const metadata = (path: string) =>
      bench.place(path, { ...after, linkTo: 'a' }, { content: 'link', copyFrom: at('a') });
    expect(apply(bench.place('a', after), metadata('b'), metadata('d/c'))).toEqual(['done', 'done', 'done']);
    expect(fs.statSync(bench.path('b')).mode & 0o7777).toBe(0o640);
    expect(inodes().size).toBe(1);
    expect(bench.versions()).toEqual([]);
    expectRecorded(...NAMES);
  });

  test('a name that becomes a file of its own leaves the others as they are', () => {
    expect(
      apply(bench.put('b', 'old'), bench.place('d/c', { ...(bench.entry('d/c') as FileEntry), mode: 0o600 })),
    ).toEqual(['done', 'done']);
    expect(fs.statSync(bench.path('a')).mode & 0o7777).toBe(0o600);
    expect(inodes().size).toBe(2);
    expectRecorded('b', 'd/c');
  });

  test('renaming a name does not stop what is done to the others', () => {
    expect(apply(bench.rename('b', 'z'))).toEqual(['done']);
    expect(apply(bench.put('a', 'new'), link('d/c', 'new'))).toEqual(['done', 'done']);
    expect([bench.read('a'), bench.read('d/c'), bench.read('z')]).toEqual(['new', 'new', 'old']);
    expectRecorded('a', 'd/c', 'z');
  });

  test('without what the run knows of its own changes, the same is refused (negative control)', () => {
    expect(apply(bench.put('a', 'new'))).toEqual(['done']);
    links = new LinkGroups();
    expect(apply(link('b', 'new'))).toEqual(['changed target']);
  });
});
