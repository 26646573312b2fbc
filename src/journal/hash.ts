/**
 * Content digests: xxh64 from xxhash-wasm and SHA-256 from node:crypto, as byte strings.
 *
 * xxhash-wasm saves a native hash on platforms without the addon and streams at memory speed. Its memory grows to the
 * largest single update and never shrinks, so everything is fed in slices. `initHashing` is awaited once per thread;
 * after it everything here is synchronous.
 */
import * as crypto from 'node:crypto';
import xxhash, { type XXHashAPI } from 'xxhash-wasm';
import { TidemarkError } from '../platform/core/errors.ts';
import type { Digests } from './core/entry.ts';
import { DATA_RECORD_BYTES } from './core/limits.ts';

/** Which digests are computed: fast xxh64 (8 bytes, big-endian, seed 0), strong SHA-256 (32 bytes). */
export type Wanted = 'fast' | 'strong' | 'both';

/** Largest single update given to xxhash-wasm. */
const SLICE_BYTES = DATA_RECORD_BYTES;

let instance: XXHashAPI | null = null;

/** Loads the hash of this thread. Cheap when done before. */
export async function initHashing(): Promise<void> {
  instance ??= await xxhash();
}

/** The digests of a small buffer in the fewest calls. Needs `initHashing`. */
export function hashBytes(bytes: Uint8Array, wanted: 'both'): { readonly fast: string; readonly strong: string };
export function hashBytes(bytes: Uint8Array, wanted: Wanted): Digests;
export function hashBytes(bytes: Uint8Array, wanted: Wanted): Digests {
  return {
    fast: wanted === 'strong' ? null : packed(xxh64(bytes, 0n)),
    strong: wanted === 'fast' ? null : sha256(bytes),
  };
}

/** xxh64 of bytes of any length under a seed. Needs `initHashing`. */
export function xxh64(bytes: Uint8Array, seed: bigint): bigint {
  if (bytes.length <= SLICE_BYTES) return loaded().h64Raw(bytes, seed);
  const state = loaded().create64(seed);
  for (const slice of slicesOf(bytes)) state.update(slice);
  return state.digest();
}

/** Digests of content that comes in pieces of any length. Needs `initHashing`. */
export class ContentHasher {
  readonly #fast: ReturnType<XXHashAPI['create64']> | null;
  readonly #strong: crypto.Hash | null;

  constructor(wanted: Wanted) {
    this.#fast = wanted === 'strong' ? null : loaded().create64(0n);
    this.#strong = wanted === 'fast' ? null : crypto.createHash('sha256');
  }

  update(bytes: Uint8Array): void {
    if (this.#fast !== null) for (const slice of slicesOf(bytes)) this.#fast.update(slice);
    this.#strong?.update(bytes);
  }

  /** Ends the computation: the hasher cannot be used afterwards. */
  digest(): Digests {
    return {
      fast: this.#fast === null ? null : packed(this.#fast.digest()),
      strong: this.#strong === null ? null : this.#strong.digest('binary'),
    };
  }
}

function loaded(): XXHashAPI {
  if (instance === null) throw new TidemarkError('internal', 'hashing-not-loaded', 'initHashing was not awaited');
  return instance;
}

function* slicesOf(bytes: Uint8Array): Generator<Uint8Array> {
  if (bytes.length <= SLICE_BYTES) yield bytes;
  else for (let at = 0; at < bytes.length; at += SLICE_BYTES) yield bytes.subarray(at, at + SLICE_BYTES);
}

const scratch = Buffer.alloc(8);

function packed(hash: bigint): string {
  scratch.writeBigUInt64BE(hash);
  return scratch.toString('latin1');
}

/** One call instead of three objects and calls; `binary` is Node's other name for latin1. */
function sha256(bytes: Uint8Array): string {
  return crypto.hash('sha256', bytes, 'binary');
}
