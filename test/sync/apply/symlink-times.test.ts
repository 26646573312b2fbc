/** Symlinks get their own time, complete before they get their name, and nothing is ever followed. */
import * as fs from 'node:fs';
import { afterEach, describe, expect, test } from 'vitest';
import type { SymlinkEntry } from '../../../src/journal/core/entry.ts';
import { hookedFileSystem } from './hooked-filesystem.ts';
import { BOTH_KINDS } from './kinds.ts';
import { verdicts, Workbench } from './workbench.ts';

const TIME_NS = 1_400_000_000_125_000_000n;
const LINK: SymlinkEntry = { kind: 'symlink', target: 'file', mtimeNs: TIME_NS };

const benches: Workbench[] = [];
afterEach(() => {
  for (const bench of benches.splice(0)) bench.close();
});

function mtimeOf(bench: Workbench, path: string): bigint {
  return fs.lstatSync(bench.path(path), { bigint: true }).mtimeNs;
}

describe.each(BOTH_KINDS)('$name', ({ fileSystem }) => {
  const bench = (options: { readonly times: boolean } = { times: true }): Workbench => {
    const made = new Workbench(fileSystem);
    benches.push(made);
    made.options = { ...made.options, metadata: { ...made.options.metadata, ...options } };
    made.write('file', 'content');
    fs.symlinkSync('file', made.path('link'));
    fs.symlinkSync('other', made.path('other'));
    return made.observe();
  };

  test.each([
    ['created', 'new', LINK],
    ['in place of a file', 'file', { ...LINK, target: 'new' }],
    ['in place of another', 'other', LINK],
    ['that stays', 'link', LINK],
  ] as const)('a symlink %s gets its time', (_name, path, after) => {
    const made = bench();
    const target = mtimeOf(made, 'file');
    const outcomes = made.apply([made.place(path, after)]);
    expect(outcomes).toMatchObject([{ status: 'done', entry: after }]);
    expect(made.read(path)).toBe(`-> ${after.target}`);
    expect(mtimeOf(made, path)).toBe(TIME_NS);
    expect(made.index.records.get(path as never)?.entry).toEqual(after);
    if (path !== 'file') expect(mtimeOf(made, 'file')).toBe(target);
    expect(made.litter()).toEqual([]);
  });

  test('not with --no-times, and the real one is recorded', () => {
    const made = bench({ times: false });
    const before = mtimeOf(made, 'link');
    const outcomes = made.apply([made.place('new', LINK), made.place('link', LINK)]);
    expect(verdicts(outcomes)).toEqual(['done', 'done']);
    expect(mtimeOf(made, 'new')).not.toBe(TIME_NS);
    expect(mtimeOf(made, 'link')).toBe(before);
    expect(outcomes).toMatchObject([{ entry: { mtimeNs: mtimeOf(made, 'new') } }, { entry: { mtimeNs: before } }]);
  });

  test('a touch that came in between stays', () => {
    const made = bench();
    fs.lutimesSync(made.path('link'), 1_555_555_555, 1_555_555_555);
    expect(verdicts(made.apply([made.place('link', LINK)]))).toEqual(['changed target']);
    expect(mtimeOf(made, 'link')).toBe(1_555_555_555_000_000_000n);
  });

  test('it has its time at the moment it appears', () => {
    const made = bench();
    const seen: bigint[] = [];
    const watching = hookedFileSystem(
      fileSystem,
      () => {},
      () => {
        if (fs.lstatSync(made.path('new'), { throwIfNoEntry: false }) !== undefined) seen.push(mtimeOf(made, 'new'));
      },
    );
    made.apply([made.place('new', LINK)], { fileSystem: watching });
    expect(new Set(seen)).toEqual(new Set([TIME_NS]));
  });

  test('a name that is taken stays as it is, and nothing is left in the staging folder', () => {
    const made = bench();
    const operation = made.place('late', LINK);
    made.write('late', 'mine');
    expect(verdicts(made.apply([operation]))).toEqual(['changed target']);
    expect([made.read('late'), made.litter()]).toEqual(['mine', []]);
  });

  test('a file system that keeps no times of symlinks gets the symlink all the same', () => {
    const made = bench();
    const refusing = hookedFileSystem(fileSystem, (method) => {
      if (method === 'setMtime') throw Object.assign(new Error('not here'), { code: 'EOPNOTSUPP' });
    });
    const outcomes = made.apply([made.place('new', LINK)], { fileSystem: refusing });
    expect(verdicts(outcomes)).toEqual(['done']);
    expect(made.read('new')).toBe('-> file');
  });
});
