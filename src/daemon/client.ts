/** The control socket's asking end: one request, its lists, its end. */
import { connect, type Socket } from 'node:net';
import { MalformedError } from '../platform/core/bytes.ts';
import { errnoOf, TidemarkError } from '../platform/core/errors.ts';
import { VERSION } from '../platform/version.ts';
import type { JsonObject } from '../transport/core/json.ts';
import { decodeError } from '../transport/core/wire-error.ts';
import { FRAME, type Frame } from './core/frames.ts';
import { MAX_FRAME_BYTES, SILENCE_TIMEOUT_MS } from './core/limits.ts';
import {
  CONTROL_PROTOCOL,
  decodeDone,
  decodeHello,
  encodeHello,
  encodeRequest,
  type Request,
} from './core/messages.ts';
import { FrameLink } from './frame-link.ts';
import { versionError } from './server.ts';

export interface AskOptions {
  /** Gives up the request; the service is told by the end of the connection. */
  readonly signal?: AbortSignal;
  /** Silence after which the service counts as hung. */
  readonly silenceMs?: number;
}

/**
 * The frames of the answer to `request`, `done` last.
 * @throws TidemarkError what the service answers; or `unavailable`: `daemon-not-running`, `daemon-gone` (it ended before
 * the answer did: asking again is safe), `daemon-silent`, `daemon-version`, `daemon-protocol`.
 */
export async function* ask(socketPath: string, request: Request, options: AskOptions = {}): AsyncGenerator<Frame> {
  const { signal, silenceMs = SILENCE_TIMEOUT_MS } = options;
  signal?.throwIfAborted();
  const socket = await opened(socketPath);
  const link = new FrameLink(socket, MAX_FRAME_BYTES);
  let isSilent = false;
  socket.setTimeout(silenceMs, () => {
    isSilent = true;
    socket.destroy();
  });
  const abort = () => socket.destroy();
  signal?.addEventListener('abort', abort);
  // It may have come while the connection was made.
  if (signal?.aborted === true) abort();
  try {
    await link.send(FRAME.hello, encodeHello({ protocol: CONTROL_PROTOCOL, program: VERSION }));
    await link.send(FRAME.request, encodeRequest(request));
    await readHello(link);
    yield* answerFrames(link);
  } catch (error) {
    signal?.throwIfAborted();
    throw isSilent ? silent(silenceMs) : understood(error);
  } finally {
    signal?.removeEventListener('abort', abort);
    link.destroy();
  }
}

/**
 * What `read` makes of the end of the answer; lists go to `take` as they come. Both refuse what they do not understand
 * with MalformedError, which becomes `daemon-protocol` here.
 */
export async function askForEnd<End>(
  socketPath: string,
  request: Request,
  take: (frame: Frame) => void,
  read: (end: JsonObject) => End,
  options: AskOptions = {},
): Promise<End> {
  try {
    for await (const frame of ask(socketPath, request, options)) {
      if (frame.type === FRAME.done) return read(decodeDone(frame.payload));
      take(frame);
    }
  } catch (error) {
    throw error instanceof MalformedError ? understood(error) : error;
  }
  throw gone();
}

/** True for a failure that a restart of the worker explains: asking again is safe, and likely to work. */
export function isPassing(error: unknown): boolean {
  return error instanceof TidemarkError && (error.code === 'daemon-gone' || error.code === 'daemon-not-running');
}

async function readHello(link: FrameLink): Promise<void> {
  const frame = await link.next();
  if (frame === null) throw gone();
  if (frame.type !== FRAME.hello) throw new MalformedError('no hello');
  const hello = decodeHello(frame.payload);
  if (hello.protocol !== CONTROL_PROTOCOL) throw versionError(hello.program, VERSION);
}

async function* answerFrames(link: FrameLink): AsyncGenerator<Frame> {
  for (;;) {
    const frame = await link.next();
    if (frame === null) throw gone();
    switch (frame.type) {
      case FRAME.alive:
        break;
      case FRAME.error:
        throw decodeError(frame.payload);
      case FRAME.done:
        yield frame;
        return;
      case FRAME.hello:
      case FRAME.request:
        throw new MalformedError(`frame of type ${frame.type} in an answer`);
      default:
        yield frame;
    }
  }
}

function opened(socketPath: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(socketPath);
    const fail = (error: Error) => reject(unreachable(socketPath, error));
    socket.once('error', fail);
    socket.once('connect', () => {
      socket.off('error', fail);
      resolve(socket);
    });
  });
}

function unreachable(socketPath: string, error: Error): TidemarkError {
  const code = errnoOf(error);
  if (code === 'ENOENT' || code === 'ECONNREFUSED') {
    return new TidemarkError('unavailable', 'daemon-not-running', 'the service is not running', {
      remedy: 'Start it with tidemark daemon start.',
      cause: error,
    });
  }
  return new TidemarkError('unavailable', 'daemon-socket', `cannot talk to the service at ${socketPath}: ${code}`, {
    remedy: 'The socket has to belong to the user who asks.',
    cause: error,
  });
}

/** What is not yet an error of ours: the connection broke, or the other end speaks nonsense. */
function understood(error: unknown): unknown {
  if (error instanceof MalformedError) {
    const message = `the service answered with something that cannot be understood: ${error.message}`;
    return new TidemarkError('unavailable', 'daemon-protocol', message, {
      remedy: 'Start it anew with this version: tidemark daemon stop, then tidemark daemon start.',
      cause: error,
    });
  }
  if (error instanceof TidemarkError && error.code !== 'hung-up') return error;
  return gone(error);
}

function gone(cause?: unknown): TidemarkError {
  return new TidemarkError('unavailable', 'daemon-gone', 'the service ended before it had answered', {
    remedy: 'Ask again; tidemark daemon status tells whether it is back.',
    cause,
  });
}

function silent(silenceMs: number): TidemarkError {
  const message = `the service has said nothing for ${Math.round(silenceMs / 1000)} s`;
  return new TidemarkError('unavailable', 'daemon-silent', message, {
    remedy: 'Look at its log; tidemark daemon stop, then start, begins anew.',
  });
}
