/**
 * A sequence of records written once and read once: in memory while small, in an unlinked temporary file beyond.
 *
 * A plan for a million files would be hundreds of megabytes of objects; here it is a few bytes each, and past
 * {@link MEMORY_BYTES} none of them stays in memory.
 */
import { closeSync, openSync, readSync, unlinkSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ByteReader, ByteWriter, MalformedError } from '../../platform/core/bytes.ts';

/** What a spool keeps in memory before it goes to a file. */
const MEMORY_BYTES = 8 * 1024 * 1024;
/** Records are written and read in pieces of about this size. */
const PIECE_BYTES = 256 * 1024;
const LENGTH_BYTES = 4;

export class Spool<Item> {
  readonly #encode: (out: ByteWriter, item: Item) => void;
  readonly #decode: (from: ByteReader) => Item;
  readonly #writer = new ByteWriter(PIECE_BYTES);
  #pieces: Buffer[] = [];
  #memoryBytes = 0;
  #file: number | null = null;
  #count = 0;

  constructor(encode: (out: ByteWriter, item: Item) => void, decode: (from: ByteReader) => Item) {
    this.#encode = encode;
    this.#decode = decode;
  }

  get count(): number {
    return this.#count;
  }

  append(item: Item): void {
    this.#encode(this.#writer, item);
    this.#count++;
    if (this.#writer.length >= PIECE_BYTES) this.#flush();
  }

  /** The items in the order they were appended. Nothing may be appended afterwards. */
  *read(): Generator<Item> {
    this.#flush();
    for (const piece of this.#readPieces()) {
      const from = new ByteReader(piece);
      while (from.remaining > 0) yield this.#decode(from);
    }
  }

  close(): void {
    this.#pieces = [];
    if (this.#file !== null) closeSync(this.#file);
    this.#file = null;
  }

  #flush(): void {
    if (this.#writer.length === 0) return;
    const piece = this.#writer.take();
    if (this.#file === null && this.#memoryBytes + piece.length <= MEMORY_BYTES) {
      this.#pieces.push(piece);
      this.#memoryBytes += piece.length;
      return;
    }
    this.#file ??= this.#moveToFile();
    writePiece(this.#file, piece);
  }

  #moveToFile(): number {
    const path = join(tmpdir(), `tidemark-plan-${process.pid}-${process.hrtime.bigint()}`);
    const file = openSync(path, 'wx+', 0o600);
    unlinkSync(path);
    for (const piece of this.#pieces) writePiece(file, piece);
    this.#pieces = [];
    return file;
  }

  *#readPieces(): Generator<Buffer> {
    if (this.#file === null) {
      yield* this.#pieces;
      return;
    }
    const length = Buffer.alloc(LENGTH_BYTES);
    for (let offset = 0; ; ) {
      const got = readSync(this.#file, length, 0, LENGTH_BYTES, offset);
      if (got === 0) return;
      const piece = Buffer.allocUnsafe(length.readUInt32LE());
      offset += LENGTH_BYTES;
      if (readSync(this.#file, piece, 0, piece.length, offset) !== piece.length) {
        throw new MalformedError('the plan file was cut short');
      }
      offset += piece.length;
      yield piece;
    }
  }
}

function writePiece(file: number, piece: Buffer): void {
  const length = Buffer.alloc(LENGTH_BYTES);
  length.writeUInt32LE(piece.length);
  writeSync(file, length);
  for (let written = 0; written < piece.length; ) written += writeSync(file, piece, written);
}
