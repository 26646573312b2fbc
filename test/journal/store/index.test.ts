import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, describe, expect, test } from 'vitest';
import type { Change } from '../../../src/journal/core/change.ts';
import type { Entry } from '../../../src/journal/core/entry.ts';
import { Index, type IndexRecord } from '../../../src/journal/store/index.ts';
import {
  type BytePath,
  comparePaths,
  fromText,
  isWithin,
  parentOf,
  ROOT,
} from '../../../src/platform/core/byte-path.ts';
import { identityOf } from '../../../src/platform/core/stat-codec.ts';
import { directoryRecord, fileRecord, packedStat, UNTRACKED } from './records.ts';

const made: string[] = [];
const opened: Index[] = [];

function scratch(): string {
  const folder = mkdtempSync(join(tmpdir(), 'tidemark-index-'));
  made.push(folder);
  return join(folder, 'index');
}

function openIndex(folder = scratch()): Index {
  const index = Index.open(folder, { durable: false });
  opened.push(index);
  return index;
}

afterEach(() => {
  for (const index of opened.splice(0)) index.close();
  for (const folder of made.splice(0)) rmSync(folder, { recursive: true });
});

/** root, d/, d/e/, d/e/f, d/g, h */
function smallTree(index: Index): void {
  index.transaction(() => {
    index.put(ROOT, directoryRecord(1), '');
    index.put(fromText('d'), directoryRecord(2), '');
    index.put(fromText('d/e'), directoryRecord(3), '');
    index.put(fromText('d/e/f'), fileRecord(4, 10), '');
    index.put(fromText('d/g'), fileRecord(5, 20_000), '');
    index.put(fromText('h'), fileRecord(6, 20_000), '');
  });
}

const paths = (changes: Iterable<Change>) => [...changes].map(({ path }) => path);
const live = (changes: Iterable<Change>) => [...changes].map(({ path, entry }) => `${path}=${entry?.kind ?? 'gone'}`);

