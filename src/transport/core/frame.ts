/**
 * Frames: u32 payload length, u8 type, u32 channel, payload; little-endian.
 *
 * A message is one or more `data` frames of its channel. Their payload begins with a flag byte: bits 0–1 the encoding,
 * bit 2 set in the first frame of a message. After the flags of a first frame come the u32 length of the message as
 * sent and, where it is compressed, the u32 length of the original. The message ends when its length is reached.
 */
import { MAX_METHOD_BYTES } from './limits.ts';

export const FRAME_HEADER_BYTES = 9;

export const FRAME = {
  hello: 1,
  open: 2,
  data: 3,
  end: 4,
  error: 5,
  credit: 6,
  cancel: 7,
  ping: 8,
  pong: 9,
  goodbye: 10,
} as const;

export type FrameName = keyof typeof FRAME;

/** How the bytes of a message are encoded; the position is the number on the wire. */
export const ENCODINGS = ['none', 'zstd', 'brotli'] as const;
export type Encoding = (typeof ENCODINGS)[number];

export const DATA_START = 4;

/** A message ready to be cut into frames. `originalBytes` is the length before compression. */
export interface EncodedMessage {
  readonly encoding: Encoding;
  readonly bytes: Uint8Array;
  readonly originalBytes: number;
}

/** A complete frame other than `data`. */
export function frame(name: Exclude<FrameName, 'data'>, channel: number, payload?: Uint8Array): Buffer {
  const length = payload?.length ?? 0;
  const bytes = Buffer.allocUnsafe(FRAME_HEADER_BYTES + length);
  writeHeader(bytes, FRAME[name], channel, length);
  if (payload !== undefined) bytes.set(payload, FRAME_HEADER_BYTES);
  return bytes;
}

/** Opens `channel` for a call of `method` (ASCII): u8 length and the name; whatever follows is ignored. */
export function openFrame(channel: number, method: string): Buffer {
  if (method.length === 0 || method.length > MAX_METHOD_BYTES) throw new RangeError(`method name "${method}"`);
  return frame('open', channel, Buffer.from(`${String.fromCharCode(method.length)}${method}`, 'latin1'));
}

/** Lets the other side send `bytes` more on `channel`. */
export function creditFrame(channel: number, bytes: number): Buffer {
  const payload = Buffer.allocUnsafe(4);
  payload.writeUInt32LE(bytes);
  return frame('credit', channel, payload);
}

/** Everything of a `data` frame before its `bodyLength` message bytes; `start` in the first frame of a message. */
export function dataHead(channel: number, start: EncodedMessage | null, bodyLength: number): Buffer {
  const isCompressed = start !== null && start.encoding !== 'none';
  const headLength = 1 + (start === null ? 0 : 4) + (isCompressed ? 4 : 0);
  const bytes = Buffer.allocUnsafe(FRAME_HEADER_BYTES + headLength);
  writeHeader(bytes, FRAME.data, channel, headLength + bodyLength);
  if (start === null) {
    bytes[FRAME_HEADER_BYTES] = 0;
    return bytes;
  }
  bytes[FRAME_HEADER_BYTES] = DATA_START | ENCODINGS.indexOf(start.encoding);
  bytes.writeUInt32LE(start.bytes.length, FRAME_HEADER_BYTES + 1);
  if (isCompressed) bytes.writeUInt32LE(start.originalBytes, FRAME_HEADER_BYTES + 5);
  return bytes;
}

function writeHeader(bytes: Buffer, type: number, channel: number, length: number): void {
  bytes.writeUInt32LE(length, 0);
  bytes[4] = type;
  bytes.writeUInt32LE(channel, 5);
}
