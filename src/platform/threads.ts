/**
 * Worker threads with typed calls: the main thread calls a named function in a thread and may receive pieces while it
 * runs.
 *
 * A piece is acknowledged by the receiver, and a thread with {@link MAX_PIECES} unacknowledged pieces waits: a slow
 * consumer stops the thread instead of filling the memory. The memory of pieces is lent (see lending.ts).
 */
import { isMainThread, type MessagePort, parentPort, Worker, workerData } from 'node:worker_threads';
import { copyBytes } from './copy-bytes.ts';
import { TidemarkError } from './core/errors.ts';
import { lend, SpareMemory } from './lending.ts';

/** Unacknowledged pieces of a thread. With chunks of about half a megabyte: 2 MiB. */
const MAX_PIECES = 4;

/** Memory for a piece; larger pieces get memory of their own. */
const PIECE_BYTES = 640 * 1024;
/** All memory that was ever under way at once comes back here: queues beyond the thread bound it, this only caps it. */
const MAX_SPARES = 32;

/** A function that runs in a thread: takes a cloneable argument, may emit pieces, returns a cloneable result. */
export type ThreadFunction = (argument: never, emit: (piece: Uint8Array) => Promise<void>) => unknown;

/** What a thread offers, by name. */
export type ThreadFunctions = Record<string, ThreadFunction>;

interface CallMessage {
  readonly call: number;
  readonly name: string;
  readonly argument: unknown;
}
interface AckMessage {
  readonly ack: number;
}
/** Memory of a piece that was used up. */
interface SpareMessage {
  readonly spare: ArrayBufferLike;
}
type Answer =
  | { readonly call: number; readonly piece: Uint8Array }
  | { readonly call: number; readonly result: unknown }
  | { readonly call: number; readonly error: PackedError };
interface PackedError {
  readonly tidemark: { fault: TidemarkError['fault']; code: string; remedy: string | undefined } | null;
  readonly name: string;
  readonly message: string;
  readonly code: string | undefined;
  readonly stack: string | undefined;
}
interface Pending {
  resolve(value: unknown): void;
  reject(error: unknown): void;
  readonly onPiece: ((piece: Buffer) => Promise<void> | void) | undefined;
}

const THREAD_MARK = 'tidemark-thread';

/** True inside a thread started by {@link Thread}: the entry module then calls {@link serveThread}. */
export function isThread(): boolean {
  return !isMainThread && workerData === THREAD_MARK;
}

/** A worker thread and the calls under way in it. */
export class Thread {
  readonly #worker: Worker;
  readonly #pending = new Map<number, Pending>();
  #nextCall = 0;
  #broken: Error | null = null;

  /** `entry`: the module that calls {@link serveThread} when {@link isThread}. */
  constructor(entry: URL) {
    this.#worker = new Worker(entry, { workerData: THREAD_MARK, resourceLimits: { maxYoungGenerationSizeMb: 16 } });
    this.#worker.on('message', (answer: Answer) => this.#receive(answer));
    this.#worker.on('error', (error) => this.#fail(error));
    this.#worker.on('exit', () => this.#fail(new TidemarkError('internal', 'thread-ended', 'a worker thread ended')));
    this.#worker.unref();
  }

  /** Calls `name` in the thread. */
  call<Result>(
    name: string,
    argument: unknown,
    options: { onPiece?: (piece: Buffer) => Promise<void> | void } = {},
  ): Promise<Result> {
    if (this.#broken !== null) return Promise.reject(this.#broken);
    const call = this.#nextCall++;
    return new Promise<Result>((resolve, reject) => {
      this.#pending.set(call, { resolve: resolve as (value: unknown) => void, reject, onPiece: options.onPiece });
      if (this.#pending.size === 1) this.#worker.ref();
      const message: CallMessage = { call, name, argument };
      this.#worker.postMessage(message);
    });
  }

  /** Ends the thread; calls under way fail. */
  async close(): Promise<void> {
    this.#fail(new TidemarkError('interrupted', 'closed', 'the worker thread was closed'));
    await this.#worker.terminate();
  }

  #receive(answer: Answer): void {
    const pending = this.#pending.get(answer.call);
    if ('piece' in answer) {
      void this.#deliver(answer.call, pending, answer.piece);
      return;
    }
    if (pending === undefined) return;
    this.#settle(answer.call);
    if ('error' in answer) pending.reject(unpackError(answer.error));
    else pending.resolve(answer.result);
  }

  async #deliver(call: number, pending: Pending | undefined, piece: Uint8Array): Promise<void> {
    try {
      await pending?.onPiece?.(this.#lent(piece));
    } catch (error) {
      this.#settle(call);
      pending?.reject(error);
    } finally {
      const ack: AckMessage = { ack: call };
      this.#worker.postMessage(ack);
    }
  }

  #lent(piece: Uint8Array): Buffer {
    const memory = piece.buffer;
    const bytes = Buffer.from(memory, piece.byteOffset, piece.byteLength);
    if (!(memory instanceof SharedArrayBuffer)) return bytes;
    return lend(bytes, () => {
      const message: SpareMessage = { spare: memory };
      this.#worker.postMessage(message);
    });
  }

  #settle(call: number): void {
    this.#pending.delete(call);
    if (this.#pending.size === 0) this.#worker.unref();
  }

  #fail(error: Error): void {
    this.#broken ??= error;
    for (const [call, pending] of this.#pending) {
      this.#settle(call);
      pending.reject(this.#broken);
    }
  }
}

/** The thread's side: answers calls one after another in the order they come. */
export function serveThread(functions: ThreadFunctions): void {
  const port = parentPort as MessagePort;
  const spares = new SpareMemory(PIECE_BYTES, MAX_SPARES);
  /** Counted over all calls: a call that has ended may still have pieces on their way. */
  let unacknowledged = 0;
  let wake: (() => void) | null = null;
  let last: Promise<void> = Promise.resolve();

  port.on('message', (message: CallMessage | AckMessage | SpareMessage) => {
    if ('spare' in message) {
      spares.keep(message.spare);
    } else if ('ack' in message) {
      unacknowledged--;
      wake?.();
    } else {
      last = last.then(() => run(message));
    }
  });

  async function run({ call, name, argument }: CallMessage): Promise<void> {
    const emit = async (piece: Uint8Array): Promise<void> => {
      while (unacknowledged >= MAX_PIECES) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
        wake = null;
      }
      unacknowledged++;
      const own = spares.take(piece.byteLength);
      copyBytes(piece, own);
      port.postMessage({ call, piece: own });
    };
    try {
      const work = functions[name];
      if (work === undefined) throw new TidemarkError('internal', 'thread-call', `no thread function ${name}`);
      const result = await work(argument as never, emit);
      port.postMessage({ call, result });
    } catch (error) {
      port.postMessage({ call, error: packError(error) });
    }
  }
}

function packError(error: unknown): PackedError {
  const known = error instanceof Error ? error : new Error(String(error));
  return {
    tidemark: known instanceof TidemarkError ? { fault: known.fault, code: known.code, remedy: known.remedy } : null,
    name: known.name,
    message: known.message,
    code: (known as { code?: string }).code,
    stack: known.stack,
  };
}

function unpackError(packed: PackedError): Error {
  if (packed.tidemark !== null) {
    const { fault, code, remedy } = packed.tidemark;
    return new TidemarkError(fault, code, packed.message, remedy === undefined ? {} : { remedy });
  }
  const error = new Error(packed.message);
  error.name = packed.name;
  if (packed.stack !== undefined) error.stack = packed.stack;
  return Object.assign(error, packed.code === undefined ? {} : { code: packed.code });
}
