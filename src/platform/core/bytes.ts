/**
 * A growing writer and a checking reader for little-endian binary records.
 *
 * The reader is a trust boundary: every length is checked against what is left and against the caller's limit before
 * it is used, and a violation throws {@link MalformedError}.
 */

/** Bytes from a disk or a peer that break their format. */
export class MalformedError extends Error {
  readonly code = 'malformed';
  constructor(message: string) {
    super(message);
    this.name = 'MalformedError';
  }
}

export class ByteWriter {
  #buffer: Buffer;
  #length = 0;

  constructor(initialBytes = 1024) {
    this.#buffer = Buffer.allocUnsafe(initialBytes);
  }

  get length(): number {
    return this.#length;
  }

  u8(value: number): this {
    this.#reserve(1);
    this.#buffer[this.#length++] = value;
    return this;
  }

  u16(value: number): this {
    this.#reserve(2);
    this.#length = this.#buffer.writeUInt16LE(value, this.#length);
    return this;
  }

  u32(value: number): this {
    this.#reserve(4);
    this.#length = this.#buffer.writeUInt32LE(value, this.#length);
    return this;
  }

  /** A whole number below 2^53, in 8 bytes. */
  u53(value: number): this {
    this.#reserve(8);
    this.#buffer.writeUInt32LE(value % 0x1_0000_0000, this.#length);
    this.#buffer.writeUInt32LE(Math.floor(value / 0x1_0000_0000), this.#length + 4);
    this.#length += 8;
    return this;
  }

  i64(value: bigint): this {
    this.#reserve(8);
    this.#length = this.#buffer.writeBigInt64LE(value, this.#length);
    return this;
  }

  /** Bytes as they are; the reader must know their number. */
  raw(bytes: Uint8Array): this {
    this.#reserve(bytes.length);
    this.#buffer.set(bytes, this.#length);
    this.#length += bytes.length;
    return this;
  }

  /** A byte string as it is; the reader must know its length. */
  rawString(bytes: string): this {
    this.#reserve(bytes.length);
    this.#length += this.#buffer.write(bytes, this.#length, 'latin1');
    return this;
  }

  /** A byte string with a u32 length before it. */
  string(bytes: string): this {
    return this.u32(bytes.length).rawString(bytes);
  }

  /** Bytes with a u32 length before them. */
  bytes(bytes: Uint8Array): this {
    return this.u32(bytes.length).raw(bytes);
  }

  /** Overwrites four bytes written earlier. */
  patchU32(offset: number, value: number): void {
    this.#buffer.writeUInt32LE(value, offset);
  }

  /** Everything written, as a copy of its own; the writer is empty afterwards and can be used again. */
  take(): Buffer {
    const taken = Buffer.from(this.view());
    this.clear();
    return taken;
  }

  /** Everything written, where it is: valid until the next write. */
  view(): Buffer {
    return this.#buffer.subarray(0, this.#length);
  }

  clear(): void {
    this.#length = 0;
  }

  #reserve(extra: number): void {
    const needed = this.#length + extra;
    if (needed <= this.#buffer.length) return;
    const larger = Buffer.allocUnsafe(Math.max(needed, this.#buffer.length * 2));
    this.#buffer.copy(larger, 0, 0, this.#length);
    this.#buffer = larger;
  }
}

export class ByteReader {
  readonly #buffer: Buffer;
  #offset: number;
  readonly #end: number;

  constructor(bytes: Uint8Array, start = 0, end = bytes.length) {
    this.#buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#offset = start;
    this.#end = end;
  }

  get offset(): number {
    return this.#offset;
  }

  get remaining(): number {
    return this.#end - this.#offset;
  }

  u8(): number {
    return this.#buffer[this.#advance(1)] as number;
  }

  u16(): number {
    return this.#buffer.readUInt16LE(this.#advance(2));
  }

  u32(): number {
    return this.#buffer.readUInt32LE(this.#advance(4));
  }

  u53(): number {
    const at = this.#advance(8);
    const high = this.#buffer.readUInt32LE(at + 4);
    if (high >= 0x20_0000) throw new MalformedError('number beyond 2^53');
    return high * 0x1_0000_0000 + this.#buffer.readUInt32LE(at);
  }

  i64(): bigint {
    return this.#buffer.readBigInt64LE(this.#advance(8));
  }

  /** A view, not a copy. */
  raw(length: number): Buffer {
    const at = this.#advance(length);
    return this.#buffer.subarray(at, at + length);
  }

  rawString(length: number): string {
    const at = this.#advance(length);
    return this.#buffer.toString('latin1', at, at + length);
  }

  string(maxLength: number): string {
    return this.rawString(this.#limited(maxLength));
  }

  /** A view, not a copy. */
  bytes(maxLength: number): Buffer {
    return this.raw(this.#limited(maxLength));
  }

  /** A u32 count or length that must not exceed `max`. */
  count(max: number): number {
    return this.#limited(max);
  }

  /** Refuses trailing bytes. */
  finish(): void {
    if (this.remaining !== 0) throw new MalformedError(`${this.remaining} bytes too many`);
  }

  #limited(max: number): number {
    const length = this.u32();
    if (length > max) throw new MalformedError(`length ${length} above the limit of ${max}`);
    return length;
  }

  #advance(length: number): number {
    const at = this.#offset;
    if (at + length > this.#end)
      throw new MalformedError(`record cut short: ${length} bytes wanted, ${this.#end - at} left`);
    this.#offset = at + length;
    return at;
  }
}
