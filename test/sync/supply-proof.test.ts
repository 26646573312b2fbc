/** Files that are being written while they are read: what leases prove, and what is left without them. */
import { closeSync, openSync, writeFileSync, writeSync } from 'node:fs';
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { digestFiles } from '../../src/journal/digest-files.ts';
import { hashBytes, initHashing } from '../../src/journal/hash.ts';
import { RECENT_NS } from '../../src/journal/held-file.ts';
import type { FileSystem } from '../../src/platform/filesystem.ts';
import { noise } from '../support/delta-tools.ts';
import {
  altered,
  bytePath,
  contentOf,
  FILE_SYSTEMS,
  Folder,
  NATIVE,
  rereading,
  supplied,
  Writer,
  withoutLeases,
} from '../support/supply-tools.ts';

beforeAll(initHashing);

let folder: Folder;
beforeEach(() => {
  folder = new Folder();
});
afterEach(() => folder.close());

const inUse = { kind: 'failed', id: 1, changed: true, code: 'open-for-writing' };
const native = NATIVE as FileSystem;

/** Leases need the addon and a file system that has them (overlayfs has none that prove anything). */
function leasesWork(): boolean {
  if (NATIVE === null) return false;
  const probe = new Folder();
  try {
    writeFileSync(probe.at('f'), 'x');
    return NATIVE.readSmallFile(probe.root, bytePath('f'), 10).lease === 'held';
  } finally {
    probe.close();
  }
}

describe.skipIf(!leasesWork())('with leases', () => {
  test.each([
    ['small', 1000],
    ['large', 1_000_000],
  ])('a %s file another process has open for writing is not read', async (name, size) => {
    writeFileSync(folder.at(name), noise(size, 1));
    const order = folder.order(native, 1, name);
    const writer = new Writer(folder.at(name));
    try {
      await writer.opened;
      expect(await supplied(native, folder, [order])).toEqual([expect.objectContaining(inUse)]);
      const request = { path: order.path, packedStat: null, strong: false };
      expect(digestFiles(native, folder.root, [request], 'xxh64')).toMatchObject([
        { digests: null, problem: { code: 'open-for-writing' } },
      ]);
    } finally {
      await writer.close();
    }
    expect((await supplied(native, folder, [order])).at(-1)?.kind).toBe(size === 1000 ? 'small' : 'end');
  });

  test('a writer that comes while a slow consumer holds the reader up gets the file at once', async () => {
    writeFileSync(folder.at('large'), noise(3_000_000, 1));
    const order = folder.order(native, 1, 'large');
    let writer: Writer | null = null;
    try {
      // The consumer takes its chunk only after the writer's open(2) has returned: both wait for the lease.
      const records = await supplied(native, folder, [order], {}, async () => {
        writer ??= new Writer(folder.at('large'));
        await writer.opened;
      });
      expect(records.at(-1)).toMatchObject(inUse);
    } finally {
      await (writer as Writer | null)?.close();
    }
  });
});

describe('without leases', () => {
  const old = Buffer.alloc(1000, 'o');
  const fresh = Buffer.alloc(1000, 'n');
  const torn = Buffer.concat([fresh.subarray(0, 500), old.subarray(500)]);

  /** A write under way: the stamps are those of the end, the data comes in two halves. */
  function midWrite(fileSystem: FileSystem): FileSystem {
    let readings = 0;
    return rereading(fileSystem, (read) => {
      const contents = readings++ === 0 ? torn : fresh;
      return { ...read(), lease: 'unsupported', contents, digests: null };
    });
  }

  describe.each(FILE_SYSTEMS.map((fileSystem) => [fileSystem.kind, fileSystem] as const))(
    'on the %s file system',
    (_, fileSystem) => {
      const justAfter = (mtimeNs: bigint) => () => mtimeNs + 5_000_000n;
      const longAfter = (mtimeNs: bigint) => () => mtimeNs + RECENT_NS + 1n;

      test('a young small file is read twice, and a write under way shows', async () => {
        writeFileSync(folder.at('f'), fresh);
        const order = folder.order(fileSystem, 1, 'f');
        const now = justAfter(order.expected.mtimeNs);
        expect(await supplied(midWrite(fileSystem), folder, [order], { now })).toMatchObject([
          { kind: 'failed', changed: true, code: 'changed' },
        ]);
        const request = { path: order.path, packedStat: order.packedStat, strong: true };
        expect(digestFiles(midWrite(fileSystem), folder.root, [request], 'xxh64', now)).toMatchObject([
          { problem: { code: 'changed' } },
        ]);
      });

      test('negative control: read once, the torn content gets through with equal stats', async () => {
        writeFileSync(folder.at('f'), fresh);
        const order = folder.order(fileSystem, 1, 'f');
        const now = longAfter(order.expected.mtimeNs);
        expect(await supplied(midWrite(fileSystem), folder, [order], { now })).toMatchObject([
          { kind: 'small', bytes: torn },
        ]);
      });

      /** Streams a file whose tail is overwritten after its first chunk was read, with stats that never move. */
      async function streamTorn(now: (mtimeNs: bigint) => () => bigint) {
        const bytes = noise(3_000_000, 1);
        writeFileSync(folder.at('large'), bytes);
        const order = folder.order(fileSystem, 1, 'large');
        const stat = fileSystem.stat(folder.root, order.path);
        if (stat === null) throw new Error('no file');
        const frozen = altered(withoutLeases(fileSystem), { fstat: () => stat });
        let written = false;
        const records = await supplied(frozen, folder, [order], { now: now(stat.mtimeNs) }, () => {
          if (!written) overwrite(folder.at('large'), 0, Buffer.alloc(1000));
          if (!written) overwrite(folder.at('large'), bytes.length - 1000, Buffer.alloc(1000));
          written = true;
        });
        return { bytes, records };
      }

      test('a young large file is read twice, and a write under way shows', async () => {
        const { records } = await streamTorn(justAfter);
        expect(records.at(-1)).toMatchObject({ kind: 'failed', changed: true, code: 'changed' });
      });

      test('negative control: read once, a mixture of two versions gets through', async () => {
        const { bytes, records } = await streamTorn(longAfter);
        const content = contentOf(records);
        expect(records.at(-1)).toMatchObject({ kind: 'end', entry: { digests: hashBytes(content, 'both') } });
        expect(content.subarray(0, 1000).equals(bytes.subarray(0, 1000))).toBe(true);
        expect(content.subarray(-1000).equals(Buffer.alloc(1000))).toBe(true);
      });
    },
  );
});

function overwrite(path: string, position: number, bytes: Buffer): void {
  const fd = openSync(path, 'r+');
  writeSync(fd, bytes, 0, bytes.length, position);
  closeSync(fd);
}
