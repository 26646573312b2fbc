/**
 * Block signatures and the block search, by the native addon where there is one, else in TypeScript.
 *
 * Both give the same bytes and the same steps. Needs `initHashing` on this thread.
 */

import { xxh64 } from '../journal/hash.ts';
import { type Addon, loadAddon } from '../platform/addon.ts';
import { type BlockMatcher, createBlockMatcher, type MatchCounters } from './core/block-matcher.ts';
import { DeltaEncoder } from './core/delta.ts';
import { type BlockSigner, createBlockSigner, type Signature } from './core/signature.ts';

/** What delta.c exports. */
export interface DeltaAddon {
  signBlocks(bytes: Uint8Array, blockBytes: number, seed: bigint, out: Uint8Array, outOffset: number): void;
  openMatcher(checksums: Uint8Array, blockBytes: number, lastBytes: number, seed: bigint): MatcherHandle;
  scanBlocks(
    matcher: MatcherHandle,
    bytes: Uint8Array,
    from: number,
    to: number,
    isLast: boolean,
    found: Uint32Array,
  ): void;
  /** strongBytes, failedBytes, bucketSteps. */
  matchCounters(matcher: MatcherHandle): [number, number, number];
}

declare const matcherBrand: unique symbol;

/** A native matcher, freed by the garbage collector. */
export type MatcherHandle = { readonly [matcherBrand]: true };

export interface DeltaEngine {
  readonly kind: 'native' | 'typescript';
  readonly signBlocks: BlockSigner;
  /** A matcher for one pass over one new content. */
  createMatcher(signature: Signature): BlockMatcher;
  /** An encoder for new content of about `sizeBytes`. */
  createEncoder(signature: Signature, sizeBytes: number): DeltaEncoder;
}

/** The engine on the addon's functions; null: in TypeScript, at about a fifth of the speed. */
export function createDeltaEngine(addon: DeltaAddon | null): DeltaEngine {
  const createMatcher = (signature: Signature) =>
    addon === null ? createBlockMatcher(signature, xxh64) : createNativeMatcher(addon, signature);
  return {
    kind: addon === null ? 'typescript' : 'native',
    signBlocks: addon === null ? createBlockSigner(xxh64) : addon.signBlocks,
    createMatcher,
    createEncoder: (signature, sizeBytes) => new DeltaEncoder(signature, createMatcher(signature), sizeBytes),
  };
}

let ofThread: DeltaEngine | undefined;

/** The best engine there is, one per thread. */
export function threadDeltaEngine(): DeltaEngine {
  ofThread ??= createDeltaEngine(withDelta(loadAddon().addon));
  return ofThread;
}

/** An addon of an older build may lack the functions. */
function withDelta(addon: Addon | null): DeltaAddon | null {
  const candidate: (Addon & Partial<DeltaAddon>) | null = addon;
  return typeof candidate?.scanBlocks === 'function' ? (candidate as Addon & DeltaAddon) : null;
}

function createNativeMatcher(addon: DeltaAddon, signature: Signature): BlockMatcher {
  const { checksums, blockBytes, lastBytes, seed } = signature;
  const handle = addon.openMatcher(checksums, blockBytes, lastBytes, seed);
  return {
    scan: (bytes, from, to, isLast, found) => addon.scanBlocks(handle, bytes, from, to, isLast, found),
    counters(): MatchCounters {
      const [strongBytes, failedBytes, bucketSteps] = addon.matchCounters(handle);
      return { strongBytes, failedBytes, bucketSteps };
    },
  };
}
