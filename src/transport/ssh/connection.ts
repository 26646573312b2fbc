/**
 * One authenticated ssh connection: the way there (directly, through other hosts, or a proxy command), the check of
 * the host key, and authentication, all under one absolute deadline.
 */
import { connect } from 'node:net';
import type { Duplex } from 'node:stream';
import type { AuthHandlerMiddleware, Client } from 'ssh2';
import { TidemarkError } from '../../platform/core/errors.ts';
import { algorithmsFor } from './algorithms.ts';
import { Authentication, type Prompter } from './authentication.ts';
import { Deadline } from './deadline.ts';
import { connectionError, RUN_AGAIN, timedOut, unavailable } from './errors.ts';
import { type HostKeyPolicy, openHostKeyCheck } from './host-key.ts';
import type { Ssh2 } from './identity.ts';
import { improvePackets } from './packets.ts';
import { hopsOf, proxyCommandStream } from './proxy.ts';
import { type ResolveOptions, resolveSshSettings, type SshSettings, type SshTarget } from './resolve-config.ts';

/** How connections are made; everything may be left out. */
export interface SshOptions extends ResolveOptions {
  /** `--host-key`; where it is not given, StrictHostKeyChecking of the configuration decides, and `strict` otherwise. */
  readonly hostKey?: HostKeyPolicy | null;
  readonly prompter?: Prompter | null;
  readonly signal?: AbortSignal;
  /** For connecting and authenticating, where the configuration has no ConnectTimeout; 20 s by default. */
  readonly handshakeTimeoutMs?: number;
}

/** A connection that is ready for commands. */
export interface SshConnection {
  readonly client: Client;
  readonly socket: Duplex;
  readonly settings: SshSettings;
  /** Resolves when the connection has ended, for whatever reason. */
  readonly gone: Promise<void>;
  /** The first failure after the handshake; null while there was none, also after a close in order. */
  failure(): TidemarkError | null;
  /** Ends the connection and those below it, waiting until they are gone. */
  close(): Promise<void>;
}

/** Connects to `target`. Throws a TidemarkError; nothing is left open then. */
export async function connectSsh(target: SshTarget, options: SshOptions = {}): Promise<SshConnection> {
  // ssh2 is large and only needed for remote endpoints.
  const { default: ssh2 } = (await import('ssh2')) as unknown as { default: Ssh2 };
  return await connectHop(ssh2, target, options, null, 0);
}

const HANDSHAKE_TIMEOUT_MS = 20_000;

/** Hosts on the way: more is a loop in the configuration. */
const MAX_HOPS = 8;

/** What is left to send at the end gets this long before the socket is torn down. */
const CLOSE_TIMEOUT_MS = 2_000;

async function connectHop(
  ssh2: Ssh2,
  target: SshTarget,
  options: SshOptions,
  jumpsGiven: string | null,
  depth: number,
): Promise<SshConnection> {
  const settings = await resolveSshSettings(target, options);
  if (depth > MAX_HOPS)
    throw unavailable(
      'proxy-jump',
      `more than ${MAX_HOPS} hosts on the way to ${settings.host}`,
      'Is there a loop in ProxyJump?',
    );
  const below = await connectBelow(ssh2, jumpsGiven ?? settings.proxyJump, options, depth);
  const attempt = new Attempt(ssh2, settings, options);
  try {
    const socket = await attempt.guard(openSocket(settings, below, jumpsGiven));
    const client = await attempt.handshake(socket);
    return readyConnection(client, socket, settings, below);
  } catch (error) {
    await below?.close();
    throw connectionError(error, settings);
  } finally {
    attempt.close();
  }
}

