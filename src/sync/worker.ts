/**
 * What runs in the threads of a local endpoint: scanning, hashing, reading, signing and applying.
 *
 * Everything here is synchronous file system work; the main thread stays free for the wire and the engine. A thread
 * serves one endpoint and opens its index once.
 */
import { randomBytes } from 'node:crypto';
import type { Digests, FileEntry } from '../journal/core/entry.ts';
import { MAX_PATH_BYTES } from '../journal/core/limits.ts';
import type { CheckpointOptions, DigestName } from '../journal/core/look.ts';
import { type DigestResult, digestFiles } from '../journal/digest-files.ts';
import { initHashing } from '../journal/hash.ts';
import { type ScanResult, scanTree } from '../journal/scan.ts';
import { Index, type IndexRecord } from '../journal/store/index.ts';
import { type ByteName, type BytePath, ROOT } from '../platform/core/byte-path.ts';
import { ByteReader, ByteWriter } from '../platform/core/bytes.ts';
import { STAT_BYTES } from '../platform/core/stat-codec.ts';
import type { Fd, FileSystem } from '../platform/filesystem.ts';
import { openFileSystem } from '../platform/open-filesystem.ts';
import { isThread, serveThread } from '../platform/threads.ts';
import { Applier } from './apply/applier.ts';
import { LinkGroups } from './apply/link-groups.ts';
import { writeOutcome } from './core/codec.ts';
import type { Outcome } from './core/operation.ts';
import { unpackOrders } from './core/supply-order.ts';
import type { ApplyOptions, DigestAnswer, DigestRequest } from './endpoint.ts';
import { supplyFiles } from './supply.ts';

/** The tree and index a thread works on; the descriptor is shared by all threads of the process. */
export interface ThreadRoot {
  readonly root: Fd;
  readonly only: ByteName | null;
  readonly indexFolder: string;
  readonly durable: boolean;
}

interface Context {
  readonly fileSystem: FileSystem;
  readonly index: Index;
}

let context: Context | null = null;
let applier: Applier | null = null;
/** What was done since the last look at the tree to files with several names: one stage of a run builds on another. */
let links = new LinkGroups();

/**
 * Digests learned and not written yet: a durable transaction for each call would cost more than the hashing. Packed, since
 * thousands of small objects that wait are what the garbage collector copies back and forth.
 */
const learned = new ByteWriter();
let learnedCount = 0;

const LEARNED_PER_TRANSACTION = 8192;

function remember(index: Index, path: BytePath, packedStat: Uint8Array, { fast, strong }: Digests): void {
  learned
    .string(path)
    .raw(packedStat)
    .string(fast ?? '')
    .string(strong ?? '');
  if (++learnedCount >= LEARNED_PER_TRANSACTION) writeLearned(index);
}

function writeLearned(index: Index): void {
  if (learnedCount === 0) return;
  const from = new ByteReader(learned.take());
  learnedCount = 0;
  index.transaction(() => {
    while (from.remaining > 0) {
      const path = from.string(MAX_PATH_BYTES) as BytePath;
      const packedStat = from.raw(STAT_BYTES);
      const [fast, strong] = [from.string(8), from.string(32)];
      index.updateDigests(path, packedStat, { fast: fast || null, strong: strong || null });
    }
  });
}

async function open(root: ThreadRoot): Promise<Context> {
  await initHashing();
  context ??= {
    fileSystem: openFileSystem().fileSystem,
    index: Index.open(root.indexFolder, { durable: root.durable }),
  };
  return context;
}

