/** Ways around a direct connection: the hops of ProxyJump, and ProxyCommand. */
import { spawn } from 'node:child_process';
import { Duplex } from 'node:stream';
import { TidemarkError } from '../../platform/core/errors.ts';
import { parseEndpointAddress } from '../core/endpoint-address.ts';
import { expandTokens } from '../core/ssh-config.ts';
import { unavailable } from './errors.ts';
import type { SshSettings, SshTarget } from './resolve-config.ts';

/** One host of a jump list, with the text it came from. */
export interface Hop {
  readonly text: string;
  readonly target: SshTarget;
}

/** The hosts of a ProxyJump value, in the order they are passed: `[user@]host[:port]` or `ssh://` URLs. */
export function hopsOf(jumps: string): Hop[] {
  return jumps.split(',').map((part) => {
    const text = part.trim();
    const bare = text.replace(/^ssh:\/\//i, '').replace(/\/$/, '');
    const address = parseEndpointAddress(`ssh://${bare}/`);
    if (address.kind !== 'ssh') throw new TidemarkError('usage', 'ssh-config', `ProxyJump ${JSON.stringify(text)}`);
    return { text, target: { host: address.host, user: address.user, port: address.port } };
  });
}

/**
 * Runs a ProxyCommand; its standard input and output are the connection.
 * The command is the user's own line of shell; what is put into it must be harmless there.
 */
export function proxyCommandStream(command: string, settings: SshSettings): Duplex {
  const { host, hostName, port, user } = settings;
  for (const word of [host, hostName, user]) {
    if (!/^[A-Za-z0-9_.:%@+-]+$/.test(word))
      throw new TidemarkError('usage', 'ssh-config', `${JSON.stringify(word)} cannot be put into a ProxyCommand`);
  }
  const tokens = new Map([
    ['h', hostName],
    ['n', host],
    ['p', String(port)],
    ['r', user],
  ]);
  const child = spawn('/bin/sh', ['-c', `exec ${expandTokens(command, tokens)}`], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  return new ProcessStream(child);
}

type PipedChild = ReturnType<typeof spawn> & { stdin: NodeJS.WritableStream; stdout: NodeJS.ReadableStream };

/** A child's standard input and output as one stream; destroying it ends the child. */
class ProcessStream extends Duplex {
  readonly #child: PipedChild;

  constructor(child: ReturnType<typeof spawn>) {
    super();
    this.#child = child as PipedChild;
    const { stdin, stdout } = this.#child;
    stdout.on('data', (chunk: Buffer) => {
      if (!this.push(chunk)) stdout.pause();
    });
    stdout.on('end', () => this.push(null));
    stdin.on('error', (error: Error) => this.destroy(proxyFailed(error.message)));
    child.on('error', (error) => this.destroy(proxyFailed(error.message)));
    child.on('exit', (code) => {
      if (code !== 0 && code !== null) this.destroy(proxyFailed(`it ended with status ${code}`));
    });
  }

  override _read(): void {
    this.#child.stdout.resume();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.#child.stdin.write(chunk, done);
  }

  override _final(done: () => void): void {
    this.#child.stdin.end(done);
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#child.kill();
    done(error);
  }
}

function proxyFailed(reason: string): TidemarkError {
  return unavailable(
    'proxy-command',
    `the ProxyCommand failed: ${reason}`,
    'Check ProxyCommand in the ssh configuration.',
  );
}
