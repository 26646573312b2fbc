/** A journal's store and absorber without any file system: directories are named by letters, events written by hand. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Absorber } from '../../src/journal/absorber.ts';
import type { JournalChange } from '../../src/journal/core/answers.ts';
import { foldLog } from '../../src/journal/core/fold-log.ts';
import type { IndexRecord } from '../../src/journal/core/index-record.ts';
import { CheckpointProtocol } from '../../src/journal/core/protocol.ts';
import { NO_DIRECTORY, type Place, placeAt, placeBytes } from '../../src/journal/core/tree-key.ts';
import { JournalStore } from '../../src/journal/store/journal-store.ts';
import { type BytePath, ROOT } from '../../src/platform/core/byte-path.ts';
import { EVENT, type FanotifyEvent } from '../../src/platform/fanotify.ts';

const DIRECTORY: IndexRecord = { entry: { kind: 'directory', mode: 0o755 }, packedStat: null, racy: false };
const FILE: IndexRecord = {
  entry: { kind: 'file', mode: 0o644, sizeBytes: 1, mtimeNs: 1n, digests: { fast: null, strong: null } },
  packedStat: null,
  racy: false,
};

export interface GroundOptions {
  readonly seesNewDirectories?: boolean;
  readonly excluded?: readonly string[];
}

/** Keys of directories are the numbers by which events call them; the root is `root`. */
export class Ground {
  readonly folder = mkdtempSync(join(tmpdir(), 'tidemark-absorb-'));
  readonly store: JournalStore;
  protocol = new CheckpointProtocol(1);
  absorber: Absorber;
  hasLostMarks = false;
  readonly #options: GroundOptions;
  readonly #keys = new Map<string, number>();

  constructor(options: GroundOptions = {}) {
    this.#options = options;
    this.store = JournalStore.open(this.folder);
    this.store.transaction(() => {
      this.store.setHandle(this.store.putAt({ parent: NO_DIRECTORY, name: '' }, DIRECTORY, null), 'root');
    });
    this.absorber = this.#begin();
  }

  /** Another process goes on with the store; what was in memory only is gone. */
  crash(): void {
    this.protocol = new CheckpointProtocol(1);
    this.absorber = this.#begin();
  }

  #begin(): Absorber {
    return new Absorber({
      store: this.store,
      protocol: this.protocol,
      names: this,
      hiddenName: '.tidemark',
      excluded: new Set((this.#options.excluded ?? []) as BytePath[]),
      seesNewDirectories: this.#options.seesNewDirectories ?? true,
      heeded: ~0,
      statOf: () => null,
      onLinked() {},
      onHot() {},
      scansRenamed: () => this.hasLostMarks,
    });
  }

  /** Records a directory (`a/`, with the last name as its key unless one is given) or a file. */
  record(path: string, key?: string): void {
    this.store.transaction(() => {
      const isDirectory = path.endsWith('/');
      const bare = (isDirectory ? path.slice(0, -1) : path) as BytePath;
      const number = this.store.putAt(this.place(bare), isDirectory ? DIRECTORY : FILE, null);
      if (isDirectory) this.store.setHandle(number, key ?? (bare.split('/').at(-1) as string));
    });
  }

  absorb(...events: readonly FanotifyEvent[]): string[] {
    const foreign = this.absorber.absorb(events);
    return [...foreign].map((number) => this.keyOf(number));
  }

  keyOf(number: number): string {
    return [...this.#keys].find(([, known]) => known === number)?.[0] ?? '?';
  }

  /** The number by which events call the directory with this key. */
  number(key: string): number {
    const known = this.#keys.get(key) ?? this.#keys.size + 1;
    this.#keys.set(key, known);
    return known;
  }

  event(mask: number, directory: string, name: string, target: string | null = null): FanotifyEvent {
    return { mask, directory: this.number(directory), name, target, from: null };
  }

  /** `from` and `to` are `directory/name`, by the keys of directories; null: out of sight. */
  rename(from: string | null, to: string | null, target: string, isDirectory: boolean): FanotifyEvent {
    const [source, goal] = [from, to].map((end) => end?.split('/') as [string, string] | undefined);
    return {
      mask: EVENT.rename | (isDirectory ? EVENT.directory : 0),
      directory: goal === undefined ? 0 : this.number(goal[0]),
      name: goal?.[1] ?? '',
      target,
      from: source === undefined ? null : { directory: this.number(source[0]), name: source[1] },
    };
  }

  place(path: string): Place {
    const place = this.store.tree.placeOf(path as BytePath);
    if (place === null) throw new Error(`nothing above ${path}`);
    return place;
  }

  /** Every recorded path; directories with the key they are known by. */
  tree(): string[] {
    return [...this.store.tree.below(ROOT)].flatMap(({ path, node }) => {
      if (path === ROOT) return [];
      return [node.number === 0 ? path : `${path}/ ${this.store.handleOf(node.number)}`];
    });
  }

  /** Bits of what is noticed at a path; 0 where nothing is. */
  noticed(path: string): number {
    const { parent, name } = this.place(path);
    return this.protocol.get(placeBytes(parent, name))?.kinds ?? 0;
  }

  /** Paths that have to be scanned now. */
  scans(): (string | null)[] {
    return this.absorber.takeScans().map((key) => this.store.pathOf(placeAt(key, 0)));
  }

  /** What a consumer is told that asks with a cursor from `sequence`. */
  told(sequence: number): JournalChange[] {
    return foldLog(this.store.log.since(sequence), [], {
      pathOf: (place) => this.store.pathOf(place),
      kindAt: (path) => {
        const node = this.store.tree.get(path);
        if (node === null) return 'nothing';
        return node.number === 0 ? 'other' : 'directory';
      },
    });
  }

  dispose(): void {
    this.store.close();
    rmSync(this.folder, { recursive: true, force: true });
  }
}
