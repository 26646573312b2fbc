/**
 * What a machine may lack, and what is therefore not tested there: the only way for an end-to-end test to be skipped.
 *
 * `skips.test.ts` holds the list of those that are expected; another one fails there.
 */
import { spawnSync } from 'node:child_process';
import { accessSync, constants, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { it } from 'vitest';
import { whyNoDistinct, whyNoFolding } from '../support/folding.ts';
import { whyNoRealSshd } from '../support/situations.ts';
import { PROGRAM } from '../support/tidemark.ts';
import { whyNoRsync } from '../support/trees.ts';

/** Runs what follows as nobody. */
export const AS_NOBODY = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups'] as const;

const isRoot = process.getuid?.() === 0;

/** Why each need is not met here, or null where it is. */
export const NEEDS = {
  sshd: whyNoRealSshd(),
  keygen: spawnSync('ssh-keygen', ['-?']).error === undefined ? null : 'ssh-keygen is not installed',
  ssh: spawnSync('ssh', ['-V']).error === undefined ? null : 'ssh is not installed',
  rsync: whyNoRsync(),
  root: isRoot ? null : 'not root',
  mount: isRoot ? whyNoMount() : 'not root, so nothing can be mounted',
  otherUser: whyNoOtherUser(),
  vfat: isRoot ? whyNoVfat() : 'not root, so nothing can be mounted',
  folding: whyNoFolding(),
  distinct: whyNoDistinct(),
  python: spawnSync('python3', ['--version']).error === undefined ? null : 'python3 is not installed',
  addon: existsSync(join(PROGRAM, '../../dist/tidemark.node')) ? null : 'built without the native addon',
} as const satisfies Record<string, string | null>;

export type Need = keyof typeof NEEDS;

/** `it` where all needs are met, else a skip that names what is missing. */
export function itWith(...needs: readonly Need[]): (name: string, work: () => Promise<void> | void) => void {
  const missing = needs.flatMap((need) => NEEDS[need] ?? []);
  if (missing.length === 0) return (name, work) => it(name, work);
  return (name, work) => it.skip(`${name} [skipped: ${missing.join('; ')}]`, work);
}

function whyNoMount(): string | null {
  const folder = mkdtempSync(join(tmpdir(), 'tidemark-mount-'));
  try {
    const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tidemark-test', folder], {
      encoding: 'utf8',
    });
    if (mounted.status !== 0) return `nothing can be mounted: ${mounted.stderr?.trim() ?? mounted.error?.message}`;
    spawnSync('umount', [folder]);
    return null;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** A program run as nobody must be able to read this checkout and Node. */
function whyNoOtherUser(): string | null {
  if (!isRoot) return 'not root';
  const [program, ...words] = AS_NOBODY;
  const run = spawnSync(program, [...words, process.execPath, PROGRAM, '--version']);
  if (run.error !== undefined) return 'setpriv is not installed';
  return run.status === 0 ? null : 'user 65534 cannot run the program from this checkout';
}

function whyNoVfat(): string | null {
  const found = (process.env.PATH ?? '').split(':').concat('/usr/sbin', '/sbin');
  const isThere = (folder: string) => {
    try {
      accessSync(join(folder, 'mkfs.vfat'), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  };
  return found.some(isThere) ? null : 'mkfs.vfat is not installed';
}
