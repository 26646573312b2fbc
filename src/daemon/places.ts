/**
 * Where the service and foreground recorders are found.
 *
 * The state folder is the meeting point: `daemon/` for the service, `recorders/<id>/` for whoever works on one root by
 * himself. Each holds a `lock` and, while somebody listens, the file `socket` with the path of the socket. The socket
 * itself lies in the runtime folder, which differs between a login session, cron and a service of the system: a client
 * must not have to guess it.
 */
import { createHash } from 'node:crypto';
import { lstatSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { toBuffer } from '../platform/core/byte-path.ts';
import type { RootPath } from './core/messages.ts';
import { ensureOwnFolder } from './own-folder.ts';

export interface ServiceFolders {
  /** Absolute, as the other fields. */
  readonly state: string;
  readonly runtime: string;
}

/**
 * Longest path of a socket of ours. The kernel takes 107 bytes (sun_path of 108 with a NUL, unix(7)); a socket is made
 * under a longer name and then renamed, so that it appears with its permissions and in place of a stale one.
 */
export const MAX_SOCKET_PATH_BYTES = 98;

export function serviceFolder({ state }: ServiceFolders): string {
  return join(state, 'daemon');
}

export function recorderFolder({ state }: ServiceFolders, root: RootPath): string {
  return join(state, 'recorders', rootId(root));
}

/** Lines of the service when nobody reads its stderr. */
export function logFile(folders: ServiceFolders): string {
  return join(serviceFolder(folders), 'log');
}

/** A root as a file name: 128 bits of its SHA-256. */
export function rootId(root: RootPath): string {
  return digestOf(root, 32);
}

export interface SocketPlace {
  readonly path: string;
  /** Why it is not where it would be expected, one line; null where it is. */
  readonly note: string | null;
}

/**
 * Where the socket called `name` goes; its folder exists then, ours alone. In a runtime folder too deep for a
 * socket's path it gets a short name, and below that a folder of ours among the temporary files.
 */
export function socketPlace({ runtime }: ServiceFolders, name: string): SocketPlace {
  const path = join(runtime, `${name}.sock`);
  const short = join(runtime, `${digestOf(name, 8)}.s`);
  if (fits(path) || fits(short)) {
    ensureOwnFolder(runtime);
    return fits(path) ? { path, note: null } : { path: short, note: tooLong(path) };
  }
  const folder = join(tmpdir(), `tidemark-${process.geteuid?.() ?? 'user'}`);
  ensureOwnFolder(folder);
  return { path: join(folder, `${digestOf(path, 16)}.s`), note: tooLong(path) };
}

/** Says in `folder` where the socket is. In one step: a reader finds the old path or the new one. */
export function announceSocket(folder: string, socketPath: string): void {
  const fresh = join(folder, `socket.${process.pid}`);
  writeFileSync(fresh, `${socketPath}\n`, { mode: 0o600 });
  renameSync(fresh, join(folder, 'socket'));
}

export function withdrawSocket(folder: string): void {
  rmSync(join(folder, 'socket'), { force: true });
}

/** The socket somebody announced in `folder`, or null. A socket that belongs to another user is none. */
export function announcedSocket(folder: string): string | null {
  try {
    const path = readFileSync(join(folder, 'socket'), 'utf8').trimEnd();
    const stat = lstatSync(path);
    const isOurs = process.geteuid === undefined || stat.uid === process.geteuid();
    return isOurs && stat.isSocket() ? path : null;
  } catch {
    return null;
  }
}

function fits(path: string): boolean {
  return Buffer.byteLength(path) <= MAX_SOCKET_PATH_BYTES;
}

function tooLong(path: string): string {
  return `${path} is longer than the ${MAX_SOCKET_PATH_BYTES} bytes a socket's path may have`;
}

function digestOf(bytes: string, digits: number): string {
  return createHash('sha256').update(toBuffer(bytes)).digest('hex').slice(0, digits);
}
