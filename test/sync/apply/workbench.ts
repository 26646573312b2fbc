/** A real tree with an index of it, and short ways to say what is to be applied. */
import { spawnSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Entry, FileEntry, TrackedEntry } from '../../../src/journal/core/entry.ts';
import { type BytePath, joinPath, ROOT } from '../../../src/platform/core/byte-path.ts';
import { ByteWriter } from '../../../src/platform/core/bytes.ts';
import { modeOf, mtimeNsOf, sizeOf } from '../../../src/platform/core/stat-codec.ts';
import type { Fd, FileSystem, ListedEntry } from '../../../src/platform/filesystem.ts';
import { Applier, type ApplierInput } from '../../../src/sync/apply/applier.ts';
import { packStat } from '../../../src/sync/apply/packed-stat.ts';
import { type ContentRecord, writeRecord } from '../../../src/sync/core/content.ts';
import type { Operation, Outcome, PutOperation } from '../../../src/sync/core/operation.ts';
import type { ApplyOptions } from '../../../src/sync/endpoint.ts';
import { HiddenFolder } from '../../../src/sync/hidden-folder.ts';
import { readVersions, versionPath } from '../../../src/sync/versions.ts';
import { MemoryIndex } from './memory-index.ts';

export const OPTIONS: ApplyOptions = {
  durable: true,
  backup: true,
  keepVersionsSeconds: 3600,
  metadata: { perms: true, times: true, setid: false, owner: false, xattrs: false, acls: false, hardLinks: false },
};

/** In memory where there is such a place: these tests are about order, not about disks. */
const BASE = fs.existsSync('/dev/shm') ? '/dev/shm' : tmpdir();

export const NEW_NS = 1_600_000_000_625_000_000n;

/** An operation with the content it needs. */
export interface Order {
  readonly operation: Operation;
  readonly content: readonly ContentRecord[];
}

export function sha256(bytes: Buffer | string): string {
  return createHash('sha256')
    .update(bytes)
    .digest('latin1' as 'binary');
}

export function fileEntry(content: Buffer | string, more: Partial<FileEntry> = {}): FileEntry {
  const bytes = Buffer.from(content as string);
  return {
    kind: 'file',
    mode: 0o644,
    sizeBytes: bytes.length,
    mtimeNs: NEW_NS,
    digests: { fast: null, strong: sha256(bytes) },
    ...more,
  };
}

export function at(text: string): BytePath {
  return text as BytePath;
}

export function chunkOf(...records: ContentRecord[]): Buffer {
  const out = new ByteWriter();
  for (const record of records) writeRecord(out, record);
  return out.take();
}

export class Workbench {
  readonly directory: string;
  readonly fileSystem: FileSystem;
  readonly root: Fd;
  readonly index = new MemoryIndex();
  options: ApplyOptions;
  nextId = 0;

  /** A fresh tree in a directory of its own below `base`, or the tree in `directory`. */
  constructor(fileSystem: FileSystem, options: Partial<ApplyOptions> = {}, base = BASE, directory?: string) {
    this.fileSystem = fileSystem;
    this.options = { ...OPTIONS, ...options };
    this.directory = directory ?? fs.mkdtempSync(join(base, 'tidemark-apply-'));
    this.root = fileSystem.openRoot(this.directory);
    HiddenFolder.make(fileSystem, this.root).close();
  }

  static on(fileSystem: FileSystem, directory: string): Workbench {
    return new Workbench(fileSystem, {}, BASE, directory);
  }

  close(): void {
    this.fileSystem.close(this.root);
    spawnSync('rm', ['-rf', '--', this.directory]);
  }

  path(path: string): string {
    return join(this.directory, path);
  }

  /** Writes a file with an old mtime. */
  write(path: string, content: string | Buffer, mode = 0o644): void {
    fs.mkdirSync(join(this.path(path), '..'), { recursive: true });
    fs.writeFileSync(this.path(path), content);
    fs.chmodSync(this.path(path), mode);
    fs.utimesSync(this.path(path), 1_500_000_000.125, 1_500_000_000.125);
  }

  /** Content, `-> target` or `<directory>`; null where nothing is, also below something that is no directory. */
  read(path: string): string | null {
    const parents = path.split('/').slice(0, -1);
    if (parents.some((_, depth) => !isDirectoryAt(this.path(parents.slice(0, depth + 1).join('/'))))) return null;
    const stat = fs.lstatSync(this.path(path), { throwIfNoEntry: false });
    if (stat === undefined) return null;
    if (stat.isSymbolicLink()) return `-> ${fs.readlinkSync(this.path(path))}`;
    return stat.isDirectory() ? '<directory>' : fs.readFileSync(this.path(path), 'utf8');
  }

  /** Records the whole tree as it is now. */
  observe(): this {
    this.index.records.clear();
    const root = this.fileSystem.stat(this.root, ROOT);
    if (root === null) throw new Error('no root');
    this.index.put(
      ROOT,
      { entry: { kind: 'directory', mode: root.mode & 0o7777 }, packedStat: packStat(root), racy: false },
      '',
    );
    this.#observeBelow(ROOT);
    return this;
  }

  entry(path: string): TrackedEntry {
    return this.index.records.get(at(path))?.entry as TrackedEntry;
  }

  applier(input: Partial<ApplierInput> = {}): Applier {
    return new Applier({
      fileSystem: this.fileSystem,
      root: this.root,
      only: null,
      index: this.index,
      session: 'c0ffee',
      options: this.options,
      clock: Date.now,
      randomName: () => randomBytes(12).toString('hex'),
      umask: 0o022,
      ...input,
    });
  }

