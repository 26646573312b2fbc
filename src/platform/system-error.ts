/** Errors of our own that look like those of system calls. */
import { constants } from 'node:os';

const TEXTS = new Map([
  ['EINVAL', 'invalid argument'],
  ['ELOOP', 'too many symbolic links encountered'],
  ['ENOSYS', 'function not implemented'],
  ['EEXIST', 'file already exists'],
  ['EOPNOTSUPP', 'operation not supported'],
]);

/** An error with `code`, `errno` (negative) and `syscall`, as node:fs throws them. */
export function systemError(code: keyof typeof constants.errno, operation: string): Error {
  const error = new Error(`${code}: ${TEXTS.get(code) ?? code}, ${operation}`);
  return Object.assign(error, { code, errno: -constants.errno[code], syscall: operation });
}
