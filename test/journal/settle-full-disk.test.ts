/** Writing back that really fails: ext4 on an image that has no room to grow. */

import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { initHashing } from '../../src/journal/hash.ts';
import { settleFiles } from '../../src/journal/settle.ts';
import type { FileSystem } from '../../src/platform/filesystem.ts';
import { type Mount, mountFresh, whyNotMountable } from '../support/mounts.ts';
import { SettleFolder, verdictOf } from '../support/settle-tools.ts';
import { bytePath, NATIVE } from '../support/supply-tools.ts';

const canRun = NATIVE !== null && whyNotMountable('tmpfs') === null && whyNotMountable('ext4') === null;

beforeAll(initHashing);

describe.skipIf(!canRun)('a disk that takes no more', () => {
  const native = NATIVE as FileSystem;
  let below: Mount;
  let folder: SettleFolder;
  beforeEach(() => {
    below = mountFresh('tmpfs', { sizeMib: 30 });
    const [image, mounted] = [join(below.folder, 'image'), join(below.outside, 'full')];
    mkdirSync(mounted);
    for (const [command = '', ...args] of [
      ['truncate', '-s', '100m', image],
      ['mkfs.ext4', '-q', '-F', image],
      ['mount', '-o', 'loop', image, mounted],
    ])
      expect(spawnSync(command, args).status).toBe(0);
    folder = new SettleFolder(native, mounted);
    // More than there is room for: whoever comes later finds none.
    writeFileSync(folder.at('large'), Buffer.alloc(40 << 20, 'x'));
  });
  afterEach(() => {
    folder.close();
    spawnSync('umount', ['-l', folder.path]);
    below.unmount();
  });

  test.each([
    ['one by one', 3],
    ['by one syncfs', 100],
  ])('%s: what did not get there is a problem, and stays one', async (_, count) => {
    const names = Array.from({ length: count }, (_, index) => `f${index}`);
    for (const name of names) writeFileSync(folder.at(name), Buffer.alloc(50_000, name));
    // The stamps have to be older than a tick, or each file is synced by itself.
    await new Promise((resolve) => setTimeout(resolve, 50));
    const faults = new Set(['EIO', 'ENOSPC']);
    const failed = (isSuspect: boolean) => {
      const requests = ['large', ...names].map((name) => ({ path: bytePath(name), isDirect: false, isSuspect }));
      const options = { durable: true, strong: false, census: null };
      return settleFiles(native, folder.root, requests, options)
        .map(verdictOf)
        .filter((verdict) => faults.has(verdict));
    };
    const first = failed(false).length;
    expect(first).toBeGreaterThan(0);
    expect(failed(true).length).toBeGreaterThanOrEqual(first);
    // Negative control: the kernel has told everybody, and calls the pages clean.
    expect(failed(false)).toEqual([]);
  });
});
