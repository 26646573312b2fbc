import { expect, test } from 'vitest';
import { copyBytes } from '../../src/platform/copy-bytes.ts';

test.each([
  ['its own', (length: number) => Buffer.alloc(length)],
  ['shared', (length: number) => Buffer.from(new SharedArrayBuffer(length))],
])('copies to %s memory', (_, memory) => {
  const to = memory(8).fill('.');
  copyBytes(memory(3).fill('x'), to, 5);
  copyBytes(Buffer.from('ab'), to);
  copyBytes(Buffer.alloc(0), to, 8);
  expect(to.toString()).toBe('ab...xxx');
});

test.each([[4], [9], [-1]])('refuses to write beyond the end: at %i', (at) => {
  expect(() => copyBytes(Buffer.from('12345'), Buffer.alloc(8), at)).toThrow();
});
