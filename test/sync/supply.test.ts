import { execFileSync } from 'node:child_process';
import {
  appendFileSync,
  mkdirSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { FileEntry } from '../../src/journal/core/entry.ts';
import { hashBytes, initHashing } from '../../src/journal/hash.ts';
import { MalformedError } from '../../src/platform/core/bytes.ts';
import { MAX_CHUNK_BYTES } from '../../src/sync/core/limits.ts';
import { createDeltaEngine, threadDeltaEngine } from '../../src/sync/delta-engine.ts';
import { noise, signatureOf } from '../support/delta-tools.ts';
import {
  altered,
  contentOf,
  FILE_SYSTEMS,
  Folder,
  kindsOf,
  rereading,
  supplied,
  withoutLeases,
} from '../support/supply-tools.ts';

beforeAll(initHashing);

let folder: Folder;
let descriptors: number;
const openDescriptors = () => (process.platform === 'linux' ? readdirSync('/proc/self/fd').length : 0);

beforeEach(() => {
  descriptors = openDescriptors();
  folder = new Folder();
});
afterEach(() => {
  folder.close();
  expect(openDescriptors()).toBe(descriptors);
});

describe.each(FILE_SYSTEMS.map((fileSystem) => [fileSystem.kind, fileSystem] as const))(
  'on the %s file system',
  (_, fileSystem) => {
    const write = (name: string, bytes: Buffer) => writeFileSync(folder.at(name), bytes);
    const order = (name: string, changes = {}) => folder.order(fileSystem, 1, name, changes);

    test('small files travel whole, with what was read and both digests', async () => {
      const contents = [Buffer.alloc(0), Buffer.from('text'), noise(256 * 1024, 1)];
      for (const [index, bytes] of contents.entries()) write(`f${index}`, bytes);
      const orders = contents.map((_, index) => folder.order(fileSystem, index, `f${index}`));
      const records = await supplied(fileSystem, folder, orders);
      for (const [id, bytes] of contents.entries()) {
        const record = records[id];
        const entry = { ...orders[id]?.expected, digests: hashBytes(bytes, 'both') };
        expect({ ...record, bytes: null }).toEqual({ kind: 'small', id, entry, bytes: null });
        expect(record?.kind === 'small' && record.bytes.equals(bytes)).toBe(true);
      }
    });

    test('chunks hold whole records and stay small, whatever the number of files', async () => {
      for (let index = 0; index < 30; index++) write(`f${index}`, noise(100_000, index));
      const orders = Array.from({ length: 30 }, (_, index) => folder.order(fileSystem, index, `f${index}`));
      const sizes: number[] = [];
      const records = await supplied(fileSystem, folder, orders, {}, (chunk) => {
        sizes.push(chunk.length);
      });
      expect(records).toHaveLength(30);
      expect(sizes.length).toBeLessThan(7);
      expect(Math.max(...sizes)).toBeLessThan(MAX_CHUNK_BYTES);
    });

    test('a large file streams', async () => {
      const bytes = noise(1_500_000, 2);
      write('large', bytes);
      const read: unknown[] = [];
      const task = order('large');
      const onRead = (...values: unknown[]) => read.push(values);
      const records = await supplied(fileSystem, folder, [task], { onRead });
      expect(kindsOf(records)).toEqual(['begin', 'data', 'end']);
      expect(contentOf(records).equals(bytes)).toBe(true);
      const entry = { ...task.expected, digests: hashBytes(bytes, 'both') };
      expect(records.at(-1)).toEqual({ kind: 'end', id: 1, entry });
      expect(read).toEqual([[1, task.packedStat, entry]]);
    });

    test.each([
      ['native where there is one', threadDeltaEngine()],
      ['TypeScript', createDeltaEngine(null)],
    ])('against a signature a delta travels (%s)', async (_name, engine) => {
      const old = noise(3_000_000, 3);
      const bytes = Buffer.concat([old.subarray(0, 1_000_000), noise(5000, 4), old.subarray(1_000_000)]);
      write('large', bytes);
      const signature = signatureOf(old, engine.signBlocks);
      const records = await supplied(fileSystem, folder, [order('large', { signature })], { engine });
      expect(contentOf(records, { bytes: old, signature }).equals(bytes)).toBe(true);
      expect(contentOf(records.filter(({ kind }) => kind === 'data')).length).toBeLessThan(5000 + 2 * 1736);
    });

    test('a delta of unrelated content with large blocks still makes small chunks', async () => {
      write('large', noise(3_000_000, 3));
      const signature = signatureOf(noise(2_000_000, 5), threadDeltaEngine().signBlocks);
      let largest = 0;
      await supplied(fileSystem, folder, [order('large', { signature })], {}, (chunk) => {
        largest = Math.max(largest, chunk.length);
      });
      expect(largest).toBeLessThan(MAX_CHUNK_BYTES);
    });

    test('a malformed signature ends the supply: it is the peer that is wrong, not the file', async () => {
      write('large', noise(300_000, 3));
      const task = order('large', { signature: Buffer.alloc(40) });
      await expect(supplied(fileSystem, folder, [task])).rejects.toThrow(MalformedError);
    });

    test('an error of the consumer ends the supply', async () => {
      write('large', noise(3_000_000, 3));
      const broken = () => Promise.reject(new Error('gone away'));
      await expect(supplied(fileSystem, folder, [order('large')], {}, broken)).rejects.toThrow('gone away');
    });

    describe.each([
      ['small', 1000],
      ['large', 1_000_000],
    ])('a %s file', (name, size) => {
      const failed = { kind: 'failed', id: 1, changed: true, code: 'changed' };

      test.each<[string, () => void]>([
        ['was appended to', () => appendFileSync(folder.at(name), 'x')],
        ['was rewritten at the same size', () => write(name, noise(size, 9))],
        [
          'was rewritten and its time put back',
          () => {
            const { atime, mtime } = statSync(folder.at(name));
            write(name, noise(size, 9));
            utimesSync(folder.at(name), atime, mtime);
          },
        ],
        ['vanished', () => rmSync(folder.at(name))],
        [
          'became a directory',
          () => {
            rmSync(folder.at(name));
            mkdirSync(folder.at(name));
          },
        ],
        [
          'became a symlink',
          () => {
            rmSync(folder.at(name));
            symlinkSync('/etc/passwd', folder.at(name));
          },
        ],
        [
          'became a FIFO',
          () => {
            rmSync(folder.at(name));
            execFileSync('mkfifo', [folder.at(name)]);
          },
        ],
      ])('that %s is reported as changed', async (_reason, change) => {
        write(name, noise(size, 1));
        const task = order(name);
        change();
        expect(await supplied(fileSystem, folder, [task])).toEqual([expect.objectContaining(failed)]);
      });

      test('is taken by size and time where the index holds no stat', async () => {
        write(name, noise(size, 1));
        const task = order(name, { packedStat: null });
        expect(kindsOf(await supplied(fileSystem, folder, [task]))).toContain(size === 1000 ? 'small' : 'end');
        appendFileSync(folder.at(name), 'x');
        expect(await supplied(fileSystem, folder, [task])).toEqual([expect.objectContaining(failed)]);
      });

      test('whose content is not what was seen, with an equal stat, is reported as changed', async () => {
        write(name, noise(size, 1));
        const task = order(name);
        const expected: FileEntry = { ...task.expected, digests: hashBytes(Buffer.from('other'), 'both') };
        const records = await supplied(fileSystem, folder, [{ ...task, expected }]);
        expect(records.at(-1)).toMatchObject(failed);
        expect(kindsOf(records)).not.toContain('end');
      });

      test('that cannot be read is reported with its reason, and the others still travel', async () => {
        write(name, noise(size, 1));
        write('other', Buffer.from('fine'));
        const refuse = (): never => {
          throw Object.assign(new Error('permission denied'), { code: 'EACCES' });
        };
        const task = order(name);
        const reading = rereading(fileSystem, (read, path) => (path === task.path ? refuse() : read()));
        const refusing = altered(reading, { openFile: refuse });
        const records = await supplied(refusing, folder, [task, folder.order(fileSystem, 2, 'other')]);
        expect(records).toMatchObject([
          { kind: 'failed', id: 1, changed: false, code: 'EACCES', message: 'permission denied' },
          { kind: 'small', id: 2 },
        ]);
      });
    });

    test('the mode of the plan stands for the file, less what the session does not sync', async () => {
      write('f', Buffer.from('x'));
      const task = order('f');
      const records = await supplied(fileSystem, folder, [{ ...task, expected: { ...task.expected, mode: 0o640 } }]);
      expect(records).toMatchObject([{ kind: 'small', entry: { mode: 0o640, xattrs: 'kept' } }]);
    });

    test('a file that grows while it streams, without a lease, is reported as changed', async () => {
      write('large', noise(3_000_000, 1));
      const records = await supplied(withoutLeases(fileSystem), folder, [order('large')], {}, () => {
        appendFileSync(folder.at('large'), 'more');
      });
      expect(records.at(-1)).toMatchObject({ kind: 'failed', changed: true, code: 'changed' });
    });

    test('a file cut short while it streams, without a lease, is reported as changed', async () => {
      write('large', noise(3_000_000, 1));
      const records = await supplied(withoutLeases(fileSystem), folder, [order('large')], {}, () =>
        write('large', Buffer.alloc(9)),
      );
      expect(records.at(-1)).toMatchObject({ kind: 'failed', changed: true, code: 'changed' });
    });
  },
);
