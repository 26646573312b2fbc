/** Unix sockets and inherited descriptors, as a daemon needs them beyond `node:net`. ENOSYS where there is no addon. */
import { requireAddon } from './addon.ts';
import type { Fd } from './filesystem.ts';

/**
 * A listening socket at `path` (a byte string), with `mode` from the start, in place of what was there in one step.
 * Close-on-exec; `net.Server.listen({ fd })` adopts it. Throws ENAMETOOLONG from 99 bytes on.
 */
export function listenUnix(path: string, mode = 0o600): Fd {
  return requireAddon().listenUnix(path, mode);
}

/** The user at the other end of a connected unix socket, as of when it connected. */
export function peerUid(fd: Fd): number {
  return requireAddon().peerUid(fd);
}

/**
 * Tells the service manager `state` (lines of `NAME=value`) over the socket named in NOTIFY_SOCKET: `/path`, or `@name`
 * for an abstract one. `passed` go along, at most 64, for `FDSTORE=1`. Throws after two seconds of a manager that does
 * not read (EAGAIN), or where there is none (ENOENT, ECONNREFUSED).
 */
export function notifyService(socketPath: string, state: string, passed: readonly Fd[] = []): void {
  requireAddon().notifyService(socketPath, state, passed);
}

/** Whether programs started from now on by `exec` alone do without `fd`. Throws EBADF. */
export function setCloseOnExec(fd: Fd, closes: boolean): void {
  requireAddon().setCloseOnExec(fd, closes);
}

export function isOpen(fd: Fd): boolean {
  return requireAddon().isOpen(fd);
}
