import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatEndpointAddress, parseEndpointAddress } from '../../../src/transport/core/endpoint-address.ts';

const local = (path: string) => ({ kind: 'local', path });
const remote = (host: string, path: string, more: object = {}) => ({
  kind: 'ssh',
  user: null,
  host,
  port: null,
  path,
  home: true,
  ...more,
});

describe('parsing', () => {
  it.each([
    ['/a/b', local('/a/b')],
    ['a/b', local('a/b')],
    ['a', local('a')],
    ['.', local('.')],
    ['..', local('..')],
    ['./a:b', local('./a:b')],
    ['../a:b', local('../a:b')],
    ['/a:b', local('/a:b')],
    ['~/a:b', local('~/a:b')],
    ['a/b:c', local('a/b:c')],
    ['a/b@c:d', local('a/b@c:d')],
    ['-x', local('-x')],
    ['ä', local('\xc3\xa4')],
    ['a\nb', local('a\nb')],
    ['host:a/b', remote('host', 'a/b')],
    ['host:/a/b', remote('host', '/a/b', { home: false })],
    ['host:/', remote('host', '/', { home: false })],
    ['host:.', remote('host', '')],
    ['host:~', remote('host', '')],
    ['host:~/', remote('host', '')],
    ['host:~/a', remote('host', 'a')],
    ['host:a//b/./c/', remote('host', 'a/b/c')],
    ['host:../a', remote('host', '../a')],
    ['host:a:b', remote('host', 'a:b')],
    ['host:ä', remote('host', '\xc3\xa4')],
    ['host:a b%41', remote('host', 'a b%41')],
    ['me@host:a', remote('host', 'a', { user: 'me' })],
    ['me@example.org@host:a', 'refused'],
    ['[::1]:a', remote('::1', 'a')],
    ['me@[fe80::1%eth0]:/a', remote('fe80::1%eth0', '/a', { user: 'me', home: false })],
    ['ssh://host/a', remote('host', '/a', { home: false })],
    ['SSH://host/a', remote('host', '/a', { home: false })],
    ['ssh://host/', remote('host', '/', { home: false })],
    ['ssh://host/~', remote('host', '')],
    ['ssh://host/~/a', remote('host', 'a')],
    ['ssh://host/~a', remote('host', '/~a', { home: false })],
    ['ssh://me@host:2222/a', remote('host', '/a', { user: 'me', port: 2222, home: false })],
    ['ssh://me%2bx@host/a', remote('host', '/a', { user: 'me+x', home: false })],
    ['ssh://[::1]:22/a', remote('::1', '/a', { port: 22, home: false })],
    ['ssh://host/a%20b%ff', remote('host', '/a b\xff', { home: false })],
    ['ssh://host/a?b#c', remote('host', '/a?b#c', { home: false })],
  ])('%j', (text, expected) => {
    if (expected === 'refused') expect(() => parseEndpointAddress(text)).toThrow();
    else expect(parseEndpointAddress(text)).toEqual(expected);
  });
});

describe('refusing', () => {
  it.each([
    '',
    'host:',
    ':a',
    '@host:a',
    'me@:a',
    '-oProxyCommand=reboot:a',
    'me@-host:a',
    '-me@host:a',
    'ssh://-host/a',
    'ssh://-me@host/a',
    'ssh://%2dme@host/a',
    'ssh://host',
    'ssh:///a',
    'ssh://@host/a',
    'ssh://host:/a',
    'ssh://host:0/a',
    'ssh://host:65536/a',
    'ssh://host:22x/a',
    'ssh://host/a%0',
    'ssh://host/a%zz',
    'ssh://host/a%00',
    'ssh://ho%73t/a',
    'ssh://::1/a',
    'ssh://host?x/a',
    'ho st:a',
    'ho\nst:a',
    'ho;st:a',
    'ho$(x)st:a',
    'm e@host:a',
    'm\x1be@host:a',
    'm`e@host:a',
    'host:~other/a',
    'host:a\0b',
    'a\0b',
    'http://host/a',
    'rsync://host/a',
    `host:${'a'.repeat(5000)}`,
    `${'h'.repeat(500)}:a`,
  ])('%j', (text) => {
    expect(() => parseEndpointAddress(text)).toThrow(
      expect.objectContaining({ fault: 'usage', code: 'endpoint-address' }),
    );
  });
});

describe('formatting', () => {
  it.each([
    ['me@host:a b/ä', 'ssh://me@host/~/a%20b/ä'],
    ['host:.', 'ssh://host/~'],
    ['ssh://[::1]:2222/a%ff%25', 'ssh://[::1]:2222/a%ff%25'],
    ['/a b', '/a b'],
    ['./a:b', './a:b'],
    ['a\nb\\', 'a\\x0ab\\\\'],
    ['host:/a', 'ssh://host/a'],
    ['host:/~', 'ssh://host/%7e'],
    ['host:/~/a', 'ssh://host/%7e/a'],
  ])('%j is %s', (text, formatted) => {
    expect(formatEndpointAddress(parseEndpointAddress(text))).toBe(formatted);
  });

  const name = fc.stringMatching(/^[a-z][a-z0-9.-]{0,9}$/);
  const path = fc
    .array(fc.uint8Array({ minLength: 1, maxLength: 6 }), { maxLength: 4 })
    .map((parts) => parts.map((part) => Buffer.from(part).toString('latin1').replace(/[\0/]/g, '%')))
    .map((parts) => parts.filter((part) => part !== '.').join('/'));

  it('is read back as the same address', () => {
    fc.assert(
      fc.property(
        fc.option(name),
        name,
        fc.option(fc.integer({ min: 1, max: 65535 })),
        path,
        fc.boolean(),
        (user, host, port, rest, home) => {
          const address = { kind: 'ssh', user, host, port, path: home ? rest : `/${rest}`, home } as const;
          expect(parseEndpointAddress(formatEndpointAddress(address))).toEqual(address);
        },
      ),
    );
  });

  it('gives two local paths two texts, without control characters', () => {
    const bytes = fc.uint8Array({ minLength: 1, maxLength: 5 }).map((part) => Buffer.from(part).toString('latin1'));
    fc.assert(
      fc.property(bytes, bytes, (left, right) => {
        const texts = [left, right].map((text) => formatEndpointAddress({ kind: 'local', path: text }));
        expect(texts[0] === texts[1]).toBe(left === right);
        expect(texts.join('')).not.toMatch(/\p{C}/u);
      }),
    );
  });
});
