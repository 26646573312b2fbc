/**
 * One side of a pair: a tree that can be looked at, read from and changed.
 *
 * Two implementations: `LocalEndpoint` on the real file system, and `RemoteEndpoint`, a stub over the wire that talks
 * to a local endpoint inside the agent. The engine cannot tell which it holds. Streams are async iterables of
 * *batches*, pulled by the consumer: back-pressure is the pull. Every method may throw a TidemarkError
 * (`unavailable`), after which the endpoint can only be closed.
 *
 * Order of a run: open → checkpoint → changes / lookup / subtree / digest → (signatures, supply, apply)… → acknowledge → close.
 */
import type { Change } from '../journal/core/change.ts';
import type { FileEntry } from '../journal/core/entry.ts';
import type { CheckpointOptions, MetadataOptions } from '../journal/core/look.ts';
import type { BytePath } from '../platform/core/byte-path.ts';
import type { Outcome } from './core/operation.ts';

/** How changes at an endpoint are noticed, best first. */
export type Backend = 'fanotify-filesystem' | 'fanotify-directory' | 'chokidar' | 'scan';

/** What the engine asks for when it opens an endpoint. */
export interface OpenRequest {
  /** Hex id of the session: names the consumer of this root's changes. Empty while the session is not known yet. */
  readonly session: string;
  /** True: nothing at all may be written, neither state nor marker nor staging. */
  readonly dryRun: boolean;
  /** False for a source that must not be written to (alpha of a one-way mode on read-only media gets no marker). */
  readonly writable: boolean;
}

/** What is at the root. */
export interface RootState {
  readonly kind: 'directory' | 'file' | 'other' | 'missing';
  /** True where the root's parent directory exists, so that a missing root can be created. */
  readonly parentExists: boolean;
  /** Marker id (`id:<hex>`) or, where there is none, filesystem and inode (`fs:<hex>`); null while the root is missing. */
  readonly identity: string | null;
  /** True where the directory holds nothing but the hidden folder. */
  readonly isEmpty: boolean;
  /** Host, device and inode of the root (of its parent and its name while it is missing): equal means the same place. */
  readonly hostId: string;
  /** The same of every directory above the root: finds roots inside each other, through links and other names of the host. */
  readonly ancestorIds: readonly string[];
  /** Canonical absolute path (symlinks resolved), a byte string. */
  readonly canonicalPath: string;
}

/** What the endpoint can do and is. */
export interface EndpointInfo {
  readonly root: RootState;
  readonly backend: Backend;
  /** Why no better backend; null for the best. */
  readonly whyNotBetter: string | null;
  readonly nativeAddon: boolean;
  readonly fileSystem: string;
  readonly freeBytes: number;
  readonly readOnly: boolean;
  /** Two names that differ by case only are one here. */
  readonly foldsCase: boolean;
  /** Two names that differ by Unicode normalisation only are one here. */
  readonly foldsNormalization: boolean;
  readonly maxNameBytes: number;
  readonly canExchange: boolean;
  readonly runsAsRoot: boolean;
  readonly version: string;
  /** Free text rows for `doctor`: what was tried and found. */
  readonly remarks: readonly string[];
}

/** A point in the journal of one root. */
export interface Checkpoint {
  readonly cursor: string;
  /** Entries stat'ed and files hashed to get here. */
  readonly scanned: number;
  readonly hashed: number;
  /** Tracked entries below the root now, and how many there were at the checkpoint before (0 at the first). */
  readonly entries: number;
  readonly entriesBefore: number;
}

/** Answer to `changes`. With `fresh` the batches list the whole tree, because `since` is unknown here. */
export interface Changes {
  readonly fresh: boolean;
  readonly batches: AsyncIterable<readonly Change[]>;
}

export interface DigestRequest {
  readonly path: BytePath;
  /** True: SHA-256 is wanted, computed now even where the index knows one. */
  readonly strong: boolean;
}

/** `entry` with digests filled; or what stands in the way: it changed (`changed`), or cannot be read. */
export interface DigestAnswer {
  readonly path: BytePath;
  readonly entry: FileEntry | null;
  readonly problem: { readonly code: string; readonly message: string } | null;
}

/** One file to be read for the other side. */
export interface SupplyOrder {
  /** Id of the operation on the other side that needs it. */
  readonly id: number;
  readonly path: BytePath;
  /** What the plan saw; a file that is no longer this is reported `changed`. */
  readonly expected: FileEntry;
  /** Signature of what the receiver holds: send a delta against it. */
  readonly signature: Buffer | null;
}

/** Asks for the signature of the basis an operation could use: the old version, or a partial transfer of it. */
export interface SignatureRequest {
  readonly id: number;
  readonly path: BytePath;
  /** What will be put there; its digest and size name a partial transfer. */
  readonly after: FileEntry;
}

export interface SignatureAnswer {
  readonly id: number;
  /** null: no basis here, send everything. */
  readonly signature: Buffer | null;
}

/** A file of the asked size somewhere in this tree: content that may be taken instead of sent. */
export interface ReuseCandidate {
  readonly sizeBytes: number;
  readonly path: BytePath;
  readonly entry: FileEntry;
}

export interface Endpoint {
  /** Connects, opens the root and its state; creates the marker where the request allows it. */
  open(request: OpenRequest): Promise<EndpointInfo>;
  /**
   * Binds the opened endpoint to the session once it is known: a missing root becomes a `kind`, the marker is made where
   * allowed, the root's lock is taken (`locked` where another run holds it). Returns the identity the root has now.
   */
  bind(session: string, kind: 'directory' | 'file'): Promise<string>;
  /** Makes the index equal to the tree as it is now (or later) and names that point. */
  checkpoint(options: CheckpointOptions): Promise<Checkpoint>;
  /** What changed after `since` up to the last checkpoint, own applies for this session left out. */
  changes(since: string | null): Promise<Changes>;
  /** Entries as the index has them, in the order asked. */
  lookup(paths: readonly BytePath[]): Promise<readonly Change[]>;
  /** Everything below `path` (itself not included), in path order. */
  subtree(path: BytePath): AsyncIterable<readonly Change[]>;
  /** Reads and hashes; the index remembers. Answers come in the order asked. */
  digest(requests: readonly DigestRequest[]): AsyncIterable<readonly DigestAnswer[]>;
  /** Up to four files of each size. */
  reuseCandidates(sizes: readonly number[]): Promise<readonly ReuseCandidate[]>;
  signatures(requests: readonly SignatureRequest[]): AsyncIterable<readonly SignatureAnswer[]>;
  /** Reads files for the other side: chunks of whole content records (see core/content.ts), never larger than MAX_CHUNK_BYTES. */
  supply(orders: AsyncIterable<readonly SupplyOrder[]>): AsyncIterable<Buffer>;
  /** Carries out operations: chunks hold operation and content records. One outcome for every operation, in any order. */
  apply(chunks: AsyncIterable<Buffer>, options: ApplyOptions): AsyncIterable<readonly Outcome[]>;
  /** The session has durably recorded everything up to `cursor`. */
  acknowledge(cursor: string): Promise<void>;
  /** Ends: finishes the current atomic step, releases locks, frees threads and processes. */
  close(): Promise<void>;
  /** Bytes sent and received on the wire so far, after compression, with framing; zero for local endpoints. */
  traffic(): { readonly sent: number; readonly received: number };
}

export interface ApplyOptions {
  /** False: no fsync (--no-fsync). */
  readonly durable: boolean;
  /** Keep what is overwritten or deleted as versions. */
  readonly backup: boolean;
  readonly keepVersionsSeconds: number;
  readonly metadata: MetadataOptions;
}
