/** Limits and thresholds of the journal floor, each with its reason. Sizes in bytes. */

/** A file up to this size travels as one record in a batch; larger ones stream. Bounds what a worker holds per file. */
export const SMALL_FILE_BYTES = 256 * 1024;

/** Largest piece of content in one record: xxhash-wasm's memory grows to its largest update and never shrinks. */
export const DATA_RECORD_BYTES = 256 * 1024;

/** Files below this are not looked for elsewhere on the receiver: sending them is cheaper. */
export const REUSE_MIN_BYTES = 16 * 1024;

/** Longest symlink target: PATH_MAX. */
export const MAX_TARGET_BYTES = 4096;

/** Most extended attribute bytes of one entry: the kernel's limit is 64 KiB a value; more than this is not synced but reported. */
export const MAX_XATTR_BYTES = 1024 * 1024;

/** Longest message of a problem, in bytes. */
export const MAX_MESSAGE_BYTES = 4096;

/** Longest path in one message: MAX_DEPTH components would be more, but a frame has to hold it. */
export const MAX_PATH_BYTES = 256 * 1024;
