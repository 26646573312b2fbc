/** Figures, printed and not asserted: machines differ. The tree is made up, so that only the scan is measured. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { scanTree } from '../../src/journal/scan.ts';
import { Index } from '../../src/journal/store/index.ts';
import { type BytePath, ROOT } from '../../src/platform/core/byte-path.ts';
import type { DirectoryListing, FileSystem } from '../../src/platform/filesystem.ts';
import { portableFileSystem } from '../../src/platform/portable-filesystem.ts';
import { Archive } from '../../src/sync/store/archive.ts';

const DIRECTORIES = Number(process.env.TIDEMARK_SPEED_DIRECTORIES ?? 1000);
const FILES = 100;

function stat(packed: Buffer, inode: number, mode: number, sizeBytes: number): void {
  packed.writeBigUInt64LE(42n, 0);
  packed.writeUInt32LE(1, 8);
  packed.writeUInt32LE(mode, 12);
  packed.writeUInt32LE(inode, 24);
  packed.writeUInt32LE(sizeBytes, 32);
  for (const at of [40, 48, 56]) packed.writeBigInt64LE(1_700_000_000_000_000_001n, at);
}

/** A root of DIRECTORIES directories with FILES files each. */
function listing(path: BytePath): DirectoryListing {
  const count = path === ROOT ? DIRECTORIES : FILES;
  const block = Buffer.alloc(count * 64);
  const base = path === ROOT ? 10 : Number(path.slice(1)) * FILES + DIRECTORIES + 10;
  const entries = Array.from({ length: count }, (_, each) => {
    const packedStat = block.subarray(each * 64, each * 64 + 64);
    if (path === ROOT) stat(packedStat, base + each, 0o040755, 0);
    else stat(packedStat, base + each, 0o100644, each % 25 === 0 ? 20_000 + each : each);
    const name = path === ROOT ? `d${String(each).padStart(6, '0')}` : `file-${String(each).padStart(5, '0')}.txt`;
    return { name, packedStat, target: null, error: null };
  });
  return { path, error: null, entries };
}

function anonymousMiB(): number {
  const status = readFileSync('/proc/self/status', 'latin1');
  return Math.round(Number(/RssAnon:\s+(\d+)/.exec(status)?.[1] ?? 0) / 1024);
}

test('figures of a large tree', { timeout: 600_000 }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'tidemark-speed-'));
  const real = portableFileSystem();
  const root = real.openRoot(folder);
  let listingMs = 0;
  const madeUp: FileSystem = {
    ...real,
    fstat: () => ({ ...real.fstat(root), dev: 42n }),
    traits: (fd) => ({ ...real.traits(fd), type: 'ext4' }),
    stat: () => null,
    readDirectories: (_, paths) => {
      const start = performance.now();
      const listings = paths.map(listing);
      listingMs += performance.now() - start;
      return listings;
    },
  };
  const index = Index.open(join(folder, 'index'));
  const options = {
    ignore: { patterns: [], file: '.tidemarkignore', gitignore: false, vcs: false },
    metadata: { perms: true, times: true, setid: false, owner: false, xattrs: false, acls: false, hardLinks: false },
    digest: 'xxh64',
    symlinks: 'posix-raw',
    oneFileSystem: false,
    rehash: false,
    now: () => 1_800_000_000_000_000_000n,
  } as const;
  const rows: string[] = [];
  const measured = <T>(name: string, work: () => T): T => {
    listingMs = 0;
    const start = performance.now();
    const result = work();
    rows.push(`${name}: ${Math.round(performance.now() - start - listingMs)} ms, ${anonymousMiB()} MiB anonymous`);
    return result;
  };
  const first = measured('first scan', () => scanTree(madeUp, root, index, options));
  measured('second scan, nothing changed', () => scanTree(madeUp, root, index, options));
  const archive = Archive.open(join(folder, 'archive'));
  measured('archive written', () => {
    let batch: { path: BytePath; entry: Parameters<Archive['put']>[1] }[] = [];
    const flush = () => {
      archive.transaction(() => {
        for (const { path, entry } of batch) archive.put(path, entry);
      });
      batch = [];
    };
    for (const { path, entry } of index.subtree(ROOT)) {
      if (entry?.kind === 'file') {
        const digests = { fast: '8 bytes!', strong: path.padStart(32, '.').slice(-32) };
        batch.push({ path, entry: { ...entry, digests } });
      } else if (entry?.kind === 'directory') batch.push({ path, entry });
      if (batch.length >= 2048) flush();
    }
    flush();
  });
  const perEntry = (bytes: number) => `${Math.round(bytes / first.entries)} bytes an entry on disk`;
  rows.push(`index: ${perEntry(index.sizeBytes())}`, `archive: ${perEntry(archive.sizeBytes())}`);
  console.log(`${first.entries} entries\n  ${rows.join('\n  ')}`);
  expect(first.entries).toBe(DIRECTORIES * (FILES + 1));
  index.close();
  archive.close();
  real.close(root);
  rmSync(folder, { recursive: true });
});
