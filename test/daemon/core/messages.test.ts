import { expect, test } from 'vitest';
import { readChanges, readCheckpoint, readFacts, readStatus } from '../../../src/daemon/core/answers.ts';
import {
  asRoot,
  consumerFault,
  decodeHello,
  decodeRequest,
  decodeRoots,
  encodeHello,
  encodeRequest,
  encodeRoots,
  type Request,
  rootFault,
} from '../../../src/daemon/core/messages.ts';
import type { BytePath } from '../../../src/platform/core/byte-path.ts';

const root = asRoot('/srv/caf\xe9');
const subtree = 'a/\xff' as BytePath;

test.each<Request>([
  { method: 'describe' },
  { method: 'add', root },
  { method: 'remove', root, forget: true },
  { method: 'checkpoint', root, subtree },
  { method: 'changes', root, cursor: null, subtree: '' as BytePath },
  { method: 'changes', root, cursor: 'c1', subtree },
  { method: 'follow', root },
  { method: 'acknowledge', root, consumer: 'me', cursor: 'c1' },
  { method: 'register', root, consumer: 'me' },
  { method: 'unregister', root, consumer: 'me' },
  { method: 'status', root },
  { method: 'verify', root },
])('$method arrives as it was', (request) => {
  expect(decodeRequest(encodeRequest(request))).toEqual(request);
});

const bytes = (value: unknown) => Buffer.from(JSON.stringify(value));

test.each([
  ['no JSON', Buffer.from('{')],
  ['no object', bytes([1])],
  ['no method', bytes({})],
  ['an unknown method', bytes({ method: 'explode' })],
  ['a method of the prototype', bytes({ method: 'toString' })],
  ['no root', bytes({ method: 'status' })],
  ['a relative root', bytes({ method: 'status', root: 'srv' })],
  ['a root with ..', bytes({ method: 'status', root: '/srv/../etc' })],
  ['a root with an empty name', bytes({ method: 'status', root: '/srv//x' })],
  ['a root that ends in a slash', bytes({ method: 'status', root: '/srv/' })],
  ['a root with a NUL', bytes({ method: 'status', root: '/srv\0' })],
  ['a root of wide characters', bytes({ method: 'status', root: '/srv/\u20ac' })],
  ['a root that is too long', bytes({ method: 'status', root: `/${'d/'.repeat(3000)}d` })],
  ['an absolute subtree', bytes({ method: 'checkpoint', root: '/srv', subtree: '/etc' })],
  ['a subtree that leaves the root', bytes({ method: 'checkpoint', root: '/srv', subtree: '../x' })],
  ['a cursor that is too long', bytes({ method: 'changes', root: '/srv', cursor: 'c'.repeat(2000), subtree: '' })],
  ['a cursor that is a number', bytes({ method: 'changes', root: '/srv', cursor: 7, subtree: '' })],
  ['a consumer with a control character', bytes({ method: 'register', root: '/srv', consumer: 'a\x1b' })],
  ['forget as a word', bytes({ method: 'remove', root: '/srv', forget: 'yes' })],
  ['a request that is too long', Buffer.alloc(2 * 1024 * 1024, 0x20)],
])('refused: %s', (_what, payload) => {
  expect(() => decodeRequest(payload)).toThrow(expect.objectContaining({ code: 'malformed' }));
});

test('hello: unknown fields are for later versions', () => {
  expect(decodeHello(encodeHello({ protocol: 1, program: '0.1.0' }))).toEqual({ protocol: 1, program: '0.1.0' });
  expect(decodeHello(bytes({ protocol: 9, program: '9', more: true }))).toEqual({ protocol: 9, program: '9' });
  expect(() => decodeHello(bytes({ protocol: -1, program: '9' }))).toThrow('protocol');
  expect(() => decodeHello(bytes({ protocol: 1, program: 'x'.repeat(1000) }))).toThrow('program');
});

test('roots', () => {
  const roots = [
    { root, backend: null, trouble: 'no such directory' },
    { root: asRoot('/'), backend: 'scan', trouble: null },
  ] as const;
  expect(decodeRoots(encodeRoots(roots))).toEqual(roots);
  expect(() => decodeRoots(bytes({ roots: 'many' }))).toThrow('not a list');
  expect(() => decodeRoots(bytes({ roots: [{ root: '/x', backend: 'magic', trouble: null }] }))).toThrow('backend');
});

test('ends of answers are checked field by field', () => {
  expect(() => readCheckpoint({ cursor: 'c', period: 1.5, dirty: 0 })).toThrow('period');
  expect(() => readChanges({ cursor: 'c', backend: 'scan', freshInstance: 1 })).toThrow('freshInstance');
  expect(() => readFacts({ workerPid: 1, program: '1', uptimeMs: -1 })).toThrow('uptimeMs');
  const status = { recording: true, backend: 'scan', whyNotBetter: null, period: 1, dirty: 0 };
  expect(() => readStatus({ ...status, events: { received: 0, foreign: 0 } })).toThrow('silencedObjects');
});

test.each([
  ['/', null],
  ['/a/b', null],
  ['', 'not an absolute path'],
  ['a', 'not an absolute path'],
  ['/a/', 'empty name'],
  ['/a/./b', 'name "."'],
])('root %j: %j', (path, fault) => {
  expect(rootFault(path)).toBe(fault);
});

test('names of consumers', () => {
  expect(consumerFault('backup@host')).toBeNull();
  for (const bad of ['', 'a b', 'größe', 'a\n', 'x'.repeat(300)]) expect(consumerFault(bad)).not.toBeNull();
});