/** The connection to the last host of a jump list, reached through those before it. */
async function connectBelow(
  ssh2: Ssh2,
  jumps: string | null,
  options: SshOptions,
  depth: number,
): Promise<SshConnection | null> {
  const hops = jumps === null ? [] : hopsOf(jumps);
  const last = hops.at(-1);
  if (last === undefined) return null;
  const before =
    hops.length > 1
      ? hops
          .slice(0, -1)
          .map((hop) => hop.text)
          .join(',')
      : null;
  // As with ssh, chosen identities are for the destination; each hop has its own in the configuration.
  return await connectHop(ssh2, last.target, { ...options, identityFiles: [] }, before, depth + 1);
}

function openSocket(settings: SshSettings, below: SshConnection | null, jumpsGiven: string | null): Promise<Duplex> {
  const { hostName, port, proxyCommand, addressFamily } = settings;
  if (below !== null) {
    return new Promise((resolve, reject) => {
      below.client.forwardOut('127.0.0.1', 0, hostName, port, (error, channel) => {
        if (error === undefined || error === null) return resolve(channel);
        const message = `${below.settings.host} cannot reach ${hostName} port ${port}: ${error.message}`;
        reject(unavailable('connect-failed', message, 'Is TCP forwarding allowed there?', error));
      });
    });
  }
  if (proxyCommand !== null && jumpsGiven === null) return Promise.resolve(proxyCommandStream(proxyCommand, settings));
  return new Promise((resolve, reject) => {
    const socket = connect({ host: hostName, port, family: addressFamily, noDelay: true });
    socket.once('error', reject);
    socket.once('connect', () => {
      socket.off('error', reject);
      resolve(socket);
    });
  });
}

/** One try to get a connection: whatever goes wrong first rejects everything that waits. */
class Attempt {
  readonly #ssh2: Ssh2;
  readonly #settings: SshSettings;
  readonly #options: SshOptions;
  readonly #deadline: Deadline;
  readonly #failed: Promise<never>;
  readonly #abort: () => void;
  #fail: (error: unknown) => void = () => {};
  #over = false;

