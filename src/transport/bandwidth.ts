/** A limit on what is written to a channel (--bwlimit), as a token bucket in front of it. */
import { TidemarkError } from '../platform/core/errors.ts';
import type { ByteChannel } from './byte-channel.ts';
import type { Clock } from './clock.ts';
import { MIN_BYTES_PER_SECOND } from './core/limits.ts';

/** What an idle channel may send at once when it wakes, in seconds of its rate. */
const BURST_SECONDS = 0.1;

/** Writes are cut into pieces of this many seconds of the rate, so that the link sees an even stream. */
const PIECE_SECONDS = 0.05;

export class LimitedChannel implements ByteChannel {
  readonly incoming: AsyncIterable<Buffer>;
  readonly #channel: ByteChannel;
  readonly #clock: Clock;
  #bytesPerSecond: number | null = null;
  /** Bytes that may be written now; negative where more was written than was there. */
  #tokens = 0;
  #filledAtMs: number;
  #stopWaiting: (() => void) | null = null;
  #isClosed = false;

  constructor(channel: ByteChannel, clock: Clock, bytesPerSecond: number | null) {
    this.#channel = channel;
    this.#clock = clock;
    this.incoming = channel.incoming;
    this.#filledAtMs = clock.now();
    this.setRate(bytesPerSecond);
  }

  /** Bytes a second from now on; null: as fast as the channel goes. A wait under way is not cut short. */
  setRate(bytesPerSecond: number | null): void {
    this.#bytesPerSecond = bytesPerSecond === null ? null : Math.max(MIN_BYTES_PER_SECOND, bytesPerSecond);
    this.#tokens = Math.min(this.#tokens, 0);
    this.#filledAtMs = this.#clock.now();
  }

  /** One write at a time. */
  async write(bytes: Uint8Array, released?: () => void): Promise<void> {
    let offset = 0;
    while (this.#bytesPerSecond !== null && offset < bytes.length) {
      const pieceBytes = Math.max(MIN_BYTES_PER_SECOND, Math.floor(this.#bytesPerSecond * PIECE_SECONDS));
      const piece = bytes.subarray(offset, offset + pieceBytes);
      const delayMs = this.#take(piece.length, this.#bytesPerSecond);
      if (delayMs > 0) await this.#wait(delayMs);
      if (this.#isClosed) throw new TidemarkError('unavailable', 'connection-lost', 'the connection was closed');
      offset += piece.length;
      await this.#channel.write(piece, offset === bytes.length ? released : undefined);
    }
    if (offset < bytes.length) await this.#channel.write(offset === 0 ? bytes : bytes.subarray(offset), released);
  }

  diagnostics(): string {
    return this.#channel.diagnostics();
  }

  close(): Promise<void> {
    this.#isClosed = true;
    this.#stopWaiting?.();
    return this.#channel.close();
  }

  /** Takes tokens on credit; the time until the debt is paid, in milliseconds. */
  #take(lengthBytes: number, rate: number): number {
    const nowMs = this.#clock.now();
    this.#tokens = Math.min(rate * BURST_SECONDS, this.#tokens + (rate * (nowMs - this.#filledAtMs)) / 1000);
    this.#filledAtMs = nowMs;
    this.#tokens -= lengthBytes;
    return this.#tokens >= 0 ? 0 : (-this.#tokens / rate) * 1000;
  }

  #wait(delayMs: number): Promise<void> {
    return new Promise((resolve) => {
      const cancel = this.#clock.after(delayMs, resolve);
      this.#stopWaiting = () => {
        cancel();
        resolve();
      };
    });
  }
}
