/** Gathers content records into chunks. */
import { ByteWriter } from '../platform/core/bytes.ts';
import { type ContentRecord, writeRecord } from './core/content.ts';
import { CHUNK_BYTES } from './core/limits.ts';

/** `write` never waits; the writer of many or large records asks `isFull` between them, so no chunk outgrows the limit. */
export class ChunkWriter {
  readonly #out = new ByteWriter(2 * CHUNK_BYTES);
  readonly #emit: (chunk: Buffer) => Promise<void>;

  constructor(emit: (chunk: Buffer) => Promise<void>) {
    this.#emit = emit;
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
}
