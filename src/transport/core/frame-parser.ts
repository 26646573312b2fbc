/**
 * Takes the byte stream of a peer apart, without I/O.
 *
 * Message bytes are handed on as views the moment they arrive and are never gathered here; other payloads are, up to
 * the limit of their type. A trust boundary: every length is checked before anything is allocated for it, and a
 * violation throws MalformedError, after which the parser must not be used.
 */
import { MalformedError } from '../../platform/core/bytes.ts';
import { DATA_START, ENCODINGS, type Encoding, FRAME, FRAME_HEADER_BYTES, type FrameName } from './frame.ts';
import {
  MAX_ERROR_BYTES,
  MAX_FRAME_BYTES,
  MAX_HELLO_BYTES,
  MAX_METHOD_BYTES,
  MAX_OPEN_BYTES,
  MAX_PING_BYTES,
} from './limits.ts';

export type FrameEvent =
  | { readonly kind: 'hello'; readonly payload: Buffer }
  | { readonly kind: 'ping'; readonly payload: Buffer }
  | { readonly kind: 'pong'; readonly payload: Buffer }
  | { readonly kind: 'goodbye'; readonly payload: Buffer }
  | { readonly kind: 'open'; readonly channel: number; readonly method: string }
  /** A message begins: `wireBytes` will follow as `bytes` events, `originalBytes` is what they decode to. */
  | {
      readonly kind: 'message';
      readonly channel: number;
      readonly encoding: Encoding;
      readonly wireBytes: number;
      readonly originalBytes: number;
    }
  /** A view into the chunk just pushed. */
  | { readonly kind: 'bytes'; readonly channel: number; readonly bytes: Buffer }
  | { readonly kind: 'end'; readonly channel: number }
  | { readonly kind: 'cancel'; readonly channel: number }
  | { readonly kind: 'error'; readonly channel: number; readonly payload: Buffer }
  | { readonly kind: 'credit'; readonly channel: number; readonly bytes: number };

/** An event of one channel. */
export type ChannelEvent = Extract<FrameEvent, { readonly channel: number }>;

interface Rule {
  readonly name: FrameName;
  readonly minBytes: number;
  readonly maxBytes: number;
  readonly hasChannel: boolean;
}

const RULES: ReadonlyMap<number, Rule> = new Map(
  (
    [
      { name: 'hello', minBytes: 2, maxBytes: MAX_HELLO_BYTES, hasChannel: false },
      { name: 'open', minBytes: 2, maxBytes: MAX_OPEN_BYTES, hasChannel: true },
      { name: 'data', minBytes: 1, maxBytes: MAX_FRAME_BYTES, hasChannel: true },
      { name: 'end', minBytes: 0, maxBytes: 0, hasChannel: true },
      { name: 'error', minBytes: 2, maxBytes: MAX_ERROR_BYTES, hasChannel: true },
      { name: 'credit', minBytes: 4, maxBytes: 4, hasChannel: true },
      { name: 'cancel', minBytes: 0, maxBytes: 0, hasChannel: true },
      { name: 'ping', minBytes: 0, maxBytes: MAX_PING_BYTES, hasChannel: false },
      { name: 'pong', minBytes: 0, maxBytes: MAX_PING_BYTES, hasChannel: false },
      { name: 'goodbye', minBytes: 0, maxBytes: MAX_ERROR_BYTES, hasChannel: false },
    ] satisfies Rule[]
  ).map((rule) => [FRAME[rule.name], rule]),
);

/** Flags, length as sent, original length. */
const MAX_DATA_HEAD_BYTES = 9;

export class FrameParser {
  #phase: 'header' | 'payload' | 'data-flags' | 'data-head' | 'data-body' = 'header';
  /** What is being gathered now, how much of it is there, and how much is needed. */
  #gathered: Buffer = Buffer.allocUnsafe(FRAME_HEADER_BYTES);
  #filled = 0;
  #wanted = FRAME_HEADER_BYTES;
  #name: FrameName = 'hello';
  #channel = 0;
  /** Payload bytes of the current data frame not seen yet. */
  #left = 0;
  readonly #header = this.#gathered;
  readonly #dataHead = Buffer.allocUnsafe(MAX_DATA_HEAD_BYTES);

