/** What is done with files that stay open for writing. */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { hashBytes, initHashing } from '../../src/journal/hash.ts';
import { captureHotFile, snapshotFile } from '../../src/journal/hot-files.ts';
import type { Fd, FileSystem } from '../../src/platform/filesystem.ts';
import { MOUNT_TYPES, type Mount, type MountType, mountFresh, whyNotMountable } from '../support/mounts.ts';
import { SettleFolder } from '../support/settle-tools.ts';
import { bytePath, NATIVE, Writer } from '../support/supply-tools.ts';
import { disposePrograms, RunningWriter, whyNoCompiler } from '../support/writer-programs.ts';

const native = NATIVE as FileSystem;
const REFLINKS: readonly MountType[] = ['xfs', 'btrfs'];

beforeAll(initHashing);
afterAll(disposePrograms);

describe.each(MOUNT_TYPES)('%s', (kind) => {
  describe.skipIf(NATIVE === null || whyNoCompiler() !== null || whyNotMountable(kind) !== null)('mounted', () => {
    let mounted: Mount;
    let folder: SettleFolder;
    let staging: Fd;
    beforeAll(() => {
      mounted = mountFresh(kind);
      for (const name of ['root', 'staging']) mkdirSync(join(mounted.folder, name));
      folder = new SettleFolder(native, join(mounted.folder, 'root'));
      staging = native.openRoot(join(mounted.folder, 'staging'));
    });
    afterAll(() => {
      native.close(staging);
      folder?.close();
      mounted?.unmount();
    });

    const staged = () => readdirSync(join(mounted.folder, 'staging'));
    const capture = (name: string, policy: 'defer' | 'snapshot' | 'copy') =>
      captureHotFile(native, folder.root, bytePath(name), staging, policy);
    const discard = (result: { readonly captured?: string }) =>
      native.removeFile(staging, bytePath(result.captured ?? ''));

    test('defer reads nothing', () => {
      expect(capture('missing', 'defer')).toEqual({ path: 'missing', outcome: 'deferred', reason: 'open for writing' });
    });

    test('snapshot: what the file held at one moment, where there are reflinks', async () => {
      const content = Buffer.alloc(700_001, 's');
      writeFileSync(folder.at('s'), content);
      const writer = new Writer(folder.at('s'));
      await writer.opened;
      const result = snapshotFile(native, folder.root, bytePath('s'), staging);
      if (!REFLINKS.includes(kind)) {
        // On overlayfs it depends on what is below.
        if (kind !== 'overlay') expect(result).toMatchObject({ outcome: 'deferred', reason: 'no reflinks here' });
        if (result.outcome === 'captured') discard(result);
      } else {
        const digests = hashBytes(content, 'both');
        expect(result).toMatchObject({ outcome: 'captured', isTorn: false, sizeBytes: content.length, digests });
        if (result.outcome !== 'captured') throw new Error('not captured');
        expect(readFileSync(join(mounted.folder, 'staging', result.captured)).equals(content)).toBe(true);
        discard(result);
      }
      await writer.close();
      expect(staged()).toEqual([]);
    });

    test.skipIf(!REFLINKS.includes(kind))(
      'snapshot: stores through a mapping are in it, and later ones are not',
      async () => {
        writeFileSync(folder.at('m'), Buffer.alloc(4096));
        const writer = new RunningWriter('map-writer', folder.at('m'));
        await writer.says('ready');
        for (let stores = 1; stores <= 3; stores++) {
          writer.go();
          await writer.says('stored');
          const result = capture('m', 'snapshot');
          if (result.outcome !== 'captured') throw new Error(JSON.stringify(result));
          writer.go();
          await writer.says('stored');
          expect(readFileSync(join(mounted.folder, 'staging', result.captured))[0]).toBe(2 * stores - 1);
          discard(result);
        }
        await writer.end();
      },
    );

    test('copy: labelled torn, whatever it holds', () => {
      const content = Buffer.alloc(700_001, 'c');
      writeFileSync(folder.at('c'), content);
      const result = capture('c', 'copy');
      expect(result).toMatchObject({ outcome: 'captured', isTorn: true, digests: hashBytes(content, 'both') });
      if (result.outcome === 'captured') discard(result);
      expect(staged()).toEqual([]);
    });

    test('copy takes no more than there was: a log may grow faster than it is copied', () => {
      writeFileSync(folder.at('log'), 'begin');
      const growing = Object.assign(Object.create(native), {
        createFile: (...args: Parameters<FileSystem['createFile']>) => {
          writeFileSync(folder.at('log'), 'begin and much more');
          return native.createFile(...args);
        },
      });
      const result = captureHotFile(growing, folder.root, bytePath('log'), staging, 'copy');
      expect(result).toMatchObject({ outcome: 'captured', sizeBytes: 5 });
      if (result.outcome === 'captured') discard(result);
    });

    test.each(['snapshot', 'copy'] as const)('%s of what is not there leaves nothing behind', (policy) => {
      mkdirSync(folder.at('directory'), { recursive: true });
      for (const name of ['missing', 'directory']) expect(capture(name, policy).outcome).toBe('gone');
      expect(staged()).toEqual([]);
    });
  });
});
