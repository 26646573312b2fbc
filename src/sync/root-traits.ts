/**
 * What the file system under a root can do: by trying in the hidden folder where it exists and may be written to, else
 * by looking at names that exist.
 */
import { randomBytes } from 'node:crypto';
import { statSync } from 'node:fs';
import { type BytePath, joinPath, ROOT, toBuffer } from '../platform/core/byte-path.ts';
import { errnoOf } from '../platform/core/errors.ts';
import type { Fd, FileSystem } from '../platform/filesystem.ts';
import { STAGING } from './apply/context.ts';
import type { EndpointInfo } from './endpoint.ts';

export type RootTraits = Pick<
  EndpointInfo,
  | 'fileSystem'
  | 'freeBytes'
  | 'readOnly'
  | 'foldsCase'
  | 'foldsNormalization'
  | 'maxNameBytes'
  | 'canExchange'
  | 'remarks'
>;

export interface ProbeInput {
  readonly isWritable: boolean;
  /** Last component and all of the root's canonical path, byte strings. */
  readonly ownName: string;
  readonly path: string;
}

/** File systems whose names fold letter case on every mount. */
const FOLDING = new Set(['vfat', 'exfat', 'hfsplus']);

/** Probes; `fd` null (no directory there) gives the cautious answers. */
export function probeTraits(fileSystem: FileSystem, fd: Fd | null, input: ProbeInput): RootTraits {
  if (fd === null) {
    const unknown = { fileSystem: 'unknown', freeBytes: 0, readOnly: false, maxNameBytes: 255 };
    return { ...unknown, foldsCase: false, foldsNormalization: false, canExchange: false, remarks: [] };
  }
  const { type, freeBytes, readOnly, maxNameBytes } = fileSystem.traits(fd);
  const mayTry = input.isWritable && !readOnly && fileSystem.stat(fd, STAGING) !== null;
  const tried = mayTry ? attempt(() => tryNames(fileSystem, fd)) : null;
  const exchange = mayTry ? attempt(() => tryExchange(fileSystem, fd)) : null;
  const names = tried ?? lookAtNames(fileSystem, fd, input);
  return {
    fileSystem: type,
    freeBytes,
    readOnly,
    maxNameBytes,
    foldsCase: names.foldsCase || (tried === null && FOLDING.has(type)),
    foldsNormalization: names.foldsNormalization,
    canExchange: exchange ?? fileSystem.kind === 'native',
    remarks: [tried === null ? 'names: judged by those that exist' : 'names: tried in the hidden folder'],
  };
}

interface Folding {
  readonly foldsCase: boolean;
  readonly foldsNormalization: boolean;
}

function tryNames(fileSystem: FileSystem, fd: Fd): Folding {
  const stem = `probe-${randomBytes(8).toString('hex')}-`;
  const lower = joinPath(STAGING, `${stem}abc`);
  const composed = joinPath(STAGING, stem + byteString('\u00e9'));
  const isSeen = (created: BytePath, other: BytePath) => {
    fileSystem.close(fileSystem.createFile(fd, created, 0o600));
    try {
      return fileSystem.stat(fd, other) !== null;
    } finally {
      fileSystem.removeFile(fd, created);
    }
  };
  return {
    foldsCase: isSeen(lower, joinPath(STAGING, `${stem}ABC`)),
    foldsNormalization: isSeen(composed, joinPath(STAGING, stem + byteString('e\u0301'))),
  };
}

function tryExchange(fileSystem: FileSystem, fd: Fd): boolean {
  const stem = `probe-${randomBytes(8).toString('hex')}-`;
  const left = joinPath(STAGING, `${stem}left`);
  const right = joinPath(STAGING, `${stem}right`);
  try {
    for (const path of [left, right]) fileSystem.close(fileSystem.createFile(fd, path, 0o600));
    fileSystem.exchange(fd, left, right);
    return true;
  } catch (error) {
    if (errnoOf(error) === 'ENOSPC') throw error;
    return false;
  } finally {
    for (const path of [left, right]) attempt(() => fileSystem.removeFile(fd, path));
  }
}

/** Asks for the names in the root, and for the root's own name, in another spelling. */
function lookAtNames(fileSystem: FileSystem, fd: Fd, input: ProbeInput): Folding {
  const listing = fileSystem.readDirectories(fd, [ROOT])[0]?.entries ?? [];
  const names = new Set(listing.map((entry) => entry.name));
  const folds = (respell: (name: string) => string) => {
    for (const name of names) {
      const other = respell(name);
      if (other === name || names.has(other)) continue;
      return attempt(() => fileSystem.stat(fd, other as BytePath)) != null;
    }
    return isSameUnder(input, respell(input.ownName));
  };
  return { foldsCase: folds(swapCase), foldsNormalization: folds(renormalize) };
}

function isSameUnder({ ownName, path }: ProbeInput, other: string): boolean {
  if (other === ownName) return false;
  const sibling = path.slice(0, path.length - ownName.length) + other;
  const [left, right] = [path, sibling].map((at) => attempt(() => statSync(toBuffer(at), { bigint: true })));
  return left != null && right != null && left.ino === right.ino && left.dev === right.dev;
}

function swapCase(name: string): string {
  return name.replace(/[a-zA-Z]/g, (letter) =>
    letter === letter.toLowerCase() ? letter.toUpperCase() : letter.toLowerCase(),
  );
}

/** The same text in the other normal form; the name itself where it has only one, or is not UTF-8. */
function renormalize(name: string): string {
  const text = toBuffer(name).toString('utf8');
  if (byteString(text) !== name) return name;
  const decomposed = text.normalize('NFD');
  return byteString(decomposed === text ? text.normalize('NFC') : decomposed);
}

function byteString(text: string): string {
  return Buffer.from(text, 'utf8').toString('latin1');
}

function attempt<T>(work: () => T): T | null {
  try {
    return work();
  } catch {
    return null;
  }
}