const functions = {
  async scan(argument: ThreadRoot & { options: CheckpointOptions }): Promise<ScanResult> {
    const { fileSystem, index } = await open(argument);
    links = new LinkGroups();
    return scanTree(fileSystem, argument.root, index, { ...argument.options, only: argument.only, now: nowNs });
  },

  async digest(
    argument: ThreadRoot & { requests: readonly DigestRequest[]; digest: DigestName },
  ): Promise<DigestAnswer[]> {
    const { fileSystem, index } = await open(argument);
    const records = argument.requests.map(({ path }) => index.get(path));
    const tasks = argument.requests.map(({ path, strong }, at) => ({
      path: onDisk(argument, path),
      strong,
      packedStat: records[at]?.packedStat ?? null,
    }));
    const results = digestFiles(fileSystem, argument.root, tasks, argument.digest);
    return argument.requests.map(({ path }, at) => digestAnswer(index, path, records[at] ?? null, results[at]));
  },

  async supply(
    argument: ThreadRoot & { orders: Uint8Array },
    emit: (chunk: Uint8Array) => Promise<void>,
  ): Promise<void> {
    const { fileSystem, index } = await open(argument);
    const orders = unpackOrders(argument.orders);
    const paths = new Map(orders.map(({ id, path }) => [id, path]));
    const tasks = orders.map((order) => ({
      ...order,
      path: onDisk(argument, order.path),
      packedStat: index.packedStat(order.path),
    }));
    await supplyFiles(fileSystem, argument.root, tasks, emit, {
      // What was hashed for the transfer need not be hashed again to see later that it did not change.
      onRead: (id, packedStat, { digests }) => remember(index, paths.get(id) ?? ROOT, packedStat, digests),
    });
  },

  flush(): void {
    if (context !== null) writeLearned(context.index);
  },

  async applyOpen(argument: ThreadRoot & { session: string; options: ApplyOptions }): Promise<void> {
    const { fileSystem, index } = await open(argument);
    const { root, only, session, options } = argument;
    applier = new Applier({
      fileSystem,
      root,
      only,
      index,
      session,
      options,
      links,
      clock: Date.now,
      randomName: unguessableNames(),
    });
  },

  applyPush(chunk: Uint8Array): Uint8Array {
    return packOutcomes(opened().push(Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength)));
  },

  applyFinish(): Uint8Array {
    const outcomes = opened().finish();
    closeApplier();
    return packOutcomes(outcomes);
  },

  applyClose(): void {
    if (applier !== null) closeApplier();
  },

  sign(request: { id: number; path: BytePath; after: FileEntry }): Uint8Array | null {
    return opened().makeBasis(request.id, request.path, request.after)?.signature ?? null;
  },
};

/** Names that nobody can foresee and that never repeat: random once, then counted. */
function unguessableNames(): () => string {
  const prefix = randomBytes(12).toString('hex');
  let count = 0;
  return () => `${prefix}${(count++).toString(16).padStart(8, '0')}`;
}

/** Remembers what was hashed, and answers with the entry completed by it. */
function digestAnswer(
  index: Index,
  path: BytePath,
  record: IndexRecord | null,
  result: DigestResult | undefined,
): DigestAnswer {
  if (record?.entry.kind !== 'file' || result === undefined) {
    return { path, entry: null, problem: { code: 'changed', message: 'is no longer a file' } };
  }
  if (result.problem !== null) return { path, entry: null, problem: result.problem };
  remember(index, path, result.packedStat, result.digests);
  const digests = {
    fast: result.digests.fast ?? record.entry.digests.fast,
    strong: result.digests.strong ?? record.entry.digests.strong,
  };
  return { path, entry: { ...record.entry, digests }, problem: null };
}

function opened(): Applier {
  if (applier === null) throw new Error('nothing is being applied');
  return applier;
}

function closeApplier(): void {
  applier?.close();
  applier = null;
}

function packOutcomes(outcomes: readonly Outcome[]): Uint8Array {
  const out = new ByteWriter();
  for (const outcome of outcomes) writeOutcome(out, outcome);
  return out.take();
}

/** A file root has one path, '', which is the file's name in the directory that was opened. */
function onDisk(root: ThreadRoot, path: BytePath): BytePath {
  return root.only === null ? path : (root.only as string as BytePath);
}

function nowNs(): bigint {
  return BigInt(Date.now()) * 1_000_000n;
}

if (isThread()) serveThread(functions);
