/** Ways around a direct connection: the hops of ProxyJump, and ProxyCommand. */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { Duplex } from 'node:stream';
import { TidemarkError } from '../../platform/core/errors.ts';
import { parseEndpointAddress } from '../core/endpoint-address.ts';
import { cleanText } from '../core/escape.ts';
import { expandTokens } from '../core/ssh-config.ts';
import { DiagnosticText } from './chunk-queue.ts';
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
  const child = spawn('/bin/sh', ['-c', `exec ${expandTokens(command, tokens)}`], { stdio: 'pipe' });
  return new ProcessStream(child);
}

/** A command that has closed its output gets this long to say with its status why. */
const STATUS_TIMEOUT_MS = 1_000;

/** A child's standard input and output as one stream; destroying it ends the child. */
class ProcessStream extends Duplex {
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #said = new DiagnosticText();

  constructor(child: ChildProcessWithoutNullStreams) {
    super();
    this.#child = child;
    const { stdin, stdout, stderr } = child;
    stdout.on('data', (chunk: Buffer) => {
      if (!this.push(chunk)) stdout.pause();
    });
    stderr.on('data', (chunk: Buffer) => this.#said.add(chunk));
    stdin.on('error', () => {});
    child.on('error', (error) => this.destroy(this.#failed(error.message)));
    stdout.on('end', () => {
      const timer = setTimeout(() => this.push(null), STATUS_TIMEOUT_MS);
      child.once('close', () => clearTimeout(timer));
    });
    child.once('close', (status, signal) => {
      if (status === 0 || this.destroyed) this.push(null);
      else this.destroy(this.#failed(signal === null ? `status ${status}` : signal));
    });
  }

  override _read(): void {
    this.#child.stdout.resume();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    // A command that is gone says why in its status; the broken pipe adds nothing.
    this.#child.stdin.write(chunk, () => done());
  }

  override _final(done: () => void): void {
    this.#child.stdin.end(() => done());
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#child.kill();
    done(error);
  }

  #failed(reason: string): TidemarkError {
    const said = cleanText(this.#said.text().trim(), 500);
    const message = `the ProxyCommand failed (${reason})${said === '' ? '' : `: ${said}`}`;
    return unavailable('proxy-command', message, 'Check ProxyCommand in the ssh configuration.');
  }
}
