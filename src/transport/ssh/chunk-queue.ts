/**
 * Chunks between a stream that pushes and one consumer that pulls.
 *
 * The producer is told to pause above the high-water mark and to go on once half of it is drained; what arrives all
 * the same is taken up to a hard limit, and beyond it the peer has broken its window.
 */

/** Bytes queued before the producer is paused. */
const HIGH_WATER_BYTES = 1024 * 1024;

/** Taken chunks are forgotten in batches of this many, so that they do not stay in memory behind a slow consumer. */
const COMPACT_AFTER = 256;

/** How the queue steers its producer. */
export interface FlowControl {
  pause(): void;
  resume(): void;
}

export class ChunkQueue implements AsyncIterableIterator<Buffer> {
  readonly #flow: FlowControl;
  #chunks: Buffer[] = [];
  #next = 0;
  #bytes = 0;
  #paused = false;
  #ended = false;
  #error: unknown;
  #waiting: { resolve(result: IteratorResult<Buffer>): void; reject(error: unknown): void } | null = null;

  constructor(flow: FlowControl) {
    this.#flow = flow;
  }

  /** Bytes waiting for the consumer. */
  get queuedBytes(): number {
    return this.#bytes;
  }

  push(chunk: Buffer): void {
    if (this.#ended || chunk.length === 0) return;
    const waiting = this.#waiting;
    if (waiting !== null) {
      this.#waiting = null;
      waiting.resolve({ done: false, value: chunk });
      return;
    }
    this.#chunks.push(chunk);
    this.#bytes += chunk.length;
    if (this.#bytes >= HIGH_WATER_BYTES && !this.#paused) {
      this.#paused = true;
      this.#flow.pause();
    }
  }

  /** No more chunks; what is queued is still delivered. */
  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#settleWaiting();
  }

  /** The consumer gets `error` after what is queued. Only the first end or failure counts. */
  fail(error: unknown): void {
    if (this.#ended) return;
    this.#error = error;
    this.end();
  }

  next(): Promise<IteratorResult<Buffer>> {
    const chunk = this.#take();
    if (chunk !== undefined) return Promise.resolve({ done: false, value: chunk });
    if (this.#ended) return this.#finished();
    if (this.#waiting !== null) return Promise.reject(new Error('a channel has a single consumer'));
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject };
    });
  }

  /** Leaving a loop does not close the queue: a later loop goes on where this one stopped. */
  return(): Promise<IteratorResult<Buffer>> {
    return Promise.resolve({ done: true, value: undefined });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  #take(): Buffer | undefined {
    const chunk = this.#chunks[this.#next];
    if (chunk === undefined) return undefined;
    this.#next++;
    if (this.#next === this.#chunks.length || this.#next >= COMPACT_AFTER) {
      this.#chunks = this.#chunks.slice(this.#next);
      this.#next = 0;
    }
    this.#bytes -= chunk.length;
    if (this.#paused && this.#bytes <= HIGH_WATER_BYTES / 2) {
      this.#paused = false;
      this.#flow.resume();
    }
    return chunk;
  }

  #settleWaiting(): void {
    const waiting = this.#waiting;
    this.#waiting = null;
    if (waiting === null) return;
    if (this.#error === undefined) waiting.resolve({ done: true, value: undefined });
    else waiting.reject(this.#error);
  }

  #finished(): Promise<IteratorResult<Buffer>> {
    return this.#error === undefined ? Promise.resolve({ done: true, value: undefined }) : Promise.reject(this.#error);
  }
}

/** Keeps the first 64 KiB of a text stream, for messages. */
export class DiagnosticText {
  #chunks: Buffer[] = [];
  #bytes = 0;

  add(chunk: Buffer): void {
    const room = MAX_DIAGNOSTIC_BYTES - this.#bytes;
    if (room <= 0) return;
    this.#chunks.push(chunk.subarray(0, room));
    this.#bytes += Math.min(room, chunk.length);
  }

  text(): string {
    return Buffer.concat(this.#chunks).toString('utf8');
  }
}

const MAX_DIAGNOSTIC_BYTES = 64 * 1024;
