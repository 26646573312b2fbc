/**
 * Finds blocks of a basis in new content, at any offset: the search of rsync, in TypeScript.
 *
 * The native matcher (delta.c) does the same step for step, and both give the same output and the same counts; a
 * change here is a change there. Order of the search at one position: the block after the one just matched, whatever
 * its length (strong checksum only: that is what makes long matches fast); else a sliding window of one block, by filter,
 * bucket and strong checksum; at the end of the content also a short last block.
 *
 * Work is bounded: failed strong checks may cost at most one byte hashed for each byte passed, and
 * {@link CREDIT_BLOCKS} blocks; beyond that candidates are passed over and their bytes travel as they are. So content
 * made to collide costs bandwidth, never quadratic time.
 */
import { type BlockTable, buildBlockTable, isWhole } from './block-table.ts';
import { leavingTable, WEAK_BASE, weakOf } from './rolling.ts';
import type { Signature, StrongHash } from './signature.ts';

/** Failed strong checks that are free, in blocks. */
const CREDIT_BLOCKS = 64;

/** What the search has cost so far; equal for both matchers. */
export interface MatchCounters {
  readonly strongBytes: number;
  readonly failedBytes: number;
  readonly bucketSteps: number;
}

export interface BlockMatcher {
  /**
   * Searches `bytes[from, to)`, which continues where the last call's `found[0]` was. `isLast`: the content ends at
   * `to`. Writes to `found`: position reached (what lies before it is decided), number of runs, then per run its
   * offset in `bytes`, first block and count. Stops early where `found` is full; the caller calls again from there.
   */
  scan(bytes: Uint8Array, from: number, to: number, isLast: boolean, found: Uint32Array): void;
  counters(): MatchCounters;
}

/** A matcher in TypeScript. */
export function createBlockMatcher(signature: Signature, strongHash: StrongHash): BlockMatcher {
  return new TypeScriptMatcher(signature, strongHash);
}

class TypeScriptMatcher implements BlockMatcher {
  readonly #signature: Signature;
  readonly #strongHash: StrongHash;
  readonly #table: BlockTable;
  readonly #leaving: Int32Array;
  /** The block after the last match: tried first at the next position, preferred among equals later. */
  #expected = -1;
  /** True directly behind a match. */
  #isAdjacent = false;
  /** Bytes passed by earlier scans, and where the present one began. */
  #passedBytes = 0;
  #scanStart = 0;
  #strongBytes = 0;
  #failedBytes = 0;
  #bucketSteps = 0;

  constructor(signature: Signature, strongHash: StrongHash) {
    this.#signature = signature;
    this.#strongHash = strongHash;
    this.#table = buildBlockTable(signature);
    this.#leaving = leavingTable(signature.blockBytes);
  }

  scan(bytes: Uint8Array, from: number, to: number, isLast: boolean, found: Uint32Array): void {
    const capacity = Math.floor((found.length - 2) / 3);
    let position = from;
    this.#scanStart = from;
    found[1] = 0;
    while (true) {
      if (found[1] === capacity) break;
      const adjacent = this.#tryAdjacent(bytes, position, to, isLast, found);
      if (adjacent === 'wait') break;
      if (adjacent !== 'none') {
        position = adjacent;
        continue;
      }
      const reached = this.#slide(bytes, position, to);
      if (reached.block < 0) {
        position = isLast ? this.#endOfContent(bytes, reached.position, to, found) : reached.position;
        break;
      }
      position = this.#accept(reached.position, reached.block, found);
    }
    this.#passedBytes += position - from;
    found[0] = position;
  }