describe('Index', () => {
  test('holds what was put, in path order, over a reopening', () => {
    const folder = scratch();
    const first = openIndex(folder);
    smallTree(first);
    const { instance } = first;
    opened.splice(0).map((index) => index.close());
    const index = openIndex(folder);
    expect(index.instance).toBe(instance);
    expect(paths(index.subtree(ROOT))).toEqual(['d', 'd/e', 'd/e/f', 'd/g', 'h']);
    expect(paths(index.subtree(fromText('d')))).toEqual(['d/e', 'd/e/f', 'd/g']);
    expect([...index.children(fromText('d'))].map(({ name }) => name)).toEqual(['e', 'g']);
    expect(index.get(fromText('d/e/f'))).toEqual(fileRecord(4, 10));
    expect(index.get(fromText('d/e/nothing'))).toBeNull();
    expect(index.get(fromText('h/below'))).toBeNull();
    expect(index.entryCount()).toBe(5);
    expect(index.sequence()).toBe(6);
  });

  test('a child without its parent is refused and leaves nothing', () => {
    const index = openIndex();
    expect(() => index.put(fromText('a/b'), fileRecord(1, 1), '')).toThrow('no directory recorded');
    smallTree(index);
    expect(() => index.put(fromText('h/b'), fileRecord(1, 1), '')).toThrow('no directory recorded');
    expect(() => index.put(fromText('d/e/f/x'), fileRecord(1, 1), '')).toThrow('no directory recorded');
    expect(index.entryCount()).toBe(5);
  });

  test('a transaction that throws leaves everything as it was, caches included', () => {
    const index = openIndex();
    smallTree(index);
    const before = live(index.subtree(ROOT));
    expect(() =>
      index.transaction(() => {
        index.put(fromText('new'), directoryRecord(9), '');
        index.put(fromText('new/x'), fileRecord(10, 1), '');
        index.rename(fromText('d'), fromText('moved'), '');
        index.remove(fromText('h'), '');
        throw new Error('stop');
      }),
    ).toThrow('stop');
    expect(live(index.subtree(ROOT))).toEqual(before);
    expect(index.get(fromText('new/x'))).toBeNull();
    expect(index.get(fromText('d/e/f'))).toEqual(fileRecord(4, 10));
    expect(index.entryCount()).toBe(5);
    expect(index.sequence()).toBe(6);
    index.put(fromText('new'), directoryRecord(9), '');
    expect([...index.children(fromText('new'))]).toEqual([]);
  });

  test('a directory made in a transaction that throws is not taken to be there', () => {
    const index = openIndex();
    smallTree(index);
    expect(() =>
      index.transaction(() => {
        index.put(fromText('new'), directoryRecord(9), '');
        index.put(fromText('new/x'), fileRecord(10, 1), '');
        throw new Error('stop');
      }),
    ).toThrow('stop');
    expect(() => index.put(fromText('new/x'), fileRecord(10, 1), '')).toThrow('no directory recorded');
    index.put(fromText('other'), directoryRecord(9), '');
    index.put(fromText('other/y'), fileRecord(10, 1), '');
    expect(index.get(fromText('new/y'))).toBeNull();
  });

  test('a directory replaced by a file loses what was below; by a problem, keeps it', () => {
    const index = openIndex();
    smallTree(index);
    index.acknowledge('c', index.sequence());
    const from = index.sequence();
    const problem: Entry = { kind: 'problem', code: 'EACCES', message: 'no' };
    index.put(fromText('d'), { entry: problem, packedStat: packedStat(2), racy: false }, '');
    expect(index.get(fromText('d/e/f'))).not.toBeNull();
    expect(index.entryCount()).toBe(4);
    index.put(fromText('d'), directoryRecord(2), '');
    expect(index.get(fromText('d/e/f'))).not.toBeNull();
    index.put(fromText('d'), fileRecord(2, 1), '');
    expect(index.get(fromText('d/e/f'))).toBeNull();
    expect(index.entryCount()).toBe(2);
    expect(live(index.changesSince(from, '').changes)).toEqual(['d=file', 'd/e=gone', 'd/e/f=gone', 'd/g=gone']);
    expect(index.filesOfSize(20_000, 9)).toEqual(['h']);
  });

  test('a renamed directory takes everything along', () => {
    const index = openIndex();
    smallTree(index);
    index.acknowledge('other', index.sequence());
    const from = index.sequence();
    index.get(fromText('d/e/f'));
    index.rename(fromText('d'), fromText('z'), 'me');
    expect(index.get(fromText('d/e/f'))).toBeNull();
    expect(index.get(fromText('z/e/f'))).toEqual(fileRecord(4, 10));
    expect(index.filesOfSize(20_000, 9)).toEqual(['h', 'z/g']);
    const all = [
      'd=gone',
      'd/e=gone',
      'd/e/f=gone',
      'd/g=gone',
      'z=directory',
      'z/e=directory',
      'z/e/f=file',
      'z/g=file',
    ];
    expect(live(index.changesSince(from, 'other').changes)).toEqual(all);
    const gone = [...index.changesSince(from, 'other').changes].find(({ path }) => path === 'd/e/f');
    expect(gone?.identity).toBe(identityOf(packedStat(4, 10)));
    expect(() => index.rename(fromText('z'), fromText('z/e/inside'), '')).toThrow('into itself');
    expect(() => index.rename(fromText('z'), fromText('h'), '')).toThrow('is recorded');
    expect(() => index.rename(fromText('gone'), fromText('q'), '')).toThrow('not recorded');
  });

  test('digests are remembered without a change, and only for the same stat', () => {
    const index = openIndex();
    smallTree(index);
    const sequence = index.sequence();
    const path = fromText('d/e/f');
    const fast = 'f'.repeat(8);
    const strong = 's'.repeat(32);
    expect(index.updateDigests(path, packedStat(4, 10), { fast, strong: null })).toBe(true);
    expect(index.updateDigests(path, packedStat(4, 10), { fast: null, strong })).toBe(true);
    expect(index.updateDigests(path, packedStat(4, 11), { fast: 'x'.repeat(8), strong: null })).toBe(false);
    expect(index.updateDigests(fromText('d'), packedStat(2), { fast, strong: null })).toBe(false);
    expect(index.updateDigests(fromText('none'), packedStat(2), { fast, strong: null })).toBe(false);
    expect(index.get(path)).toEqual(fileRecord(4, 10, { fast, strong }));
    expect(index.sequence()).toBe(sequence);
    const racy = { ...fileRecord(4, 10), racy: true };
    index.put(path, racy, '');
    index.updateDigests(path, packedStat(4, 10), { fast, strong });
    expect(index.get(path)?.racy).toBe(true);
    index.updateDigests(path, packedStat(4, 10), { fast, strong }, true);
    expect(index.get(path)?.racy).toBe(false);
  });

  test('a removal in small steps ends in the same state, children before parents', () => {
    const index = openIndex();
    smallTree(index);
    let steps = 1;
    while (!index.removeSome(fromText('d'), '', 1)) {
      steps++;
      for (const path of paths(index.subtree(ROOT))) expect(index.get(parentOf(path))).not.toBeNull();
    }
    expect(steps).toBe(4);
    expect(paths(index.subtree(ROOT))).toEqual(['h']);
    expect(index.entryCount()).toBe(1);
    index.remove(ROOT, '');
    expect(index.get(ROOT)).toBeNull();
    smallTree(index);
    expect(paths(index.subtree(ROOT))).toEqual(['d', 'd/e', 'd/e/f', 'd/g', 'h']);
  });

  test('a single file can be the root', () => {
    const index = openIndex();
    index.put(ROOT, fileRecord(7, 30_000), '');
    expect(index.get(ROOT)).toEqual(fileRecord(7, 30_000));
    expect(index.entryCount()).toBe(0);
    expect(index.filesOfSize(30_000, 1)).toEqual(['']);
    expect([...index.subtree(ROOT)]).toEqual([]);
    expect(live(index.changesSince(null, '').changes)).toEqual(['=file']);
  });
});

