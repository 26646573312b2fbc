/**
 * Starting the agent on another host, and sending it there first where it is missing.
 *
 * Works over any channel to a shell: the built-in client or a program of the user's. What is run is one constant
 * command (see bootstrap.ts); then either the agent's own magic comes back, or a status line of the bootstrap.
 */

import { TidemarkError } from '../platform/core/errors.ts';
import {
  agentCommand,
  BOOTSTRAP_PREFIX,
  type BootstrapStatus,
  MAX_STATUS_BYTES,
  parseBootstrapStatus,
} from './bootstrap.ts';
import type { ByteChannel } from './byte-channel.ts';
import { cleanText, escapeBytes } from './core/escape.ts';
import { MAX_NOISE_BYTES } from './core/limits.ts';
import { type AgentBundle, encodeUpload, fitsHost } from './install-bundle.ts';
import type { CommandChannel } from './ssh/command-channel.ts';
import { Deadline } from './ssh/deadline.ts';
import { unavailable } from './ssh/errors.ts';

/** Runs a command on the other host. */
export type ChannelFactory = (command: string) => Promise<CommandChannel>;

export interface OpenAgentOptions {
  /** How the host is named in messages. */
  readonly host: string;
  /** The bytes the agent's own protocol begins with. */
  readonly magic: Buffer;
  /** Called only where no command is given: reads the agent's files. */
  readonly bundle: () => Promise<AgentBundle>;
  /** `--agent-command`: exactly this is run, and nothing is installed. */
  readonly agentCommand?: string | null;
  /** Until the other side first answers; 30 s by default. */
  readonly answerTimeoutMs?: number;
  /** For an upload; 10 min by default. */
  readonly uploadTimeoutMs?: number;
  readonly signal?: AbortSignal;
  /** Told before files are sent, with the bytes that go over the wire. */
  readonly onUpload?: (wireBytes: number) => void;
  /** Makes the start command; for tests. */
  readonly command?: (digest: string) => string;
}

/**
 * Opens a channel to a running agent; its first incoming byte is the first of the magic.
 * Throws a TidemarkError with one of the codes no-node, agent-platform, agent-install, agent-noise, agent-start,
 * timeout, or what the factory throws; the channel is closed then.
 */
export async function openAgent(open: ChannelFactory, options: OpenAgentOptions): Promise<ByteChannel> {
  const given = options.agentCommand ?? null;
  const bundle = given === null ? await options.bundle() : null;
  const command = given ?? (options.command ?? agentCommand)(bundle?.digest ?? '');
  const channel = await open(command);
  const guard = new Guard(channel, options);
  try {
    return await guard.run(startAgent(channel, bundle, guard, options));
  } catch (error) {
    await channel.close();
    throw error;
  } finally {
    guard.close();
  }
}

const ANSWER_TIMEOUT_MS = 30_000;
const UPLOAD_TIMEOUT_MS = 600_000;

/** Bytes written at once during an upload. */
const UPLOAD_CHUNK_BYTES = 256 * 1024;

async function startAgent(
  channel: CommandChannel,
  bundle: AgentBundle | null,
  guard: Guard,
  options: OpenAgentOptions,
): Promise<ByteChannel> {
  const incoming = channel.incoming[Symbol.asyncIterator]();
  const scanner = new Scanner(options.magic, bundle !== null);
  let uploaded = false;
  for (;;) {
    const { done, value } = await incoming.next();
    if (done) throw await startFailure(channel, scanner.noise(), options.host);
    let found = scanner.push(value);
    while (found !== null && found.kind === 'status') {
      if (found.status.kind !== 'need' || bundle === null || uploaded) throw statusError(found.status, options.host);
      uploaded = true;
      guard.allow(options.uploadTimeoutMs ?? UPLOAD_TIMEOUT_MS);
      await upload(channel, bundle, found.status, options);
      found = scanner.push(Buffer.alloc(0));
    }
    if (found !== null) return new PositionedChannel(channel, found.rest, incoming);
    if (scanner.tooNoisy()) throw noiseError(scanner.noise(), options.host);
  }
}

