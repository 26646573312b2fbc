/**
 * A side on the real file system of this host. Heavy work happens in threads (see ../worker.ts); this class holds the
 * root, the index and the order of things.
 */
import { createHash } from 'node:crypto';
import { cpSync, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Change } from '../../journal/core/change.ts';
import type { CheckpointOptions, DigestName } from '../../journal/core/look.ts';
import type { ScanResult } from '../../journal/scan.ts';
import { Index, type IndexRecord } from '../../journal/store/index.ts';
import { copyBytes } from '../../platform/copy-bytes.ts';
import { type BytePath, ROOT } from '../../platform/core/byte-path.ts';
import { ByteReader } from '../../platform/core/bytes.ts';
import { TidemarkError } from '../../platform/core/errors.ts';
import { giveBack, SpareMemory } from '../../platform/lending.ts';
import { BoundedQueue } from '../../platform/queue.ts';
import type { Thread } from '../../platform/threads.ts';
import { readOutcome } from '../core/codec.ts';
import { BATCH_ENTRIES } from '../core/limits.ts';
import type { Outcome } from '../core/operation.ts';
import { packOrders } from '../core/supply-order.ts';
import type {
  ApplyOptions,
  Changes,
  Checkpoint,
  DigestAnswer,
  DigestRequest,
  Endpoint,
  EndpointInfo,
  OpenRequest,
  ReuseCandidate,
  SignatureAnswer,
  SignatureRequest,
  SupplyOrder,
} from '../endpoint.ts';
import { LocalRoot } from '../root.ts';
import type { ThreadRoot } from '../worker.ts';
import { readInLanes } from './content-lanes.ts';
import { ThreadPool } from './thread-pool.ts';

/** Files of one size worth comparing by SHA-256 before sending is cheaper. */
const CANDIDATES_PER_SIZE = 4;
/** Chunks handed to the applying thread ahead of its work. */
const CHUNKS_AHEAD = 3;
/** Memory for a chunk; rarely one needs more. */
const CHUNK_MEMORY_BYTES = 640 * 1024;
/** A first scan of more than this leaves its thread with more garbage in memory than a new thread costs. */
const MANY_ENTRIES = 30_000;
/** Files hashed in one call of a thread. */
const DIGESTS_PER_CALL = 64;

export interface LocalEndpointOptions {
  /** Absolute path of the root as bytes. */
  readonly path: Buffer;
  /** Folder for indexes of this host's roots; made on first need. */
  readonly stateFolder: string;
  readonly version: string;
}

export class LocalEndpoint implements Endpoint {
  readonly #options: LocalEndpointOptions;
  readonly #pool = new ThreadPool();
  readonly #spares = new SpareMemory(CHUNK_MEMORY_BYTES, CHUNKS_AHEAD + 1);
  #root: LocalRoot | null = null;
  #isDryRun = false;
  #mayWrite = false;
  #bound: Bound | null = null;
  #digest: DigestName = 'xxh64';

  constructor(options: LocalEndpointOptions) {
    this.#options = options;
  }

  async open(request: OpenRequest): Promise<EndpointInfo> {
    this.#isDryRun = request.dryRun;
    this.#mayWrite = request.writable;
    this.#root = LocalRoot.open(this.#options.path, { writable: request.writable && !request.dryRun });
    return { ...this.#root.describe(), backend: 'scan', whyNotBetter: WHY_SCAN, version: this.#options.version };
  }

  async bind(session: string, kind: 'directory' | 'file'): Promise<string> {
    const root = this.#opened();
    const wouldBeMade = this.#isDryRun && this.#mayWrite && root.isMissing && kind === 'directory';
    const identity = root.prepare(kind);
    const index = this.#isDryRun ? scratchIndex(this.#indexFolder(identity)) : this.#indexFolder(identity);
    const durable = !this.#isDryRun;
    this.#bound = {
      session,
      index: Index.open(index, { durable }),
      thread: { root: root.fd, only: root.only, indexFolder: index, durable },
      scratch: this.#isDryRun ? index : null,
      wouldBeMade,
    };
    return identity;
  }

