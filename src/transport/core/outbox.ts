/**
 * What waits to be written, and in which order: the fair queue of a connection.
 *
 * Invariants: control frames go first, in order. Within a channel everything stays in order, and nothing passes a
 * message that is still being compressed. Between channels one frame at a time goes round; channels whose next message
 * is short go before those with bulk data, but not more than MAX_SHORT_STREAK times in a row.
 */
import { dataHead, type EncodedMessage, frame } from './frame.ts';
import { FRAGMENT_BYTES, MAX_SHORT_STREAK, SHORT_MESSAGE_BYTES } from './limits.ts';

/** A frame to write: `head` alone, or followed by `body`. */
export interface OutgoingFrame {
  readonly head: Buffer;
  readonly body: Uint8Array | null;
  /** The message that ends with this frame: once it is written, nobody needs those bytes any more. */
  readonly ended: Uint8Array | null;
}

/** A place in a channel's order, kept until its message is ready. */
export interface Slot {
  readonly channel: number;
  readonly reservedBytes: number;
  message: EncodedMessage | null;
}

interface Lane {
  readonly channel: number;
  /** Messages in order; a Buffer is the frame that ends the channel. */
  readonly slots: (Slot | Buffer)[];
  /** Bytes of the first message already handed out, and whether its first frame was. */
  sent: number;
  isStarted: boolean;
  isQueued: boolean;
}

export class Outbox {
  readonly #control: Buffer[] = [];
  readonly #lanes = new Map<number, Lane>();
  #short: Lane[] = [];
  #bulk: Lane[] = [];
  #streak = 0;
  #controlBytes = 0;
  #messageBytes = 0;

  /** Bytes of control frames waiting. */
  get controlBytes(): number {
    return this.#controlBytes;
  }

  /** Message bytes waiting, those being compressed included. */
  get messageBytes(): number {
    return this.#messageBytes;
  }

  /** Queues a frame that overtakes all messages. */
  control(bytes: Buffer): void {
    this.#control.push(bytes);
    this.#controlBytes += bytes.length;
  }

  /** Queues a message. */
  message(channel: number, message: EncodedMessage): void {
    this.fill(this.reserve(channel, message.bytes.length), message);
  }

  /** Keeps a place for a message that is still being made. */
  reserve(channel: number, reservedBytes: number): Slot {
    const slot: Slot = { channel, reservedBytes, message: null };
    this.#laneOf(channel).slots.push(slot);
    this.#messageBytes += reservedBytes;
    return slot;
  }

  /** Puts the message into its place. Nothing happens where the channel was dropped meanwhile. */
  fill(slot: Slot, message: EncodedMessage): void {
    slot.message = message;
    const lane = this.#lanes.get(slot.channel);
    if (lane?.slots[0] === slot) this.#enqueue(lane);
  }

  /** Queues the last frame of a channel behind its messages. */
  finish(channel: number, bytes: Buffer = frame('end', channel)): void {
    const lane = this.#laneOf(channel);
    lane.slots.push(bytes);
    if (lane.slots.length === 1) this.#enqueue(lane);
  }

  /** Forgets what a channel still had to send; true where something was left, be it only its last frame. */
  drop(channel: number): boolean {
    const lane = this.#lanes.get(channel);
    if (lane === undefined) return false;
    for (const slot of lane.slots) {
      if (!(slot instanceof Uint8Array)) this.#messageBytes -= slot.reservedBytes;
    }
    this.#lanes.delete(channel);
    this.#short = this.#short.filter((other) => other !== lane);
    this.#bulk = this.#bulk.filter((other) => other !== lane);
    return lane.slots.length > 0;
  }

  /** Forgets everything. */
  clear(): void {
    for (const channel of [...this.#lanes.keys()]) this.drop(channel);
    this.#control.length = 0;
    this.#controlBytes = 0;
  }

  /** The next frame, or null where nothing is ready. */
  take(): OutgoingFrame | null {
    const control = this.#control.shift();
    if (control !== undefined) {
      this.#controlBytes -= control.length;
      return { head: control, body: null, ended: null };
    }
    const lane = this.#nextLane();
    if (lane === undefined) return null;
    lane.isQueued = false;
    const outgoing = this.#frameOf(lane);
    if (lane.slots.length === 0) this.#lanes.delete(lane.channel);
    else this.#enqueue(lane);
    return outgoing;
  }

  #nextLane(): Lane | undefined {
    const isShort = this.#short.length > 0 && (this.#bulk.length === 0 || this.#streak < MAX_SHORT_STREAK);
    this.#streak = isShort && this.#bulk.length > 0 ? this.#streak + 1 : 0;
    return isShort ? this.#short.shift() : this.#bulk.shift();
  }

  #frameOf(lane: Lane): OutgoingFrame {
    const first = lane.slots[0] as Slot | Buffer;
    if (first instanceof Uint8Array) {
      lane.slots.shift();
      return { head: first, body: null, ended: null };
    }
    const message = first.message as EncodedMessage;
    const body = message.bytes.subarray(lane.sent, lane.sent + FRAGMENT_BYTES);
    const head = dataHead(lane.channel, lane.isStarted ? null : message, body.length);
    lane.isStarted = true;
    lane.sent += body.length;
    const isLast = lane.sent === message.bytes.length;
    if (isLast) {
      this.#messageBytes -= first.reservedBytes;
      lane.slots.shift();
      lane.sent = 0;
      lane.isStarted = false;
    }
    return { head, body: body.length === 0 ? null : body, ended: isLast ? message.bytes : null };
  }

  #enqueue(lane: Lane): void {
    const first = lane.slots[0];
    if (lane.isQueued || first === undefined) return;
    const left =
      first instanceof Uint8Array ? 0 : first.message === null ? null : first.message.bytes.length - lane.sent;
    if (left === null) return;
    lane.isQueued = true;
    if (left <= SHORT_MESSAGE_BYTES) this.#short.push(lane);
    else this.#bulk.push(lane);
  }

  #laneOf(channel: number): Lane {
    let lane = this.#lanes.get(channel);
    if (lane === undefined) {
      lane = { channel, slots: [], sent: 0, isStarted: false, isQueued: false };
      this.#lanes.set(channel, lane);
    }
    return lane;
  }
}
