/** What the tests of fanotify share: a recorder on a real directory, and child processes that use the platform. */
import { type ChildProcess, spawn } from 'node:child_process';
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildSync } from 'esbuild';
import { addonPath, loadAddon } from '../../src/platform/addon.ts';
import {
  directoryAt,
  EVENT,
  type FanotifyBatch,
  type FanotifyEvent,
  FanotifyReader,
  type GroupDescriptors,
  type GroupKind,
  markDirectory,
  markFileSystem,
  openGroup,
} from '../../src/platform/fanotify.ts';

/** Why groups of this kind cannot be tested here, or null. */
export function whyNoGroup(kind: GroupKind): string | null {
  const { addon, missing } = loadAddon();
  if (addon === null) return missing;
  try {
    closeGroup(openGroup(kind));
    return null;
  } catch (error) {
    const code = (error as { code?: string }).code;
    return code === 'EPERM' ? 'needs root' : `needs a newer kernel: ${code}`;
  }
}

export function closeGroup({ group, ring }: GroupDescriptors): void {
  fs.closeSync(group);
  fs.closeSync(ring);
}

export interface RecorderOptions {
  readonly kind?: GroupKind;
  readonly ringBytes?: number;
  readonly directoryLimit?: number;
}

/** A marked directory or file system, and its events in words. */
export class Recorder {
  readonly folder: string;
  readonly root: number;
  readonly group: GroupDescriptors;
  readonly reader: FanotifyReader;
  mountChanges = 0;
  calls = 0;
  readonly #labels = new Map<string, string>();

  constructor(folder: string, { kind = 'file-systems', ringBytes, directoryLimit }: RecorderOptions = {}) {
    this.folder = folder;
    this.root = fs.openSync(folder, 'r');
    this.group = openGroup(kind, ringBytes);
    if (kind === 'file-systems') markFileSystem(this.group, this.root);
    else markDirectory(this.group, this.root, '');
    const listener = { onReadable: () => void this.calls++, onMountsChanged: () => void this.mountChanges++ };
    this.reader = new FanotifyReader(this.group, listener, directoryLimit === undefined ? {} : { directoryLimit });
    this.name('');
  }

  /** From now on the directory now at `path` is called so in {@link words}, wherever it moves. */
  name(path: string): void {
    const key = directoryAt(this.root, path);
    if (key !== null) this.#labels.set(key, path === '' ? '/' : path);
  }

  /** Number of the directory at `path`. */
  number(path: string): number {
    return this.reader.intern(directoryAt(this.root, path) ?? '');
  }

  /** Everything up to now, as it was handed over. */
  async batches(limit = 1_000_000): Promise<FanotifyBatch[]> {
    await this.reader.barrier();
    return takeAll(this.reader, limit);
  }

  async events(): Promise<FanotifyEvent[]> {
    return (await this.batches()).flatMap(({ events }) => events);
  }

  /** Everything up to now, committed: `create+modify /:name`, `rename /:old > sub:new`, with `dir` for directories. */
  async words(): Promise<string[]> {
    const events = await this.events();
    this.reader.commit();
    return events.map((event) => this.#wordsOf(event));
  }

  close(): void {
    this.reader.stop();
    closeGroup(this.group);
    fs.closeSync(this.root);
  }

  #wordsOf({ mask, directory, name, from }: FanotifyEvent): string {
    const place = `${this.#label(directory)}:${name}`;
    const old = from === null ? '' : `${this.#label(from.directory)}:${from.name} > `;
    return `${bitsOf(mask)} ${(mask & EVENT.rename) !== 0 && from === null ? '? > ' : old}${place}`;
  }

  #label(directory: number): string {
    if (directory === 0) return '?';
    return this.#labels.get(this.reader.keyOf(directory)) ?? `#${directory}`;
  }
}

/** Everything that can be taken at this moment. */
export function takeAll(reader: FanotifyReader, limit: number): FanotifyBatch[] {
  const batches: FanotifyBatch[] = [];
  do batches.push(reader.take(limit));
  while (batches.at(-1)?.hasMore);
  return batches;
}

function bitsOf(mask: number): string {
  const names = Object.entries(EVENT).filter(([, bit]) => (mask & bit) !== 0);
  return names.map(([name]) => (name === 'directory' ? 'dir' : name)).join('+');
}

let bundle: string | undefined;

/** The platform's fanotify and socket functions in one file, beside the addon, readable by everybody. */
function bundlePlatform(): string {
  if (bundle !== undefined) return bundle;
  const folder = fs.mkdtempSync(join(tmpdir(), 'tidemark-fanotify-'));
  process.once('exit', () => fs.rmSync(folder, { recursive: true, force: true }));
  bundle = join(folder, 'platform.mjs');
  const platform = join(import.meta.dirname, '../../src/platform');
  buildSync({
    stdin: {
      contents: `export * from './fanotify.ts'; export * from './unix-socket.ts';`,
      resolveDir: platform,
      loader: 'ts',
    },
    outfile: bundle,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20.19',
  });
  fs.copyFileSync(addonPath(), join(folder, 'tidemark.node'));
  fs.chmodSync(folder, 0o755);
  return bundle;
}

export interface ChildOptions {
  /** Become the descriptors 3, 4, … of the child. */
  readonly passed?: readonly number[];
  readonly uid?: number;
}

/** A process that runs `body` with `platform`, its file `platformFile` and node:fs as `fs` at hand. Its output is to be read by the caller. */
export function startChild(body: string, { passed = [], uid }: ChildOptions = {}): ChildProcess {
  const script = `import * as fs from 'node:fs';
    const platformFile = ${JSON.stringify(bundlePlatform())};
    const platform = await import(platformFile);
    ${body}`;
  return spawn(process.execPath, ['--input-type=module', '-e', script], {
    cwd: '/',
    stdio: ['pipe', 'pipe', 'inherit', ...passed],
    ...(uid === undefined ? {} : { uid, gid: uid }),
  });
}

/** What a child prints, once it has ended well. */
export async function outputOf(child: ChildProcess): Promise<string> {
  const parts: Buffer[] = [];
  child.stdout?.on('data', (part: Buffer) => parts.push(part));
  const [code, signal] = await new Promise<[number | null, string | null]>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => resolve([code, signal]));
  });
  if (code !== 0) throw new Error(`the child ended with ${code ?? signal}`);
  return Buffer.concat(parts).toString();
}
