/** Gathers content records into chunks. */
import { ByteWriter } from '../platform/core/bytes.ts';
import { type ContentRecord, writeRecord } from './core/content.ts';
import { CHUNK_BYTES } from './core/limits.ts';

/** The memory of the last writer that was closed: a thread supplies one group of files after another. */
let spare: ByteWriter | null = null;

/** `write` never waits; the writer of many or large records asks `isFull` between them, so no chunk outgrows the limit. */
export class ChunkWriter {
  readonly #out: ByteWriter;
  readonly #emit: (chunk: Buffer) => Promise<void>;

  constructor(emit: (chunk: Buffer) => Promise<void>) {
    this.#emit = emit;
    this.#out = spare ?? new ByteWriter(2 * CHUNK_BYTES);
    spare = null;
  }

  get isFull(): boolean {
    return this.#out.length >= CHUNK_BYTES;
  }

  write(record: ContentRecord): void {
    writeRecord(this.#out, record);
  }

  /** Hands the gathered records on, if any, and waits until they are taken; what is handed on is valid until then. */
  async flush(): Promise<void> {
    if (this.#out.length === 0) return;
    await this.#emit(this.#out.view());
    this.#out.clear();
  }

  /** After the last flush: nothing may be written any more. */
  close(): void {
    spare = this.#out;
  }
}
