/** Two byte channels joined in memory, with back-pressure and, where wanted, random fragmentation and a slow link. */
import type { ByteChannel } from '../../src/transport/byte-channel.ts';

export interface PairOptions {
  /** Bytes under way before a writer waits. */
  readonly highWaterBytes?: number;
  /** Cuts a written buffer: returns the length of the next piece (at least 1). */
  readonly cut?: (lengthBytes: number) => number;
  readonly diagnostics?: string;
}

/** One direction. */
class Pipe {
  readonly #highWaterBytes: number;
  readonly #cut: (lengthBytes: number) => number;
  #chunks: Buffer[] = [];
  #queuedBytes = 0;
  #maxQueuedBytes = 0;
  #isClosed = false;
  #writers: (() => void)[] = [];
  #reader: (() => void) | null = null;

  constructor(options: PairOptions) {
    this.#highWaterBytes = options.highWaterBytes ?? 256 * 1024;
    this.#cut = options.cut ?? ((lengthBytes) => lengthBytes);
  }

  get maxQueuedBytes(): number {
    return this.#maxQueuedBytes;
  }

  async write(bytes: Uint8Array): Promise<void> {
    if (this.#isClosed) throw new Error('pipe closed');
    const whole = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    for (let offset = 0; offset < whole.length; ) {
      const length = Math.max(1, Math.min(this.#cut(whole.length - offset), whole.length - offset));
      this.#chunks.push(whole.subarray(offset, offset + length));
      offset += length;
    }
    this.#queuedBytes += bytes.length;
    this.#maxQueuedBytes = Math.max(this.#maxQueuedBytes, this.#queuedBytes);
    this.#reader?.();
    while (this.#queuedBytes > this.#highWaterBytes && !this.#isClosed) {
      await new Promise<void>((resolve) => this.#writers.push(resolve));
    }
    if (this.#isClosed) throw new Error('pipe closed');
  }

  async *read(): AsyncGenerator<Buffer> {
    for (;;) {
      const chunk = this.#chunks.shift();
      if (chunk !== undefined) {
        this.#queuedBytes -= chunk.length;
        if (this.#queuedBytes <= this.#highWaterBytes) this.#wakeWriters();
        yield chunk;
      } else if (this.#isClosed) {
        return;
      } else {
        await new Promise<void>((resolve) => {
          this.#reader = resolve;
        });
        this.#reader = null;
      }
    }
  }

  close(): void {
    this.#isClosed = true;
    this.#reader?.();
    this.#wakeWriters();
  }

  #wakeWriters(): void {
    const writers = this.#writers;
    this.#writers = [];
    for (const wake of writers) wake();
  }
}

export interface TestChannel extends ByteChannel {
  readonly isClosed: boolean;
  /** Most bytes that were under way from this end at once. */
  readonly maxQueuedBytes: number;
}

/** Two channels; what one writes the other reads. Closing one ends both directions. */
export function channelPair(options: PairOptions = {}): readonly [TestChannel, TestChannel] {
  const forth = new Pipe(options);
  const back = new Pipe(options);
  return [end(forth, back, options), end(back, forth, options)];
}

function end(out: Pipe, into: Pipe, options: PairOptions): TestChannel {
  let isClosed = false;
  return {
    write: (bytes) => out.write(bytes),
    incoming: into.read(),
    diagnostics: () => options.diagnostics ?? '',
    close: async () => {
      isClosed = true;
      out.close();
      into.close();
    },
    get isClosed() {
      return isClosed;
    },
    get maxQueuedBytes() {
      return out.maxQueuedBytes;
    },
  };
}
