/**
 * A connection to the other side: many flow-controlled calls at once over one byte channel.
 *
 * Invariants: nothing a peer sends makes us hold more than the limits say; the first failure, whatever it is, ends
 * everything pending with that one error; nothing rejects unheard. The reading loop never waits for a consumer, because
 * the windows bound what it can bring; so a slow call cannot hold up another.
 */
import { MalformedError } from '../platform/core/bytes.ts';
import { TidemarkError } from '../platform/core/errors.ts';
import { LimitedChannel } from './bandwidth.ts';
import type { ByteChannel } from './byte-channel.ts';
import { Caller } from './caller.ts';
import type { ChannelHost } from './channel.ts';
import { type Clock, systemClock } from './clock.ts';
import { Compressor, chooseEncoding, Decompressor, SUPPORTED_ENCODINGS } from './compression.ts';
import { cleanText } from './core/escape.ts';
import { frame } from './core/frame.ts';
import { type FrameEvent, FrameParser } from './core/frame-parser.ts';
import {
  type Agreement,
  agree,
  type CompressMode,
  decodeHello,
  encodeHello,
  type Hello,
  MAGIC,
  MagicFinder,
  PROTOCOL,
} from './core/hello.ts';
import {
  FAREWELL_TIMEOUT_MS,
  HANDSHAKE_TIMEOUT_MS,
  MAX_CHANNELS,
  MAX_QUEUED_CONTROL_BYTES,
  WINDOW_BYTES,
} from './core/limits.ts';
import type { MethodSpec } from './core/method.ts';
import { Outbox } from './core/outbox.ts';
import { decodeError, encodeError, violation } from './core/wire-error.ts';
import { FrameWriter } from './frame-writer.ts';
import { LinkMeter } from './link-meter.ts';
import { Liveness } from './liveness.ts';
import { type Handler, Responder } from './responder.ts';
import { RUN_AGAIN } from './ssh/errors.ts';

export interface ConnectionOptions {
  /** Clients call, servers answer. */
  readonly role: 'client' | 'server';
  /** Version of the program, for messages. */
  readonly program: string;
  readonly methods: ReadonlyMap<string, MethodSpec>;
  /** Client only: how both sides compress what they send. */
  readonly compress?: CompressMode;
  /** Client only: the rate each side keeps to, in bytes a second; null for none. */
  readonly bytesPerSecond?: number | null;
  readonly handshakeTimeoutMs?: number;
  /** Calls the handshake off. */
  readonly signal?: AbortSignal;
  readonly clock?: Clock;
  /** What the hello says, for tests of other versions. */
  readonly hello?: Partial<Hello>;
}

/** What the other side is, and what was agreed with it. */
export interface Peer {
  readonly program: string;
  readonly minor: number;
  readonly capabilities: readonly string[];
}

/**
 * Shakes hands over `channel`, which belongs to the connection from now on and is closed with it, also on failure.
 * Throws `protocol-version`, `handshake-timeout`, `handshake-noise`, `handshake-failed` or `protocol-violation`.
 */
export async function openConnection(channel: ByteChannel, options: ConnectionOptions): Promise<Connection> {
  const connection = new Connection(channel, options);
  await connection.ready();
  return connection;
}

export class Connection {
  /** Resolves when the connection has ended and its channel is closed: null after a goodbye, else why. Never rejects. */
  readonly closed: Promise<TidemarkError | null>;
  readonly #options: ConnectionOptions;
  readonly #clock: Clock;
  readonly #channel: LimitedChannel;
  readonly #ownHello: Hello;
  readonly #outbox = new Outbox();
  readonly #meter = new LinkMeter();
  readonly #writer: FrameWriter;
  readonly #writing: Promise<void>;
  readonly #liveness: Liveness;
  readonly #parser = new FrameParser();
  readonly #finder = new MagicFinder();
  #handshake: { resolve(): void; reject(error: unknown): void } | null = null;
  readonly #ready: Promise<void>;
  readonly #stopDeadline: () => void;
  #resolveClosed: (reason: TidemarkError | null) => void = () => {};
  #peer: Peer | null = null;
  #half: Caller | Responder | null = null;
  #receivedBytes = 0;
  #pingsUnanswered = 0;
  #hasEnded = false;

