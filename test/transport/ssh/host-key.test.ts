import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { whyNoSshd } from '../../support/sshd.ts';
import { Bench, run } from './support.ts';

const missing = whyNoSshd();
const reason = missing === null ? '' : ` (${missing})`;

describe.skipIf(missing !== null)(`host keys of a real sshd${reason}`, () => {
  let bench: Bench;
  beforeAll(async () => {
    bench = await Bench.open();
  });
  afterAll(() => bench?.close());

  it('an unknown host is refused, with fingerprint and remedy', async () => {
    const configFile = bench.config(null);
    const key = join(bench.sshd.folder, 'host_ed25519.pub');
    const fingerprint = spawnSync('ssh-keygen', ['-l', '-f', key], { encoding: 'utf8' }).stdout.split(' ')[1];
    await expect(run(bench.target, { configFile })).rejects.toMatchObject({
      fault: 'unavailable',
      code: 'host-unknown',
      message: expect.stringContaining(`ED25519 key ${fingerprint}`),
      remedy: expect.stringMatching(new RegExp(`accept-new[^]*ssh-keyscan -p ${bench.sshd.port} 127.0.0.1 >> `)),
    });
    expect(existsSync(bench.knownFile(configFile))).toBe(false);
  });

  it('a changed key is refused, also with accept-new and whatever the configuration says', async () => {
    const configFile = bench.config(`# comment\n${bench.line(bench.other.hostKeys[0])}`, 'StrictHostKeyChecking no');
    for (const hostKey of ['strict', 'accept-new', null] as const) {
      await expect(run(bench.target, { configFile, hostKey })).rejects.toMatchObject({
        code: 'host-key-changed',
        message: expect.stringContaining(`${bench.knownFile(configFile)}:2`),
        remedy: expect.stringContaining(
          `ssh-keygen -f '${bench.knownFile(configFile)}' -R '[127.0.0.1]:${bench.sshd.port}'`,
        ),
      });
    }
    expect(readFileSync(bench.knownFile(configFile), 'utf8')).toContain('# comment\n[127');
  });

  it('a revoked key is refused', async () => {
    const configFile = bench.config(`${bench.line()}@revoked * ${bench.sshd.hostKeys[0]}\n`);
    await expect(run(bench.target, { configFile, hostKey: 'accept-new' })).rejects.toMatchObject({
      code: 'host-key-revoked',
    });
  });

  it('an authority alone is not enough', async () => {
    const configFile = bench.config(`@cert-authority * ${bench.other.hostKeys[0]}\n`);
    const failure = { code: 'host-ca-unsupported', remedy: expect.stringContaining('--rsh ssh') };
    await expect(run(bench.target, { configFile, hostKey: 'accept-new' })).rejects.toMatchObject(failure);
  });

  it.each([0, 1, 2])('of the server, key %d is asked for where only that one is known', async (index) => {
    expect(await run(bench.target, { configFile: bench.config(bench.line(bench.sshd.hostKeys[index])) })).toBe('in\n');
  });

  it.each([
    ['plain', 'no', '--host-key'],
    ['hashed', 'yes', '--host-key'],
    ['by configuration', 'no', 'config'],
  ])('a new key is learned: %s', async (_name, hash, by) => {
    const lines = [`HashKnownHosts ${hash}`, ...(by === 'config' ? ['StrictHostKeyChecking accept-new'] : [])];
    const configFile = bench.config(null, ...lines);
    expect(await run(bench.target, { configFile, hostKey: by === 'config' ? null : 'accept-new' })).toBe('in\n');
    const known = readFileSync(bench.knownFile(configFile), 'utf8');
    expect(known).toMatch(hash === 'yes' ? /^\|1\|\S+ ssh-ed25519 \S+\n$/ : /^\[127\.0\.0\.1\]:\d+ ssh-ed25519 \S+\n$/);
    expect(statSync(bench.knownFile(configFile)).mode & 0o777).toBe(0o600);
    expect(statSync(join(bench.knownFile(configFile), '..')).mode & 0o777).toBe(0o700);
    expect(
      spawnSync('ssh-keygen', ['-F', `[127.0.0.1]:${bench.sshd.port}`, '-f', bench.knownFile(configFile)]).status,
    ).toBe(0);
    expect(await run(bench.target, { configFile, hostKey: 'strict' })).toBe('in\n');
    expect(readFileSync(bench.knownFile(configFile), 'utf8')).toBe(known);
  });

  it('a learned key gets a line of its own', async () => {
    const configFile = bench.config(`other ${bench.other.hostKeys[0]}`);
    await run(bench.target, { configFile, hostKey: 'accept-new' });
    expect(readFileSync(bench.knownFile(configFile), 'utf8').split('\n').length).toBe(3);
  });

  it('a key that cannot be learned is refused', async () => {
    const configFile = bench.config(null);
    writeFileSync(join(bench.knownFile(configFile), '..'), 'a file where the folder should be');
    const failure = { code: 'known-hosts-unwritable' };
    await expect(run(bench.target, { configFile, hostKey: 'accept-new' })).rejects.toMatchObject(failure);
  });

  it('is not learned from a server that lets nobody in under a wrong key', async () => {
    // Control: the check is on the key of the line, not on its mere presence.
    const configFile = bench.config(bench.line(bench.other.hostKeys[0]));
    await expect(run(bench.target, { configFile })).rejects.toMatchObject({ code: 'host-key-changed' });
    writeFileSync(bench.knownFile(configFile), bench.line());
    expect(await run(bench.target, { configFile })).toBe('in\n');
  });
});
