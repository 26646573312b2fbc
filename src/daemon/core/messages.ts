/**
 * What is said on the control socket, apart from lists (lists.ts): hello, request, and the end of an answer. JSON; byte
 * strings have one character for each byte. Everything read here comes from another process and is checked field by
 * field; violations throw MalformedError.
 */
import type { BackendName } from '../../journal/core/answers.ts';
import { type BytePath, nameFault } from '../../platform/core/byte-path.ts';
import { MalformedError } from '../../platform/core/bytes.ts';
import {
  asObject,
  booleanField,
  bytesField,
  choiceField,
  countField,
  field,
  type JsonObject,
  jsonBytes,
  nullableTextField,
  parseObject,
  textField,
} from '../../transport/core/json.ts';
import {
  MAX_CONSUMER_LENGTH,
  MAX_CURSOR_LENGTH,
  MAX_REQUEST_BYTES,
  MAX_ROOT_BYTES,
  MAX_TEXT_LENGTH,
} from './limits.ts';

/** Raised with every change that an older or newer half would misunderstand. */
export const CONTROL_PROTOCOL = 1;

export interface Hello {
  readonly protocol: number;
  /** Version of the program, for messages only. */
  readonly program: string;
}

/** An absolute, canonical OS path as a byte string. */
export type RootPath = string & { readonly root: unique symbol };

export type Request =
  | { readonly method: 'describe' }
  | { readonly method: 'add'; readonly root: RootPath }
  | { readonly method: 'status' | 'verify' | 'follow'; readonly root: RootPath }
  | { readonly method: 'remove'; readonly root: RootPath; readonly forget: boolean }
  | { readonly method: 'checkpoint'; readonly root: RootPath; readonly subtree: BytePath }
  | {
      readonly method: 'changes';
      readonly root: RootPath;
      readonly cursor: string | null;
      readonly subtree: BytePath;
    }
  | { readonly method: 'acknowledge'; readonly root: RootPath; readonly consumer: string; readonly cursor: string }
  | { readonly method: 'register' | 'unregister'; readonly root: RootPath; readonly consumer: string };

export type Method = Request['method'];

const METHODS: readonly Method[] = [
  'describe',
  'add',
  'remove',
  'checkpoint',
  'changes',
  'follow',
  'acknowledge',
  'register',
  'unregister',
  'status',
  'verify',
];

export const BACKENDS: readonly BackendName[] = ['fanotify-filesystem', 'fanotify-directory', 'chokidar', 'scan'];

/** One root as the service describes it. */
export interface HostedRoot {
  readonly root: RootPath;
  /** null while recording has not begun. */
  readonly backend: BackendName | null;
  /** Why it is not recorded at this moment, one line; null where it is, or is about to be. */
  readonly trouble: string | null;
}

export function encodeHello(hello: Hello): Buffer {
  return jsonBytes({ protocol: hello.protocol, program: hello.program });
}

export function decodeHello(payload: Uint8Array): Hello {
  const object = parseObject(payload, 'hello');
  return { protocol: countField(object, 'protocol'), program: textField(object, 'program', 128) };
}

export function encodeRequest(request: Request): Buffer {
  return jsonBytes(request);
}

export function decodeRequest(payload: Uint8Array): Request {
  if (payload.length > MAX_REQUEST_BYTES) throw new MalformedError(`request of ${payload.length} bytes`);
  const object = parseObject(payload, 'request');
  const method = choiceField(object, 'method', METHODS);
  switch (method) {
    case 'describe':
      return { method };
    case 'add':
    case 'status':
    case 'verify':
    case 'follow':
      return { method, root: rootField(object) };
    case 'remove':
      return { method, root: rootField(object), forget: booleanField(object, 'forget') };
    case 'checkpoint':
      return { method, root: rootField(object), subtree: pathField(object, 'subtree') };
    case 'changes': {
      const cursor = nullableTextField(object, 'cursor', MAX_CURSOR_LENGTH);
      return { method, root: rootField(object), cursor, subtree: pathField(object, 'subtree') };
    }
    case 'acknowledge':
      return {
        method,
        root: rootField(object),
        consumer: consumerField(object),
        cursor: textField(object, 'cursor', MAX_CURSOR_LENGTH),
      };
    case 'register':
    case 'unregister':
      return { method, root: rootField(object), consumer: consumerField(object) };
  }
}

/** Why `path` cannot be a root, or null where it can: absolute, without empty, `.` and `..` components. */
export function rootFault(path: string): string | null {
  if (path.length > MAX_ROOT_BYTES) return `longer than ${MAX_ROOT_BYTES} bytes`;
  if (!path.startsWith('/')) return 'not an absolute path';
  if (path === '/') return null;
  return firstFault(path.slice(1));
}

/** `path`, a byte string, as a root. Throws MalformedError. */
export function asRoot(path: string): RootPath {
  const fault = rootFault(path);
  if (fault !== null) throw new MalformedError(`root refused: ${fault}`);
  return path as RootPath;
}

/** The end of an answer, for its reader in client.ts. */
export function encodeDone(value: JsonObject): Buffer {
  return jsonBytes(value);
}

export function decodeDone(payload: Uint8Array): JsonObject {
  return parseObject(payload, 'answer');
}

export function encodeRoots(roots: readonly HostedRoot[]): Buffer {
  return jsonBytes({ roots });
}

export function decodeRoots(payload: Uint8Array): HostedRoot[] {
  const list = field(parseObject(payload, 'roots'), 'roots');
  if (!Array.isArray(list)) throw new MalformedError('roots is not a list');
  return list.map((item: unknown): HostedRoot => {
    const object = asObject(item, 'root');
    return {
      root: rootField(object),
      backend: field(object, 'backend') === null ? null : choiceField(object, 'backend', BACKENDS),
      trouble: nullableTextField(object, 'trouble', MAX_TEXT_LENGTH),
    };
  });
}

function rootField(object: JsonObject): RootPath {
  return asRoot(bytesField(object, 'root', MAX_ROOT_BYTES));
}

/** A path relative to a root; empty for the root itself. */
function pathField(object: JsonObject, name: string): BytePath {
  const path = bytesField(object, name, MAX_ROOT_BYTES);
  const fault = path === '' ? null : firstFault(path);
  if (fault !== null) throw new MalformedError(`${name} refused: ${fault}`);
  return path as BytePath;
}

/** Printable characters only: the name is shown, and a key in a store. */
function consumerField(object: JsonObject): string {
  const name = textField(object, 'consumer', MAX_CONSUMER_LENGTH);
  if (consumerFault(name) !== null) throw new MalformedError('name of a consumer refused');
  return name;
}

/** Why `name` cannot name a consumer, or null where it can. */
export function consumerFault(name: string): string | null {
  if (name === '') return 'empty';
  if (name.length > MAX_CONSUMER_LENGTH) return `longer than ${MAX_CONSUMER_LENGTH} characters`;
  return /^[\x21-\x7e]+$/.test(name) ? null : 'not made of printable ASCII characters without spaces';
}

function firstFault(path: string): string | null {
  for (const name of path.split('/')) {
    const fault = nameFault(name);
    if (fault !== null) return fault;
  }
  return null;
}
