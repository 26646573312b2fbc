/** From a directory somebody names to the one path under which its journal is known. */
import { realpathSync, statSync } from 'node:fs';
import { type BytePath, toBuffer } from '../platform/core/byte-path.ts';
import { displayPath } from '../platform/core/display.ts';
import { errnoOf, TidemarkError } from '../platform/core/errors.ts';
import { asRoot, type RootPath, rootFault } from './core/messages.ts';

/**
 * The canonical path of `path` (a byte string; relative to the working directory): absolute, no symlink in it.
 * One that is not there is accepted where `isKnown` says so, so that a root that vanished can be asked for and removed.
 * @throws TidemarkError `unavailable`: `root-missing`, `root-type`, `root-unreadable`; `usage`: `bad-root`.
 */
export function namedRoot(path: string, isKnown: (root: RootPath) => boolean): RootPath {
  if (path === '') throw new TidemarkError('usage', 'bad-root', 'the directory is empty');
  const absolute = lexicalPath(path);
  const fault = rootFault(absolute);
  if (fault !== null) throw new TidemarkError('usage', 'bad-root', `${shown(path)}: ${fault}`);
  let found: Buffer;
  try {
    found = realpathSync.native(toBuffer(absolute), 'buffer');
  } catch (error) {
    if (isKnown(absolute as RootPath)) return absolute as RootPath;
    throw unusable(path, error);
  }
  const root = asRoot(found.toString('latin1'));
  if (!statSync(found).isDirectory()) {
    throw new TidemarkError('unavailable', 'root-type', `${shown(path)} is not a directory`, {
      remedy: 'A journal records a directory with everything below it.',
    });
  }
  return root;
}

/** `path` made absolute, `.` and `..` taken out as text. */
function lexicalPath(path: string): string {
  const from = path.startsWith('/') ? '' : Buffer.from(process.cwd()).toString('latin1');
  const kept: string[] = [];
  for (const name of `${from}/${path}`.split('/')) {
    if (name === '..') kept.pop();
    else if (name !== '' && name !== '.') kept.push(name);
  }
  return `/${kept.join('/')}`;
}

function unusable(path: string, error: unknown): TidemarkError {
  const code = errnoOf(error);
  if (code === 'ENOENT' || code === 'ENOTDIR') {
    return new TidemarkError('unavailable', 'root-missing', `no such directory: ${shown(path)}`, {
      remedy: 'Check the path; if it is on a disk that comes and goes, mount it.',
      cause: error,
    });
  }
  return new TidemarkError('unavailable', 'root-unreadable', `cannot look at ${shown(path)}: ${code}`, {
    remedy: 'Every directory on the way to it has to be open to you.',
    cause: error,
  });
}

function shown(path: string): string {
  return displayPath(path as BytePath);
}
