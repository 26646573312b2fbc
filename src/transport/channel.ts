/**
 * One call's two streams of messages, on either side of a connection.
 *
 * Invariants: a message may be begun only while credit is left, and then goes in full, so at most the window and one
 * message are under way in each direction. Credit comes back as the consumer takes messages. Everything the peer does
 * is checked here against what it was allowed; a violation throws MalformedError.
 */

import { copyBytes } from '../platform/copy-bytes.ts';
import { MalformedError } from '../platform/core/bytes.ts';
import { TidemarkError } from '../platform/core/errors.ts';
import { giveBack, lend, SpareMemory } from '../platform/lending.ts';
import type { CompressionHistory, Compressor, Decompressor } from './compression.ts';
import { creditFrame, type Encoding } from './core/frame.ts';
import type { FrameEvent } from './core/frame-parser.ts';
import { MESSAGE_OVERHEAD_BYTES } from './core/limits.ts';
import type { Outbox } from './core/outbox.ts';
import { violation } from './core/wire-error.ts';
import { Inbox } from './inbox.ts';
import type { LinkMeter } from './link-meter.ts';

/** What a channel needs of its connection. */
export interface ChannelHost {
  readonly outbox: Outbox;
  readonly compressor: Compressor;
  readonly decompressor: Decompressor;
  readonly meter: LinkMeter;
  readonly encodings: readonly string[];
  readonly sendWindowBytes: number;
  readonly receiveWindowBytes: number;
  readonly backlogBytes: number;
  /** Something was put into the outbox. */
  wake(): void;
  /** Ends the connection. */
  fail(error: TidemarkError): void;
}

/** What the messages of one direction may be. */
export interface Direction {
  readonly maxBytes: number;
  readonly isBulk: boolean;
}

/** Memory kept for messages in pieces: content chunks are mostly below this. */
const TARGET_BYTES = 640 * 1024;
const MAX_SPARE_TARGETS = 8;

type MessageStart = Extract<FrameEvent, { kind: 'message' }>;

interface Assembly {
  readonly encoding: Encoding;
  readonly wireBytes: number;
  readonly originalBytes: number;
  /** Allocated when the first piece turns out not to be all. */
  target: Buffer | null;
  filled: number;
}

export class Channel {
  readonly id: number;
  readonly incoming: Inbox;
  readonly #host: ChannelHost;
  readonly #sending: Direction;
  readonly #receiving: Direction;
  readonly #spares = new SpareMemory(TARGET_BYTES, MAX_SPARE_TARGETS);
  readonly #history: CompressionHistory = { skip: 0, lastSkip: 0 };
  #credit: number;
  #creditWaiter: (() => void) | null = null;
  #isSendingStopped = false;
  #assembly: Assembly | null = null;
  /** Cost of the messages begun for which no credit was returned yet. */
  #outstanding = 0;
  /** Of that, cost of the messages the consumer took. */
  #owed = 0;
  #hasReceivedEnd = false;
  #isDiscarding = false;