  /** A put of a small file; `before`: what the index says, unless given. */
  put(path: string, content: string | Buffer, more: Partial<FileEntry> = {}, before?: Entry | null): Order {
    const after = fileEntry(content, more);
    const operation = this.#put(path, after, 'stream', before);
    return {
      operation,
      content: [{ kind: 'small', id: operation.id, entry: after, bytes: Buffer.from(content as string) }],
    };
  }

  /** A put without content: directories, symlinks, metadata, copies, links. */
  place(path: string, after: TrackedEntry, more: Partial<PutOperation> = {}): Order {
    return { operation: { ...this.#put(path, after, 'keep'), ...more } as Operation, content: [] };
  }

  remove(path: string): Order {
    return { operation: { kind: 'remove', id: this.nextId++, path: at(path), before: this.entry(path) }, content: [] };
  }

  rename(path: string, to: string): Order {
    return {
      operation: { kind: 'rename', id: this.nextId++, path: at(path), to: at(to), before: this.entry(path) },
      content: [],
    };
  }

  /** Applies orders in one applier and returns the outcomes by id. */
  apply(orders: readonly Order[], input: Partial<ApplierInput> = {}): Outcome[] {
    const applier = this.applier(input);
    const outcomes: Outcome[] = [];
    try {
      for (const { operation, content } of orders) {
        outcomes.push(...applier.push(chunkOf({ kind: 'operation', operation }, ...content)));
      }
      outcomes.push(...applier.finish());
    } finally {
      applier.close();
    }
    this.nextId = 0;
    return outcomes.sort((left, right) => left.id - right.id);
  }

  /** Pushes orders one chunk each; without an operation only the content. */
  pushTo(
    applier: Applier,
    ...orders: readonly { operation: Operation | null; content: readonly ContentRecord[] }[]
  ): Outcome[] {
    return orders.flatMap(({ operation, content }) =>
      applier.push(chunkOf(...(operation === null ? [] : [{ kind: 'operation' as const, operation }]), ...content)),
    );
  }

  /** `path=content` of everything kept, with why. */
  versions(): string[] {
    return [...readVersions(this.fileSystem, this.root)].map(
      (version) => `${version.reason} ${version.path}=${this.read(versionPath(version)) ?? 'nothing'}`,
    );
  }

  /** Names in the staging folder, and objects in the version store that no manifest speaks of. */
  litter(): string[] {
    const known = new Set(
      [...readVersions(this.fileSystem, this.root)].map((version) => versionPath(version) as string),
    );
    const litter = fs.readdirSync(this.path('.tidemark/staging')).map((name) => `staging/${name}`);
    for (const run of fs.readdirSync(this.path('.tidemark/versions'))) {
      for (const name of fs.readdirSync(this.path(`.tidemark/versions/${run}`))) {
        const path = `.tidemark/versions/${run}/${name}`;
        if (name !== 'manifest' && name !== 'settled' && !known.has(path)) litter.push(path);
      }
    }
    if (fs.existsSync(this.path('.tidemark/widened'))) litter.push('widened');
    return litter;
  }

  #put(path: string, after: TrackedEntry, content: PutOperation['content'], before?: Entry | null): PutOperation {
    const known = before === undefined ? (this.index.records.get(at(path))?.entry ?? null) : before;
    return { kind: 'put', id: this.nextId++, path: at(path), before: known, after, content };
  }

  #observeBelow(directory: BytePath): void {
    for (const listing of this.fileSystem.readDirectories(this.root, [directory])) {
      for (const entry of listing.entries) {
        if (entry.name === '.tidemark') continue;
        const path = joinPath(directory, entry.name);
        this.index.put(
          path,
          { entry: this.#entryOf(path, entry), packedStat: Buffer.from(entry.packedStat), racy: false },
          '',
        );
        if (this.index.get(path)?.entry.kind === 'directory') this.#observeBelow(path);
      }
    }
  }

  #entryOf(path: BytePath, { packedStat, target }: ListedEntry): Entry {
    const mode = modeOf(packedStat);
    if (target !== null) return { kind: 'symlink', target, mtimeNs: mtimeNsOf(packedStat) };
    switch (mode & 0o170000) {
      case 0o040000:
        return { kind: 'directory', mode: mode & 0o7777 };
      case 0o100000: {
        const strong = sha256(fs.readFileSync(Buffer.from(`${this.directory}/${path}`, 'latin1')));
        return {
          kind: 'file',
          mode: mode & 0o7777,
          sizeBytes: sizeOf(packedStat),
          mtimeNs: mtimeNsOf(packedStat),
          digests: { fast: null, strong },
        };
      }
      default:
        return { kind: 'untracked', what: 'fifo' };
    }
  }
}

/** `done`, or why not, for tables. */
export function verdict(outcome: Outcome | undefined): string {
  if (outcome === undefined) return 'no outcome';
  switch (outcome.status) {
    case 'done':
      return 'done';
    case 'changed':
      return `changed ${outcome.side}`;
    case 'failed':
      return `failed ${outcome.problem.code}`;
  }
}

export function verdicts(outcomes: readonly Outcome[]): string[] {
  return outcomes.map(verdict);
}

function isDirectoryAt(path: string): boolean {
  try {
    return fs.lstatSync(path).isDirectory();
  } catch {
    return false;
  }
}
