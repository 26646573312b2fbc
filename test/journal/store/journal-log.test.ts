import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { IndexRecord } from '../../../src/journal/core/index-record.ts';
import type { LogRow } from '../../../src/journal/core/journal-row.ts';
import { logKey, NO_DIRECTORY, placeBytes } from '../../../src/journal/core/tree-key.ts';
import { Environment } from '../../../src/journal/store/environment.ts';
import { IDLE_MS } from '../../../src/journal/store/journal-log.ts';
import { JournalStore } from '../../../src/journal/store/journal-store.ts';
import { withChecksum, withoutChecksum } from '../../../src/journal/store/row-checksum.ts';
import { breakSeal, seal } from '../../../src/journal/store/seal.ts';
import { type BytePath, ROOT } from '../../../src/platform/core/byte-path.ts';

let folder: string;
let store: JournalStore;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tidemark-journal-store-'));
  store = JournalStore.open(folder);
});
afterEach(() => {
  store.close();
  rmSync(folder, { recursive: true, force: true });
});

const row = (name: string): LogRow => ({ kind: 'removed', place: { parent: 1, name } });
const append = (...names: readonly string[]) =>
  store.transaction(() => {
    for (const name of names) store.log.append(row(name));
  });
const namesSince = (sequence: number) =>
  [...store.log.since(sequence)].map((each) => (each.kind === 'removed' ? each.place.name : ''));
const DIRECTORY: IndexRecord = { entry: { kind: 'directory', mode: 0o755 }, packedStat: null, racy: false };

function reopened(): void {
  store.close();
  store = JournalStore.open(folder);
}

describe('the log', () => {
  it('numbers rows, and keeps them over a new opening', () => {
    append('a', 'b');
    append('c');
    reopened();
    expect(store.log.sequence).toBe(3);
    expect(namesSince(1)).toEqual(['b', 'c']);
  });

  it('forgets what a transaction that failed had appended', () => {
    append('a');
    expect(() =>
      store.transaction(() => {
        store.log.append(row('b'));
        throw new Error('no');
      }),
    ).toThrow('no');
    expect(store.log.sequence).toBe(1);
    append('c');
    expect(namesSince(0)).toEqual(['a', 'c']);
  });

  it('says so where a row is missing', () => {
    append('a', 'b', 'c');
    store.close();
    const environment = Environment.open(folder, { durable: true, kind: 'journal', format: 1, isChecked: true });
    environment.transaction(() => environment.remove(logKey(2)));
    environment.close();
    store = JournalStore.open(folder);
    expect(() => namesSince(0)).toThrow(expect.objectContaining({ code: 'state-damaged' }));
    expect(namesSince(2)).toEqual(['c']);
  });

  it('keeps what some consumer has not acknowledged', () => {
    append('a', 'b', 'c');
    store.log.acknowledge('one', 1, 0);
    store.log.acknowledge('two', 3, 0);
    expect(store.log.floor).toBe(1);
    expect(store.log.reaches(0)).toBe(false);
    expect(namesSince(1)).toEqual(['b', 'c']);
    store.log.acknowledge('one', 3, 0);
    expect(store.log.floor).toBe(3);
    expect(store.log.reaches(3)).toBe(true);
    expect(store.log.reaches(4)).toBe(false);
  });

  it('never goes back, and lets nobody acknowledge what is to come', () => {
    append('a', 'b');
    store.log.acknowledge('one', 99, 0);
    store.log.acknowledge('one', 1, 0);
    expect(store.log.consumers()).toEqual([{ name: 'one', sequence: 2, seenMs: 0 }]);
  });

  it('drops a consumer that was silent for thirty days', () => {
    append('a', 'b');
    store.log.acknowledge('idle', 0, 0);
    store.log.acknowledge('busy', 2, IDLE_MS);
    expect(store.log.floor).toBe(0);
    store.log.purge(IDLE_MS + 1);
    expect(store.log.consumers().map(({ name }) => name)).toEqual(['busy']);
    expect(store.log.reaches(0)).toBe(false);
  });

  it('lets go of what only a consumer that left held back', () => {
    append('a', 'b');
    store.log.acknowledge('slow', 0, 0);
    store.log.acknowledge('quick', 2, 0);
    store.log.unregister('slow', 0);
    expect(store.log.floor).toBe(2);
  });

  it.each(['', 'a b', '../x', 'x'.repeat(101)])('takes no consumer named "%s"', (name) => {
    expect(store.log.acknowledge(name, 0, 0)).toBe(false);
  });

  it('keeps gaps until they are closed and no cursor is older', () => {
    store.transaction(() => store.setState({ ...store.state(), hasBaseline: true }));
    append('a');
    store.transaction(() => store.openGap('overflow', ROOT));
    expect(store.state().epoch).toBe(1);
    store.transaction(() => store.log.putGap(1, { kind: 'overflow', scope: ROOT, closedAt: 1 }));
    append('b', 'c');
    store.log.acknowledge('one', 1, 0);
    expect(store.log.gaps().length).toBe(1);
    store.log.acknowledge('one', 3, 0);
    expect(store.log.gaps()).toEqual([]);
  });
});

