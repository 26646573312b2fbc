/** Limits of the wire, each with its reason. Sizes in bytes, times in milliseconds. */
import { MAX_CHUNK_BYTES, MAX_SIGNATURE_BYTES } from '../../sync/core/limits.ts';

/** Largest payload of a frame: what a peer can make us wait for before anything else gets through. */
export const MAX_FRAME_BYTES = 1024 * 1024;

/** Message bytes in the frames we send: short messages overtake between them, and each costs a packet of its own. */
export const FRAGMENT_BYTES = 256 * 1024;

/** Largest hello: a page of JSON with room for later fields. */
export const MAX_HELLO_BYTES = 64 * 1024;

/** Largest payload of `error` and `goodbye`: a message and a remedy, both clipped to less. */
export const MAX_ERROR_BYTES = 16 * 1024;

/** Largest payload of `open`: a method name and room for later fields. */
export const MAX_OPEN_BYTES = 1024;

/** Longest method name. */
export const MAX_METHOD_BYTES = 64;

/** Largest payload of `ping`, echoed by `pong`. */
export const MAX_PING_BYTES = 16;

/** What shell start-up files may print before the agent's magic. */
export const MAX_NOISE_BYTES = 64 * 1024;

/** Message bytes a receiver lets a sender have under way on one channel: 40 MiB/s at 100 ms round trip. */
export const WINDOW_BYTES = 4 * 1024 * 1024;

/** Smallest window a peer may offer: below it every message would cost a round trip. */
export const MIN_WINDOW_BYTES = 64 * 1024;

/** Most of an offered window that is used: bounds what we queue for a peer that offers a terabyte. */
export const MAX_WINDOW_BYTES = 16 * 1024 * 1024;

/** Added to the length of every message in window accounting, so that empty messages are not free. */
export const MESSAGE_OVERHEAD_BYTES = 64;

/** Channels open at once: bounds running handlers and, with the window and the largest message, memory. */
export const MAX_CHANNELS = 32;

/** Messages up to this size overtake larger ones of other channels. */
export const SHORT_MESSAGE_BYTES = 16 * 1024;

/** Short messages sent in a row while larger ones wait: large ones must not starve. */
export const MAX_SHORT_STREAK = 16;

/** Small frames are gathered to about this much before they are written. */
export const COALESCE_BYTES = 64 * 1024;

/** Payloads from this size on are written as they are; smaller ones are copied behind their header. */
export const COPY_BELOW_BYTES = 16 * 1024;

/** Control frames waiting to be written before the peer counts as flooding us (pings it does not let us answer). */
export const MAX_QUEUED_CONTROL_BYTES = 1024 * 1024;

/** Largest JSON message: ignore patterns are most of it. */
export const MAX_CONTROL_MESSAGE_BYTES = 1024 * 1024;

/** Largest message of listings, requests and outcomes: a full list and one entry with the most extended attributes. */
export const MAX_LIST_MESSAGE_BYTES = 4 * 1024 * 1024;

/** Lists are cut into messages of about this size. */
export const LIST_MESSAGE_BYTES = 256 * 1024;

/** Largest message of content records. */
export const MAX_CONTENT_MESSAGE_BYTES = MAX_CHUNK_BYTES;

/** Largest message that carries signatures: one signature, its path and entry. */
export const MAX_SIGNATURE_MESSAGE_BYTES = MAX_SIGNATURE_BYTES + 2 * 1024 * 1024;

/** Messages below this are not worth compressing. */
export const COMPRESS_MIN_BYTES = 1024;

/** What is compressed first of a message whose predecessors did not shrink. */
export const PROBE_BYTES = 64 * 1024;

/** Compressions and decompressions under way at once: the pool of four threads also serves the file system. */
export const MAX_CODEC_JOBS = 2;

/** Silence after which the peer is asked for a sign of life. */
export const PING_AFTER_MS = 15_000;

/** Silence after which the peer counts as dead. */
export const DEAD_AFTER_MS = 45_000;

/** From the first byte sent to the peer's hello received; ssh logins with slow directory services take seconds. */
export const HANDSHAKE_TIMEOUT_MS = 30_000;

/** How long a closing connection waits for its last frames to be taken. */
export const FAREWELL_TIMEOUT_MS = 2_000;

/** Longest text in an error from a peer, in characters. */
export const MAX_ERROR_TEXT = 4096;

/** Lowest rate a peer may ask us to keep to; below it no handshake of any size would ever finish. */
export const MIN_BYTES_PER_SECOND = 1024;
