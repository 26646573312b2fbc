/** What Node does not offer about Unix sockets, where the native addon does; null where there is none. */
import type { Socket } from 'node:net';
import { fromText } from '../platform/core/byte-path.ts';
import { errnoOf } from '../platform/core/errors.ts';
import type { Fd } from '../platform/filesystem.ts';
import { listenUnix, peerUid, setCloseOnExec } from '../platform/unix-socket.ts';

/** A listening descriptor at `path`, for processes of our user only; null where Node has to make it in the worker. */
export function listeningDescriptor(path: string): Fd | null {
  return orNull(() => listenUnix(fromText(path), 0o600));
}

/** The user at the other end of `socket`, or null where the system does not say. */
export function peerUser(socket: Socket): number | null {
  // Node keeps the descriptor of a socket to itself; the handle has it as long as the socket is open.
  const fd = (socket as unknown as { _handle?: { fd?: number } })._handle?.fd;
  return fd === undefined || fd < 0 ? null : orNull(() => peerUid(fd));
}

/** Keeps `fd` from every program that is started, except where it is handed over on purpose. */
export function keepFromPrograms(fd: Fd): void {
  orNull(() => setCloseOnExec(fd, true));
}

function orNull<T>(attempt: () => T): T | null {
  try {
    return attempt();
  } catch (error) {
    if (errnoOf(error) === 'ENOSYS') return null;
    throw error;
  }
}
