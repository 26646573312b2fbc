/** Limits and thresholds of the sync floor, each with its reason. Sizes in bytes. */

/** A file up to this size travels as one record in a batch; larger ones stream. Bounds what a worker holds per file. */
export const SMALL_FILE_BYTES = 256 * 1024;

/** Largest piece of content in one record: xxhash-wasm's memory grows to its largest update and never shrinks. */
export const DATA_RECORD_BYTES = 256 * 1024;

/** Records are gathered to about this much before they are handed on: fewer messages, still little memory. */
export const CHUNK_BYTES = 512 * 1024;

/** Most bytes accepted in one chunk of the content stream from a peer. */
export const MAX_CHUNK_BYTES = 4 * 1024 * 1024;

/** A changed file below this is sent whole: a signature and a round trip would cost more than it saves. */
export const DELTA_MIN_BYTES = 64 * 1024;

/** Files below this are not looked for elsewhere on the receiver: sending them is cheaper. */
export const REUSE_MIN_BYTES = 16 * 1024;

/** Partial transfers of files at least this large are kept over a restart. */
export const RESUME_MIN_BYTES = 8 * 1024 * 1024;

/** Longest symlink target: PATH_MAX. */
export const MAX_TARGET_BYTES = 4096;

/** Most extended attribute bytes of one entry: the kernel's limit is 64 KiB a value; more than this is not synced but reported. */
export const MAX_XATTR_BYTES = 1024 * 1024;

/** Largest signature accepted: 12 bytes a block, blocks ≈ √size and at least size/2^20, so 12 MiB and a header. */
export const MAX_SIGNATURE_BYTES = 16 * 1024 * 1024;

/** Entries, operations and outcomes per batch. */
export const BATCH_ENTRIES = 1024;

/** Most entries accepted in one batch from a peer. */
export const MAX_BATCH_ENTRIES = 65_536;

/** Longest message of a problem, in bytes. */
export const MAX_MESSAGE_BYTES = 4096;

/** Longest path in one message: MAX_DEPTH components would be more, but a frame has to hold it. */
export const MAX_PATH_BYTES = 256 * 1024;
