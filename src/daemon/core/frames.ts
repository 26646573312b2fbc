/**
 * Frames of the control socket: `u32 payload length | u8 type | payload`, little-endian.
 *
 * The header, the type of `hello` and the two fields in it stay as they are in every version, so that any two versions
 * can tell each other apart.
 */
import { MalformedError } from '../../platform/core/bytes.ts';

export const FRAME = {
  /** JSON: protocol and program. Both sides, first. */
  hello: 1,
  /** JSON; from the client, once. */
  request: 2,
  /** Binary lists, any number of each before `done`. */
  changes: 3,
  hot: 4,
  gaps: 5,
  differences: 6,
  /** JSON list. */
  roots: 7,
  /** JSON: the answer is complete. */
  done: 8,
  /** JSON: there is no answer, and why. */
  error: 9,
  /** Empty: still at work. */
  alive: 10,
} as const;

export type FrameType = (typeof FRAME)[keyof typeof FRAME];

export interface Frame {
  readonly type: FrameType;
  readonly payload: Buffer;
}

const HEADER_BYTES = 5;
const LAST_TYPE = Math.max(...Object.values(FRAME));

/** The bytes of one frame. */
export function frameBytes(type: FrameType, payload: Uint8Array): Buffer {
  const frame = Buffer.allocUnsafe(HEADER_BYTES + payload.length);
  frame.writeUInt32LE(payload.length, 0);
  frame.writeUInt8(type, 4);
  frame.set(payload, HEADER_BYTES);
  return frame;
}

/** Cuts a stream of bytes into frames; holds at most one unfinished frame. */
export class FrameSplitter {
  readonly #maxBytes: number;
  #pieces: Buffer[] = [];
  #heldBytes = 0;

  /** `maxBytes`: longest payload; a longer one is refused when its header is read, before any of it is kept. */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** True in the middle of a frame: a stream that ends now was cut short. */
  get isUnfinished(): boolean {
    return this.#heldBytes > 0;
  }

  /** The frames that `chunk` completes. Throws MalformedError for an unknown type or a payload too long. */
  push(chunk: Buffer): Frame[] {
    this.#pieces.push(chunk);
    this.#heldBytes += chunk.length;
    const frames: Frame[] = [];
    for (;;) {
      const header = this.#peek(HEADER_BYTES);
      if (header === null) return frames;
      const length = header.readUInt32LE(0);
      const type = header.readUInt8(4);
      if (length > this.#maxBytes) throw new MalformedError(`frame of ${length} bytes`);
      if (type < 1 || type > LAST_TYPE) throw new MalformedError(`frame of type ${type}`);
      const whole = this.#peek(HEADER_BYTES + length);
      if (whole === null) return frames;
      frames.push({ type: type as FrameType, payload: whole.subarray(HEADER_BYTES, HEADER_BYTES + length) });
      this.#drop(HEADER_BYTES + length);
    }
  }

  /** The held bytes as one buffer where there are at least `length`. Joins only then: no quadratic copying. */
  #peek(length: number): Buffer | null {
    if (this.#heldBytes < length) return null;
    const first = this.#pieces[0];
    if (first !== undefined && first.length >= length) return first;
    const joined = Buffer.concat(this.#pieces);
    this.#pieces = [joined];
    return joined;
  }

  #drop(length: number): void {
    const rest = (this.#pieces[0] as Buffer).subarray(length);
    this.#heldBytes -= length;
    if (rest.length > 0) this.#pieces[0] = rest;
    else this.#pieces.shift();
  }
}
