/** The answering half of a connection: runs a handler for every channel the other side opens. */
import { MalformedError } from '../platform/core/bytes.ts';
import { TidemarkError } from '../platform/core/errors.ts';
import { Channel, type ChannelHost } from './channel.ts';
import { frame } from './core/frame.ts';
import type { ChannelEvent } from './core/frame-parser.ts';
import { MAX_LIST_MESSAGE_BYTES } from './core/limits.ts';
import type { MethodSpec } from './core/method.ts';
import { encodeError } from './core/wire-error.ts';

/**
 * Answers one call: takes the request's messages, yields the answer's. `signal` is aborted when the answer is no
 * longer wanted or the connection ended; `incoming` then fails and the generator is returned at its next yield.
 */
export type Handler = (incoming: AsyncIterable<Buffer>, signal: AbortSignal) => AsyncIterable<Uint8Array>;

/** For methods we do not know: a newer peer may try them, and is told so. */
const UNKNOWN_METHOD: MethodSpec = {
  maxRequestBytes: MAX_LIST_MESSAGE_BYTES,
  maxAnswerBytes: 0,
  isBulkRequest: false,
  isBulkAnswer: false,
};

interface Task {
  readonly method: string;
  readonly channel: Channel;
  readonly abort: AbortController;
  /** `end` or `error` was queued: the handler is done. */
  isAnswered: boolean;
  /** `end` or `cancel` came. */
  isRequestOver: boolean;
}

export class Responder {
  readonly #host: ChannelHost;
  readonly #methods: ReadonlyMap<string, MethodSpec>;
  readonly #maxTasks: number;
  readonly #tasks = new Map<number, Task>();
  #handlers: ReadonlyMap<string, Handler> | null = null;
  #lastId = 0;
  #failure: TidemarkError | null = null;

  constructor(host: ChannelHost, methods: ReadonlyMap<string, MethodSpec>, maxTasks: number) {
    this.#host = host;
    this.#methods = methods;
    this.#maxTasks = maxTasks;
  }

  /** Starts answering; calls that came before are answered now. */
  serve(handlers: ReadonlyMap<string, Handler>): void {
    if (this.#handlers !== null) throw new Error('already serving');
    this.#handlers = handlers;
    for (const task of this.#tasks.values()) void this.#run(task);
  }

  /** An event of a channel. Throws MalformedError where the other side had no right to it. */
  receive(event: ChannelEvent): void {
    if (event.kind === 'open') {
      this.#opened(event.channel, event.method);
      return;
    }
    const task = this.#tasks.get(event.channel);
    if (task === undefined) {
      // Credit and cancel may cross our last frame of the channel.
      if ((event.kind === 'credit' || event.kind === 'cancel') && event.channel <= this.#lastId) return;
      throw new MalformedError(`${event.kind} on channel ${event.channel}, which is not open`);
    }
    switch (event.kind) {
      case 'message':
        task.channel.receiveStart(event);
        return;
      case 'bytes':
        task.channel.receiveBytes(event.bytes);
        return;
      case 'credit':
        task.channel.receiveCredit(event.bytes);
        return;
      case 'end':
        task.channel.receiveEnd();
        this.#requestOver(task);
        return;
      case 'cancel':
        this.#cancelled(task);
        return;
      default:
        throw new MalformedError(`${event.kind} from the calling side`);
    }
  }

  /** The connection ended. */
  fail(error: TidemarkError): void {
    this.#failure = error;
    for (const { channel, abort } of this.#tasks.values()) {
      channel.incoming.fail(error);
      channel.fail(error);
      abort.abort(error);
    }
    this.#tasks.clear();
  }

  #opened(id: number, method: string): void {
    if (id <= this.#lastId) throw new MalformedError(`channel ${id} opened twice or out of order`);
    if (this.#tasks.size >= this.#maxTasks) throw new MalformedError(`more than ${this.#maxTasks} channels open`);
    this.#lastId = id;
    const spec = this.#methods.get(method) ?? UNKNOWN_METHOD;
    const channel = new Channel(
      id,
      this.#host,
      { maxBytes: spec.maxAnswerBytes, isBulk: spec.isBulkAnswer },
      { maxBytes: spec.maxRequestBytes, isBulk: spec.isBulkRequest },
    );
    const task: Task = { method, channel, abort: new AbortController(), isAnswered: false, isRequestOver: false };
    this.#tasks.set(id, task);
    if (this.#handlers !== null) void this.#run(task);
  }

  /** Runs the handler to its end; never rejects. */
  async #run(task: Task): Promise<void> {
    const { channel, abort, method } = task;
    let thrown: unknown = null;
    try {
      const handler = this.#handlers?.get(method);
      if (handler === undefined) {
        throw new TidemarkError('unavailable', 'unknown-method', `this version does not know "${method}"`);
      }
      for await (const message of handler(channel.incoming, abort.signal)) {
        if (!(await channel.send(message))) break;
      }
    } catch (error) {
      thrown = error;
    }
    if (this.#failure === null) this.#answer(task, thrown);
  }

  #answer(task: Task, thrown: unknown): void {
    const { channel, abort } = task;
    if (thrown instanceof TidemarkError && thrown.code === 'protocol-violation') {
      this.#host.fail(thrown);
      return;
    }
    const failure = thrown ?? (abort.signal.aborted ? cancelled() : null);
    channel.discard();
    channel.finish(failure === null ? frame('end', channel.id) : frame('error', channel.id, encodeError(failure)));
    task.isAnswered = true;
    this.#forgetIfOver(task);
  }

  #cancelled(task: Task): void {
    if (task.abort.signal.aborted) throw new MalformedError('channel cancelled twice');
    const error = cancelled();
    task.channel.stopSending();
    task.channel.receiveError(error);
    // What an answered channel still has to send ends with its last frame, which the caller waits for.
    if (!task.isAnswered) this.#host.outbox.drop(task.channel.id);
    task.channel.incoming.fail(error);
    task.abort.abort(error);
    this.#requestOver(task);
  }

  #requestOver(task: Task): void {
    task.isRequestOver = true;
    this.#forgetIfOver(task);
  }

  /** A channel is closed when both sides have sent their last frame. */
  #forgetIfOver(task: Task): void {
    if (task.isAnswered && task.isRequestOver) this.#tasks.delete(task.channel.id);
  }
}

function cancelled(): TidemarkError {
  return new TidemarkError('interrupted', 'cancelled', 'the call was cancelled');
}
