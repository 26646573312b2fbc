/** `session.json`: what a session is found by. */
import { randomBytes } from 'node:crypto';
import { closeSync, constants, fstatSync, fsyncSync, openSync, readSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { Side } from '../../journal/core/entry.ts';
import type { BytePath } from '../../platform/core/byte-path.ts';
import { MalformedError } from '../../platform/core/bytes.ts';
import type { FileSystem } from '../../platform/filesystem.ts';
import { objectOf, parseObject, text } from './session-facts.ts';

export interface SessionFile {
  /** Canonical: symlinks resolved. */
  readonly addresses: Readonly<Record<Side, string>>;
  readonly identities: Readonly<Record<Side, string | null>>;
  /** As the user named the endpoints last, made absolute; absent in what version 0.1.0 wrote first. */
  readonly named?: Readonly<Record<Side, string>>;
}

const FILE_NAME = 'session.json' as BytePath;
const FORMAT = 1;
const MAX_FILE_BYTES = 512 * 1024;

/** The file in `folder` (absolute); null where there is none or it cannot be understood: then a new session is made. */
export function readSessionFile(folder: string): SessionFile | null {
  let fd: number;
  try {
    fd = openSync(join(folder, FILE_NAME), constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch {
    return null;
  }
  try {
    const stat = fstatSync(fd);
    if (!stat.isFile() || stat.size > MAX_FILE_BYTES) return null;
    const bytes = Buffer.alloc(stat.size);
    return parse(bytes.toString('utf8', 0, readSync(fd, bytes, 0, stat.size, 0)));
  } catch (error) {
    if (error instanceof MalformedError) return null;
    throw error;
  } finally {
    closeSync(fd);
  }
}

/** Writes the file beside and renames it into place, durably. */
export function writeSessionFile(fileSystem: FileSystem, folder: string, file: SessionFile): void {
  const root = fileSystem.openRoot(folder);
  try {
    const temporary = `session.${randomBytes(6).toString('hex')}` as BytePath;
    const fd = fileSystem.createFile(root, temporary, 0o600);
    try {
      writeSync(fd, `${JSON.stringify({ format: FORMAT, ...file }, null, 2)}\n`);
      fsyncSync(fd);
    } finally {
      fileSystem.close(fd);
    }
    fileSystem.rename(root, temporary, FILE_NAME);
    fileSystem.syncDirectory(root, '' as BytePath);
  } finally {
    fileSystem.close(root);
  }
}

function parse(json: string): SessionFile {
  const file = parseObject(json);
  if (file.format !== FORMAT) throw new MalformedError('unknown format');
  const addresses = objectOf(file.addresses);
  const identities = objectOf(file.identities);
  const named = file.named === undefined ? null : objectOf(file.named);
  return {
    addresses: { alpha: text(addresses.alpha), beta: text(addresses.beta) },
    identities: { alpha: textOrNull(identities.alpha), beta: textOrNull(identities.beta) },
    ...(named === null ? {} : { named: { alpha: text(named.alpha), beta: text(named.beta) } }),
  };
}

function textOrNull(value: unknown): string | null {
  return value === null ? null : text(value);
}