  counters(): MatchCounters {
    return { strongBytes: this.#strongBytes, failedBytes: this.#failedBytes, bucketSteps: this.#bucketSteps };
  }

  /** The position behind the match, `none`, or `wait` where more bytes are needed to tell. */
  #tryAdjacent(bytes: Uint8Array, position: number, to: number, isLast: boolean, found: Uint32Array) {
    if (!this.#isAdjacent) return 'none';
    const length = this.#lengthOf(this.#expected);
    if (to - position < length) {
      if (!isLast) return 'wait';
      this.#isAdjacent = false;
      return 'none';
    }
    this.#isAdjacent = false;
    const strong = this.#strong(bytes, position, position + length);
    if (!this.#hasStrong(this.#expected, strong)) return 'none';
    return this.#accept(position, this.#expected, found);
  }

  /** Slides to the next match, or to the first position whose window is not complete. */
  #slide(bytes: Uint8Array, from: number, to: number): { position: number; block: number } {
    const window = this.#signature.blockBytes;
    const end = to - window;
    if (this.#signature.count === 0) return { position: to, block: -1 };
    if (end < from) return { position: from, block: -1 };
    const { filter, filterShift } = this.#table;
    const leaving = this.#leaving;
    let weak = weakOf(bytes, from, from + window) | 0;
    for (let position = from; ; position++) {
      const bit = weak >>> filterShift;
      if (((filter[bit >>> 3] as number) >>> (bit & 7)) & 1) {
        const block = this.#lookUp(bytes, position, weak >>> 0);
        if (block >= 0) return { position, block };
      }
      if (position === end) return { position: position + 1, block: -1 };
      weak =
        (Math.imul(weak, WEAK_BASE) +
          (bytes[position + window] as number) -
          (leaving[bytes[position] as number] as number)) |
        0;
    }
  }

  #lookUp(bytes: Uint8Array, position: number, weak: number): number {
    const { heads, next, weak: weaks, bucketShift } = this.#table;
    let block = heads[weak >>> bucketShift] as number;
    while (block >= 0 && weaks[block] !== weak) {
      this.#bucketSteps++;
      block = next[block] as number;
    }
    if (block < 0) return -1;
    const window = this.#signature.blockBytes;
    const passedBytes = this.#passedBytes + (position - this.#scanStart);
    if (this.#failedBytes + window > passedBytes + CREDIT_BLOCKS * window) return -1;
    const strong = this.#strong(bytes, position, position + window);
    const expected = this.#expected;
    if (
      expected >= 0 &&
      isWhole(this.#signature, expected) &&
      weaks[expected] === weak &&
      this.#hasStrong(expected, strong)
    ) {
      return expected;
    }
    for (; block >= 0; block = next[block] as number) {
      this.#bucketSteps++;
      if (weaks[block] === weak && this.#hasStrong(block, strong)) return block;
    }
    this.#failedBytes += window;
    return -1;
  }

  /** The rest is shorter than a block: only a short last block may still end it. Content that follows starts afresh. */
  #endOfContent(bytes: Uint8Array, position: number, to: number, found: Uint32Array): number {
    const { count, lastBytes, blockBytes } = this.#signature;
    const start = to - lastBytes;
    if (
      lastBytes > 0 &&
      lastBytes < blockBytes &&
      start >= position &&
      weakOf(bytes, start, to) === this.#table.weak[count - 1]
    ) {
      if (this.#hasStrong(count - 1, this.#strong(bytes, start, to))) this.#accept(start, count - 1, found);
    }
    this.#isAdjacent = false;
    return to;
  }

  /** Records a match, joined to the run before it where it continues that; returns the position behind it. */
  #accept(position: number, block: number, found: Uint32Array): number {
    const runs = found[1] as number;
    const last = 2 + Math.max(runs - 1, 0) * 3;
    const count = found[last + 2] as number;
    const end = (found[last] as number) + count * this.#signature.blockBytes;
    if (runs > 0 && (found[last + 1] as number) + count === block && end === position) {
      found[last + 2] = count + 1;
    } else {
      found.set([position, block, 1], 2 + runs * 3);
      found[1] = runs + 1;
    }
    this.#expected = block + 1 < this.#signature.count ? block + 1 : -1;
    this.#isAdjacent = this.#expected >= 0;
    return position + this.#lengthOf(block);
  }

  #strong(bytes: Uint8Array, from: number, to: number): bigint {
    this.#strongBytes += to - from;
    return this.#strongHash(bytes.subarray(from, to), this.#signature.seed);
  }

  #hasStrong(block: number, strong: bigint): boolean {
    return (
      this.#table.strongLow[block] === Number(strong & 0xffff_ffffn) &&
      this.#table.strongHigh[block] === Number(strong >> 32n)
    );
  }

  #lengthOf(block: number): number {
    return block === this.#signature.count - 1 ? this.#signature.lastBytes : this.#signature.blockBytes;
  }
}