describe('Index.changesSince', () => {
  test('is fresh where the point is unknown, and says what is new otherwise', () => {
    const index = openIndex();
    smallTree(index);
    const cursor = index.cursor();
    expect(index.sequenceOf(cursor)).toBe(6);
    expect(index.sequenceOf(null)).toBeNull();
    expect(index.sequenceOf('abc.6')).toBeNull();
    expect(index.sequenceOf(`${index.instance}.6x`)).toBeNull();
    for (const point of [null, 0, 5, 7]) {
      const { fresh, changes } = index.changesSince(point, 'me');
      expect({ point, fresh, paths: paths(changes) }).toEqual({
        point,
        fresh: true,
        paths: ['', 'd', 'd/e', 'd/e/f', 'd/g', 'h'],
      });
    }
    expect(index.changesSince(6, 'me')).toEqual({ fresh: false, changes: expect.anything() });
    index.acknowledge('me', 6);
    index.put(fromText('h'), UNTRACKED, '');
    index.remove(fromText('d/e'), '');
    expect(live(index.changesSince(6, 'me').changes)).toEqual(['d/e=gone', 'd/e/f=gone', 'h=untracked']);
    expect(live(index.changesSince(index.sequence(), 'me').changes)).toEqual([]);
  });

  test('leaves out own changes, but not for others, whoever listens', () => {
    const index = openIndex();
    smallTree(index);
    const start = index.sequence();
    // Nobody has acknowledged anything yet: own changes need no log, yet the world's after the point are found.
    index.put(fromText('own'), fileRecord(20, 1), 'me');
    expect(live(index.changesSince(start, 'me').changes)).toEqual([]);
    expect(index.changesSince(start, 'you').fresh).toBe(true);
    index.acknowledge('me', start);
    index.put(fromText('h'), fileRecord(21, 1), '');
    index.put(fromText('own'), fileRecord(22, 1), 'me');
    expect(live(index.changesSince(start, 'me').changes)).toEqual(['h=file']);
    expect(index.changesSince(start, 'you').fresh).toBe(true);
    index.acknowledge('you', index.sequence());
    const point = index.sequence();
    index.put(fromText('own'), fileRecord(23, 1), 'me');
    index.put(fromText('yours'), fileRecord(24, 1), 'you');
    expect(live(index.changesSince(point, 'me').changes)).toEqual(['yours=file']);
    expect(live(index.changesSince(point, 'you').changes)).toEqual(['own=file']);
    expect(live(index.changesSince(point, '').changes)).toEqual(['own=file', 'yours=file']);
  });

  test('the slowest consumer keeps the log; forgetting it lets go', () => {
    const index = openIndex();
    smallTree(index);
    const start = index.sequence();
    index.acknowledge('slow', start);
    index.acknowledge('quick', start);
    index.put(fromText('h'), fileRecord(30, 1), '');
    index.acknowledge('quick', index.sequence());
    expect(live(index.changesSince(start, 'slow').changes)).toEqual(['h=file']);
    index.acknowledge('quick', start);
    index.forget('slow');
    expect(index.changesSince(start, 'slow').fresh).toBe(true);
    expect(live(index.changesSince(index.sequence(), 'quick').changes)).toEqual([]);
  });
});

