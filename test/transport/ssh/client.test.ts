import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer, type Server as NetServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import ssh2 from 'ssh2';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openRshChannel } from '../../../src/transport/rsh-channel.ts';
import { openSshChannel, type Prompter, type SshOptions, type SshTarget } from '../../../src/transport/ssh/client.ts';
import { freePort, generateKey, startSshd, type TestSshd, whyNoSshd } from '../../support/sshd.ts';

const missing = whyNoSshd();

const nobody: Prompter = {
  isInteractive: false,
  askSecret: () => Promise.reject(new Error('asked without a terminal')),
};

/** Answers in turn and remembers the questions. */
function person(...answers: (string | null)[]): Prompter & { readonly questions: string[] } {
  const questions: string[] = [];
  return {
    isInteractive: true,
    questions,
    askSecret: (text) => {
      questions.push(text);
      return Promise.resolve(answers.shift() ?? null);
    },
  };
}

async function run(target: SshTarget, options: SshOptions, command = 'echo in'): Promise<string> {
  const channel = await openSshChannel(target, command, options);
  try {
    let text = '';
    for await (const chunk of channel.incoming) text += chunk.toString();
    return text;
  } finally {
    await channel.close();
  }
}

describe.skipIf(missing !== null)(`the client against a real sshd${missing === null ? '' : ` (${missing})`}`, () => {
  let folder: string;
  let sshd: TestSshd;
  let other: TestSshd;
  let target: SshTarget;
  let files = 0;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'tidemark-client-'));
    [sshd, other] = await Promise.all([startSshd({ hostKeyTypes: ['ed25519', 'ecdsa', 'rsa'] }), startSshd()]);
    target = { host: sshd.host, user: null, port: sshd.port };
  });
  afterAll(async () => {
    await Promise.all([sshd?.stop(), other?.stop()]);
    rmSync(folder, { recursive: true, force: true });
  });

  /** An ssh configuration with these known hosts; further lines come first and so win. */
  function config(knownHosts: string | null, ...lines: string[]): string {
    const file = join(folder, `config-${++files}`);
    const known = join(folder, `known-${files}/known_hosts`);
    if (knownHosts !== null) {
      spawnSync('mkdir', [join(folder, `known-${files}`)]);
      writeFileSync(known, knownHosts);
    }
    const all = [...lines, `IdentityFile ${sshd.identityFile}`, 'IdentitiesOnly yes', 'IdentityAgent none'];
    all.push(`UserKnownHostsFile ${known}`, 'GlobalKnownHostsFile none');
    writeFileSync(file, `Host *\n${all.join('\n')}\n`);
    return file;
  }
  const knownFile = (configFile: string) => configFile.replace(/config-(\d+)$/, 'known-$1/known_hosts');
  const line = (key = sshd.hostKeys[0]) => `[127.0.0.1]:${sshd.port} ${key}\n`;

  it('runs a command and reports status and stderr', async () => {
    const channel = await openSshChannel(target, 'cat; echo oh >&2; exit 5', { configFile: sshd.configFile });
    await channel.write(Buffer.from('to and fro'));
    channel.endInput();
    let text = '';
    for await (const chunk of channel.incoming) text += chunk.toString();
    expect(text).toBe('to and fro');
    expect(await channel.exited).toEqual({ code: 5, signal: null });
    expect(channel.diagnostics()).toBe('oh\n');
    await channel.close();
    await expect(channel.write(Buffer.from('late'))).rejects.toMatchObject({ code: 'connection-lost' });
  });

  it('does not take in more than it is asked for', async () => {
    const channel = await openSshChannel(target, 'yes 0123456789abcde', { configFile: sshd.configFile });
    const incoming = channel.incoming[Symbol.asyncIterator]();
    const before = process.memoryUsage().arrayBuffers;
    let bytes = 0;
    // The sender is far faster than this reader; what it sends ahead must stay within windows and queues.
    for (let round = 0; round < 40; round++) {
      bytes += (await incoming.next()).value?.length ?? 0;
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    expect(bytes).toBeGreaterThan(0);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(24 * 1024 * 1024);
    await channel.close();
  });

  it('holds writers back while the other side does not read', async () => {
    const channel = await openSshChannel(target, 'sleep 60', { configFile: sshd.configFile });
    const chunk = Buffer.alloc(256 * 1024);
    let taken = 0;
    const writing = (async () => {
      while (taken < 64 * 1024 * 1024) {
        await channel.write(chunk);
        taken += chunk.length;
      }
    })();
    const blocked = writing.then(
      () => 'done',
      (error: { code: string }) => error.code,
    );
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(taken).toBeLessThan(16 * 1024 * 1024);
    await channel.close();
    expect(await blocked).toBe('connection-lost');
  });

  it('notices a connection that breaks', async () => {
    const channel = await openSshChannel(target, 'echo $PPID; sleep 60', { configFile: sshd.configFile });
    const incoming = channel.incoming[Symbol.asyncIterator]();
    const parent = Number((await incoming.next()).value?.toString());
    process.kill(parent, 'SIGKILL');
    await expect(incoming.next()).rejects.toMatchObject({ fault: 'unavailable', code: 'connection-lost' });
    expect(await channel.exited).toBe(null);
    await channel.close();
  });

  describe('host keys', () => {
    it('an unknown host is refused, with fingerprint and remedy', async () => {
      const configFile = config(null);
      const key = join(sshd.folder, 'host_ed25519.pub');
      const fingerprint = spawnSync('ssh-keygen', ['-l', '-f', key], { encoding: 'utf8' }).stdout.split(' ')[1];
      await expect(run(target, { configFile })).rejects.toMatchObject({
        fault: 'unavailable',
        code: 'host-unknown',
        message: expect.stringContaining(`ED25519 key ${fingerprint}`),
        remedy: expect.stringMatching(new RegExp(`accept-new[^]*ssh-keyscan -p ${sshd.port} 127.0.0.1 >> `)),
      });
      expect(existsSync(knownFile(configFile))).toBe(false);
    });

    it('a changed key is refused, also with accept-new and whatever the configuration says', async () => {
      const configFile = config(`# comment\n${line(other.hostKeys[0])}`, 'StrictHostKeyChecking no');
      for (const hostKey of ['strict', 'accept-new', null] as const) {
        await expect(run(target, { configFile, hostKey })).rejects.toMatchObject({
          code: 'host-key-changed',
          message: expect.stringContaining(`${knownFile(configFile)}:2`),
          remedy: expect.stringContaining(`ssh-keygen -f '${knownFile(configFile)}' -R '[127.0.0.1]:${sshd.port}'`),
        });
      }
      expect(readFileSync(knownFile(configFile), 'utf8')).toContain('# comment\n[127');
    });

    it('a revoked key is refused', async () => {
      const configFile = config(`${line()}@revoked * ${sshd.hostKeys[0]}\n`);
      await expect(run(target, { configFile, hostKey: 'accept-new' })).rejects.toMatchObject({
        code: 'host-key-revoked',
      });
    });

    it('an authority alone is not enough', async () => {
      const configFile = config(`@cert-authority * ${other.hostKeys[0]}\n`);
      const failure = { code: 'host-ca-unsupported', remedy: expect.stringContaining('--rsh ssh') };
      await expect(run(target, { configFile, hostKey: 'accept-new' })).rejects.toMatchObject(failure);
    });

    it.each([0, 1, 2])('of the server, key %d is asked for where only that one is known', async (index) => {
      expect(await run(target, { configFile: config(line(sshd.hostKeys[index])) })).toBe('in\n');
    });

    it.each([
      ['plain', 'no', '--host-key'],
      ['hashed', 'yes', '--host-key'],
      ['by configuration', 'no', 'config'],
    ])('a new key is learned: %s', async (_name, hash, by) => {
      const lines = [`HashKnownHosts ${hash}`, ...(by === 'config' ? ['StrictHostKeyChecking accept-new'] : [])];
      const configFile = config(null, ...lines);
      expect(await run(target, { configFile, hostKey: by === 'config' ? null : 'accept-new' })).toBe('in\n');
      const known = readFileSync(knownFile(configFile), 'utf8');
      expect(known).toMatch(
        hash === 'yes' ? /^\|1\|\S+ ssh-ed25519 \S+\n$/ : /^\[127\.0\.0\.1\]:\d+ ssh-ed25519 \S+\n$/,
      );
      expect(statSync(knownFile(configFile)).mode & 0o777).toBe(0o600);
      expect(statSync(join(knownFile(configFile), '..')).mode & 0o777).toBe(0o700);
      expect(spawnSync('ssh-keygen', ['-F', `[127.0.0.1]:${sshd.port}`, '-f', knownFile(configFile)]).status).toBe(0);
      expect(await run(target, { configFile, hostKey: 'strict' })).toBe('in\n');
      expect(readFileSync(knownFile(configFile), 'utf8')).toBe(known);
    });

    it('a learned key gets a line of its own', async () => {
      const configFile = config(`other ${other.hostKeys[0]}`);
      await run(target, { configFile, hostKey: 'accept-new' });
      expect(readFileSync(knownFile(configFile), 'utf8').split('\n').length).toBe(3);
    });

    it('a key that cannot be learned is refused', async () => {
      const configFile = config(null);
      writeFileSync(join(knownFile(configFile), '..'), 'a file where the folder should be');
      const failure = { code: 'known-hosts-unwritable' };
      await expect(run(target, { configFile, hostKey: 'accept-new' })).rejects.toMatchObject(failure);
    });

    it('is not learned from a server that lets nobody in under a wrong key', async () => {
      // Control: the check is on the key of the line, not on its mere presence.
      const configFile = config(line(other.hostKeys[0]));
      await expect(run(target, { configFile })).rejects.toMatchObject({ code: 'host-key-changed' });
      writeFileSync(knownFile(configFile), line());
      expect(await run(target, { configFile })).toBe('in\n');
    });
  });

  describe('authentication', () => {
    /** A key of its own, let in or not. */
    function key(type: string, passphrase: string, letIn: boolean, extra: string[] = []): string {
      const file = generateKey(join(folder, `key-${++files}`), type, passphrase, ['-a', '1', ...extra]);
      if (letIn) writeFileSync(sshd.authorizedKeysFile, readFileSync(`${file}.pub`), { flag: 'a' });
      return file;
    }
    const keyConfig = (...lines: string[]) => config(line(), ...lines);

    it.each([
      ['ed25519', []],
      ['ecdsa', []],
      ['rsa', []],
      ['ecdsa', ['-m', 'PEM']],
      ['rsa', ['-m', 'PEM']],
    ])('with a key of type %s %j', async (type, extra) => {
      const identityFiles = [key(type, '', true, extra)];
      expect(await run(target, { configFile: other.configFile, ...(await only(identityFiles)) })).toBe('in\n');
    });

    /** Only these identities, and our server's key. */
    async function only(identityFiles: string[], ...lines: string[]): Promise<SshOptions> {
      const file = join(folder, `only-${++files}`);
      const known = `UserKnownHostsFile ${sshd.knownHostsFile}\nGlobalKnownHostsFile none\n`;
      writeFileSync(
        file,
        `Host *\n${lines.map((text) => `${text}\n`).join('')}IdentitiesOnly yes\nIdentityAgent none\n${known}`,
      );
      return { configFile: file, identityFiles };
    }

    it('a refused key is named', async () => {
      const identityFiles = [key('ed25519', '', false)];
      const failure = await run(target, await only(identityFiles)).catch((error: unknown) => error);
      expect(failure).toMatchObject({ fault: 'unavailable', code: 'auth-failed' });
      expect((failure as Error).message).toContain(`${identityFiles[0]}: refused`);
      expect((failure as Error).message).toContain('accepts publickey');
    });

    it('the next key is tried after a refused one', async () => {
      const identityFiles = [key('ed25519', '', false), key('ecdsa', '', false), sshd.identityFile];
      expect(await run(target, await only(identityFiles))).toBe('in\n');
    });

    it('too many keys end in a clear error', async () => {
      const identityFiles = Array.from({ length: 8 }, () => key('ed25519', '', false));
      await expect(run(target, await only(identityFiles))).rejects.toMatchObject({
        code: 'auth-failed',
        message: expect.stringMatching(/too many/i),
      });
    });

    it.each([
      ['a missing file', () => join(folder, 'no such key'), 'does not exist'],
      ['no key at all', () => sshd.configFile, 'Unsupported'],
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
      await expect(run(target, await only([make()]))).rejects.toMatchObject({
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
      expect(await run(target, { ...(await only([file])), prompter })).toBe('in\n');
      expect(prompter.questions).toEqual([expect.stringContaining(file), expect.stringContaining(file)]);
    });

    it('does not ask where the server would not take the key', async () => {
      const prompter = person('open sesame');
      const file = key('ed25519', 'open sesame', false);
      await expect(run(target, { ...(await only([file])), prompter })).rejects.toMatchObject({ code: 'auth-failed' });
      expect(prompter.questions).toEqual([]);
    });

    it('names the encrypted key and the agent where nobody can be asked', async () => {
      const file = key('ed25519', 'open sesame', true);
      for (const prompter of [nobody, null]) {
        await expect(run(target, { ...(await only([file])), prompter })).rejects.toMatchObject({
          code: 'key-encrypted',
          message: expect.stringContaining(file),
          remedy: expect.stringContaining(`ssh-add ${file}`),
        });
      }
    });

    it('a wrong passphrase three times is a refusal', async () => {
      const file = key('ed25519', 'open sesame', true);
      const prompter = person('a', 'b', 'c', 'open sesame');
      await expect(run(target, { ...(await only([file])), prompter })).rejects.toMatchObject({ code: 'auth-failed' });
      expect(prompter.questions.length).toBe(3);
    });

    it('takes keys from an agent', async () => {
      const socket = join(folder, 'agent');
      const agent = spawn('ssh-agent', ['-D', '-a', socket], { stdio: ['ignore', 'pipe', 'ignore'] });
      await new Promise((resolve) => agent.stdout.once('data', resolve));
      try {
        const add = (file: string) =>
          spawnSync('ssh-add', ['-q', file], { env: { ...process.env, SSH_AUTH_SOCK: socket } });
        const strangers = Array.from({ length: 7 }, () => key('ed25519', '', false));
        const held = [key('rsa', '', true), key('ecdsa', '', true), key('ed25519', '', true)];
        for (const file of [...strangers.slice(0, 1), ...held]) expect(add(file).status).toBe(0);
        const environment = { ...process.env, SSH_AUTH_SOCK: socket };
        const agentConfig = config(line(), 'IdentitiesOnly no', 'IdentityAgent SSH_AUTH_SOCK', 'IdentityFile /nowhere');
        expect(await run(target, { configFile: agentConfig, environment })).toBe('in\n');
        // The chosen key comes first, though the agent holds more strangers than the server has patience for.
        for (const file of strangers) add(file);
        for (const file of held) {
          rmSync(file);
          const options = { ...(await only([file], `IdentityAgent ${socket}`)), environment };
          expect(await run(target, options)).toBe('in\n');
        }
      } finally {
        agent.kill();
      }
    });

    it('an agent that is not there is no obstacle', async () => {
      const configFile = keyConfig('IdentityAgent /nowhere/agent', 'IdentitiesOnly no');
      expect(await run(target, { configFile })).toBe('in\n');
    });
  });

  describe('ways', () => {
    /** `other` is reached through `sshd`. */
    function jumpConfig(...lines: string[]): string {
      const file = join(folder, `jump-${++files}`);
      const known = join(folder, `jump-known-${files}`);
      writeFileSync(known, `${line()}[127.0.0.1]:${other.port} ${other.hostKeys[0]}\n`);
      const hosts = [
        `Host middle\n HostName 127.0.0.1\n Port ${sshd.port}\n IdentityFile ${sshd.identityFile}`,
        `Host final\n HostName 127.0.0.1\n Port ${other.port}\n IdentityFile ${other.identityFile}`,
        `Host *\n UserKnownHostsFile ${known}\n GlobalKnownHostsFile none\n IdentitiesOnly yes\n IdentityAgent none\n`,
      ];
      writeFileSync(file, [...lines, ...hosts].join('\n'));
      return file;
    }
    const final: SshTarget = { host: 'final', user: null, port: null };

    it.each([
      ['one host', 'middle'],
      ['two hosts', 'middle,middle'],
      ['a URL', 'ssh://middle'],
    ])('through %s', async (_name, jumps) => {
      const before = sshd.log().split('direct-tcpip').length;
      const configFile = jumpConfig(`Host final\n ProxyJump ${jumps}`);
      expect(await run(final, { configFile })).toBe('in\n');
      expect(sshd.log().split('Accepted publickey').length).toBeGreaterThan(before);
    });

    it('the hosts on the way are checked as well', async () => {
      const configFile = jumpConfig('Host final\n ProxyJump middle\nHost middle\n UserKnownHostsFile /dev/null');
      await expect(run(final, { configFile })).rejects.toMatchObject({ code: 'host-unknown' });
      const behind = jumpConfig('Host final\n ProxyJump middle\n UserKnownHostsFile /dev/null');
      await expect(run(final, { configFile: behind })).rejects.toMatchObject({ code: 'host-unknown' });
    });

    it('a host that the one before cannot reach', async () => {
      const port = await freePort();
      const configFile = jumpConfig(`Host final\n ProxyJump middle\n Port ${port}`);
      await expect(run(final, { configFile })).rejects.toMatchObject({
        code: 'connect-failed',
        message: expect.stringContaining('middle cannot reach'),
      });
    });

    it('a loop ends', async () => {
      const configFile = jumpConfig('Host *\n ProxyJump a,b');
      writeFileSync(configFile, 'Host a\n ProxyJump b\nHost b\n ProxyJump a\n');
      await expect(run({ host: 'a', user: null, port: null }, { configFile })).rejects.toMatchObject({
        code: 'proxy-jump',
      });
    });

    it('a ProxyCommand', async () => {
      const relay = join(folder, 'relay.mjs');
      writeFileSync(
        relay,
        `import { connect } from 'node:net';
         const socket = connect(Number(process.argv[3]), process.argv[2]);
         process.stdin.pipe(socket).pipe(process.stdout);`,
      );
      const configFile = jumpConfig(`Host final\n ProxyCommand '${process.execPath}' '${relay}' %h %p`);
      const big = await run(final, { configFile }, 'head -c 3000000 /dev/zero');
      expect(big.length).toBe(3_000_000);
    });

    it('a ProxyCommand that fails', async () => {
      const configFile = jumpConfig('Host final\n ProxyCommand sh -c "echo no way >&2; exit 3"');
      await expect(run(final, { configFile })).rejects.toMatchObject({
        code: 'proxy-command',
        message: expect.stringMatching(/status 3.*no way/),
      });
    });
  });

  describe('--rsh', () => {
    const program = () => `ssh -F '${sshd.configFile}' -o BatchMode=yes`;

    it('speaks through the system ssh', async () => {
      const channel = await openRshChannel(program(), { ...target, user: sshd.user }, 'cat; echo oh >&2; exit 4');
      await channel.write(Buffer.alloc(2_000_000, 1));
      channel.endInput();
      let bytes = 0;
      for await (const chunk of channel.incoming) bytes += chunk.length;
      expect(bytes).toBe(2_000_000);
      expect(await channel.exited).toEqual({ code: 4, signal: null });
      expect(channel.diagnostics()).toContain('oh');
      await channel.close();
    });

    it('ends the program when it is closed', async () => {
      const channel = await openRshChannel(program(), target, 'cat');
      await channel.write(Buffer.from('x'));
      const closing = channel.close();
      await closing;
      expect(await channel.exited).not.toBe(null);
    });

    it('a program that does not exist', async () => {
      const failure = { code: 'rsh-failed', message: expect.stringContaining('/nowhere/ssh') };
      await expect(openRshChannel('/nowhere/ssh', target, 'true')).rejects.toMatchObject(failure);
    });

    it.each(['-oProxyCommand=true', ''])('refuses the host %j', async (host) => {
      await expect(openRshChannel('ssh', { ...target, host }, 'true')).rejects.toMatchObject({ fault: 'usage' });
    });
  });
});

describe('the client against strange servers', () => {
  let folder: string;
  let hostKey: string;
  const servers: { close(): unknown }[] = [];

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'tidemark-strange-'));
    hostKey = ssh2.utils.generateKeyPairSync('ed25519').private;
  });
  afterAll(() => {
    for (const server of servers) server.close();
    rmSync(folder, { recursive: true, force: true });
  });

  /** An in-process server; options for a client that knows it. */
  async function serve(
    onClient: (client: ssh2.Connection) => void,
  ): Promise<{ target: SshTarget; options: SshOptions }> {
    const server = new ssh2.Server({ hostKeys: [hostKey] }, (client) => {
      client.on('error', () => {});
      onClient(client);
    });
    servers.push(server);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()));
    return known((server.address() as { port: number }).port);
  }

  function known(port: number): { target: SshTarget; options: SshOptions } {
    const parsed = ssh2.utils.parseKey(hostKey) as ssh2.ParsedKey;
    const knownHosts = join(folder, `known-${port}`);
    writeFileSync(knownHosts, `[127.0.0.1]:${port} ${parsed.type} ${parsed.getPublicSSH().toString('base64')}\n`);
    const configFile = join(folder, `config-${port}`);
    const lines = [
      `UserKnownHostsFile ${knownHosts}`,
      'GlobalKnownHostsFile none',
      'IdentityFile none',
      'IdentityAgent none',
    ];
    writeFileSync(configFile, `Host *\n${lines.join('\n')}\n`);
    return {
      target: { host: '127.0.0.1', user: 'someone', port },
      options: { configFile, sshProgram: null, handshakeTimeoutMs: 3000 },
    };
  }

  const answerExec = (client: ssh2.Connection) => {
    client.on('session', (accept) => {
      accept().on('exec', (acceptExec) => {
        const stream = acceptExec();
        stream.write('in\n');
        stream.exit(0);
        stream.end();
      });
    });
  };

  it('answers keyboard-interactive questions', async () => {
    const { target, options } = await serve((client) => {
      answerExec(client);
      client.on('authentication', (context) => {
        if (context.method !== 'keyboard-interactive') return context.reject(['keyboard-interactive']);
        const questions = [
          { prompt: 'Code\x1b[31m: ', echo: false },
          { prompt: 'Colour: ', echo: true },
        ];
        context.prompt(questions, 'Title', 'Text', (answers) => {
          if (answers.join() === '42,blue') context.accept();
          else context.reject(['keyboard-interactive']);
        });
      });
    });
    const prompter = person('41', 'red', '42', 'blue');
    expect(await run(target, { ...options, prompter })).toBe('in\n');
    expect(prompter.questions.length).toBe(4);
    expect(prompter.questions[0]).toContain('someone@127.0.0.1');
    expect(prompter.questions.join('')).not.toContain('\x1b');
    await expect(run(target, { ...options, prompter: person() })).rejects.toMatchObject({ code: 'auth-failed' });
    await expect(run(target, { ...options, prompter: nobody })).rejects.toMatchObject({
      code: 'auth-failed',
      message: expect.stringContaining('accepts keyboard-interactive'),
    });
  });

  it('asks for a password, three times at most', async () => {
    const { target, options } = await serve((client) => {
      answerExec(client);
      client.on('authentication', (context) => {
        if (context.method === 'password' && context.password === 'right') context.accept();
        else context.reject(['password']);
      });
    });
    expect(await run(target, { ...options, prompter: person('wrong', 'right') })).toBe('in\n');
    const prompter = person('a', 'b', 'c', 'right');
    await expect(run(target, { ...options, prompter })).rejects.toMatchObject({ code: 'auth-failed' });
    expect(prompter.questions.length).toBe(3);
  });

  it('lets a person think longer than the handshake may take', async () => {
    const { target, options } = await serve((client) => {
      answerExec(client);
      client.on('authentication', (context) =>
        context.method === 'password' ? context.accept() : context.reject(['password']),
      );
    });
    const slow: Prompter = {
      isInteractive: true,
      askSecret: () => new Promise((resolve) => setTimeout(() => resolve('x'), 900)),
    };
    expect(await run(target, { ...options, handshakeTimeoutMs: 600, prompter: slow })).toBe('in\n');
  });

  describe('a server that sends beyond the window', () => {
    const FLOOD_BYTES = 16 * 1024 * 1024;

    async function flooding(): Promise<{ target: SshTarget; options: SshOptions }> {
      return await serve((client) => {
        client.on('authentication', (context) => context.accept());
        client.on('session', (accept) => {
          accept().on('exec', (acceptExec) => {
            const stream = acceptExec() as unknown as {
              _client: { _protocol: { channelData(id: number, bytes: Buffer): void } };
              outgoing: { id: number };
            };
            const chunk = Buffer.alloc(32_000);
            for (let sent = 0; sent < FLOOD_BYTES; sent += chunk.length)
              stream._client._protocol.channelData(stream.outgoing.id, chunk);
          });
        });
      });
    }

    it('is cut off', async () => {
      const { target, options } = await flooding();
      const channel = await openSshChannel(target, 'flood', options);
      // Not read until the connection has ended; what comes out then is bounded.
      await channel.exited;
      let bytes = 0;
      const reading = (async () => {
        for await (const chunk of channel.incoming) bytes += chunk.length;
      })();
      await expect(reading).rejects.toMatchObject({ code: 'peer-overrun' });
      expect(bytes).toBeLessThan(6 * 1024 * 1024);
      await channel.close();
    });

    it('would be taken in whole by ssh2 alone (control)', async () => {
      const { target } = await flooding();
      const client = new ssh2.Client();
      const held = await new Promise<number>((resolve, reject) => {
        client.on('error', reject).on('ready', () => {
          client.exec('flood', (error, channel) => {
            if (error) return reject(error);
            const timer = setInterval(() => {
              if (channel.readableLength < FLOOD_BYTES / 2) return;
              clearInterval(timer);
              resolve(channel.readableLength);
            }, 10);
          });
        });
        client.connect({ host: target.host, port: target.port ?? 22, username: 'someone' });
      });
      client.destroy();
      expect(held).toBeGreaterThan(FLOOD_BYTES / 2);
    });
  });

  it('gives up on a server that says nothing', async () => {
    const port = await plainServer(() => {});
    const { target, options } = known(port);
    await expect(run(target, { ...options, handshakeTimeoutMs: 300 })).rejects.toMatchObject({ code: 'timeout' });
  });

  it('stops when interrupted', async () => {
    const port = await plainServer(() => {});
    const { target, options } = known(port);
    const abort = new AbortController();
    setTimeout(() => abort.abort(), 100);
    await expect(run(target, { ...options, signal: abort.signal })).rejects.toMatchObject({ fault: 'interrupted' });
    await expect(run(target, { ...options, signal: AbortSignal.abort() })).rejects.toMatchObject({
      fault: 'interrupted',
    });
  });

  it.each([
    ['hangs up', (socket: import('node:net').Socket) => socket.end()],
    ['speaks something else', (socket: import('node:net').Socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n')],
  ])('a server that %s', async (_name, answer) => {
    const { target, options } = known(await plainServer(answer));
    await expect(run(target, options)).rejects.toMatchObject({ fault: 'unavailable', code: 'connection-lost' });
  });

  it('a configuration with BatchMode asks nobody', async () => {
    const { target, options } = await serve((client) => {
      client.on('authentication', (context) => context.reject(['password']));
    });
    writeFileSync(String(options.configFile), '  BatchMode yes\n', { flag: 'a' });
    const prompter = person('x');
    await expect(run(target, { ...options, prompter })).rejects.toMatchObject({ code: 'auth-failed' });
    expect(prompter.questions).toEqual([]);
  });

  it('a server that shares no safe algorithm', async () => {
    const server = new ssh2.Server({ hostKeys: [hostKey], algorithms: { cipher: ['aes128-cbc'] } }, (client) =>
      client.on('error', () => {}),
    );
    servers.push(server);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()));
    const { target, options } = known((server.address() as { port: number }).port);
    await expect(run(target, options)).rejects.toMatchObject({ code: 'no-common-algorithm' });
  });

  it('a port nobody listens on', async () => {
    const { target, options } = known(await freePort());
    await expect(run(target, options)).rejects.toMatchObject({ code: 'connect-refused' });
  });

  it('a host that does not exist', async () => {
    const { options } = known(1);
    const target = { host: 'no-such-host.invalid', user: null, port: null };
    await expect(run(target, options)).rejects.toMatchObject({ code: 'host-not-found' });
  });

  async function plainServer(onSocket: (socket: import('node:net').Socket) => void): Promise<number> {
    const sockets = new Set<import('node:net').Socket>();
    const server: NetServer = createServer((socket) => {
      sockets.add(socket);
      socket.on('error', () => {});
      onSocket(socket);
    });
    servers.push({
      close: () => {
        for (const socket of sockets) socket.destroy();
        server.close();
      },
    });
    const port = await freePort();
    await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', () => resolve()));
    return port;
  }
});
