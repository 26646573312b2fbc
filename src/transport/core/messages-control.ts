/** The cold messages, as JSON. Decoders validate every field and throw MalformedError; unknown fields are ignored. */

import { MAX_PATH_BYTES } from '../../journal/core/limits.ts';
import type { CheckpointOptions, IgnoreOptions, MetadataOptions } from '../../journal/core/look.ts';
import { MalformedError } from '../../platform/core/bytes.ts';
import type { ApplyOptions, Backend, Checkpoint, EndpointInfo, OpenRequest, RootState } from '../../sync/endpoint.ts';
import {
  asBytes,
  booleanField,
  bytesField,
  choiceField,
  countField,
  type JsonObject,
  jsonBytes,
  nullableTextField,
  objectField,
  parseObject,
  textField,
  textListField,
} from './json.ts';

const MAX_CURSOR = 1024;
const MAX_TEXT = 4096;
const MAX_REMARKS = 200;
const MAX_PATTERNS = 65_536;
/** Above the deepest path there can be. */
const MAX_ANCESTORS = 4097;
const BACKENDS: readonly Backend[] = ['fanotify-filesystem', 'fanotify-directory', 'chokidar', 'scan'];
const ROOT_KINDS = ['directory', 'file', 'other', 'missing'] as const;
const SYMLINKS = ['posix-raw', 'portable', 'ignore'] as const;
const METADATA = ['perms', 'times', 'setid', 'owner', 'xattrs', 'acls', 'hardLinks'] as const;

/** What `open` asks: the endpoint's request and the root, a byte string as the user gave it. */
export interface OpenMessage extends OpenRequest {
  readonly root: string;
}

export interface BindMessage {
  readonly session: string;
  readonly kind: 'directory' | 'file';
}

/** The answer of methods that have nothing to say. */
export const NOTHING: Buffer = jsonBytes({});

export function encodeOpen(message: OpenMessage): Buffer {
  const { root, session, dryRun, writable } = message;
  return jsonBytes({ root, session, dryRun, writable });
}

export function decodeOpen(bytes: Uint8Array): OpenMessage {
  const from = parseObject(bytes, 'open');
  const root = bytesField(from, 'root', MAX_PATH_BYTES);
  if (root.includes('\0')) throw new MalformedError('root with NUL');
  return {
    root,
    session: sessionField(from),
    dryRun: booleanField(from, 'dryRun'),
    writable: booleanField(from, 'writable'),
  };
}

/** Free texts are clipped, so that a talkative host cannot break its own connection. */
export function encodeInfo(info: EndpointInfo): Buffer {
  return jsonBytes({
    ...info,
    whyNotBetter: info.whyNotBetter === null ? null : info.whyNotBetter.slice(0, MAX_TEXT),
    remarks: info.remarks.slice(0, MAX_REMARKS).map((remark) => remark.slice(0, MAX_TEXT)),
  });
}

export function decodeInfo(bytes: Uint8Array): EndpointInfo {
  const from = parseObject(bytes, 'info');
  return {
    root: rootState(objectField(from, 'root')),
    backend: choiceField(from, 'backend', BACKENDS),
    whyNotBetter: nullableTextField(from, 'whyNotBetter', MAX_TEXT),
    nativeAddon: booleanField(from, 'nativeAddon'),
    fileSystem: textField(from, 'fileSystem', 64),
    freeBytes: countField(from, 'freeBytes'),
    readOnly: booleanField(from, 'readOnly'),
    foldsCase: booleanField(from, 'foldsCase'),
    foldsNormalization: booleanField(from, 'foldsNormalization'),
    maxNameBytes: countField(from, 'maxNameBytes', 65_536),
    canExchange: booleanField(from, 'canExchange'),
    runsAsRoot: booleanField(from, 'runsAsRoot'),
    version: textField(from, 'version', 64),
    remarks: textListField(from, 'remarks', MAX_REMARKS, MAX_TEXT),
  };
}

export function encodeBind(message: BindMessage): Buffer {
  return jsonBytes({ session: message.session, kind: message.kind });
}

export function decodeBind(bytes: Uint8Array): BindMessage {
  const from = parseObject(bytes, 'bind');
  return { session: sessionField(from), kind: choiceField(from, 'kind', ['directory', 'file']) };
}

