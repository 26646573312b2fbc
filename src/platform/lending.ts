/**
 * Memory that goes back to where it came from.
 *
 * Chunks of content pass through several hands by the thousand. Left to the garbage collector, their memory piles up
 * to many times what is in use, and collecting it costs more than moving the content. So whoever makes a chunk may
 * *lend* its memory, and whoever uses it up gives it back. Giving back is a courtesy: what is not given back is
 * collected as usual. It is also final: nobody may look at the bytes afterwards.
 */

const lenders = new WeakMap<Uint8Array, () => void>();

/** Marks `bytes` as lent; `takeBack` is called once, when they are given back. */
export function lend<Bytes extends Uint8Array>(bytes: Bytes, takeBack: () => void): Bytes {
  lenders.set(bytes, takeBack);
  return bytes;
}

/** Gives lent bytes back; nothing happens for others. */
export function giveBack(bytes: Uint8Array): void {
  const takeBack = lenders.get(bytes);
  if (takeBack === undefined) return;
  lenders.delete(bytes);
  takeBack();
}

/** What needs less than this part of a piece gets memory of its own. */
const WORTH_KEEPING = 4;

/**
 * Memory of equal size, used again and again, also across threads: it is shared, so that posting it costs the same
 * whatever its size. Memory that moves instead counts as new wherever it arrives, and the garbage collector answers a
 * gigabyte of arrivals with dozens of full collections.
 */
export class SpareMemory {
  readonly #sizeBytes: number;
  readonly #most: number;
  readonly #spares: ArrayBufferLike[] = [];

  /** Keeps at most `most` pieces of `sizeBytes`. */
  constructor(sizeBytes: number, most: number) {
    this.#sizeBytes = sizeBytes;
    this.#most = most;
  }

  /**
   * Memory for `length` bytes, with whatever is in it. Longer than `sizeBytes`: new, and not kept later. Much shorter: new
   * and not shared, for many such at once would hold many times what is in them.
   */
  take(length: number): Buffer {
    if (length * WORTH_KEEPING < this.#sizeBytes) return Buffer.allocUnsafeSlow(length);
    const spare = length > this.#sizeBytes ? undefined : this.#spares.pop();
    return Buffer.from(spare ?? new SharedArrayBuffer(Math.max(length, this.#sizeBytes)), 0, length);
  }

  /** Takes memory for later use. */
  keep(memory: ArrayBufferLike): void {
    if (memory.byteLength === this.#sizeBytes && this.#spares.length < this.#most) this.#spares.push(memory);
  }
}
