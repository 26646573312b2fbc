/** Copies single entries; owner, mode, times and attributes are set afterwards, by the helper that can. */
import { spawnSync } from 'node:child_process';
import { copyFileSync, lstatSync, mkdirSync, readdirSync, readlinkSync, rmSync, symlinkSync } from 'node:fs';

/**
 * Makes `to` the same kind of thing as `from`. A file's content is copied where `withContent` says so, or where there was
 * no file before. Returns what `from` is.
 */
export function copyEntry(from, to, withContent) {
  const source = lstatSync(from, { bigint: true });
  const target = statOf(to);
  const isSameKind = target !== undefined && (target.mode & 0o170000n) === (source.mode & 0o170000n);
  if (target !== undefined && !isSameKind) rmSync(to, { recursive: true, force: true });
  if (source.isDirectory()) {
    if (!isSameKind) mkdirSync(to);
    return 'directory';
  }
  if (source.isSymbolicLink()) {
    if (isSameKind) rmSync(to);
    symlinkSync(readlinkSync(from, { encoding: 'buffer' }), to);
    return 'symlink';
  }
  if (!source.isFile()) return 'other';
  if (withContent || !isSameKind) copyFileSync(from, to);
  return 'file';
}

/** Undefined where there is nothing, also where a file is in the way. */
export function statOf(path) {
  try {
    return lstatSync(path, { bigint: true });
  } catch (error) {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return undefined;
    throw error;
  }
}

export function listNames(directory) {
  return readdirSync(directory, { encoding: 'buffer' }).map((name) => name.toString('latin1'));
}

/** A function that sets, for pairs of source and target, what Node cannot set exactly. */
export function metadataSetter(program) {
  return (pairs) => {
    if (pairs.length === 0) return;
    const end = Buffer.from([0]);
    // A directory's own times are none of the promises, so the order does not matter.
    const input = Buffer.concat(pairs.flatMap(([from, to]) => [from, end, to, end]));
    const ran = spawnSync(program, [], { input, encoding: 'utf8' });
    if (ran.status !== 0 || ran.stderr !== '') throw new Error(`metadata helper failed: ${ran.stderr}`);
  };
}
