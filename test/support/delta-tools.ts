/** Makes contents to compare, and puts deltas together again. */
import { createHash } from 'node:crypto';
import fc from 'fast-check';
import type { DeltaEncoder, DeltaStep } from '../../src/sync/core/delta.ts';
import {
  type BlockSigner,
  blankSignature,
  blockBytesFor,
  blockRange,
  SIGNATURE_HEADER_BYTES,
  type Signature,
} from '../../src/sync/core/signature.ts';

/** Reproducible bytes (xorshift32). */
export function noise(sizeBytes: number, seed: number): Buffer {
  const bytes = Buffer.alloc(sizeBytes);
  let state = (seed ^ 0x9e3779b9) | 1;
  for (let index = 0; index < sizeBytes; index++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    bytes[index] = state;
  }
  return bytes;
}

/** An old and a new content that share stretches: inserted, deleted, moved, repeated, overwritten. */
export const versions: fc.Arbitrary<{ readonly old: Buffer; readonly fresh: Buffer }> = fc
  .record({
    parts: fc.array(
      fc.record({ kind: fc.constantFrom('noise', 'zeros', 'period'), size: fc.nat(20_000), seed: fc.nat() }),
      { maxLength: 6 },
    ),
    edits: fc.array(
      fc.record({
        kind: fc.constantFrom('insert', 'delete', 'overwrite', 'repeat', 'append'),
        at: fc.nat(100_000),
        size: fc.nat(3000),
        seed: fc.nat(),
      }),
      { maxLength: 6 },
    ),
  })
  .map(({ parts, edits }) => {
    const old = Buffer.concat(parts.map(part));
    return { old, fresh: edits.reduce(edited, old) };
  });

function part({ kind, size, seed }: { kind: string; size: number; seed: number }): Buffer {
  if (kind === 'zeros') return Buffer.alloc(size);
  return kind === 'noise' ? noise(size, seed) : Buffer.alloc(size, noise((seed % 50) + 1, seed));
}

function edited(
  bytes: Buffer,
  { kind, at, size, seed }: { kind: string; at: number; size: number; seed: number },
): Buffer {
  const start = bytes.length === 0 ? 0 : at % bytes.length;
  const [before, after] = [bytes.subarray(0, start), bytes.subarray(start)];
  switch (kind) {
    case 'insert':
      return Buffer.concat([before, noise(size, seed), after]);
    case 'delete':
      return Buffer.concat([before, after.subarray(size)]);
    case 'overwrite':
      return Buffer.concat([before, noise(Math.min(size, after.length), seed), after.subarray(size)]);
    case 'repeat':
      return Buffer.concat([bytes, after]);
    default:
      return Buffer.concat([bytes, noise(size, seed)]);
  }
}

export function signatureOf(basis: Buffer, signBlocks: BlockSigner, seed = 7n): Buffer {
  const packed = blankSignature(basis.length, seed);
  signBlocks(basis, blockBytesFor(basis.length), seed, packed, SIGNATURE_HEADER_BYTES);
  return packed;
}

/** All steps for a content pushed in slices of the given sizes (the last one repeated); views are copied. */
export function stepsOf(
  encoder: DeltaEncoder,
  content: Buffer,
  sliceSizes: readonly number[] = [262_144],
): DeltaStep[] {
  const steps: DeltaStep[] = [];
  const take = (from: Iterable<DeltaStep>) => {
    for (const step of from) steps.push(step.kind === 'literal' ? { ...step, bytes: Buffer.from(step.bytes) } : step);
  };
  for (let at = 0, turn = 0; at < content.length; turn++) {
    const size = Math.max(1, sliceSizes[Math.min(turn, sliceSizes.length - 1)] ?? 1);
    take(encoder.push(content.subarray(at, at + size)));
    at += size;
  }
  take(encoder.finish());
  return steps;
}

/** The receiver's side. */
export function applied(steps: readonly DeltaStep[], basis: Buffer, signature: Signature): Buffer {
  return Buffer.concat(
    steps.map((step) => {
      if (step.kind === 'literal') return step.bytes;
      const { start, end } = blockRange(signature, step.first, step.count);
      return basis.subarray(start, end);
    }),
  );
}

export function literalBytes(steps: readonly DeltaStep[]): number {
  return steps.reduce((sum, step) => sum + (step.kind === 'literal' ? step.bytes.length : 0), 0);
}

export function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/**
 * The sequence of Thue and Morse over `zero` and `one`. At 128 bytes it and its complement have the same weak checksum
 * under any odd base: the difference is Π (1 − BASE^(2^j)), j < 7, and its factors hold at least 35 twos.
 */
export function thueMorse(sizeBytes: number, zero: number, one: number): Buffer {
  return Buffer.from(Array.from({ length: sizeBytes }, (_, index) => (ones(index) % 2 === 0 ? zero : one)));
}

function ones(value: number): number {
  return value === 0 ? 0 : (value & 1) + ones(value >>> 1);
}
