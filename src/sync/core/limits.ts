/** Limits and thresholds of the sync floor, each with its reason. Sizes in bytes. */

/** Records are gathered to about this much before they are handed on: fewer messages, still little memory. */
export const CHUNK_BYTES = 512 * 1024;

/** Most bytes accepted in one chunk of the content stream from a peer. */
export const MAX_CHUNK_BYTES = 4 * 1024 * 1024;

/** A changed file below this is sent whole: a signature and a round trip would cost more than it saves. */
export const DELTA_MIN_BYTES = 64 * 1024;

/** Partial transfers of files at least this large are kept over a restart. */
export const RESUME_MIN_BYTES = 8 * 1024 * 1024;

/** Largest signature accepted: 12 bytes a block, blocks ≈ √size and at least size/2^20, so 12 MiB and a header. */
export const MAX_SIGNATURE_BYTES = 16 * 1024 * 1024;

/** Entries, operations and outcomes per batch. */
export const BATCH_ENTRIES = 1024;

/** Most entries accepted in one batch from a peer. */
export const MAX_BATCH_ENTRIES = 65_536;
