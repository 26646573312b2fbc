import { mkdirSync, mkdtempSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { foldLog } from '../../src/journal/core/fold-log.ts';
import { kindsOf, NOTICE } from '../../src/journal/core/kinds.ts';
import { placeAt, placeBytes } from '../../src/journal/core/tree-key.ts';
import { initHashing } from '../../src/journal/hash.ts';
import { type JournalScanOptions, type JournalScanResult, scanIntoJournal } from '../../src/journal/journal-scan.ts';
import { compareWithJournal } from '../../src/journal/journal-verify.ts';
import { JournalStore } from '../../src/journal/store/journal-store.ts';
import { type BytePath, ROOT } from '../../src/platform/core/byte-path.ts';
import { openFileSystem } from '../../src/platform/open-filesystem.ts';

const { fileSystem } = openFileSystem();
let folder: string;
let store: JournalStore;
/** Keys of directories as tests want them; else the path is the key. */
let keys: (path: string) => string | null;
const at = (path: string) => join(folder, 'root', path);

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tidemark-journal-scan-'));
  mkdirSync(at('d/e'), { recursive: true });
  for (const path of ['f', 'd/g', 'd/e/h']) writeFileSync(at(path), path);
  symlinkSync('f', at('link'));
  store = JournalStore.open(join(folder, 'store'));
  keys = (path) => `key of ${path}`;
});
afterEach(() => {
  store.close();
  rmSync(folder, { recursive: true, force: true });
});

function scan(options: Partial<JournalScanOptions> = {}): JournalScanResult {
  const root = fileSystem.openRoot(Buffer.from(at('')));
  try {
    return scanIntoJournal(fileSystem, root, store, {
      scope: ROOT,
      isBaseline: false,
      distrusts: false,
      isGap: true,
      hiddenName: '.tidemark',
      excluded: new Set(),
      // Long after everything was written, so that no stat is racy.
      now: () => BigInt(Date.now() + 3_600_000) * 1_000_000n,
      keyOf: (path) => keys(path),
      objectKeyOf: () => null,
      ...options,
    });
  } finally {
    fileSystem.close(root);
  }
}

const tree = () => [...store.tree.below(ROOT)].map(({ path }) => path).filter((path) => path !== '');
const waiting = () =>
  [...store.dirty()].map(({ key, row }) => `${store.pathOf(placeAt(key, 0))} ${kindsOf(row.kinds).join('+')}`);
const told = (sequence: number) =>
  foldLog(store.log.since(sequence), [], {
    pathOf: (place) => store.pathOf(place),
    kindAt: (path) => {
      const node = store.tree.get(path);
      if (node === null) return 'nothing';
      return node.number === 0 ? 'other' : 'directory';
    },
  }).map(({ path, kinds }) => `${path} ${kinds.join('+')}`);

describe('the first look', () => {
  it('records everything, and tells nothing', () => {
    const { scanned, again, unmarked } = scan({ isBaseline: true });
    expect(tree()).toEqual(['d', 'd/e', 'd/e/h', 'd/g', 'f', 'link']);
    expect({ scanned, again, unmarked }).toEqual({ scanned: 7, again: [], unmarked: [] });
    expect(store.log.sequence).toBe(0);
    expect(waiting()).toEqual([]);
    expect(store.numberOfHandle('key of d/e')).toBe(store.tree.numberOf('d/e' as BytePath));
  });

  it('passes over what is hidden and excluded', () => {
    mkdirSync(at('.tidemark'));
    scan({ isBaseline: true, excluded: new Set(['d/e' as BytePath]) });
    expect(tree()).toEqual(['d', 'd/g', 'f', 'link']);
  });
});

describe('a look that closes a gap', () => {
  beforeEach(() => void scan({ isBaseline: true }));

  it('finds nothing where nothing changed', () => {
    scan();
    expect(told(0)).toEqual([]);
    expect(waiting()).toEqual([]);
  });

  it('tells what is new and gone, and leaves what is changed to be read', () => {
    rmSync(at('d/e'), { recursive: true });
    writeFileSync(at('d/new'), 'new');
    utimesSync(at('f'), 1, 1);
    rmSync(at('link'));
    symlinkSync('d', at('link'));
    const result = scan();
    expect(told(0)).toEqual([' metadata', 'd metadata', 'd/e removed', 'd/new content', 'link content+metadata']);
    expect(waiting()).toEqual(['f content+metadata', 'd/new content']);
    expect(result.waiting?.length).toBe(2);
  });

  it('has every file read where equal stats prove nothing', () => {
    scan({ distrusts: true });
    expect(waiting().sort()).toEqual(['d/e/h content+metadata', 'd/g content+metadata', 'f content+metadata']);
  });

  it('looks at its scope only, and at nothing where that has no place', () => {
    writeFileSync(at('d/e/i'), 'i');
    writeFileSync(at('new'), 'new');
    scan({ scope: 'd/e' as BytePath });
    expect(tree()).toContain('d/e/i');
    expect(tree()).not.toContain('new');
    expect(scan({ scope: 'no/such' as BytePath }).scanned).toBe(0);
  });

  it('removes a scope that is gone', () => {
    rmSync(at('d'), { recursive: true });
    scan({ scope: 'd' as BytePath });
    expect(tree()).toEqual(['f', 'link']);
  });

  it('leaves out a directory that became another one while it was listed, and says so', () => {
    let calls = 0;
    keys = (path) => (path === 'd/e' ? `key ${calls++}` : `key of ${path}`);
    writeFileSync(at('d/e/i'), 'i');
    const { again } = scan();
    expect(again.map((key) => store.pathOf(placeAt(key, 0)))).toEqual(['d/e']);
    expect(waiting()).toEqual(['d/e entries+subtree']);
    expect(tree()).not.toContain('d/e/i');
  });

  it('adds to what waits already', () => {
    const key = placeBytes(1, 'f');
    store.transaction(() => store.putDirty(key, { kinds: NOTICE.direct, isHot: true, told: NOTICE.content }));
    utimesSync(at('f'), 1, 1);
    scan();
    const row = store.dirtyAt(key);
    const kinds = NOTICE.direct | NOTICE.content | NOTICE.metadata;
    expect(row).toEqual({ kinds, isHot: true, told: NOTICE.content });
  });

  it('names the topmost directories that could not be marked', () => {
    const { unmarked } = scan({ mark: (path) => !path.startsWith('d') });
    expect(unmarked).toEqual(['d']);
    expect(scan({ mark: () => false }).unmarked).toEqual([ROOT]);
    expect(scan({ mark: () => true }).unmarked).toEqual([]);
  });
});

describe('verifying', () => {
  it('finds what differs, and leaves out what waits', async () => {
    await initHashing();
    scan({ isBaseline: true });
    writeFileSync(at('new'), 'new');
    rmSync(at('d/g'));
    utimesSync(at('f'), 1, 1);
    const root = fileSystem.openRoot(Buffer.from(at('')));
    const options = { waiting: new Set(['f' as BytePath]), hiddenName: '.tidemark', excluded: new Set<BytePath>() };
    try {
      const found = compareWithJournal(fileSystem, root, store, options);
      expect(found.differences.map(({ path }) => path)).toEqual(['new', 'd/g']);
      expect(found.firstHashed).toBe(1);
      expect(compareWithJournal(fileSystem, root, store, options).compared).toBe(1);
    } finally {
      fileSystem.close(root);
    }
  });
});
