import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server as NetServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import ssh2 from 'ssh2';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openSshChannel, type Prompter, type SshOptions, type SshTarget } from '../../../src/transport/ssh/client.ts';
import { freePort } from '../../support/sshd.ts';
import { nobody, person, run } from './support.ts';

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
    ['hangs up', (socket: Socket) => socket.end()],
    ['speaks something else', (socket: Socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n')],
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

  async function plainServer(onSocket: (socket: Socket) => void): Promise<number> {
    const sockets = new Set<Socket>();
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