describe('the store', () => {
  it('opens no gap before the first look', () => {
    store.transaction(() => store.openGap('overflow', ROOT));
    expect(store.log.gaps()).toEqual([]);
  });

  it('takes handles, inodes and numbers along with a directory that goes', () => {
    const at = (path: string) => {
      const place = store.tree.placeOf(path as BytePath);
      if (place === null) throw new Error(path);
      return place;
    };
    store.transaction(() => {
      store.putAt({ parent: NO_DIRECTORY, name: '' }, DIRECTORY, null);
      for (const path of ['a', 'a/b']) store.setHandle(store.putAt(at(path), DIRECTORY, null), `key of ${path}`);
      store.removeAt(at('a'), true);
    });
    expect(store.numberOfHandle('key of a')).toBe(0);
    expect(store.numberOfHandle('key of a/b')).toBe(0);
    expect([...store.log.since(0)].map(({ kind }) => kind)).toEqual(['removed']);
  });

  it('gives a key that another directory had to the one that has it now', () => {
    store.transaction(() => {
      store.putAt({ parent: NO_DIRECTORY, name: '' }, DIRECTORY, null);
      const [one, two] = ['a', 'b'].map((name) => store.putAt({ parent: 1, name }, DIRECTORY, null)) as [
        number,
        number,
      ];
      store.setHandle(one, 'key');
      store.setHandle(two, 'key');
      expect(store.numberOfHandle('key')).toBe(two);
      store.removeAt({ parent: 1, name: 'a' }, true);
      expect(store.numberOfHandle('key')).toBe(two);
    });
  });

  it('keeps what waits over a new opening', () => {
    store.transaction(() => store.putDirty(placeBytes(1, 'f'), { kinds: 5, isHot: true, told: 1 }));
    reopened();
    expect([...store.dirty()]).toEqual([{ key: placeBytes(1, 'f'), row: { kinds: 5, isHot: true, told: 1 } }]);
  });

  it('finds no bit flipped in key or value acceptable', () => {
    const sealed = withChecksum('key', Buffer.from('value'));
    expect(withoutChecksum('key', sealed)?.toString()).toBe('value');
    expect(withoutChecksum('kez', sealed)).toBeNull();
    for (let bit = 0; bit < sealed.length * 8; bit++) {
      const flipped = Buffer.from(sealed);
      flipped[bit >> 3] = (flipped[bit >> 3] as number) ^ (1 << (bit & 7));
      expect(withoutChecksum('key', flipped)).toBeNull();
    }
  });

  it('is sealed when it is closed in order, once', () => {
    store.close();
    seal(folder);
    expect(breakSeal(folder)).toBe(true);
    // As after a crash: nothing is known.
    expect(breakSeal(folder)).toBe(true);
    seal(folder);
    rmSync(join(folder, 'data.mdb'));
    expect(breakSeal(folder)).toBe(false);
  });
});
