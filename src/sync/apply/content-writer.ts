/**
 * Writes the content of one staged file from front to back: buffered, hashed as it goes, holes left as holes.
 *
 * Memory is one buffer of {@link WRITE_BUFFER_BYTES} a file, whatever its size.
 */
import { createHash } from 'node:crypto';
import { ftruncateSync, writeSync } from 'node:fs';
import { MalformedError } from '../../platform/core/bytes.ts';
import type { Fd } from '../../platform/filesystem.ts';

/** Large enough that a write costs more than its system call. */
export const WRITE_BUFFER_BYTES = 1024 * 1024;

/** Buffers kept for the next file. */
const MAX_SPARE_BUFFERS = 4;

const ZEROS = Buffer.alloc(WRITE_BUFFER_BYTES);
const spareBuffers: Buffer[] = [];

export class ContentWriter {
  readonly #fd: Fd;
  readonly #sizeBytes: number;
  readonly #hash = createHash('sha256');
  readonly #buffer = spareBuffers.pop() ?? Buffer.allocUnsafeSlow(WRITE_BUFFER_BYTES);
  #filled = 0;
  /** Where the buffer goes in the file. */
  #position = 0;
  #endsInHole = false;

  /** Content of exactly `sizeBytes` goes into the open, empty file `fd`, which stays the caller's. */
  constructor(fd: Fd, sizeBytes: number) {
    this.#fd = fd;
    this.#sizeBytes = sizeBytes;
  }

  get receivedBytes(): number {
    return this.#position + this.#filled;
  }

  /** Appends bytes; they are copied. Throws MalformedError past the declared size, and system errors. */
  write(bytes: Uint8Array): void {
    this.#claim(bytes.length);
    this.#hash.update(bytes);
    this.#endsInHole = false;
    let taken = 0;
    while (taken < bytes.length) {
      const piece = bytes.subarray(taken, taken + this.#buffer.length - this.#filled);
      this.#buffer.set(piece, this.#filled);
      this.#filled += piece.length;
      taken += piece.length;
      if (this.#filled === this.#buffer.length) this.#flush();
    }
  }

  /** Appends zeros without writing them. */
  hole(lengthBytes: number): void {
    this.#claim(lengthBytes);
    this.#flush();
    for (let left = lengthBytes; left > 0; left -= ZEROS.length) {
      this.#hash.update(left >= ZEROS.length ? ZEROS : ZEROS.subarray(0, left));
    }
    this.#position += lengthBytes;
    this.#endsInHole = lengthBytes > 0;
  }

  /** Writes what is buffered and returns the SHA-256. Throws MalformedError where content is missing. */
  finish(): string {
    if (this.receivedBytes !== this.#sizeBytes) {
      throw new MalformedError(`content of ${this.receivedBytes} bytes, ${this.#sizeBytes} announced`);
    }
    this.#flush();
    if (this.#endsInHole) ftruncateSync(this.#fd, this.#sizeBytes);
    return this.#hash.digest('binary');
  }

  /** Writes what is buffered, so that a partial transfer holds all that came. */
  flushPartial(): void {
    this.#flush();
  }

  /** Gives the buffer back; nothing else may be called afterwards. */
  dispose(): void {
    if (spareBuffers.length < MAX_SPARE_BUFFERS) spareBuffers.push(this.#buffer);
  }

  #claim(length: number): void {
    if (this.receivedBytes + length > this.#sizeBytes) {
      throw new MalformedError(`content beyond the ${this.#sizeBytes} bytes announced`);
    }
  }

  #flush(): void {
    let written = 0;
    while (written < this.#filled) {
      written += writeSync(this.#fd, this.#buffer, written, this.#filled - written, this.#position + written);
    }
    this.#position += this.#filled;
    this.#filled = 0;
  }
}