  async checkpoint(options: CheckpointOptions): Promise<Checkpoint> {
    const { index, thread, wouldBeMade } = this.#ready();
    this.#digest = options.digest;
    const { scanned, hashed, entries, entriesBefore } = await this.#pool
      .scanner()
      .call<ScanResult>('scan', { ...thread, options });
    if (entriesBefore === 0 && entries > MANY_ENTRIES) await this.#pool.endScanner();
    if (wouldBeMade) index.put(ROOT, newRoot(), '');
    return { cursor: index.cursor(), scanned, hashed, entries, entriesBefore };
  }

  async changes(since: string | null): Promise<Changes> {
    const { index, session } = this.#ready();
    const { fresh, changes } = index.changesSince(index.sequenceOf(since), session);
    return { fresh, batches: inBatches(changes) };
  }

  async lookup(paths: readonly BytePath[]): Promise<readonly Change[]> {
    const { index } = this.#ready();
    return paths.map((path) => index.lookup(path));
  }

  subtree(path: BytePath): AsyncIterable<readonly Change[]> {
    return inBatches(this.#ready().index.subtree(path));
  }

  async *digest(requests: readonly DigestRequest[]): AsyncGenerator<readonly DigestAnswer[]> {
    const { thread } = this.#ready();
    const running: Promise<readonly DigestAnswer[]>[] = [];
    for (let start = 0; start < requests.length; start += DIGESTS_PER_CALL) {
      const part = requests.slice(start, start + DIGESTS_PER_CALL);
      const answers = this.#pool.read<readonly DigestAnswer[]>('digest', {
        ...thread,
        requests: part,
        digest: this.#digest,
      });
      answers.catch(() => {});
      running.push(answers);
      if (running.length > this.#pool.size) yield (await running.shift()) ?? [];
    }
    for (const answers of running) yield await answers;
  }

  async reuseCandidates(sizes: readonly number[]): Promise<readonly ReuseCandidate[]> {
    const { index } = this.#ready();
    return sizes.flatMap((sizeBytes) =>
      index.filesOfSize(sizeBytes, CANDIDATES_PER_SIZE).flatMap((path) => {
        const entry = index.get(path)?.entry;
        return entry?.kind === 'file' ? [{ sizeBytes, path, entry }] : [];
      }),
    );
  }

  async *signatures(requests: readonly SignatureRequest[]): AsyncGenerator<readonly SignatureAnswer[]> {
    for (const request of requests) {
      const signature = await this.#pool.writer().call<Uint8Array | null>('sign', request);
      yield [{ id: request.id, signature: signature === null ? null : Buffer.from(signature) }];
    }
  }