  constructor(ssh2: Ssh2, settings: SshSettings, options: SshOptions) {
    this.#ssh2 = ssh2;
    this.#settings = settings;
    this.#options = options;
    this.#failed = new Promise((_resolve, reject) => {
      this.#fail = reject;
    });
    this.#failed.catch(() => {});
    const timeoutMs = settings.connectTimeoutMs ?? options.handshakeTimeoutMs ?? HANDSHAKE_TIMEOUT_MS;
    this.#deadline = new Deadline(timeoutMs, () => this.#fail(timedOut(settings, 'connecting and logging in')));
    this.#abort = () => this.#fail(new TidemarkError('interrupted', 'interrupted', 'interrupted while connecting'));
    if (options.signal?.aborted) this.#abort();
    options.signal?.addEventListener('abort', this.#abort);
  }

  /** The socket, or the first failure; a socket that comes too late is torn down. */
  async guard(opening: Promise<Duplex>): Promise<Duplex> {
    opening.then(
      (socket) => this.#over && socket.destroy(),
      () => {},
    );
    return await Promise.race([opening, this.#failed]);
  }

  async handshake(socket: Duplex): Promise<Client> {
    const client = new this.#ssh2.Client();
    const ready = new Promise<void>((resolve) => client.once('ready', resolve));
    try {
      this.#connect(client, socket);
      await Promise.race([ready, this.#failed]);
      return client;
    } catch (error) {
      client.on('error', () => {});
      socket.on('error', () => {});
      socket.destroy();
      throw error;
    }
  }

  close(): void {
    this.#over = true;
    this.#deadline.close();
    this.#options.signal?.removeEventListener('abort', this.#abort);
  }

  #connect(client: Client, socket: Duplex): void {
    const settings = this.#settings;
    const policy = this.#options.hostKey ?? (settings.acceptNew ? 'accept-new' : 'strict');
    const hostKeys = openHostKeyCheck(settings, policy);
    const prompter = this.#options.prompter ?? null;
    const ask = (text: string) =>
      this.#deadline.suspendedFor(async () => (prompter === null ? null : await prompter.askSecret(text)));
    const authentication = new Authentication(
      this.#ssh2,
      settings,
      prompter?.isInteractive === true && !settings.batchMode,
      ask,
    );
    let verified: Buffer | null = null;
    let learn: (() => void) | null = null;
    let authenticating = false;

    const hostVerifier = (key: Buffer): boolean => {
      // Keys are exchanged anew in long connections; the host key must stay the one that was checked.
      if (verified !== null) return verified.equals(key);
      const decision = hostKeys.decide(key);
      if (decision.kind === 'refuse') this.#fail(decision.error);
      if (decision.kind === 'refuse') return false;
      if (decision.kind === 'learn') learn = decision.learn;
      verified = Buffer.from(key);
      return true;
    };
    const authHandler = ((allowed, _partial, next) => {
      authentication.next(allowed).then(next as (method: unknown) => void, this.#fail);
    }) as AuthHandlerMiddleware;

    client.on('handshake', () => {
      authenticating = true;
      // Only now has the server proved that it holds the key it showed.
      try {
        learn?.();
      } catch (error) {
        this.#fail(error);
        socket.destroy();
      }
      learn = null;
    });
    client.on('error', (error: Error & { level?: string }) => {
      if (error.level === 'agent') return;
      if (!authenticating) return this.#fail(error);
      this.#fail(error.level === 'client-socket' ? error : authentication.failure(serverReason(error)));
    });
    client.on('close', () => {
      if (authenticating) this.#fail(authentication.failure('the server closed the connection'));
      else
        this.#fail(
          unavailable('connection-lost', `${settings.hostName} port ${settings.port} closed the connection`, RUN_AGAIN),
        );
    });
    client.connect({
      sock: socket,
      username: settings.user,
      algorithms: algorithmsFor(hostKeys.knownTypes),
      hostVerifier,
      authHandler,
      keepaliveInterval: settings.keepaliveIntervalMs,
      keepaliveCountMax: settings.keepaliveCount,
      // Our own deadline replaces this one: it would also count the time a person takes to type.
      readyTimeout: 0,
    });
  }
}

/** ssh2's own summary says nothing; the server's disconnect message does. */
function serverReason(error: Error & { level?: string }): string | null {
  return error.level === 'client-authentication' ? null : error.message;
}

function readyConnection(
  client: Client,
  socket: Duplex,
  settings: SshSettings,
  below: SshConnection | null,
): SshConnection {
  let failure: TidemarkError | null = null;
  client.on('error', (error: Error) => {
    failure ??= connectionError(error, settings);
  });
  const gone = new Promise<void>((resolve) => client.once('close', () => resolve()));
  improvePackets(client, socket);
  const listening = countDataAsAlive(client, socket, settings.keepaliveIntervalMs);
  client.once('close', () => clearInterval(listening));
  let closing: Promise<void> | null = null;
  const close = async () => {
    client.end();
    const timer = setTimeout(() => socket.destroy(), CLOSE_TIMEOUT_MS);
    await gone;
    clearTimeout(timer);
    await below?.close();
  };
  return {
    client,
    socket,
    settings,
    gone,
    failure: () => failure,
    close: () => {
      closing ??= close();
      return closing;
    },
  };
}

/**
 * Makes everything that is received count as a sign of life, as with OpenSSH. ssh2 counts answers to its own
 * questions only, and on a slow line those wait behind megabytes of what we are sending.
 */
function countDataAsAlive(client: Client, socket: Duplex, keepaliveIntervalMs: number): NodeJS.Timeout {
  let heard = false;
  socket.on('data', () => {
    heard = true;
  });
  const timer = setInterval(() => {
    if (heard) (client as unknown as { _resetKA?: () => void })._resetKA?.();
    heard = false;
  }, keepaliveIntervalMs / 2);
  return timer.unref();
}
