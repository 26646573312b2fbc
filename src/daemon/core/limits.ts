/** Limits of the control socket and the service, each with its reason. Sizes in bytes, times in milliseconds. */

/** Largest frame: one change with two paths of the longest kind, and room for the batch before it. */
export const MAX_FRAME_BYTES = 2 * 1024 * 1024;

/** Lists are cut into frames of about this size: small enough for a slow reader to be noticed soon. */
export const LIST_FRAME_BYTES = 64 * 1024;

/** Largest request: a root, a subtree, a cursor. */
export const MAX_REQUEST_BYTES = 1024 * 1024;

/** Longest root: PATH_MAX. */
export const MAX_ROOT_BYTES = 4096;

/** Longest cursor: an id, an epoch and a sequence are below a hundred; people may hand in anything. */
export const MAX_CURSOR_LENGTH = 1024;

/** Longest name of a consumer. */
export const MAX_CONSUMER_LENGTH = 256;

/** Longest text for people in an answer. */
export const MAX_TEXT_LENGTH = 4096;

/** Items of a list that a client keeps in memory: far above what one machine has open or registered. */
export const MAX_LISTED = 1_000_000;

/** Roots that one service records: each has a store of its own, open all the time. */
export const MAX_ROOTS = 4096;

/** Conversations at once: each is one waiting command; more than this is a program gone wild. */
export const MAX_CONVERSATIONS = 64;

/** From a connection to its hello, and from there to its request: both are sent at once. */
export const REQUEST_TIMEOUT_MS = 5_000;

/** A sign of life this often while an answer takes its time. */
export const ALIVE_EVERY_MS = 5_000;

/** Silence after which a client takes the service for dead or hung. */
export const SILENCE_TIMEOUT_MS = 30_000;

/** A client that takes nothing for so long is given up, except while it follows: there it may be a pager. */
export const STALL_TIMEOUT_MS = 120_000;

/** How long a clean stop may take before the worker is killed: a gap is better than a machine that does not shut down. */
export const STOP_TIMEOUT_MS = 60_000;

/** The worker reports this often that its event loop turns. */
export const HEARTBEAT_EVERY_MS = 10_000;

/** Without a heartbeat for so long the worker is taken for hung and replaced; its successor has every event. */
export const HUNG_AFTER_MS = 300_000;