  supply(orders: AsyncIterable<readonly SupplyOrder[]>): AsyncIterable<Buffer> {
    const { thread } = this.#ready();
    // One less than there are processors: what is read has to be sent on as well, and a thread too many costs its start.
    const lanes = Math.max(1, this.#pool.size - 1);
    return readInLanes(orders, lanes, (group, emit) =>
      this.#pool.read<void>('supply', { ...thread, orders: packOrders(group) }, emit),
    );
  }

  async *apply(chunks: AsyncIterable<Buffer>, options: ApplyOptions): AsyncGenerator<readonly Outcome[]> {
    const { thread, session } = this.#ready();
    const writer = this.#pool.writer();
    await writer.call('applyOpen', { ...thread, session, options });
    const outcomes = new BoundedQueue<Promise<Uint8Array>>(CHUNKS_AHEAD);
    const feeding = (async () => {
      for await (const chunk of chunks) await outcomes.push(guarded(this.#push(writer, chunk)));
      await outcomes.push(guarded(writer.call<Uint8Array>('applyFinish', null)));
      outcomes.end();
    })().catch((error) => outcomes.fail(error));
    try {
      for await (const packed of outcomes) {
        const settled = unpackOutcomes(await packed);
        if (settled.length > 0) yield settled;
      }
      await feeding;
    } finally {
      await writer.call('applyClose', null);
    }
  }

  /** Hands a chunk to the applying thread in memory that both can see: the chunk's own, where it came in such. */
  async #push(writer: Thread, chunk: Buffer): Promise<Uint8Array> {
    if (chunk.buffer instanceof SharedArrayBuffer) {
      const outcomes = await writer.call<Uint8Array>('applyPush', chunk);
      giveBack(chunk);
      return outcomes;
    }
    const copy = this.#spares.take(chunk.length);
    copyBytes(chunk, copy);
    giveBack(chunk);
    const outcomes = await writer.call<Uint8Array>('applyPush', copy);
    this.#spares.keep(copy.buffer);
    return outcomes;
  }

  async acknowledge(cursor: string): Promise<void> {
    const { index, session } = this.#ready();
    await this.#pool.readAll('flush');
    index.acknowledge(session, index.sequenceOf(cursor) ?? 0);
  }

  async close(): Promise<void> {
    await this.#pool.close();
    this.#bound?.index.close();
    if (this.#bound?.scratch != null) rmSync(this.#bound.scratch, { recursive: true, force: true });
    this.#bound = null;
    this.#root?.close();
    this.#root = null;
  }

  traffic(): { readonly sent: number; readonly received: number } {
    return { sent: 0, received: 0 };
  }

  /** Each root has an index of its own, found by its identity: two sessions on one root share it. */
  #indexFolder(identity: string): string {
    const { only } = this.#opened();
    const name = createHash('sha256')
      .update(`${identity}\n${only ?? ''}`, 'latin1')
      .digest('hex')
      .slice(0, 32);
    return join(this.#options.stateFolder, 'roots', name);
  }

  #opened(): LocalRoot {
    if (this.#root === null) throw new TidemarkError('internal', 'not-open', 'the endpoint is not open');
    return this.#root;
  }

  #ready(): Bound {
    if (this.#bound === null)
      throw new TidemarkError('internal', 'not-bound', 'the endpoint is not bound to a session');
    return this.#bound;
  }
}

const WHY_SCAN = 'no journal is recorded yet: changes are found by scanning the tree';

interface Bound {
  readonly session: string;
  readonly index: Index;
  readonly thread: ThreadRoot;
  readonly scratch: string | null;
  /** True in a dry run whose real run would begin by making the root directory. */
  readonly wouldBeMade: boolean;
}

/** What a directory that was just made is recorded as, so that a dry run plans what the real run will do. */
function newRoot(): IndexRecord {
  return { entry: { kind: 'directory', mode: 0o777 & ~process.umask() }, packedStat: null, racy: false };
}

/** A copy of the index that a dry run may change and that goes with it. */
function scratchIndex(folder: string): string {
  const scratch = mkdtempSync(join(tmpdir(), 'tidemark-dry-run-'));
  if (existsSync(folder)) cpSync(folder, scratch, { recursive: true });
  return scratch;
}

async function* inBatches(changes: Iterable<Change>): AsyncGenerator<readonly Change[]> {
  let batch: Change[] = [];
  for (const change of changes) {
    batch.push(change);
    if (batch.length >= BATCH_ENTRIES) {
      yield batch;
      batch = [];
    }
  }
  if (batch.length > 0) yield batch;
}

function unpackOutcomes(packed: Uint8Array): Outcome[] {
  const from = new ByteReader(packed);
  const outcomes: Outcome[] = [];
  while (from.remaining > 0) outcomes.push(readOutcome(from));
  return outcomes;
}

/** A promise whose rejection is seen when its turn comes. */
function guarded<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => {});
  return promise;
}
