import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openRshChannel } from '../../../src/transport/rsh-channel.ts';
import { openSshChannel, type SshTarget } from '../../../src/transport/ssh/client.ts';
import { freePort, whyNoSshd } from '../../support/sshd.ts';
import { Bench, run } from './support.ts';

const missing = whyNoSshd();
const reason = missing === null ? '' : ` (${missing})`;

describe.skipIf(missing !== null)(`the client against a real sshd${reason}`, () => {
  let bench: Bench;
  beforeAll(async () => {
    bench = await Bench.open();
  });
  afterAll(() => bench?.close());

  it('runs a command and reports status and stderr', async () => {
    const channel = await openSshChannel(bench.target, 'cat; echo oh >&2; exit 5', {
      configFile: bench.sshd.configFile,
    });
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
    const channel = await openSshChannel(bench.target, 'yes 0123456789abcde', { configFile: bench.sshd.configFile });
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
    const channel = await openSshChannel(bench.target, 'sleep 60', { configFile: bench.sshd.configFile });
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
    const channel = await openSshChannel(bench.target, 'echo $PPID; sleep 60', { configFile: bench.sshd.configFile });
    const incoming = channel.incoming[Symbol.asyncIterator]();
    const parent = Number((await incoming.next()).value?.toString());
    process.kill(parent, 'SIGKILL');
    await expect(incoming.next()).rejects.toMatchObject({ fault: 'unavailable', code: 'connection-lost' });
    expect(await channel.exited).toBe(null);
    await channel.close();
  });

  describe('ways', () => {
    /** `other` is reached through `sshd`. */
    function jumpConfig(...lines: string[]): string {
      const file = bench.file('jump');
      const known = bench.file('jump-known');
      writeFileSync(known, `${bench.line()}[127.0.0.1]:${bench.other.port} ${bench.other.hostKeys[0]}\n`);
      const hosts = [
        `Host middle\n HostName 127.0.0.1\n Port ${bench.sshd.port}\n IdentityFile ${bench.sshd.identityFile}`,
        `Host final\n HostName 127.0.0.1\n Port ${bench.other.port}\n IdentityFile ${bench.other.identityFile}`,
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
      const before = bench.sshd.log().split('direct-tcpip').length;
      const configFile = jumpConfig(`Host final\n ProxyJump ${jumps}`);
      expect(await run(final, { configFile })).toBe('in\n');
      expect(bench.sshd.log().split('Accepted publickey').length).toBeGreaterThan(before);
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
      const relay = join(bench.folder, 'relay.mjs');
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
    const program = () => `ssh -F '${bench.sshd.configFile}' -o BatchMode=yes`;

    it('speaks through the system ssh', async () => {
      const channel = await openRshChannel(
        program(),
        { ...bench.target, user: bench.sshd.user },
        'cat; echo oh >&2; exit 4',
      );
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
      const channel = await openRshChannel(program(), bench.target, 'cat');
      await channel.write(Buffer.from('x'));
      const closing = channel.close();
      await closing;
      expect(await channel.exited).not.toBe(null);
    });

    it('a program that does not exist', async () => {
      const failure = { code: 'rsh-failed', message: expect.stringContaining('/nowhere/ssh') };
      await expect(openRshChannel('/nowhere/ssh', bench.target, 'true')).rejects.toMatchObject(failure);
    });

    it.each(['-oProxyCommand=true', ''])('refuses the host %j', async (host) => {
      await expect(openRshChannel('ssh', { ...bench.target, host }, 'true')).rejects.toMatchObject({ fault: 'usage' });
    });
  });
});
