/** What a machine may lack, and what is therefore not tortured there: the only way for one of these tests to be skipped. */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { it } from 'vitest';

export const TORTURE = join(import.meta.dirname, 'torture.mjs');
export const FILE_SYSTEMS = ['ext4', 'xfs', 'btrfs', 'tmpfs', 'overlay'] as const;
export type FileSystem = (typeof FILE_SYSTEMS)[number];

const PROGRAM = join(import.meta.dirname, '../../bin/tidemark.js');
const AS_USER = ['setpriv', '--reuid=1000', '--regid=1000', '--clear-groups'] as const;

/** Why nothing at all can be tortured here, or null. */
const whyNothing =
  process.getuid?.() !== 0
    ? 'not root'
    : (whyNoTool('cc', '--version') ?? whyNoTool('rsync', '--version') ?? whyNoAddon());

/** Why each need is not met here, or null where it is. */
export const NEEDS: Readonly<Record<FileSystem | 'user', string | null>> = {
  ext4: whyNoFileSystem('ext4'),
  xfs: whyNoFileSystem('xfs'),
  btrfs: whyNoFileSystem('btrfs'),
  tmpfs: whyNoFileSystem('tmpfs'),
  overlay: whyNoFileSystem('overlay'),
  user: whyNoUser(),
};

export type Need = keyof typeof NEEDS;

/** `it` where all needs are met, else a skip that names what is missing. */
export function itWith(...needs: readonly Need[]): (name: string, work: () => Promise<void>) => void {
  const missing = [...new Set(needs.flatMap((need) => NEEDS[need] ?? []))];
  if (missing.length === 0) return (name, work) => it(name, work);
  return (name, work) => it.skip(`${name} [skipped: ${missing.join('; ')}]`, work);
}

function whyNoTool(name: string, word: string): string | null {
  return spawnSync(name, [word]).error === undefined ? null : `${name} is not installed`;
}

function whyNoAddon(): string | null {
  return existsSync(join(PROGRAM, '../../dist/tidemark.node')) ? null : 'built without the native addon';
}

/** Makes one, which is the only way to know. */
function whyNoFileSystem(name: FileSystem): string | null {
  if (whyNothing !== null) return whyNothing;
  const ran = spawnSync(process.execPath, [TORTURE, '--fs', name, '--try'], { encoding: 'utf8' });
  return ran.status === 0 ? null : `no ${name}: ${ran.stderr.split('\n')[0]}`;
}

function whyNoUser(): string | null {
  if (whyNothing !== null) return whyNothing;
  const [program, ...words] = AS_USER;
  const ran = spawnSync(program, [...words, process.execPath, PROGRAM, '--version']);
  if (ran.error !== undefined) return 'setpriv is not installed';
  return ran.status === 0 ? null : 'user 1000 cannot run the program from this checkout';
}
