import { expect, test } from 'vitest';
import { byteArguments } from '../../src/cli/byte-arguments.ts';
import { endpointArgument } from '../../src/cli/endpoint-argument.ts';
import { fromText } from '../../src/platform/core/byte-path.ts';

const raw =
  (...words: string[]) =>
  () =>
    Buffer.from(words.map((word) => `${word}\0`).join(''), 'latin1');
const never = () => {
  throw new Error('must not be read');
};

test('UTF-8 is taken as it is, without asking the system', () => {
  expect(byteArguments(['sync', 'größe', ''], never)).toEqual(['sync', fromText('größe'), '']);
});

test('other bytes are fetched', () => {
  const read = raw('node', '--flag', 'tidemark.js', 'sync', 'caf\xe9', 'b');
  expect(byteArguments(['sync', 'caf\ufffd', 'b'], read)).toEqual(['sync', 'caf\xe9', 'b']);
});

test('a replacement character that was typed stays what it is', () => {
  const typed = fromText('a\ufffd');
  expect(byteArguments(['a\ufffd'], raw('node', 'x', typed))).toEqual([typed]);
});

test('refused where the bytes cannot be had or do not fit', () => {
  expect(() => byteArguments(['caf\ufffd'], never)).toThrow('argument 1 is not UTF-8');
  expect(() => byteArguments(['caf\ufffd'], raw('node', 'x', 'other'))).toThrow('argument 1 is not UTF-8');
  expect(() => byteArguments(['caf\ufffd'], raw())).toThrow('argument 1 is not UTF-8');
});

test('a local endpoint keeps its bytes; a remote one is to be percent-encoded', () => {
  expect(endpointArgument('caf\xe9')).toEqual({ kind: 'local', path: 'caf\xe9' });
  expect(endpointArgument(fromText('größe'))).toEqual({ kind: 'local', path: fromText('größe') });
  expect(() => endpointArgument('host:caf\xe9')).toThrow('percent-encoded');
  expect(endpointArgument('ssh://host/caf%e9')).toMatchObject({ kind: 'ssh', path: '/caf\xe9' });
});