type Finding =
  | { readonly kind: 'agent'; readonly rest: Buffer }
  | { readonly kind: 'status'; readonly status: BootstrapStatus };

/** Looks for the magic or a status line in what comes, past whatever the login shell prints. */
class Scanner {
  readonly #magic: Buffer;
  readonly #statusToo: boolean;
  #bytes: Buffer = Buffer.alloc(0);

  constructor(magic: Buffer, statusToo: boolean) {
    this.#magic = magic;
    this.#statusToo = statusToo;
  }

  push(chunk: Buffer): Finding | null {
    const seen = this.#bytes.length;
    this.#bytes = Buffer.concat([this.#bytes, chunk]);
    const from = Math.max(0, seen - this.#magic.length);
    const magicAt = this.#bytes.indexOf(this.#magic, from);
    const status = this.#statusToo ? this.#takeStatus(magicAt) : null;
    if (status !== null) return { kind: 'status', status };
    return magicAt < 0 ? null : { kind: 'agent', rest: this.#bytes.subarray(magicAt) };
  }

  noise(): Buffer {
    return this.#bytes;
  }

  tooNoisy(): boolean {
    return this.#bytes.length > MAX_NOISE_BYTES + MAX_STATUS_BYTES;
  }

  /** A whole status line before `limit`; it and what was before it are dropped. */
  #takeStatus(limit: number): BootstrapStatus | null {
    let at = this.#bytes.indexOf(BOOTSTRAP_PREFIX);
    while (at >= 0 && (limit < 0 || at < limit)) {
      const start = at + BOOTSTRAP_PREFIX.length;
      const end = this.#bytes.indexOf(0x0a, start);
      const isWhole = end >= 0 && end - start <= MAX_STATUS_BYTES;
      const status = isWhole ? parseBootstrapStatus(this.#bytes.toString('latin1', start, end)) : null;
      if (status !== null) {
        this.#bytes = this.#bytes.subarray(end + 1);
        return status;
      }
      at = this.#bytes.indexOf(BOOTSTRAP_PREFIX, start);
    }
    return null;
  }
}

async function upload(
  channel: CommandChannel,
  bundle: AgentBundle,
  host: BootstrapStatus & { kind: 'need' },
  options: OpenAgentOptions,
): Promise<void> {
  const misfit = fitsHost(bundle, host);
  if (misfit !== null) {
    const message = `the agent cannot be sent to ${options.host}: ${cleanText(misfit, 300)}`;
    throw unavailable(
      'agent-platform',
      message,
      'Install tidemark there and name it with --agent-command "tidemark agent serve".',
    );
  }
  const parts = await encodeUpload(bundle);
  options.onUpload?.(parts.reduce((sum, part) => sum + part.length, 0));
  for (const part of parts) {
    for (let at = 0; at < part.length; at += UPLOAD_CHUNK_BYTES) {
      // A bootstrap that gives up says why on its way out; that answer is better than the broken pipe.
      const sent = await channel.write(part.subarray(at, at + UPLOAD_CHUNK_BYTES)).then(
        () => true,
        () => false,
      );
      if (!sent) return;
    }
  }
}

function statusError(status: BootstrapStatus, host: string): TidemarkError {
  switch (status.kind) {
    case 'no-node': {
      const found = status.found === '' ? 'none was found' : `only found ${cleanText(status.found, 500)}`;
      const message = `${host} has no fitting Node.js: version 20.19 or newer is needed there, ${found}`;
      return unavailable(
        'no-node',
        message,
        'Install Node.js there, or name a command that runs the agent with --agent-command.',
      );
    }
    case 'failed':
      return unavailable(
        'agent-install',
        `the agent could not be installed on ${host}: ${cleanText(status.reason, 1000)}`,
        'It goes to ~/.local/state/tidemark there, or to $TIDEMARK_HOME; see that there is room and that you may write.',
      );
    case 'need':
      return unavailable('agent-install', `${host} asks for the agent's files a second time`);
  }
}

async function startFailure(channel: CommandChannel, noise: Buffer, host: string): Promise<TidemarkError> {
  const exit = await channel.exited;
  const how =
    exit === null ? '' : exit.signal !== null ? ` (killed by ${cleanText(exit.signal, 20)})` : ` (status ${exit.code})`;
  const said = [cleanText(channel.diagnostics().trim(), 2000), escapeBytes(noise, 500)].filter((text) => text !== '');
  const message = `the agent on ${host} ended before it began${how}${said.length > 0 ? `: ${said.join(' · ')}` : ''}`;
  return unavailable('agent-start', message, 'Try the login by hand, and look at start-up files of the shell there.');
}

function noiseError(noise: Buffer, host: string): TidemarkError {
  const message = `${host} sends something else than the agent: "${escapeBytes(noise, 200)}"`;
  return unavailable('agent-noise', message, 'Start-up files of the shell there must not print without a terminal.');
}

/** One deadline and one signal over everything that waits; whichever strikes closes the channel. */
class Guard {
  readonly #channel: CommandChannel;
  readonly #options: OpenAgentOptions;
  readonly #failed: Promise<never>;
  readonly #abort: () => void;
  #deadline: Deadline;
  #fail: (error: TidemarkError) => void = () => {};

  constructor(channel: CommandChannel, options: OpenAgentOptions) {
    this.#channel = channel;
    this.#options = options;
    this.#failed = new Promise((_resolve, reject) => {
      this.#fail = reject;
    });
    this.#failed.catch(() => {});
    this.#abort = () =>
      this.#fail(new TidemarkError('interrupted', 'interrupted', 'interrupted while starting the agent'));
    if (options.signal?.aborted) this.#abort();
    options.signal?.addEventListener('abort', this.#abort);
    this.#deadline = this.#start(options.answerTimeoutMs ?? ANSWER_TIMEOUT_MS);
  }

  async run<Result>(work: Promise<Result>): Promise<Result> {
    work.catch(() => {});
    return await Promise.race([work, this.#failed]);
  }

  /** A new deadline from now on. */
  allow(timeoutMs: number): void {
    this.#deadline.close();
    this.#deadline = this.#start(timeoutMs);
  }

  close(): void {
    this.#deadline.close();
    this.#options.signal?.removeEventListener('abort', this.#abort);
  }

  #start(timeoutMs: number): Deadline {
    return new Deadline(timeoutMs, () => {
      const said = cleanText(this.#channel.diagnostics().trim(), 1000);
      const message = `the agent on ${this.#options.host} does not answer in time${said === '' ? '' : `: ${said}`}`;
      this.#fail(
        unavailable(
          'timeout',
          message,
          'Try the login by hand; start-up files of the shell there may wait for something.',
        ),
      );
    });
  }
}

/** The channel from the magic on. */
class PositionedChannel implements CommandChannel {
  readonly #channel: CommandChannel;
  readonly incoming: AsyncIterable<Buffer>;

  constructor(channel: CommandChannel, first: Buffer, later: AsyncIterator<Buffer>) {
    this.#channel = channel;
    let pending: Buffer | null = first;
    const iterator: AsyncIterableIterator<Buffer> = {
      next: () => {
        if (pending === null) return later.next();
        const value = pending;
        pending = null;
        return Promise.resolve({ done: false, value });
      },
      return: () => Promise.resolve({ done: true, value: undefined }),
      [Symbol.asyncIterator]: () => iterator,
    };
    this.incoming = iterator;
  }

  get exited() {
    return this.#channel.exited;
  }

  write(bytes: Uint8Array, released?: () => void): Promise<void> {
    return this.#channel.write(bytes, released);
  }

  endInput(): void {
    this.#channel.endInput();
  }

  diagnostics(): string {
    return this.#channel.diagnostics();
  }

  close(): Promise<void> {
    return this.#channel.close();
  }
}
