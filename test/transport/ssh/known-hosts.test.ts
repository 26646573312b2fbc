import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  checkHostKey,
  type HostToCheck,
  hashedHostField,
  knownKeyTypes,
  matchesPatterns,
  matchesWildcard,
  parseKnownHosts,
} from '../../../src/transport/core/known-hosts.ts';
import { hmacSha1 } from '../../../src/transport/ssh/host-key.ts';

/** A key blob of `type` with `content`, in base64. */
function blob(type: string, content: string): string {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(type.length);
  return Buffer.concat([length, Buffer.from(type), Buffer.from(content)]).toString('base64');
}

const ED = 'ssh-ed25519';
const RSA = 'ssh-rsa';
const A = blob(ED, 'A');
const B = blob(ED, 'B');
const R = blob(RSA, 'R');
const at = (host: string, port = 22, alias: string | null = null): HostToCheck => ({ host, port, alias });
const hashed = (name: string) =>
  hashedHostField(name, Buffer.from('12345678901234567890').toString('base64'), hmacSha1);

describe('judging a key', () => {
  it.each<[string, string, HostToCheck, string, string]>([
    ['a plain line', `host ${ED} ${A}`, at('host'), A, 'known'],
    ['another host', `host ${ED} ${A}`, at('other'), A, 'unknown'],
    ['nothing', '', at('host'), A, 'unknown'],
    ['letter case of the host', `HOST ${ED} ${A}`, at('Host'), A, 'known'],
    ['a list', `x,host,y ${ED} ${A}`, at('host'), A, 'known'],
    ['tabs and spaces', `  host\t${ED}   ${A}  a comment `, at('host'), A, 'known'],
    ['CRLF', `host ${ED} ${A}\r\n`, at('host'), A, 'known'],
    ['a comment line', `# host ${ED} ${A}`, at('host'), A, 'unknown'],
    ['another key of the type', `host ${ED} ${A}`, at('host'), B, 'changed'],
    ['a key of another type', `host ${ED} ${A}`, at('host'), R, 'changed'],
    ['several keys', `host ${RSA} ${R}\nhost ${ED} ${B}\nhost ${ED} ${A}`, at('host'), A, 'known'],
    ['wildcards', `*.example.org ${ED} ${A}`, at('www.example.org'), A, 'known'],
    ['a question mark', `host? ${ED} ${A}`, at('host1'), A, 'known'],
    ['a negated pattern', `*.example.org,!www.example.org ${ED} ${A}`, at('www.example.org'), A, 'unknown'],
    ['a port', `[host]:2222 ${ED} ${A}`, at('host', 2222), A, 'known'],
    ['another port', `[host]:2223 ${ED} ${A}`, at('host', 2222), A, 'unknown'],
    ['a port line for port 22', `[host]:22 ${ED} ${A}`, at('host'), A, 'unknown'],
    ['the bare name on another port', `host ${ED} ${A}`, at('host', 2222), A, 'known'],
    ['another key under the bare name', `host ${ED} ${A}`, at('host', 2222), B, 'unknown'],
    ['the port line wins', `host ${ED} ${A}\n[host]:2222 ${ED} ${B}`, at('host', 2222), B, 'known'],
    ['a hashed name', `${hashed('host')} ${ED} ${A}`, at('host'), A, 'known'],
    ['a hashed name with port', `${hashed('[host]:2222')} ${ED} ${A}`, at('host', 2222), A, 'known'],
    ['another hashed name', `${hashed('host')} ${ED} ${A}`, at('other'), A, 'unknown'],
    ['a hashed name, other key', `${hashed('host')} ${ED} ${A}`, at('host'), B, 'changed'],
    ['an alias', `name ${ED} ${A}`, at('host', 2222, 'name'), A, 'known'],
    ['an alias hides the host', `host ${ED} ${A}`, at('host', 22, 'name'), A, 'unknown'],
    ['a revoked key', `@revoked * ${ED} ${A}\nhost ${ED} ${A}`, at('host'), A, 'revoked'],
    ['a revoked other key', `@revoked * ${ED} ${B}\nhost ${ED} ${A}`, at('host'), A, 'known'],
    ['a key revoked elsewhere', `@revoked other ${ED} ${A}\nhost ${ED} ${A}`, at('host'), A, 'known'],
    ['a key revoked after it was known', `host ${ED} ${A}\n@revoked host ${ED} ${A}`, at('host'), A, 'revoked'],
    ['only an authority', `@cert-authority *.org ${ED} ${B}`, at('a.org'), A, 'authority-only'],
    ['the authority key as host key', `@cert-authority *.org ${ED} ${A}`, at('a.org'), A, 'authority-only'],
    ['an authority and a key', `@cert-authority * ${ED} ${B}\nhost ${ED} ${A}`, at('host'), A, 'known'],
    ['an authority and another key', `@cert-authority * ${ED} ${B}\nhost ${ED} ${B}`, at('host'), A, 'changed'],
    ['an unknown marker', `@trusted host ${ED} ${A}`, at('host'), A, 'unknown'],
    ['a type the key does not have', `host ${RSA} ${A}`, at('host'), A, 'unknown'],
    ['no base64', `host ${ED} !!!`, at('host'), A, 'unknown'],
    ['a cut line', `host ${ED}`, at('host'), A, 'unknown'],
    ['a broken hash', `|1|x|y|z ${ED} ${A}`, at('host'), A, 'unknown'],
    ['a hash of another version', `${hashed('host').replace('|1|', '|2|')} ${ED} ${A}`, at('host'), A, 'unknown'],
  ])('%s', (_name, text, host, key, kind) => {
    expect(checkHostKey(parseKnownHosts(text, 'file'), host, key, hmacSha1).kind).toBe(kind);
  });

  it('names the lines of a changed key', () => {
    const lines = parseKnownHosts(`# first\nhost ${ED} ${A}\n\nhost ${RSA} ${R}\n`, 'file');
    const verdict = checkHostKey(lines, at('host'), B, hmacSha1);
    expect(verdict).toMatchObject({ kind: 'changed', others: [{ file: 'file', line: 2 }, { line: 4 }] });
  });

  it('tells the key types known for a host', () => {
    const lines = parseKnownHosts(
      `host ${RSA} ${R}\n${hashed('host')} ${ED} ${A}\n@revoked host x y\nother x y`,
      'file',
    );
    expect([...knownKeyTypes(lines, at('host'), hmacSha1)].sort()).toEqual([ED, RSA]);
    expect(knownKeyTypes(lines, at('nobody'), hmacSha1).size).toBe(0);
  });
});

