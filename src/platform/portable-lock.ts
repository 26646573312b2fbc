/** An exclusive lock for the portable file system: node:fs has none. */
import { spawnSync } from 'node:child_process';
import type { Fd } from './filesystem.ts';
import { systemError } from './system-error.ts';

/** Each takes descriptor 3, exits 0 where it got the lock and 1 where another holds it. */
const HELPERS: readonly (readonly [string, ...string[]])[] = [
  ['flock', '-x', '-n', '3'],
  ['perl', '-e', 'use Fcntl ":flock"; open(my $f, "+<&=", 3) or exit 2; exit(flock($f, LOCK_EX | LOCK_NB) ? 0 : 1)'],
];

/**
 * flock(LOCK_EX|LOCK_NB) on `fd`: false where another holds it. A short-lived program locks the open file that it
 * shares with us; the lock stays as long as our descriptor. Throws `ENOSYS` where neither `flock` nor `perl` is there.
 */
export function tryLockByHelper(fd: Fd): boolean {
  for (const [program, ...args] of HELPERS) {
    const { status } = spawnSync(program, args, { stdio: ['ignore', 'ignore', 'ignore', fd] });
    if (status === 0) return true;
    if (status === 1) return false;
  }
  throw systemError('ENOSYS', 'flock');
}
