import { spawn, spawnSync } from 'node:child_process';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { SshOptions } from '../../../src/transport/ssh/client.ts';
import { generateKey, whyNoSshd } from '../../support/sshd.ts';
import { Bench, nobody, person, run } from './support.ts';

const missing = whyNoSshd();
const reason = missing === null ? '' : ` (${missing})`;

describe.skipIf(missing !== null)(`authentication at a real sshd${reason}`, () => {
  let bench: Bench;
  beforeAll(async () => {
    bench = await Bench.open();
  });
  afterAll(() => bench?.close());

  /** A key of its own, let in or not. */
  function key(type: string, passphrase: string, letIn: boolean, extra: string[] = []): string {
    const file = generateKey(bench.file('key'), type, passphrase, ['-a', '1', ...extra]);
    if (letIn) writeFileSync(bench.sshd.authorizedKeysFile, readFileSync(`${file}.pub`), { flag: 'a' });
    return file;
  }
  const keyConfig = (...lines: string[]) => bench.config(bench.line(), ...lines);

  it.each([
    ['ed25519', []],
    ['ecdsa', []],
    ['rsa', []],
    ['ecdsa', ['-m', 'PEM']],
    ['rsa', ['-m', 'PEM']],
  ])('with a key of type %s %j', async (type, extra) => {
    const identityFiles = [key(type, '', true, extra)];
    expect(await run(bench.target, { configFile: bench.other.configFile, ...(await only(identityFiles)) })).toBe(
      'in\n',
    );
  });

  /** Only these identities, and our server's key. */
  async function only(identityFiles: string[], ...lines: string[]): Promise<SshOptions> {
    const file = bench.file('only');
    const known = `UserKnownHostsFile ${bench.sshd.knownHostsFile}\nGlobalKnownHostsFile none\n`;
    writeFileSync(
      file,
      `Host *\n${lines.map((text) => `${text}\n`).join('')}IdentitiesOnly yes\nIdentityAgent none\n${known}`,
    );
    return { configFile: file, identityFiles };
  }

  it('a refused key is named', async () => {
    const identityFiles = [key('ed25519', '', false)];
    const failure = await run(bench.target, await only(identityFiles)).catch((error: unknown) => error);
    expect(failure).toMatchObject({ fault: 'unavailable', code: 'auth-failed' });
    expect((failure as Error).message).toContain(`${identityFiles[0]}: refused`);
    expect((failure as Error).message).toContain('accepts publickey');
  });

  it('the next key is tried after a refused one', async () => {
    const identityFiles = [key('ed25519', '', false), key('ecdsa', '', false), bench.sshd.identityFile];
    expect(await run(bench.target, await only(identityFiles))).toBe('in\n');
  });

  it('too many keys end in a clear error', async () => {
    const identityFiles = Array.from({ length: 8 }, () => key('ed25519', '', false));
    await expect(run(bench.target, await only(identityFiles))).rejects.toMatchObject({
      code: 'auth-failed',
      message: expect.stringMatching(/too many/i),
    });
  });

  it.each([
    ['a missing file', () => join(bench.folder, 'no such key'), 'does not exist'],
    ['no key at all', () => bench.sshd.configFile, 'Unsupported'],
    [
      'a key others can read',
      () => {
        const file = key('ed25519', '', true);
        spawnSync('chmod', ['644', file]);
        return file;
      },
      'others can read it',
    ],
  ])('%s is named', async (_name, make, reason) => {
    await expect(run(bench.target, await only([make()]))).rejects.toMatchObject({
      code: 'key-unreadable',
      message: expect.stringContaining(reason),
    });
  });

  it.each([
    ['OpenSSH format', 'ed25519', [], 0],
    ['PEM with its public half beside it', 'rsa', ['-m', 'PEM'], 0],
    ['PEM alone', 'ecdsa', ['-m', 'PEM'], 1],
  ])('asks for the passphrase of an encrypted key: %s', async (_name, type, extra, removePublic) => {
    const file = key(type, 'open sesame', true, extra);
    if (removePublic) rmSync(`${file}.pub`);
    const prompter = person('wrong', 'open sesame');
    expect(await run(bench.target, { ...(await only([file])), prompter })).toBe('in\n');
    expect(prompter.questions).toEqual([expect.stringContaining(file), expect.stringContaining(file)]);
  });

  it('does not ask where the server would not take the key', async () => {
    const prompter = person('open sesame');
    const file = key('ed25519', 'open sesame', false);
    await expect(run(bench.target, { ...(await only([file])), prompter })).rejects.toMatchObject({
      code: 'auth-failed',
    });
    expect(prompter.questions).toEqual([]);
  });

  it('names the encrypted key and the agent where nobody can be asked', async () => {
    const file = key('ed25519', 'open sesame', true);
    for (const prompter of [nobody, null]) {
      await expect(run(bench.target, { ...(await only([file])), prompter })).rejects.toMatchObject({
        code: 'key-encrypted',
        message: expect.stringContaining(file),
        remedy: expect.stringContaining(`ssh-add ${file}`),
      });
    }
  });

  it('a wrong passphrase three times is a refusal', async () => {
    const file = key('ed25519', 'open sesame', true);
    const prompter = person('a', 'b', 'c', 'open sesame');
    await expect(run(bench.target, { ...(await only([file])), prompter })).rejects.toMatchObject({
      code: 'auth-failed',
    });
    expect(prompter.questions.length).toBe(3);
  });

  it('takes keys from an agent', async () => {
    const socket = join(bench.folder, 'agent');
    const agent = spawn('ssh-agent', ['-D', '-a', socket], { stdio: ['ignore', 'pipe', 'ignore'] });
    await new Promise((resolve) => agent.stdout.once('data', resolve));
    try {
      const add = (file: string) =>
        spawnSync('ssh-add', ['-q', file], { env: { ...process.env, SSH_AUTH_SOCK: socket } });
      const strangers = Array.from({ length: 7 }, () => key('ed25519', '', false));
      const held = [key('rsa', '', true), key('ecdsa', '', true), key('ed25519', '', true)];
      for (const file of [...strangers.slice(0, 1), ...held]) expect(add(file).status).toBe(0);
      const environment = { ...process.env, SSH_AUTH_SOCK: socket };
      const agentConfig = bench.config(
        bench.line(),
        'IdentitiesOnly no',
        'IdentityAgent SSH_AUTH_SOCK',
        'IdentityFile /nowhere',
      );
      expect(await run(bench.target, { configFile: agentConfig, environment })).toBe('in\n');
      // The chosen key comes first, though the agent holds more strangers than the server has patience for.
      for (const file of strangers) add(file);
      for (const file of held) {
        rmSync(file);
        const options = { ...(await only([file], `IdentityAgent ${socket}`)), environment };
        expect(await run(bench.target, options)).toBe('in\n');
      }
    } finally {
      agent.kill();
    }
  });

  it('an agent that is not there is no obstacle', async () => {
    const configFile = keyConfig('IdentityAgent /nowhere/agent', 'IdentitiesOnly no');
    expect(await run(bench.target, { configFile })).toBe('in\n');
  });
});
