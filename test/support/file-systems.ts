/**
 * File systems made for a test: images of ext4, xfs and btrfs on loop devices, tmpfs, overlayfs. Takes root on Linux.
 *
 * Each is made when asked for and gone with `dispose`. Nothing of it is on the disk of the machine but a sparse image in
 * the temporary directory.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export type MountKind = 'ext4' | 'xfs' | 'btrfs' | 'tmpfs' | 'overlay';

export const MOUNT_KINDS: readonly MountKind[] = ['ext4', 'xfs', 'btrfs', 'tmpfs', 'overlay'];

export interface MountedFolder {
  readonly kind: MountKind;
  /** An empty directory, the top of the file system. */
  readonly path: string;
  /** A directory of the same machine that is not below `path`; on overlayfs it holds the layers. */
  readonly outside: string;
  dispose(): void;
}

/** xfs takes no less than 300 MiB, btrfs 109 MiB. Sparse, so it costs what is written. */
const IMAGE_BYTES = 1 << 30;

const MAKERS: Readonly<Partial<Record<MountKind, readonly string[]>>> = {
  ext4: ['mkfs.ext4', '-q', '-F', '-E', 'lazy_itable_init=1,lazy_journal_init=1'],
  xfs: ['mkfs.xfs', '-q', '-f', '-m', 'reflink=1'],
  btrfs: ['mkfs.btrfs', '-q', '-f'],
};

/** Why there is no such file system here; null where there is. Tried once for each kind. */
export function whyNoMount(kind: MountKind): string | null {
  const known = reasons.get(kind);
  if (known !== undefined) return known;
  const reason = tryMount(kind);
  reasons.set(kind, reason);
  return reason;
}

const reasons = new Map<MountKind, string | null>();

function tryMount(kind: MountKind): string | null {
  if (process.platform !== 'linux' || process.geteuid?.() !== 0) return 'not root, so nothing can be mounted';
  try {
    mountedFolder(kind).dispose();
    return null;
  } catch (error) {
    return error instanceof Error ? (error.message.split('\n')[0] ?? '') : String(error);
  }
}

/** A fresh file system. Throws where it cannot be made. `options`: further ones for mount. */
export function mountedFolder(kind: MountKind, options: readonly string[] = []): MountedFolder {
  const outside = mkdtempSync(join(tmpdir(), `tidemark-${kind}-`));
  const path = join(outside, 'mounted');
  mkdirSync(path);
  try {
    mountAt(kind, path, outside, options);
  } catch (error) {
    rmSync(outside, { recursive: true, force: true });
    throw error;
  }
  return {
    kind,
    path,
    outside,
    dispose() {
      // Lazily where a process that is about to end still has a file open.
      if (spawnSync('umount', [path]).status !== 0) run('umount', '-l', path);
      rmSync(outside, { recursive: true, force: true });
    },
  };
}

function mountAt(kind: MountKind, path: string, outside: string, options: readonly string[]): void {
  const more = options.length === 0 ? [] : ['-o', options.join(',')];
  if (kind === 'tmpfs') run('mount', '-t', 'tmpfs', ...more, 'tidemark-test', path);
  else if (kind === 'overlay') mountOverlay(path, outside, options);
  else mountImage(kind, path, outside, options);
}

function mountOverlay(path: string, outside: string, options: readonly string[]): void {
  const [lower, upper, work] = ['lower', 'upper', 'work'].map((name) => join(outside, name));
  for (const folder of [lower, upper, work]) mkdirSync(folder ?? '');
  const layers = `lowerdir=${lower},upperdir=${upper},workdir=${work}`;
  run('mount', '-t', 'overlay', '-o', [layers, ...options].join(','), 'tidemark-test', path);
}

function mountImage(kind: MountKind, path: string, outside: string, options: readonly string[]): void {
  const image = join(outside, 'image');
  writeFileSync(image, '');
  truncateSync(image, IMAGE_BYTES);
  run(...(MAKERS[kind] ?? []), image);
  run('mount', '-o', ['loop', ...options].join(','), image, path);
}

function run(...words: readonly string[]): void {
  const [command = '', ...args] = words;
  const { status, error, stderr } = spawnSync(command, args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`${command}: ${error?.message ?? stderr.trim()}`);
}