  /** What `chunk` completes, in order. `bytes` events are views into it. */
  push(chunk: Buffer): FrameEvent[] {
    const events: FrameEvent[] = [];
    let offset = 0;
    while (offset < chunk.length) {
      if (this.#phase === 'data-body') {
        const bytes = chunk.subarray(offset, Math.min(chunk.length, offset + this.#left));
        offset += bytes.length;
        this.#left -= bytes.length;
        events.push({ kind: 'bytes', channel: this.#channel, bytes });
        if (this.#left === 0) this.#expectHeader();
        continue;
      }
      const taken = Math.min(chunk.length - offset, this.#wanted - this.#filled);
      chunk.copy(this.#gathered, this.#filled, offset, offset + taken);
      this.#filled += taken;
      offset += taken;
      if (this.#filled === this.#wanted) this.#step(events);
    }
    return events;
  }

  /** True where the stream may end: not inside a frame. */
  get isBetweenFrames(): boolean {
    return this.#phase === 'header' && this.#filled === 0;
  }

  #step(events: FrameEvent[]): void {
    switch (this.#phase) {
      case 'header':
        this.#takeHeader(events);
        return;
      case 'payload':
        events.push(completeEvent(this.#name, this.#channel, this.#gathered));
        this.#expectHeader();
        return;
      case 'data-flags':
        this.#takeFlags();
        if (this.#filled === this.#wanted) this.#takeDataHead(events);
        return;
      case 'data-head':
        this.#takeDataHead(events);
        return;
      case 'data-body':
        return;
    }
  }

  #takeHeader(events: FrameEvent[]): void {
    const length = this.#header.readUInt32LE(0);
    const type = this.#header[4] as number;
    const rule = RULES.get(type);
    if (rule === undefined) throw new MalformedError(`unknown frame type ${type}`);
    this.#channel = this.#header.readUInt32LE(5);
    this.#name = rule.name;
    if ((this.#channel !== 0) !== rule.hasChannel) throw new MalformedError(`${rule.name} on channel ${this.#channel}`);
    if (length < rule.minBytes || length > rule.maxBytes) {
      throw new MalformedError(`${rule.name} frame of ${length} bytes, at most ${rule.maxBytes} allowed`);
    }
    if (rule.name === 'data') {
      this.#left = length;
      this.#gather('data-flags', this.#dataHead, 1);
    } else if (length === 0) {
      events.push(completeEvent(rule.name, this.#channel, Buffer.alloc(0)));
      this.#expectHeader();
    } else {
      this.#gather('payload', Buffer.allocUnsafe(length), length);
    }
  }

  #takeFlags(): void {
    const flags = this.#dataHead[0] as number;
    const encoding = ENCODINGS[flags & 3];
    const isStart = (flags & DATA_START) !== 0;
    if (encoding === undefined || flags > 7 || (!isStart && flags !== 0)) {
      throw new MalformedError(`data frame with flags ${flags}`);
    }
    const headLength = isStart ? (encoding === 'none' ? 5 : MAX_DATA_HEAD_BYTES) : 1;
    if (headLength > this.#left) throw new MalformedError('data frame shorter than its head');
    this.#phase = 'data-head';
    this.#wanted = headLength;
  }

  #takeDataHead(events: FrameEvent[]): void {
    const flags = this.#dataHead[0] as number;
    this.#left -= this.#wanted;
    if (flags & DATA_START) {
      const encoding = ENCODINGS[flags & 3] as Encoding;
      const wireBytes = this.#dataHead.readUInt32LE(1);
      const originalBytes = encoding === 'none' ? wireBytes : this.#dataHead.readUInt32LE(5);
      events.push({ kind: 'message', channel: this.#channel, encoding, wireBytes, originalBytes });
    } else if (this.#left === 0) {
      throw new MalformedError('data frame that carries nothing');
    }
    if (this.#left === 0) this.#expectHeader();
    else this.#phase = 'data-body';
  }

  #expectHeader(): void {
    this.#gather('header', this.#header, FRAME_HEADER_BYTES);
  }

  #gather(phase: 'header' | 'payload' | 'data-flags', into: Buffer, wanted: number): void {
    this.#phase = phase;
    this.#gathered = into;
    this.#filled = 0;
    this.#wanted = wanted;
  }
}

function completeEvent(name: FrameName, channel: number, payload: Buffer): FrameEvent {
  switch (name) {
    case 'hello':
    case 'ping':
    case 'pong':
    case 'goodbye':
      return { kind: name, payload };
    case 'open':
      return { kind: 'open', channel, method: methodIn(payload) };
    case 'end':
    case 'cancel':
      return { kind: name, channel };
    case 'error':
      return { kind: 'error', channel, payload };
    case 'credit':
      return { kind: 'credit', channel, bytes: payload.readUInt32LE() };
    case 'data':
      throw new MalformedError('data frames are streamed');
  }
}

function methodIn(payload: Buffer): string {
  const length = payload[0] as number;
  if (length === 0 || length > MAX_METHOD_BYTES || length + 1 > payload.length) {
    throw new MalformedError('method name of a wrong length');
  }
  const method = payload.toString('latin1', 1, 1 + length);
  if (!/^[a-z][a-z0-9-]*$/.test(method)) throw new MalformedError('method name with unexpected characters');
  return method;
}
