/**
 * The applier killed before each of its changes to the file system, one after the other: in this process by a file
 * system that is dead from then on, and in a process of its own by SIGKILL.
 */
import { spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { buildSync } from 'esbuild';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { addonPath } from '../../src/platform/addon.ts';
import { joinPath } from '../../src/platform/core/byte-path.ts';
import type { FileSystem } from '../../src/platform/filesystem.ts';
import { STAGING } from '../../src/sync/apply/context.ts';
import { VersionWriter } from '../../src/sync/versions.ts';
import { hookedFileSystem } from '../sync/apply/hooked-filesystem.ts';
import { BOTH_KINDS } from '../sync/apply/kinds.ts';
import { verdicts, type Workbench } from '../sync/apply/workbench.ts';
import { FATES, faultsAfterRestart, MUTATING, makeTree, ordersFor } from './scenario.ts';

/** Another way of doing some calls, by means of calls that may each be the last. */
type Variant = (dying: FileSystem) => Partial<FileSystem>;

/** Dead before its n-th change; what it is asked afterwards fails, as nothing is done by a process that is gone. */
function dyingFileSystem(fileSystem: FileSystem, nth: number, variant: Variant) {
  let count = 0;
  let isDead = false;
  const dying = hookedFileSystem(fileSystem, (method) => {
    if (MUTATING.has(method) && ++count === nth) isDead = true;
    if (isDead && method !== 'close' && method !== 'releaseLease') {
      throw Object.assign(new Error('killed'), { code: 'EKILLED' });
    }
  });
  const methods = Object.keys(fileSystem).map((name) => [name, dying[name as keyof FileSystem]]);
  return {
    fileSystem: { ...(Object.fromEntries(methods) as FileSystem), ...variant(dying) },
    hasDied: () => isDead,
  };
}

/** Applies the scenario up to the n-th change; true where it came so far. */
function isKilledBefore(bench: Workbench, nth: number, variant: Variant = () => ({})): boolean {
  const dying = dyingFileSystem(bench.fileSystem, nth, variant);
  try {
    bench.apply(ordersFor(bench), { fileSystem: dying.fileSystem });
  } catch {
    // The process is gone.
  }
  return dying.hasDied();
}

/** The faults found when the scenario is killed before each change in turn; until one that holds `sought`, if given. */
function faultsOfAllKills(tree: () => Workbench, variant?: Variant, sought?: string): string[] {
  const faults: string[] = [];
  for (let nth = 1; nth < 1000; nth++) {
    const bench = tree();
    try {
      const isKilled = isKilledBefore(bench, nth, variant);
      faults.push(...faultsAfterRestart(bench).map((fault) => `killed before change ${nth}: ${fault}`));
      const isFound = sought !== undefined && faults.some((fault) => fault.includes(sought));
      if (!isKilled || isFound) return faults;
    } finally {
      bench.close();
    }
  }
  throw new Error('the scenario never ends');
}

function best() {
  const [kind] = BOTH_KINDS;
  if (kind === undefined) throw new Error('no file system');
  return kind;
}

function isCaught(fileSystem: FileSystem, variant: Variant, sought: string): boolean {
  return faultsOfAllKills(() => makeTree(fileSystem), variant, sought).some((fault) => fault.includes(sought));
}

describe.each(BOTH_KINDS)('$name', ({ fileSystem }) => {
  test('the scenario itself', () => {
    const bench = makeTree(fileSystem);
    const orders = ordersFor(bench);
    expect(verdicts(bench.apply(orders))).toEqual(orders.map(() => 'done'));
    for (const [path, fate] of Object.entries(FATES)) expect([path, bench.read(path)]).toEqual([path, fate.new]);
    expect(faultsAfterRestart(bench)).toEqual([]);
    bench.close();
  });

  test.each([
    ['with versions', true],
    ['without', false],
  ])('killed before every change, %s', (_name, backup) => {
    expect(faultsOfAllKills(() => makeTree(fileSystem, { backup, durable: backup }))).toEqual([]);
  });

  test('killed anywhere, the next run completes', () => {
    for (let nth = 1; ; nth += 7) {
      const bench = makeTree(fileSystem);
      const isKilled = isKilledBefore(bench, nth);
      expect(faultsAfterRestart(bench)).toEqual([]);
      bench.observe();
      bench.nextId = 0;
      const orders = ordersFor(bench);
      expect([nth, verdicts(bench.apply(orders))]).toEqual([nth, orders.map(() => 'done')]);
      for (const [path, fate] of Object.entries(FATES)) expect([path, bench.read(path)]).toEqual([path, fate.new]);
      expect(faultsAfterRestart(bench)).toEqual([]);
      bench.close();
      if (!isKilled) break;
    }
  });
});

describe('controls, on the best file system here', () => {
  const { fileSystem } = best();

  test('control: an applier that takes the old away before it puts the new there is caught', () => {
    const careless: Variant = (dying) => ({
      exchange: (root, slot, place) => {
        const aside = joinPath(STAGING, 'aside');
        dying.renameNoReplace(root, place, aside);
        dying.renameNoReplace(root, slot, place);
        dying.renameNoReplace(root, aside, slot);
      },
    });
    expect(isCaught(fileSystem, careless, 'replaced holds undefined')).toBe(true);
    expect(isCaught(fileSystem, careless, 'the old content of replaced is lost')).toBe(true);
  });

  test('control: content written in place is caught', () => {
    const inPlace: Variant = (dying) => ({
      // It would keep ourselves from writing.
      takeReadLease: () => 'unsupported',
      exchange: (root, slot, place) => {
        const bytes = dying.readSmallFile(root, slot, 1_000_000).contents;
        const fd = dying.openForUpdate(root, place, false);
        fs.ftruncateSync(fd);
        fs.writeSync(fd, bytes, 0, bytes.length >> 1, 0);
        dying.setMode(root, place, 0o644);
        fs.writeSync(fd, bytes, 0, bytes.length, 0);
        dying.close(fd);
      },
    });
    expect(isCaught(fileSystem, inPlace, 'replaced holds new re')).toBe(true);
  });

  test('control: versions that are not announced first are caught', () => {
    const manifest = vi.spyOn(VersionWriter.prototype, 'announce').mockImplementation(() => {});
    try {
      expect(isCaught(fileSystem, () => ({}), 'is lost')).toBe(true);
    } finally {
      manifest.mockRestore();
    }
  });
});

describe('a process of its own', () => {
  const folder = fs.mkdtempSync('/tmp/tidemark-crash-');
  const bundle = join(folder, 'child.mjs');
  beforeAll(() => {
    buildSync({
      entryPoints: [join(import.meta.dirname, 'child.ts')],
      outfile: bundle,
      bundle: true,
      platform: 'node',
      format: 'esm',
      target: 'node20',
      banner: {
        js: "import { createRequire as requireFrom } from 'node:module'; const require = requireFrom(import.meta.url);",
      },
      logLevel: 'error',
    });
  });
  afterAll(() => fs.rmSync(folder, { recursive: true }));

  test.each([2, 11, 17, 24, 31, 38])('SIGKILL before change %i', (nth) => {
    const bench = makeTree(best().fileSystem);
    try {
      const child = spawnSync(process.execPath, [bundle, bench.directory, String(nth), addonPath()], {
        encoding: 'utf8',
      });
      expect([child.signal, child.stderr]).toEqual(['SIGKILL', '']);
      expect(faultsAfterRestart(bench)).toEqual([]);
    } finally {
      bench.close();
    }
  });
});
