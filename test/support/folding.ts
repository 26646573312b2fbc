/**
 * A directory whose file system takes names that differ by case only for the same: the one that TIDEMARK_TEST_FOLDING
 * names, the temporary directory itself, or an image of ext4 with case folding, which takes root on Linux.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const PREFIX = 'tidemark-folding-';
const IMAGE_BYTES = 32 << 20;

export interface FoldingFolder {
  readonly path: string;
  dispose(): void;
}

/** Why there is no such directory here; null where there is one. Mounts nothing. */
export function whyNoFolding(): string | null {
  if (givenFolder() !== null) return null;
  if (process.platform !== 'linux' || process.geteuid?.() !== 0) return 'no file system here folds names';
  return existsSync('/sys/fs/ext4/features/casefold') ? null : 'the kernel has no case folding';
}

/** Why the temporary directory cannot hold two names that differ by case only; null where it can. */
export function whyNoDistinct(): string | null {
  return foldsCase(tmpdir()) ? 'the temporary directory folds names' : null;
}

/** New names below it fold, also those in new directories. */
export function foldingFolder(): FoldingFolder {
  const given = givenFolder();
  if (given !== null) return temporaryFolder(given);
  const { path, dispose } = temporaryFolder(tmpdir());
  const [image, mounted] = [join(path, 'image'), join(path, 'mounted')];
  writeFileSync(image, '');
  truncateSync(image, IMAGE_BYTES);
  mkdirSync(mounted);
  run('mkfs.ext4', '-q', '-O', 'casefold', image);
  run('mount', '-o', 'loop', image, mounted);
  const folder = join(mounted, 'folding');
  mkdirSync(folder);
  run('chattr', '+F', folder);
  return {
    path: folder,
    dispose() {
      run('umount', mounted);
      dispose();
    },
  };
}

function givenFolder(): string | null {
  const given = process.env.TIDEMARK_TEST_FOLDING;
  return [...(given === undefined ? [] : [given]), tmpdir()].find(foldsCase) ?? null;
}

function temporaryFolder(parent: string): FoldingFolder {
  const path = mkdtempSync(join(parent, PREFIX));
  return { path, dispose: () => rmSync(path, { recursive: true, force: true }) };
}

function foldsCase(directory: string): boolean {
  const probe = mkdtempSync(join(directory, PREFIX));
  try {
    return existsSync(probe.replace(PREFIX, PREFIX.toUpperCase()));
  } finally {
    rmSync(probe, { recursive: true });
  }
}

function run(command: string, ...args: readonly string[]): void {
  const { status, error, stderr } = spawnSync(command, args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`${command}: ${error?.message ?? stderr}`);
}
