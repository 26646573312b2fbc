/** Writes what the outbox holds, one write at a time: small frames gathered into one, large payloads as they are. */
import { giveBack } from '../platform/lending.ts';
import type { ByteChannel } from './byte-channel.ts';
import type { Clock } from './clock.ts';
import { COALESCE_BYTES, COPY_BELOW_BYTES } from './core/limits.ts';
import type { Outbox } from './core/outbox.ts';
import type { LinkMeter } from './link-meter.ts';

/** A write that took this long shows that the link drains: a sign of life, even where the peer has nothing to say. */
const DRAINED_AFTER_MS = 1000;

export interface FrameWriterEvents {
  /** The link took bytes after a long wait. */
  onDrained(): void;
  onError(error: unknown): void;
}

export class FrameWriter {
  readonly #channel: ByteChannel;
  readonly #outbox: Outbox;
  readonly #meter: LinkMeter;
  readonly #clock: Clock;
  readonly #events: FrameWriterEvents;
  #sentBytes = 0;
  #bytesInWrite = 0;
  #isStopping = false;
  #wakeUp: (() => void) | null = null;

  constructor(channel: ByteChannel, outbox: Outbox, meter: LinkMeter, clock: Clock, events: FrameWriterEvents) {
    this.#channel = channel;
    this.#outbox = outbox;
    this.#meter = meter;
    this.#clock = clock;
    this.#events = events;
  }

  /** Bytes the channel has taken. */
  get sentBytes(): number {
    return this.#sentBytes;
  }

  /** Bytes accepted but not yet taken by the channel. */
  get backlogBytes(): number {
    return this.#outbox.messageBytes + this.#bytesInWrite;
  }

  /** Something was put into the outbox. */
  wake(): void {
    this.#wakeUp?.();
  }

  /** From now on {@link run} ends when the outbox is empty. */
  stop(): void {
    this.#isStopping = true;
    this.wake();
  }

  /** Writes until stopped or until a write fails. Never rejects. */
  async run(): Promise<void> {
    try {
      for (;;) {
        const batch = this.#gather();
        if (batch.length > 0) {
          for (const { bytes, released } of batch) await this.#write(bytes, released);
        } else if (this.#isStopping) {
          return;
        } else {
          await new Promise<void>((resolve) => {
            this.#wakeUp = resolve;
          });
          this.#wakeUp = null;
        }
      }
    } catch (error) {
      this.#events.onError(error);
    }
  }

  /** The next writes: ends with a large payload or when enough small frames are together. */
  #gather(): readonly Write[] {
    const small: Uint8Array[] = [];
    const ending: Uint8Array[] = [];
    let smallBytes = 0;
    let large: Write | null = null;
    while (smallBytes < COALESCE_BYTES && large === null) {
      const next = this.#outbox.take();
      if (next === null) break;
      const { head, body, ended } = next;
      small.push(head);
      smallBytes += head.length;
      if (body !== null && body.length >= COPY_BELOW_BYTES) {
        large = ended === null ? { bytes: body } : { bytes: body, released: () => giveBack(ended) };
      } else if (body !== null) {
        small.push(body);
        smallBytes += body.length;
        if (ended !== null) ending.push(ended);
      }
    }
    if (small.length === 0) return [];
    // Earlier parts of these messages may still wait in the channel, but none behind this write.
    const first = { bytes: joined(small, smallBytes), released: () => ending.forEach(giveBack) };
    return large === null ? [first] : [first, large];
  }

  async #write(bytes: Uint8Array, released?: () => void): Promise<void> {
    const startedMs = this.#clock.now();
    this.#bytesInWrite = bytes.length;
    await this.#channel.write(bytes, released);
    this.#bytesInWrite = 0;
    this.#sentBytes += bytes.length;
    const elapsedMs = this.#clock.now() - startedMs;
    this.#meter.record(bytes.length, elapsedMs);
    if (elapsedMs >= DRAINED_AFTER_MS) this.#events.onDrained();
  }
}

interface Write {
  readonly bytes: Uint8Array;
  readonly released?: () => void;
}

function joined(pieces: readonly Uint8Array[], totalBytes: number): Uint8Array {
  return pieces.length === 1 ? (pieces[0] as Uint8Array) : Buffer.concat(pieces, totalBytes);
}
