/** What was settled is what a power loss leaves. */
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { hashBytes, initHashing } from '../../src/journal/hash.ts';
import type { SettleResult } from '../../src/journal/settle.ts';
import type { FileSystem } from '../../src/platform/filesystem.ts';
import { type Mount, type MountType, mountFresh, whyNotMountable } from '../support/mounts.ts';
import { digestOf, SettleFolder } from '../support/settle-tools.ts';
import { NATIVE } from '../support/supply-tools.ts';
import { disposePrograms, programFor, whyNoCompiler } from '../support/writer-programs.ts';

const TYPES: readonly MountType[] = ['ext4', 'xfs'];

beforeAll(initHashing);
afterAll(disposePrograms);

describe.each(TYPES)('%s', (type) => {
  describe.skipIf(NATIVE === null || whyNoCompiler() !== null || whyNotMountable(type) !== null)('mounted', () => {
    let mounted: Mount;
    beforeEach(() => {
      mounted = mountFresh(type);
    });
    afterEach(() => mounted.unmount());

    /** Writes the files, settles them, pulls the plug, and tells which are not what was recorded. */
    function lost(count: number, durable: boolean): string[] {
      const names = Array.from({ length: count }, (_, index) => `f${index}`);
      const folder = new SettleFolder(NATIVE as FileSystem, mounted.folder);
      // They are there already, under the same size: a lost write leaves the old content, not an empty file.
      for (const name of names) writeFileSync(folder.at(name), 'o'.repeat(100_000));
      folder.fileSystem.syncFileSystem(folder.root);
      for (const name of names) writeFileSync(folder.at(name), 'n'.repeat(100_000), { flag: 'r+' });
      const later = () => BigInt(Date.now() + 60_000) * 1_000_000n;
      const results = folder.settle(names, { durable, now: later });
      folder.close();
      expect(spawnSync(programFor('power-loss'), [mounted.folder]).status).toBe(0);
      mounted.remount();
      return results.filter((result) => !isThere(result)).map(({ path }) => path);
    }

    function isThere(result: SettleResult): boolean {
      const content = readFileSync(join(mounted.folder, result.path));
      return hashBytes(content, 'both').fast === digestOf(result);
    }

    test.each([3, 100])('%d files', (count) => {
      expect(lost(count, true)).toEqual([]);
    });

    test('negative control: not made durable, they are lost', () => {
      expect(lost(3, false)).not.toEqual([]);
    });
  });
});