export function encodeIdentity(identity: string): Buffer {
  return jsonBytes({ identity });
}

export function decodeIdentity(bytes: Uint8Array): string {
  return textField(parseObject(bytes, 'bind'), 'identity', 256);
}

export function encodeCheckpointOptions(options: CheckpointOptions): Buffer {
  return jsonBytes(options);
}

export function decodeCheckpointOptions(bytes: Uint8Array): CheckpointOptions {
  const from = parseObject(bytes, 'checkpoint');
  return {
    ignore: ignoreOptions(objectField(from, 'ignore')),
    metadata: metadataOptions(objectField(from, 'metadata')),
    digest: choiceField(from, 'digest', ['xxh64', 'sha256']),
    symlinks: choiceField(from, 'symlinks', SYMLINKS),
    oneFileSystem: booleanField(from, 'oneFileSystem'),
    rehash: booleanField(from, 'rehash'),
  };
}

export function encodeCheckpoint(checkpoint: Checkpoint): Buffer {
  return jsonBytes(checkpoint);
}

export function decodeCheckpoint(bytes: Uint8Array): Checkpoint {
  const from = parseObject(bytes, 'checkpoint');
  return {
    cursor: textField(from, 'cursor', MAX_CURSOR),
    scanned: countField(from, 'scanned'),
    hashed: countField(from, 'hashed'),
    entries: countField(from, 'entries'),
    entriesBefore: countField(from, 'entriesBefore'),
  };
}

export function encodeSince(since: string | null): Buffer {
  return jsonBytes({ since });
}

export function decodeSince(bytes: Uint8Array): string | null {
  return nullableTextField(parseObject(bytes, 'changes'), 'since', MAX_CURSOR);
}

export function encodeFresh(fresh: boolean): Buffer {
  return jsonBytes({ fresh });
}

export function decodeFresh(bytes: Uint8Array): boolean {
  return booleanField(parseObject(bytes, 'changes'), 'fresh');
}

export function encodeCursor(cursor: string): Buffer {
  return jsonBytes({ cursor });
}

export function decodeCursor(bytes: Uint8Array): string {
  return textField(parseObject(bytes, 'acknowledge'), 'cursor', MAX_CURSOR);
}

export function encodeApplyOptions(options: ApplyOptions): Buffer {
  return jsonBytes(options);
}

export function decodeApplyOptions(bytes: Uint8Array): ApplyOptions {
  const from = parseObject(bytes, 'apply');
  return {
    durable: booleanField(from, 'durable'),
    backup: booleanField(from, 'backup'),
    keepVersionsSeconds: countField(from, 'keepVersionsSeconds'),
    metadata: metadataOptions(objectField(from, 'metadata')),
  };
}

/** Refuses anything but an empty object. */
export function decodeNothing(bytes: Uint8Array): void {
  parseObject(bytes, 'answer');
}

function rootState(from: JsonObject): RootState {
  return {
    kind: choiceField(from, 'kind', ROOT_KINDS),
    parentExists: booleanField(from, 'parentExists'),
    identity: nullableTextField(from, 'identity', 256),
    isEmpty: booleanField(from, 'isEmpty'),
    hostId: textField(from, 'hostId', MAX_TEXT),
    ancestorIds: textListField(from, 'ancestorIds', MAX_ANCESTORS, MAX_TEXT),
    canonicalPath: bytesField(from, 'canonicalPath', MAX_PATH_BYTES),
  };
}

function ignoreOptions(from: JsonObject): IgnoreOptions {
  return {
    patterns: textListField(from, 'patterns', MAX_PATTERNS, MAX_TEXT).map((pattern) => asBytes(pattern, 'pattern')),
    file: bytesField(from, 'file', 255),
    gitignore: booleanField(from, 'gitignore'),
    vcs: booleanField(from, 'vcs'),
  };
}

function metadataOptions(from: JsonObject): MetadataOptions {
  const values = METADATA.map((name) => [name, booleanField(from, name)] as const);
  return Object.fromEntries(values) as unknown as MetadataOptions;
}

function sessionField(from: JsonObject): string {
  const session = textField(from, 'session', 128);
  if (!/^[0-9a-f]*$/.test(session)) throw new MalformedError('session is not a hex id');
  return session;
}
