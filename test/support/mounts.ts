/** Fresh file systems of several types, on loop devices or in memory, for tests that run as root. */
import { spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export type MountType = 'ext4' | 'xfs' | 'btrfs' | 'tmpfs' | 'overlay';

/** A mounted file system and what it takes to get rid of it. */
export interface Mount {
  readonly type: MountType;
  readonly folder: string;
  unmount(): void;
}

const SIZE_MIB = 320;

/** Why file systems of this type cannot be mounted here, or null. */
export function whyNotMountable(type: MountType): string | null {
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
export function mountFresh(type: MountType): Mount {
  const base = fs.mkdtempSync(join(tmpdir(), `tidemark-${type}-`));
  const folder = join(base, 'mounted');
  fs.mkdirSync(folder);
  const unmount = () => {
    // Lazily, for a killed child may still be on its way out.
    spawnSync('umount', ['-l', folder]);
    fs.rmSync(base, { recursive: true, force: true });
  };
  try {
    mountAt(type, base, folder);
  } catch (error) {
    unmount();
    throw error;
  }
  return { type, folder, unmount };
}

function mountAt(type: MountType, base: string, folder: string): void {
  if (type === 'tmpfs') run('mount', ['-t', 'tmpfs', '-o', `size=${SIZE_MIB}m`, 'tidemark', folder]);
  else if (type === 'overlay') mountOverlay(base, folder);
  else mountImage(type, join(base, 'image'), folder);
}

function mountOverlay(base: string, folder: string): void {
  for (const name of ['lower', 'upper', 'work']) fs.mkdirSync(join(base, name));
  const layers = `lowerdir=${join(base, 'lower')},upperdir=${join(base, 'upper')},workdir=${join(base, 'work')}`;
  run('mount', ['-t', 'overlay', '-o', layers, 'tidemark', folder]);
}

function mountImage(type: string, image: string, folder: string): void {
  fs.writeFileSync(image, '');
  fs.truncateSync(image, SIZE_MIB << 20);
  run(`mkfs.${type}`, [type === 'ext4' ? '-F' : '-f', '-q', image]);
  run('mount', ['-o', 'loop', image, folder]);
}

function run(command: string, words: readonly string[]): void {
  const { status, stderr, error } = spawnSync(command, words, { encoding: 'utf8' });
  if (error !== undefined) throw error;
  if (status !== 0) throw new Error(`${command}: ${stderr.trim()}`);
}
