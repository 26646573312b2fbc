/** The calling half of a connection: opens channels and matches what comes back to them. */
import { MalformedError } from '../platform/core/bytes.ts';
import { TidemarkError } from '../platform/core/errors.ts';
import { Channel, type ChannelHost } from './channel.ts';
import { frame, openFrame } from './core/frame.ts';
import type { ChannelEvent } from './core/frame-parser.ts';
import type { MethodSpec } from './core/method.ts';
import { decodeError } from './core/wire-error.ts';

interface Call {
  readonly channel: Channel;
  /** The request's last frame was queued. */
  hasFinishedSending: boolean;
  /** `cancel` was queued. */
  isCancelled: boolean;
  /** The answer's `end` or `error` came. */
  isAnswered: boolean;
}

export class Caller {
  readonly #host: ChannelHost;
  readonly #maxCalls: number;
  /** Calls whose answer is not complete; cancelled ones stay until the other side confirms. */
  readonly #calls = new Map<number, Call>();
  #waiting: (() => void)[] = [];
  #lastId = 0;
  #failure: TidemarkError | null = null;

  constructor(host: ChannelHost, maxCalls: number) {
    this.#host = host;
    this.#maxCalls = maxCalls;
  }

  /** See {@link Connection.call}. */
  async *call(
    method: string,
    spec: MethodSpec,
    request: AsyncIterable<Uint8Array> | Uint8Array,
    signal: AbortSignal | undefined,
  ): AsyncGenerator<Buffer, void, undefined> {
    while (this.#calls.size >= this.#maxCalls && this.#failure === null) {
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
    if (this.#failure !== null) throw this.#failure;
    signal?.throwIfAborted();
    const call = this.#open(method, spec);
    const onAbort = () => this.#abandon(call, interrupted(signal?.reason));
    signal?.addEventListener('abort', onAbort, { once: true });
    try {
      if (request instanceof Uint8Array) this.#sendOne(call, request);
      else void this.#pump(call, request);
      for await (const message of call.channel.incoming) yield message;
    } finally {
      signal?.removeEventListener('abort', onAbort);
      this.#abandon(call, null);
    }
  }

  /** An event of a channel. Throws MalformedError where nobody asked for it. */
  receive(event: ChannelEvent): void {
    const call = this.#calls.get(event.channel);
    if (call === undefined) {
      // The other side may return credit for a request it has already answered.
      if (event.kind === 'credit' && event.channel <= this.#lastId) return;
      throw new MalformedError(`${event.kind} on channel ${event.channel}, where nothing was asked`);
    }
    switch (event.kind) {
      case 'message':
        call.channel.receiveStart(event);
        return;
      case 'bytes':
        call.channel.receiveBytes(event.bytes);
        return;
      case 'credit':
        call.channel.receiveCredit(event.bytes);
        return;
      case 'end':
        call.channel.receiveEnd();
        this.#answered(call);
        return;
      case 'error':
        call.channel.receiveError(decodeError(event.payload));
        this.#answered(call);
        return;
      default:
        throw new MalformedError(`${event.kind} from the answering side`);
    }
  }

  /** The connection ended. */
  fail(error: TidemarkError): void {
    this.#failure = error;
    for (const { channel } of this.#calls.values()) channel.fail(error);
    this.#calls.clear();
    this.#wakeWaiting();
  }

  #open(method: string, spec: MethodSpec): Call {
    const id = ++this.#lastId;
    const channel = new Channel(
      id,
      this.#host,
      { maxBytes: spec.maxRequestBytes, isBulk: spec.isBulkRequest },
      { maxBytes: spec.maxAnswerBytes, isBulk: spec.isBulkAnswer },
    );
    const call: Call = { channel, hasFinishedSending: false, isCancelled: false, isAnswered: false };
    this.#calls.set(id, call);
    this.#host.outbox.control(openFrame(id, method));
    this.#host.wake();
    return call;
  }

  /** Synchronous, so that open, request and end leave in one write. */
  #sendOne(call: Call, request: Uint8Array): void {
    void call.channel.send(request);
    this.#finishSending(call);
  }

  /** Sends the request's messages as they come; never rejects. */
  async #pump(call: Call, request: AsyncIterable<Uint8Array>): Promise<void> {
    try {
      for await (const message of request) {
        if (!(await call.channel.send(message))) return;
      }
      this.#finishSending(call);
    } catch (error) {
      this.#abandon(call, error instanceof Error ? error : new Error(String(error)));
    }
  }

  #finishSending(call: Call): void {
    if (call.hasFinishedSending || call.isCancelled) return;
    call.hasFinishedSending = true;
    call.channel.finish();
  }

  /** The consumer is done or gone. `error`: what it is to see, if it still looks. */
  #abandon(call: Call, error: Error | null): void {
    if (call.isAnswered || this.#failure !== null) {
      call.channel.stopSending();
      return;
    }
    if (error !== null) call.channel.incoming.fail(error);
    else call.channel.discard();
    this.#cancelRest(call);
  }

  /** The answer is complete; a request that is not is called off. */
  #answered(call: Call): void {
    call.isAnswered = true;
    this.#cancelRest(call);
    this.#calls.delete(call.channel.id);
    this.#wakeWaiting();
  }

  /** Tells the other side, where it does not know yet, that no more of the request comes and no answer is wanted. */
  #cancelRest(call: Call): void {
    call.channel.stopSending();
    const wasLeft = this.#host.outbox.drop(call.channel.id);
    const isRequestComplete = call.hasFinishedSending && !wasLeft;
    if (call.isCancelled || (call.isAnswered && isRequestComplete)) return;
    call.isCancelled = true;
    this.#host.outbox.control(frame('cancel', call.channel.id));
    this.#host.wake();
  }

  #wakeWaiting(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const wake of waiting) wake();
  }
}

function interrupted(reason: unknown): Error {
  return reason instanceof TidemarkError
    ? reason
    : new TidemarkError('interrupted', 'interrupted', 'interrupted', { cause: reason });
}