  constructor(id: number, host: ChannelHost, sending: Direction, receiving: Direction) {
    this.id = id;
    this.#host = host;
    this.#sending = sending;
    this.#receiving = receiving;
    this.#credit = host.sendWindowBytes;
    this.incoming = new Inbox((cost) => this.#taken(cost));
  }

  /** The other side has sent its last message. */
  get hasReceivedEnd(): boolean {
    return this.#hasReceivedEnd;
  }

  /**
   * Queues a message, waiting for credit where none is left; false once nobody wants more. One call at a time.
   * The bytes must not be changed afterwards.
   */
  send(bytes: Uint8Array): boolean | Promise<boolean> {
    if (this.#isSendingStopped) return false;
    if (bytes.length > this.#sending.maxBytes) {
      throw new TidemarkError('internal', 'message-too-large', `message of ${bytes.length} bytes`);
    }
    if (this.#credit <= 0) return this.#sendLater(bytes);
    this.#queue(bytes);
    return true;
  }

  /** Queues the last frame of this side behind its messages. */
  finish(lastFrame?: Buffer): void {
    this.stopSending();
    this.#host.outbox.finish(this.id, lastFrame);
    this.#host.wake();
  }

  /** Lets {@link send} return false from now on. What is queued stays queued. */
  stopSending(): void {
    this.#isSendingStopped = true;
    this.#wakeSender();
  }

  /** Drops what is here and what still comes of messages; their window is not returned. */
  discard(): void {
    this.#isDiscarding = true;
    this.#assembly = this.#assembly && { ...this.#assembly, target: null };
    this.incoming.drop();
  }

  /** The connection ended: everything waiting here fails. */
  fail(error: Error): void {
    this.stopSending();
    this.incoming.end(error);
  }

  receiveCredit(bytes: number): void {
    this.#credit += bytes;
    if (bytes === 0 || this.#credit > this.#host.sendWindowBytes) throw new MalformedError('credit nobody was owed');
    if (this.#credit > 0) this.#wakeSender();
  }

  receiveStart(start: MessageStart): void {
    if (this.#hasReceivedEnd) throw new MalformedError('message after the end of its channel');
    if (this.#assembly !== null) throw new MalformedError('message inside a message');
    if (this.#outstanding >= this.#host.receiveWindowBytes) throw new MalformedError('window overrun');
    this.#checkLengths(start);
    this.#outstanding += start.originalBytes + MESSAGE_OVERHEAD_BYTES;
    const { encoding, wireBytes, originalBytes } = start;
    this.#assembly = { encoding, wireBytes, originalBytes, target: null, filled: 0 };
    if (wireBytes === 0) this.#complete(this.#assembly, Buffer.alloc(0));
  }

  receiveBytes(bytes: Buffer): void {
    const assembly = this.#assembly;
    if (assembly === null) throw new MalformedError('data outside a message');
    if (assembly.filled + bytes.length > assembly.wireBytes) throw new MalformedError('message longer than declared');
    const isWhole = bytes.length === assembly.wireBytes;
    if (!isWhole && !this.#isDiscarding) {
      assembly.target ??= this.#target(assembly.wireBytes);
      copyBytes(bytes, assembly.target, assembly.filled);
    }
    assembly.filled += bytes.length;
    if (assembly.filled < assembly.wireBytes) return;
    this.#complete(assembly, isWhole ? Buffer.from(bytes) : assembly.target);
  }

  /** Memory for a message that comes in pieces, used again once the consumer gives it back. */
  #target(length: number): Buffer {
    const target = this.#spares.take(length);
    return lend(target, () => this.#spares.keep(target.buffer));
  }

  receiveEnd(): void {
    if (this.#hasReceivedEnd) throw new MalformedError('second end of a channel');
    if (this.#assembly !== null) throw new MalformedError('end inside a message');
    this.#hasReceivedEnd = true;
    this.incoming.end();
  }

  /** The other side ended the channel early, maybe inside a message: seen after the messages already here. */
  receiveError(error: Error): void {
    this.#hasReceivedEnd = true;
    this.#assembly = null;
    this.incoming.end(error);
  }

  #checkLengths(start: MessageStart): void {
    if (start.originalBytes > this.#receiving.maxBytes || start.wireBytes > this.#receiving.maxBytes) {
      const bytes = Math.max(start.originalBytes, start.wireBytes);
      throw new MalformedError(`message of ${bytes} bytes, at most ${this.#receiving.maxBytes} allowed`);
    }
    if (start.encoding === 'none') return;
    if (!this.#host.encodings.includes(start.encoding)) throw new MalformedError(`${start.encoding} was not agreed on`);
    if (start.wireBytes === 0 || start.wireBytes > start.originalBytes) {
      throw new MalformedError('compressed message longer than its original');
    }
  }

  #complete(assembly: Assembly, bytes: Buffer | null): void {
    this.#assembly = null;
    if (this.#isDiscarding || bytes === null) return;
    const cost = assembly.originalBytes + MESSAGE_OVERHEAD_BYTES;
    if (assembly.encoding === 'none') this.incoming.push(bytes, cost);
    else this.incoming.push(this.#decompressed(assembly, bytes), cost);
  }

  async #decompressed(assembly: Assembly, bytes: Buffer): Promise<Buffer> {
    try {
      return await this.#host.decompressor.decompress(assembly.encoding, bytes, assembly.originalBytes);
    } catch (cause) {
      const error = violation(`a message that does not decompress to what it declared (${(cause as Error).message})`);
      this.#host.fail(error);
      throw error;
    }
  }

  /** Returns credit in quarters of the window: often enough never to stall a sender, rarely enough to cost nothing. */
  #taken(cost: number): void {
    this.#owed += cost;
    if (this.#hasReceivedEnd || this.#owed < this.#host.receiveWindowBytes / 4) return;
    this.#host.outbox.control(creditFrame(this.id, this.#owed));
    this.#outstanding -= this.#owed;
    this.#owed = 0;
    this.#host.wake();
  }

  async #sendLater(bytes: Uint8Array): Promise<boolean> {
    while (this.#credit <= 0 && !this.#isSendingStopped) {
      await new Promise<void>((resolve) => {
        this.#creditWaiter = resolve;
      });
    }
    if (this.#isSendingStopped) return false;
    this.#queue(bytes);
    return true;
  }

  #queue(bytes: Uint8Array): void {
    const { outbox, compressor, meter } = this.#host;
    this.#credit -= bytes.length + MESSAGE_OVERHEAD_BYTES;
    const isCompressed =
      this.#sending.isBulk && compressor.wants(this.#history, bytes.length, this.#host.backlogBytes, meter.bytesPerMs);
    if (isCompressed) this.#queueCompressed(bytes);
    else outbox.message(this.id, { encoding: 'none', bytes, originalBytes: bytes.length });
    this.#host.wake();
  }

  #queueCompressed(bytes: Uint8Array): void {
    const slot = this.#host.outbox.reserve(this.id, bytes.length);
    this.#host.compressor.compress(bytes, this.#history).then(
      (message) => {
        if (message.bytes !== bytes) giveBack(bytes);
        this.#host.outbox.fill(slot, message);
        this.#host.wake();
      },
      (cause) => this.#host.fail(new TidemarkError('internal', 'compression-failed', 'compression failed', { cause })),
    );
  }

  #wakeSender(): void {
    const waiter = this.#creditWaiter;
    this.#creditWaiter = null;
    waiter?.();
  }
}