  /** Use {@link openConnection}. */
  constructor(channel: ByteChannel, options: ConnectionOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#channel = new LimitedChannel(channel, this.#clock, options.bytesPerSecond ?? null);
    this.#ownHello = ownHello(options);
    this.closed = new Promise((resolve) => {
      this.#resolveClosed = resolve;
    });
    this.#ready = new Promise((resolve, reject) => {
      this.#handshake = { resolve, reject };
    });
    // Whoever called openConnection hears of it; a rejection before that await must not end the process.
    this.#ready.catch(() => {});
    this.#liveness = new Liveness(
      this.#clock,
      () => this.#ping(),
      () => this.#end(new TidemarkError('unavailable', 'peer-silent', 'the other side no longer answers')),
    );
    this.#writer = new FrameWriter(this.#channel, this.#outbox, this.#meter, this.#clock, {
      onDrained: () => this.#liveness.alive(),
      onError: (error) => this.#end(this.#lost(error)),
    });
    this.#outbox.control(Buffer.concat([MAGIC, frame('hello', 0, encodeHello(this.#ownHello))]));
    this.#stopDeadline = this.#watchHandshake();
    this.#writing = this.#writer.run();
    void this.#read();
  }

  /** Resolves once the handshake is done. */
  ready(): Promise<void> {
    return this.#ready;
  }

  get peer(): Peer {
    if (this.#peer === null) throw new Error('handshake not done');
    return this.#peer;
  }

  /** Bytes on the wire so far, with framing and after compression. */
  get traffic(): { readonly sent: number; readonly received: number } {
    return { sent: this.#writer.sentBytes, received: this.#receivedBytes };
  }

  /**
   * Calls `method`: sends the request's messages and yields the answer's, with their boundaries.
   *
   * Begins with the first pull. A request given as one buffer leaves together with its opening. The answer's messages
   * that came before a failure are yielded before it is thrown. Leaving early or aborting cancels the call. Buffers
   * yielded by the request must not be changed afterwards.
   */
  call(
    method: string,
    request: AsyncIterable<Uint8Array> | Uint8Array,
    signal?: AbortSignal,
  ): AsyncGenerator<Buffer, void, undefined> {
    const spec = this.#options.methods.get(method);
    if (!(this.#half instanceof Caller) || spec === undefined) throw new Error(`cannot call ${method}`);
    return this.#half.call(method, spec, request, signal);
  }

  /** Answers calls with `handlers`; each message they yield must not be changed afterwards. */
  serve(handlers: ReadonlyMap<string, Handler>): void {
    if (!(this.#half instanceof Responder)) throw new Error('only servers serve');
    this.#half.serve(handlers);
  }

  /** Ends the connection because of what a message held; the error to throw. */
  violation(detail: string): TidemarkError {
    const error = violation(detail);
    this.#end(error);
    return error;
  }

  /** Says goodbye and closes. Pending calls fail with `connection-closed`. */
  async close(): Promise<void> {
    this.#end(null);
    await this.closed;
  }

  async #read(): Promise<void> {
    let isFramed = false;
    try {
      for await (const chunk of this.#channel.incoming) {
        if (this.#hasEnded) return;
        this.#receivedBytes += chunk.length;
        this.#liveness.alive();
        const rest = isFramed ? chunk : this.#finder.push(chunk);
        if (rest === null) continue;
        isFramed = true;
        for (const event of this.#parser.push(rest)) {
          if (this.#hasEnded) return;
          this.#receive(event);
        }
      }
      this.#end(this.#handshake === null ? this.#lost(null) : this.#neverBegan());
    } catch (error) {
      this.#end(this.#readFailure(error));
    }
  }

  #receive(event: FrameEvent): void {
    if (event.kind === 'hello') {
      this.#greeted(event.payload);
      return;
    }
    if (event.kind === 'goodbye') {
      this.#end(event.payload.length === 0 ? null : decodeError(event.payload), false);
      return;
    }
    if (this.#half === null) throw new MalformedError(`${event.kind} before hello`);
    switch (event.kind) {
      case 'ping':
        this.#outbox.control(frame('pong', 0, event.payload));
        if (this.#outbox.controlBytes > MAX_QUEUED_CONTROL_BYTES) throw new MalformedError('flood of pings');
        this.#writer.wake();
        return;
      case 'pong':
        if (this.#pingsUnanswered === 0) throw new MalformedError('pong without a ping');
        this.#pingsUnanswered--;
        return;
      default:
        this.#half.receive(event);
    }
  }

  #greeted(payload: Buffer): void {
    if (this.#handshake === null) throw new MalformedError('second hello');
    const theirs = decodeHello(payload, this.#ownHello.program);
    const agreement = agree(this.#ownHello, theirs);
    const { role, methods } = this.#options;
    if (role === 'server') this.#channel.setRate(theirs.bytesPerSecond);
    const host = this.#hostFor(agreement, this.#compressorFor(agreement, theirs));
    this.#half =
      role === 'client'
        ? new Caller(host, agreement.maxChannels)
        : new Responder(host, methods, this.#ownHello.maxChannels);
    this.#peer = { program: theirs.program, minor: agreement.minor, capabilities: agreement.capabilities };
    this.#stopDeadline();
    this.#liveness.start();
    this.#handshake.resolve();
    this.#handshake = null;
  }

  /** The client's wish holds for both directions; a server that cannot follow it does not compress. */
  #compressorFor(agreement: Agreement, theirs: Hello): Compressor {
    const isClient = this.#options.role === 'client';
    const mode = isClient ? this.#ownHello.compress : theirs.compress;
    const isPossible = isClient || mode === 'auto' || mode === 'none' || agreement.capabilities.includes(mode);
    const encoding = isPossible ? chooseEncoding(mode, agreement.capabilities) : 'none';
    return new Compressor(encoding, mode !== 'auto', this.#clock);
  }

  #hostFor(agreement: Agreement, compressor: Compressor): ChannelHost {
    const writer = this.#writer;
    return {
      outbox: this.#outbox,
      compressor,
      decompressor: new Decompressor(),
      meter: this.#meter,
      encodings: agreement.capabilities,
      sendWindowBytes: agreement.sendWindowBytes,
      receiveWindowBytes: this.#ownHello.windowBytes,
      get backlogBytes() {
        return writer.backlogBytes;
      },
      wake: () => writer.wake(),
      fail: (error) => this.#end(error),
    };
  }

  #ping(): void {
    this.#pingsUnanswered++;
    this.#outbox.control(frame('ping', 0));
    this.#writer.wake();
  }

  /** Ends everything; only the first call counts. `isFarewell`: the other side is told why. */
  #end(reason: TidemarkError | null, isFarewell = true): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#stopDeadline();
    this.#liveness.stop();
    const error = reason ?? new TidemarkError('unavailable', 'connection-closed', 'the connection was closed');
    this.#handshake?.reject(error);
    this.#handshake = null;
    this.#half?.fail(error);
    this.#outbox.clear();
    if (isFarewell) this.#outbox.control(frame('goodbye', 0, reason === null ? undefined : encodeError(reason)));
    void this.#finish(reason);
  }

  /** Lets the farewell out, if the other side takes it in time, and closes the channel. */
  async #finish(reason: TidemarkError | null): Promise<void> {
    this.#writer.stop();
    let stopTimer = () => {};
    const timeout = new Promise<void>((resolve) => {
      stopTimer = this.#clock.after(FAREWELL_TIMEOUT_MS, resolve);
    });
    await Promise.race([this.#writing, timeout]);
    stopTimer();
    // The connection is over whatever closing the channel comes to.
    await this.#channel.close().catch(() => {});
    this.#resolveClosed(reason);
  }

  /** One absolute deadline: bytes that keep coming do not push it back. */
  #watchHandshake(): () => void {
    const timeoutMs = this.#options.handshakeTimeoutMs ?? HANDSHAKE_TIMEOUT_MS;
    const { signal } = this.#options;
    const onAbort = () => this.#end(new TidemarkError('interrupted', 'interrupted', 'interrupted'));
    const stopTimer = this.#clock.after(timeoutMs, () => {
      const text = `the other side did not begin the protocol within ${timeoutMs / 1000} s${this.#whatItSaid()}`;
      this.#end(new TidemarkError('unavailable', 'handshake-timeout', text));
    });
    if (signal?.aborted) queueMicrotask(onAbort);
    signal?.addEventListener('abort', onAbort, { once: true });
    return () => {
      stopTimer();
      signal?.removeEventListener('abort', onAbort);
    };
  }

  #readFailure(error: unknown): TidemarkError {
    if (error instanceof TidemarkError) return error;
    if (error instanceof MalformedError) return violation(error.message);
    return this.#lost(error);
  }

  #lost(cause: unknown): TidemarkError {
    const detail = cause instanceof Error ? `: ${cause.message}` : '';
    const text = `the connection to the other side was lost${detail}${this.#whatItSaid()}`;
    return new TidemarkError('unavailable', 'connection-lost', text, {
      remedy: RUN_AGAIN,
      ...(cause === null ? {} : { cause }),
    });
  }

  #neverBegan(): TidemarkError {
    const text = `the other side ended before the protocol began${this.#whatItSaid()}`;
    return new TidemarkError('unavailable', 'handshake-failed', text);
  }

  /** Standard error and the noise before the magic, which often say what is wrong. */
  #whatItSaid(): string {
    const errors = cleanText(this.#channel.diagnostics().trim(), 1000);
    const noise = this.#handshake === null ? '' : this.#finder.noise();
    return (errors === '' ? '' : `; it said: ${errors}`) + (noise === '' ? '' : `; it printed: "${noise}"`);
  }
}

function ownHello(options: ConnectionOptions): Hello {
  return {
    major: PROTOCOL.major,
    minor: PROTOCOL.minor,
    program: options.program,
    capabilities: options.compress === 'none' ? [] : SUPPORTED_ENCODINGS,
    windowBytes: WINDOW_BYTES,
    maxChannels: MAX_CHANNELS,
    compress: options.compress ?? 'auto',
    bytesPerSecond: options.bytesPerSecond ?? null,
    ...options.hello,
  };
}
