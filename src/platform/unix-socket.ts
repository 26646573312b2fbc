/** Stand-in until the native half is there: every function throws `ENOSYS`. */
import type { Fd } from './filesystem.ts';
import { systemError } from './system-error.ts';

/** A listening Unix socket at `path` with permissions `mode`, close-on-exec. */
export function listenUnix(_path: string, _mode: number): Fd {
  throw systemError('ENOSYS', 'listen');
}

/** User of the process at the other end of a connected Unix socket. */
export function peerUid(_fd: Fd): number {
  throw systemError('ENOSYS', 'getsockopt');
}

/** One message to the service manager, with descriptors. */
export function notifyService(_socketPath: string, _state: string, _fds: readonly Fd[]): void {
  throw systemError('ENOSYS', 'sendmsg');
}

export function setCloseOnExec(_fd: Fd, _on: boolean): void {
  throw systemError('ENOSYS', 'fcntl');
}