describe('Index against a plain map', () => {
  const name = fc.constantFrom('a', 'b', 'c', 'a.', '\xff', 'é');
  const path = fc.array(name, { maxLength: 3 }).map((names) => fromText(names.join('/')));
  const origin = fc.constantFrom('', '11', '22');
  const command = fc.oneof(
    {
      weight: 6,
      arbitrary: fc.record({
        do: fc.constant('put' as const),
        path,
        kind: fc.constantFrom('file', 'directory', 'problem'),
        origin,
      }),
    },
    { weight: 2, arbitrary: fc.record({ do: fc.constant('remove' as const), path, origin }) },
    { weight: 2, arbitrary: fc.record({ do: fc.constant('rename' as const), path, to: path, origin }) },
    {
      weight: 1,
      arbitrary: fc.record({ do: fc.constant('acknowledge' as const), origin: fc.constantFrom('11', '22') }),
    },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('rollback' as const), path }) },
  );

  test('holds the same, and tells each listener everything it did not do itself', () => {
    fc.assert(
      fc.property(fc.array(command, { maxLength: 60 }), (commands) => {
        const index = openIndex();
        try {
          runModel(index, commands);
        } finally {
          opened.splice(opened.indexOf(index), 1);
          index.close();
        }
      }),
      { numRuns: 60 },
    );
  });

  type Command = typeof command extends fc.Arbitrary<infer T> ? T : never;

  function runModel(index: Index, commands: readonly Command[]): void {
    const model = new Map<BytePath, IndexRecord>();
    const points = new Map<string, { sequence: number; seen: Map<BytePath, IndexRecord>; touched: Set<BytePath> }>();
    let inode = 100;
    index.put(ROOT, directoryRecord(1), '');
    model.set(ROOT, directoryRecord(1));
    const touch = (path: BytePath, by: string) => {
      for (const [listener, { touched }] of points) if (listener !== by) touched.add(path);
    };
    const holds = (path: BytePath) => {
      const kind = model.get(path)?.entry.kind;
      return (
        kind === 'directory' ||
        (kind === 'problem' && [...model.keys()].some((key) => key !== path && isWithin(key, path)))
      );
    };
    for (const command of commands) {
      switch (command.do) {
        case 'put': {
          const { path, origin } = command;
          if (path === ROOT || model.get(parentOf(path))?.entry.kind !== 'directory') break;
          const record = recordOf(command.kind, inode++);
          if (command.kind === 'file') {
            for (const below of [...model.keys()]) {
              if (below === path || !isWithin(below, path)) continue;
              model.delete(below);
              touch(below, origin);
            }
          }
          index.put(path, record, origin);
          model.set(path, record);
          touch(path, origin);
          break;
        }
        case 'remove':
          if (command.path === ROOT) break;
          index.remove(command.path, command.origin);
          for (const path of [...model.keys()]) {
            if (!isWithin(path, command.path)) continue;
            model.delete(path);
            touch(path, command.origin);
          }
          break;
        case 'rename': {
          const { path, to, origin } = command;
          if (path === ROOT || !model.has(path) || model.has(to) || isWithin(to, path)) break;
          if (!holds(parentOf(to))) break;
          index.rename(path, to, origin);
          for (const [from, record] of [...model]) {
            if (!isWithin(from, path)) continue;
            const moved = (to + from.slice(path.length)) as BytePath;
            model.delete(from);
            model.set(moved, record);
            touch(from, origin);
            touch(moved, origin);
          }
          break;
        }
        case 'acknowledge':
          index.acknowledge(command.origin, index.sequence());
          points.set(command.origin, { sequence: index.sequence(), seen: new Map(model), touched: new Set() });
          break;
        case 'rollback':
          expect(() =>
            index.transaction(() => {
              index.remove(command.path, '');
              throw new Error('rolled back');
            }),
          ).toThrow('rolled back');
          break;
      }
      check(index, model);
    }
    for (const [listener, { sequence, touched }] of points) {
      const { fresh, changes } = index.changesSince(sequence, listener);
      const told = [...changes];
      expect(told.map(({ path }) => path)).toEqual(told.map(({ path }) => path).sort(comparePaths));
      if (fresh) continue;
      const byPath = new Map(told.map((change) => [change.path, change]));
      for (const path of touched) expect(byPath.get(path)?.entry).toEqual(model.get(path)?.entry ?? null);
    }
  }

  function recordOf(kind: string, inode: number): IndexRecord {
    if (kind === 'directory') return directoryRecord(inode);
    if (kind === 'file') return fileRecord(inode, 16_384 + (inode % 3));
    return { entry: { kind: 'problem', code: 'EIO', message: 'x' }, packedStat: null, racy: false };
  }

  function check(index: Index, model: ReadonlyMap<BytePath, IndexRecord>): void {
    const sorted = [...model.keys()].filter((path) => path !== ROOT).sort(comparePaths);
    expect(paths(index.subtree(ROOT))).toEqual(sorted);
    for (const path of sorted) expect(index.get(path)?.entry).toEqual(model.get(path)?.entry);
    const tracked = sorted.filter((path) => model.get(path)?.entry.kind !== 'problem');
    expect(index.entryCount()).toBe(tracked.length);
    for (const size of [16_384, 16_385, 16_386]) {
      const expected = sorted.filter((path) => {
        const entry = model.get(path)?.entry;
        return entry?.kind === 'file' && entry.sizeBytes === size;
      });
      expect(index.filesOfSize(size, 99).sort(comparePaths)).toEqual(expected);
    }
  }
});
