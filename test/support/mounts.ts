/** Fresh file systems of several types, on loop devices or in memory, for tests that run as root. */
import { spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export type MountType = 'ext4' | 'xfs' | 'btrfs' | 'tmpfs' | 'overlay';

export const MOUNT_TYPES: readonly MountType[] = ['ext4', 'xfs', 'btrfs', 'tmpfs', 'overlay'];

/** A mounted file system and what it takes to get rid of it. */
export interface Mount {
  readonly type: MountType;
  readonly folder: string;
  /** A folder on the disk of the machine, gone with the mount; on overlayfs it holds the layers. */
  readonly outside: string;
  /** Takes the file system away and mounts it again; only for those with an image. */
  remount(): void;
  unmount(): void;
}

export interface MountOptions {
  /** How large it is, unless an overlay. Images are sparse; xfs takes no less than 300. */
  readonly sizeMib?: number;
}

const SIZE_MIB = 1024;

const reasons = new Map<MountType, string | null>();

/** Why file systems of this type cannot be mounted here, or null. Tried once for each. */
export function whyNotMountable(type: MountType): string | null {
  if (!reasons.has(type)) reasons.set(type, tryMount(type));
  return reasons.get(type) ?? null;
}

function tryMount(type: MountType): string | null {
  if (process.platform !== 'linux') return 'needs Linux';
  if (process.geteuid?.() !== 0) return 'needs root';
  const tool = `mkfs.${type}`;
  const needsTool = type !== 'tmpfs' && type !== 'overlay';
  if (needsTool && spawnSync(tool, ['-V']).error !== undefined) return `needs ${tool}`;
  try {
    mountFresh(type).unmount();
    return null;
  } catch (error) {
    return `cannot mount ${type}: ${error instanceof Error ? error.message : error}`;
  }
}

/** An empty file system; whoever asks unmounts. Throws where a command fails. */
export function mountFresh(type: MountType, { sizeMib = SIZE_MIB }: MountOptions = {}): Mount {
  const outside = fs.mkdtempSync(join(tmpdir(), `tidemark-${type}-`));
  const [folder, image] = [join(outside, 'mounted'), join(outside, 'image')];
  fs.mkdirSync(folder);
  const leave = () => {
    // Lazily, for a killed child may still be on its way out.
    spawnSync('umount', ['-l', folder]);
  };
  const unmount = () => {
    leave();
    fs.rmSync(outside, { recursive: true, force: true });
  };
  const remount = () => {
    leave();
    run('mount', ['-o', 'loop', image, folder]);
  };
  try {
    if (type === 'tmpfs') run('mount', ['-t', 'tmpfs', '-o', `size=${sizeMib}m`, 'tidemark', folder]);
    else if (type === 'overlay') mountOverlay(outside, folder);
    else mountImage(type, image, folder, sizeMib);
  } catch (error) {
    unmount();
    throw error;
  }
  return { type, folder, outside, remount, unmount };
}

function mountOverlay(base: string, folder: string): void {
  for (const name of ['lower', 'upper', 'work']) fs.mkdirSync(join(base, name));
  const layers = `lowerdir=${join(base, 'lower')},upperdir=${join(base, 'upper')},workdir=${join(base, 'work')}`;
  run('mount', ['-t', 'overlay', '-o', layers, 'tidemark', folder]);
}

function mountImage(type: string, image: string, folder: string, sizeMib: number): void {
  fs.writeFileSync(image, '');
  fs.truncateSync(image, sizeMib * 2 ** 20);
  run(`mkfs.${type}`, [type === 'ext4' ? '-F' : '-f', '-q', image]);
  run('mount', ['-o', 'loop', image, folder]);
}

function run(command: string, words: readonly string[]): void {
  const { status, stderr, error } = spawnSync(command, words, { encoding: 'utf8' });
  if (error !== undefined) throw error;
  if (status !== 0) throw new Error(`${command}: ${stderr.trim()}`);
}
