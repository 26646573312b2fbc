/** Locks for the portable file system: node:fs has none. */
import { spawnSync } from 'node:child_process';
import type { Fd, LockKind } from './filesystem.ts';
import { systemError } from './system-error.ts';

/** Each takes descriptor 3, exits 0 where it got the lock and 1 where another holds it. */
const HELPERS: Readonly<Record<LockKind, readonly (readonly [string, ...string[]])[]>> = {
  exclusive: [
    ['flock', '-x', '-n', '3'],
    ['perl', '-e', perlProgram('LOCK_EX')],
  ],
  shared: [
    ['flock', '-s', '-n', '3'],
    ['perl', '-e', perlProgram('LOCK_SH')],
  ],
};

/**
 * flock(LOCK_EX|LOCK_NB), or LOCK_SH, on `fd`: false where another holds it. A short-lived program locks the open file that it
 * shares with us; the lock stays as long as our descriptor. Throws `ENOSYS` where neither `flock` nor `perl` is there.
 */
export function tryLockByHelper(fd: Fd, kind: LockKind = 'exclusive'): boolean {
  for (const [program, ...args] of HELPERS[kind]) {
    const { status } = spawnSync(program, args, { stdio: ['ignore', 'ignore', 'ignore', fd] });
    if (status === 0) return true;
    if (status === 1) return false;
  }
  throw systemError('ENOSYS', 'flock');
}

function perlProgram(operation: string): string {
  return `use Fcntl ":flock"; open(my $f, "+<&=", 3) or exit 2; exit(flock($f, ${operation} | LOCK_NB) ? 0 : 1)`;
}
