/**
 * The control socket's serving end. One connection is one conversation: hello both ways, one request, its answer.
 *
 * Invariants: only processes of our own user are heard; every wait for the client has an end; a client that goes away
 * ends its request and nothing else; an error in one conversation touches no other.
 */
import { chmodSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { MalformedError } from '../platform/core/bytes.ts';
import { TidemarkError } from '../platform/core/errors.ts';
import { encodeError } from '../transport/core/wire-error.ts';
import { answer } from './answer.ts';
import { FRAME, type Frame } from './core/frames.ts';
import {
  ALIVE_EVERY_MS,
  MAX_CONVERSATIONS,
  MAX_REQUEST_BYTES,
  REQUEST_TIMEOUT_MS,
  STALL_TIMEOUT_MS,
} from './core/limits.ts';
import { CONTROL_PROTOCOL, decodeHello, decodeRequest, encodeHello, type Request } from './core/messages.ts';
import { FrameLink, hungUp } from './frame-link.ts';
import type { Hosting } from './hosting.ts';

export interface ControlServerOptions {
  /** Version of the program, for messages. */
  readonly program: string;
  readonly hosting: Hosting;
  /** User at the other end; null where it cannot be told (then the permissions of the socket have to do). */
  readonly peerUser: (socket: Socket) => number | null;
  /** One line for the log. */
  readonly log: (line: string) => void;
}

/** Where to listen: a descriptor that listens already, or a path where a socket is made. */
export type ListenTarget = { readonly fd: number } | { readonly path: string };

export class ControlServer {
  readonly #server: Server;
  readonly #options: ControlServerOptions;
  readonly #sockets = new Set<Socket>();
  readonly #conversations = new Set<Promise<void>>();

  private constructor(options: ControlServerOptions) {
    this.#options = options;
    this.#server = createServer((socket) => this.#accept(socket));
    this.#server.maxConnections = MAX_CONVERSATIONS;
  }

  static async listen(target: ListenTarget, options: ControlServerOptions): Promise<ControlServer> {
    const control = new ControlServer(options);
    if ('path' in target) rmSync(target.path, { force: true });
    await new Promise<void>((resolve, reject) => {
      control.#server.once('error', reject);
      control.#server.listen(target, resolve);
    });
    if ('path' in target) chmodSync(target.path, 0o600);
    control.#server.on('error', (error) => options.log(`control socket: ${error.message}`));
    return control;
  }

  /** Takes no more requests and ends those under way. */
  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    for (const socket of this.#sockets) socket.destroy();
    await Promise.all(this.#conversations);
    await closed;
  }

  #accept(socket: Socket): void {
    this.#sockets.add(socket);
    const conversation = this.#converse(socket).finally(() => {
      this.#sockets.delete(socket);
      this.#conversations.delete(conversation);
    });
    this.#conversations.add(conversation);
  }

  async #converse(socket: Socket): Promise<void> {
    const link = new FrameLink(socket, MAX_REQUEST_BYTES);
    try {
      if (!this.#isOurs(socket)) return;
      await link.send(FRAME.hello, encodeHello({ protocol: CONTROL_PROTOCOL, program: this.#options.program }));
      const request = await withDeadline(readRequest(link, this.#options.program), socket);
      await this.#answer(request, link, socket);
      link.end();
      await gone(socket);
    } catch (error) {
      await this.#refuse(error, link, socket);
    } finally {
      link.destroy();
    }
  }

  #isOurs(socket: Socket): boolean {
    const user = this.#options.peerUser(socket);
    if (user === null || process.geteuid === undefined || user === process.geteuid()) return true;
    this.#options.log(`a process of user ${user} was refused at the control socket`);
    return false;
  }

  async #answer(request: Request, link: FrameLink, socket: Socket): Promise<void> {
    // Nothing more may come from the client; reading on is how its going away is noticed.
    const extra = link.next().then(
      () => socket.destroy(),
      () => socket.destroy(),
    );
    const alive = setInterval(() => {
      if (link.isIdle) link.send(FRAME.alive, Buffer.alloc(0)).catch(() => {});
    }, ALIVE_EVERY_MS);
    if (request.method !== 'follow') socket.setTimeout(STALL_TIMEOUT_MS, () => destroyStalled(socket));
    try {
      // A client that is gone is not answered to the end: its request ends here, whatever the journal still does.
      await Promise.race([answer(request, this.#options.hosting, link, link.closing), goneAway(link.closing)]);
    } finally {
      clearInterval(alive);
      socket.setTimeout(0);
      void extra;
    }
  }

  /** Sends what went wrong, where anybody is there to hear it. */
  async #refuse(error: unknown, link: FrameLink, socket: Socket): Promise<void> {
    if (socket.destroyed) return;
    if (!(error instanceof TidemarkError) && !(error instanceof MalformedError)) {
      this.#options.log(`internal error in an answer: ${error instanceof Error ? error.stack : String(error)}`);
    }
    try {
      await link.send(FRAME.error, encodeError(error));
      link.end();
      await gone(socket);
    } catch {
      // It hung up before it could hear why.
    }
  }
}

async function readRequest(link: FrameLink, program: string): Promise<Request> {
  const hello = decodeHello((await expected(link, FRAME.hello)).payload);
  if (hello.protocol !== CONTROL_PROTOCOL) throw versionError(program, hello.program);
  return decodeRequest((await expected(link, FRAME.request)).payload);
}

async function expected(link: FrameLink, type: Frame['type']): Promise<Frame> {
  const frame = await link.next();
  if (frame === null) throw hungUp();
  if (frame.type !== type) throw new MalformedError(`frame of type ${frame.type} where ${type} was due`);
  return frame;
}

/** `ours` runs, `theirs` asks, and they do not speak the same protocol. */
export function versionError(ours: string, theirs: string): TidemarkError {
  const message = `the service is tidemark ${ours} and does not understand tidemark ${theirs}`;
  return new TidemarkError('unavailable', 'daemon-version', message, {
    remedy: 'Start it anew with this version: tidemark daemon stop, then tidemark daemon start.',
  });
}

async function withDeadline<T>(work: Promise<T>, socket: Socket): Promise<T> {
  const timer = setTimeout(() => socket.destroy(), REQUEST_TIMEOUT_MS);
  try {
    return await work;
  } finally {
    clearTimeout(timer);
  }
}

/** Rejects when `closing` aborts. */
function goneAway(closing: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    const end = () => reject(hungUp());
    if (closing.aborted) end();
    else closing.addEventListener('abort', end, { once: true });
  });
}

/** Progress of either direction restarts the timeout; signs of life that nobody takes are none. */
function destroyStalled(socket: Socket): void {
  if (socket.writableLength > 0) socket.destroy();
}

/** Resolves when the connection is closed; a client that does not close it is not waited for long. */
function gone(socket: Socket): Promise<void> {
  if (socket.destroyed) return Promise.resolve();
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, REQUEST_TIMEOUT_MS);
    socket.once('close', () => {
      clearTimeout(timer);
      resolve();
    });
  });
}
