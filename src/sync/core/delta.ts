/**
 * Turns new content into literal bytes and runs of blocks of a basis, in constant memory.
 *
 * The encoder holds one window: a block of look-ahead and a piece of at least 1 MiB. What the matcher has decided
 * leaves the window, the rest moves to its front. The reader of the other side turns runs back into ranges of the
 * basis with `blockRange` (signature.ts).
 */
import type { BlockMatcher } from './block-matcher.ts';
import { blockRange, type Signature } from './signature.ts';

export type DeltaStep =
  /** Bytes as they are: a view of the window, valid until the next step is asked for. */
  | { readonly kind: 'literal'; readonly bytes: Uint8Array }
  /** Blocks `first` to `first + count − 1` of the basis. */
  | { readonly kind: 'blocks'; readonly first: number; readonly count: number };

/** Smallest piece searched at once: each piece costs the checksum of one block anew. */
const MIN_PIECE_BYTES = 1024 * 1024;

/** A piece is at least this many blocks, so that large blocks do not pay that cost over and over. */
const PIECE_BLOCKS = 4;

/** Most runs reported by one call of the matcher. */
const RUNS_PER_SCAN = 1024;

export class DeltaEncoder {
  readonly #signature: Signature;
  readonly #matcher: BlockMatcher;
  readonly #window: Uint8Array;
  readonly #found = new Uint32Array(2 + RUNS_PER_SCAN * 3);
  #filled = 0;
  /** A run not yet handed out, because the next match may continue it. */
  #runFirst = 0;
  #runCount = 0;

  /** `sizeBytes`: how large the new content is expected to be; it bounds the window, nothing else. */
  constructor(signature: Signature, matcher: BlockMatcher, sizeBytes: number) {
    this.#signature = signature;
    this.#matcher = matcher;
    const piece = Math.max(MIN_PIECE_BYTES, PIECE_BLOCKS * signature.blockBytes);
    this.#window = new Uint8Array(signature.blockBytes + Math.min(piece, Math.max(sizeBytes, signature.blockBytes)));
  }

  /** Takes the next bytes of the content, of any length; they are copied. The steps must be consumed to the end. */
  *push(bytes: Uint8Array): Generator<DeltaStep> {
    let taken = 0;
    while (taken < bytes.length) {
      const piece = bytes.subarray(taken, taken + this.#window.length - this.#filled);
      this.#window.set(piece, this.#filled);
      this.#filled += piece.length;
      taken += piece.length;
      if (this.#filled === this.#window.length) yield* this.#search(false);
    }
  }

  /** The content ends here, or is interrupted by a hole; after a hole more may be pushed. */
  *finish(): Generator<DeltaStep> {
    yield* this.#search(true);
    yield* this.#pendingRun();
  }

  *#search(isLast: boolean): Generator<DeltaStep> {
    const found = this.#found;
    let decided = 0;
    let scanned = 0;
    do {
      this.#matcher.scan(this.#window, scanned, this.#filled, isLast, found);
      for (let at = 2; at < 2 + (found[1] as number) * 3; at += 3) {
        const offset = found[at] as number;
        yield* this.#literal(decided, offset);
        const first = found[at + 1] as number;
        const count = found[at + 2] as number;
        decided = offset + this.#lengthOf(first, count);
        if (this.#runCount > 0 && this.#runFirst + this.#runCount === first) {
          this.#runCount += count;
          continue;
        }
        yield* this.#pendingRun();
        this.#runFirst = first;
        this.#runCount = count;
      }
      scanned = found[0] as number;
    } while (found[1] === RUNS_PER_SCAN);
    yield* this.#literal(decided, scanned);
    this.#window.copyWithin(0, scanned, this.#filled);
    this.#filled -= scanned;
  }

  #lengthOf(first: number, count: number): number {
    const { start, end } = blockRange(this.#signature, first, count);
    return end - start;
  }

  *#literal(from: number, to: number): Generator<DeltaStep> {
    if (to === from) return;
    yield* this.#pendingRun();
    yield { kind: 'literal', bytes: this.#window.subarray(from, to) };
  }

  *#pendingRun(): Generator<DeltaStep> {
    if (this.#runCount === 0) return;
    const run: DeltaStep = { kind: 'blocks', first: this.#runFirst, count: this.#runCount };
    this.#runCount = 0;
    yield run;
  }
}
