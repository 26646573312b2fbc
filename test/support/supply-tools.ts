/** A folder of files to be read for the other side, and the reading of what comes out. */

import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { FileEntry } from '../../src/journal/core/entry.ts';
import { loadAddon } from '../../src/platform/addon.ts';
import { type BytePath, fromText } from '../../src/platform/core/byte-path.ts';
import { packStat } from '../../src/platform/core/stat-codec.ts';
import type { FileSystem, SmallFile } from '../../src/platform/filesystem.ts';
import { nativeFileSystem } from '../../src/platform/native-filesystem.ts';
import { portableFileSystem } from '../../src/platform/portable-filesystem.ts';
import { type ContentRecord, readRecords } from '../../src/sync/core/content.ts';
import { blockRange, parseSignature } from '../../src/sync/core/signature.ts';
import { type SupplyContext, type SupplyTask, supplyFiles } from '../../src/sync/supply.ts';

const { addon } = loadAddon();

/** Both file systems; the native one where the addon is built. */
export const FILE_SYSTEMS: readonly FileSystem[] = [
  ...(addon === null ? [] : [nativeFileSystem(addon)]),
  portableFileSystem(),
];

export const NATIVE: FileSystem | null = addon === null ? null : nativeFileSystem(addon);

/** The file system with some of its functions replaced. */
export function altered(fileSystem: FileSystem, changes: Partial<FileSystem>): FileSystem {
  return Object.assign(Object.create(fileSystem), changes);
}

/** The file system with `change` applied to every reading of a small file, alone or among others. */
export function rereading(
  fileSystem: FileSystem,
  change: (read: () => SmallFile, path: BytePath) => SmallFile,
): FileSystem {
  return altered(fileSystem, {
    readSmallFile: (root, path, maxBytes) => change(() => fileSystem.readSmallFile(root, path, maxBytes), path),
    *readSmallFiles(root, paths, maxBytes) {
      for (const path of paths) {
        try {
          yield this.readSmallFile?.(root, path, maxBytes) as SmallFile;
        } catch (error) {
          yield error as Error;
        }
      }
    },
  });
}

/** As on a file system without leases. */
export function withoutLeases(fileSystem: FileSystem): FileSystem {
  const reading = rereading(fileSystem, (read) => ({ ...read(), lease: 'unsupported' }));
  return altered(reading, { takeReadLease: () => 'unsupported' });
}

export class Folder {
  readonly path = mkdtempSync(join(tmpdir(), 'tidemark-supply-'));
  readonly root = openSync(this.path, 'r');

  at(name: string): string {
    return join(this.path, name);
  }

  /** An order for the file as it is now. */
  order(fileSystem: FileSystem, id: number, name: string, changes: Partial<SupplyTask> = {}): SupplyTask {
    const path = fromText(name);
    const stat = fileSystem.stat(this.root, path);
    if (stat === null) throw new Error(`no ${name}`);
    const expected: FileEntry = {
      kind: 'file',
      mode: stat.mode & 0o7777,
      sizeBytes: stat.sizeBytes,
      mtimeNs: stat.mtimeNs,
      digests: { fast: null, strong: null },
      xattrs: 'kept',
    };
    return { id, path, expected, signature: null, packedStat: packStat(stat), ...changes };
  }

  close(): void {
    closeSync(this.root);
    rmSync(this.path, { recursive: true, force: true });
  }
}

export function bytePath(text: string): BytePath {
  return fromText(text);
}

/** Supplies and returns all records, their bytes copied. */
export async function supplied(
  fileSystem: FileSystem,
  folder: Folder,
  orders: readonly SupplyTask[],
  context: SupplyContext = {},
  onChunk: (chunk: Buffer) => Promise<void> | void = () => {},
): Promise<ContentRecord[]> {
  const records: ContentRecord[] = [];
  const emit = async (view: Buffer) => {
    const chunk = Buffer.from(view);
    records.push(...readRecords(chunk));
    await onChunk(chunk);
  };
  await supplyFiles(fileSystem, folder.root, orders, emit, context);
  return records;
}

/** The content the records of one streamed file describe. */
export function contentOf(
  records: readonly ContentRecord[],
  basis?: { readonly bytes: Buffer; readonly signature: Buffer },
): Buffer {
  const signature = basis === undefined ? null : parseSignature(basis.signature);
  return Buffer.concat(
    records.flatMap((record) => {
      if (record.kind === 'data' || record.kind === 'small') return [record.bytes];
      if (record.kind === 'hole') return [Buffer.alloc(record.lengthBytes)];
      if (record.kind !== 'blocks' || signature === null || basis === undefined) return [];
      const { start, end } = blockRange(signature, record.first, record.count);
      return [basis.bytes.subarray(start, end)];
    }),
  );
}

export function kindsOf(records: readonly ContentRecord[]): string[] {
  return records.map(({ kind }) => kind).filter((kind, index, kinds) => kind !== kinds[index - 1]);
}

/** Another process that opens a file for writing and keeps it open. */
export class Writer {
  readonly #process: ChildProcess;
  /** Resolves once the file is open; open(2) waits for a lease to be given back. */
  readonly opened: Promise<void>;

  constructor(path: string) {
    this.#process = spawn('sh', ['-c', 'exec 3>>"$1"; echo open; read line', 'sh', path], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    this.opened = new Promise((resolve, reject) => {
      this.#process.stdout?.once('data', () => resolve());
      this.#process.once('error', reject);
    });
  }

  async close(): Promise<void> {
    const ended = new Promise((resolve) => this.#process.once('exit', resolve));
    this.#process.stdin?.end('\n');
    await ended;
  }
}