describe('wildcards', () => {
  it('agree with a regular expression', () => {
    const text = fc.stringMatching(/^[ab]{0,8}$/);
    fc.assert(
      fc.property(fc.stringMatching(/^[ab*?]{0,6}$/), text, (pattern, subject) => {
        const expression = new RegExp(`^${pattern.replaceAll('*', '.*').replaceAll('?', '.')}$`);
        expect(matchesWildcard(pattern, subject)).toBe(expression.test(subject));
      }),
    );
  });

  it('do not take exponential time', () => {
    expect(matchesWildcard('*a'.repeat(2000), 'a'.repeat(4000).concat('b'))).toBe(false);
  });

  it.each([
    [['*', '!a'], 'a', false],
    [['*', '!a'], 'b', true],
    [['!a', '*'], 'a', false],
    [['!a'], 'b', false],
    [[], 'b', false],
  ])('%j on %s', (patterns, text, expected) => {
    expect(matchesPatterns(patterns, text)).toBe(expected);
  });
});

const noKeygen = spawnSync('ssh-keygen', ['-?']).error === undefined ? null : 'no ssh-keygen';

describe.skipIf(noKeygen !== null)(`against ssh-keygen${noKeygen === null ? '' : ` (${noKeygen})`}`, () => {
  let folder: string;
  let file: string;
  const names = ['plain.example.org', '[port.example.org]:2222', '::1', '[fe80::1]:2200', 'ünï.example'];

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'tidemark-known-'));
    file = join(folder, 'known_hosts');
    writeFileSync(file, names.map((name) => `${name} ${ED} ${A}\n`).join(''));
    expect(spawnSync('ssh-keygen', ['-q', '-H', '-f', file]).status).toBe(0);
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it.each([
    ['plain.example.org', 22],
    ['port.example.org', 2222],
    ['::1', 22],
    ['fe80::1', 2200],
  ])('finds %s port %d among the names it hashed', (host, port) => {
    const text = readFileSync(file, 'latin1');
    expect(text).toMatch(/^\|1\|/);
    expect(text).not.toContain('example.org');
    expect(checkHostKey(parseKnownHosts(text, file), at(host, port), A, hmacSha1).kind).toBe('known');
    expect(checkHostKey(parseKnownHosts(text, file), at(`x${host}`, port), A, hmacSha1).kind).toBe('unknown');
  });

  it.each(['plain.example.org', '[port.example.org]:2222'])('is found by it when we hash %s', (name) => {
    const ours = join(folder, 'ours');
    writeFileSync(ours, `${hashed(name)} ${ED} ${A}\n`);
    expect(spawnSync('ssh-keygen', ['-F', name, '-f', ours]).status).toBe(0);
    expect(spawnSync('ssh-keygen', ['-F', `x${name}`, '-f', ours]).status).toBe(1);
  });
});
