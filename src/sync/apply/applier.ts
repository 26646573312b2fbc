/**
 * Changes one tree: takes chunks of operations and contents, and gives outcomes of what is done and durable.
 *
 * Synchronous, for a worker thread. Invariants:
 * - At every moment each path holds its old or its new content, complete; the process may be killed at any point.
 * - Nothing that is not what the plan saw is replaced or removed.
 * - The index never says more than what is durably there.
 */
import { randomBytes } from 'node:crypto';
import type { FileEntry } from '../../journal/core/entry.ts';
import type { BytePath } from '../../platform/core/byte-path.ts';
import { MalformedError } from '../../platform/core/bytes.ts';
import { TidemarkError } from '../../platform/core/errors.ts';
import type { Fd } from '../../platform/filesystem.ts';
import { type ContentRecord, readRecords } from '../core/content.ts';
import { MAX_BATCH_ENTRIES } from '../core/limits.ts';
import type { Operation, Outcome } from '../core/operation.ts';
import { expireVersions, VersionWriter } from '../versions.ts';
import { type Basis, type MadeBasis, makeBasis } from './basis.ts';
import { carryOut } from './batch.ts';
import { type ApplyContext, isHiddenBySpelling, locate, STAGING } from './context.ts';
import { Ledger } from './ledger.ts';
import { LinkGroups } from './link-groups.ts';
import { failed, type Result, sourceChanged } from './outcome.ts';
import { Reception } from './receive.ts';
import { type FilePut, type Staged, stageCopy, stageSmall } from './staging.ts';
import { filePutOf, outcomeOf, pathsOf, type Task, taskFor } from './task.ts';
import { WaitingRoom } from './waiting.ts';
import { Widening } from './widening.ts';
import { dropStaged, type Workshop } from './workshop.ts';

/** A batch is carried out when it holds this many operations, … */
const BATCH_TASKS = 4096;
/** … this many bytes that are not synced yet, … */
const BATCH_BYTES = 128 * 1024 * 1024;
/** … or has waited this long when the next chunk comes: what arrived is to be seen. */
const BATCH_MS = 1000;
/** Files from this size on are synced as they end, so that no batch waits for them. */
const SYNC_ALONE_BYTES = 1024 * 1024;
/** Files under way at once; each holds a write buffer. A sender keeps a handful. */
const MAX_OPEN_FILES = 64;
/** Operations announced whose content has not come: a bound for memory. */
const MAX_WAITING = 1_000_000;

export type ApplierInput = Omit<ApplyContext, 'umask' | 'staging'> & {
  readonly umask?: number;
  /** What earlier appliers of this run did to files with several names, if any did. */
  readonly links?: LinkGroups;
};

/** A task whose content is coming. */
interface Incoming {
  readonly task: Task;
  readonly operation: FilePut;
  reception: Reception | null;
}

export class Applier {
  readonly #context: ApplyContext;
  readonly #shop: Workshop;
  readonly #waiting = new WaitingRoom();
  readonly #incoming = new Map<number, Incoming>();
  readonly #bases = new Map<number, Basis>();
  #openFiles = 0;
  #lastId = -1;
  #batch: Task[] = [];
  /** Paths that the batch changes, and those that it reads. */
  readonly #batchChanges = new Set<BytePath>();
  readonly #batchReads = new Set<BytePath>();
  #batchBytes = 0;
  #batchSinceMs = 0;
  #outcomes: Outcome[] = [];
  #isClosed = false;

  /** The root must be locked and prepared (root.ts). `umask`: that of the process where not given. */
  constructor(input: ApplierInput) {
    const staging = openStaging(input);
    const context = { ...input, staging, umask: input.umask ?? process.umask() };
    const links = input.links ?? new LinkGroups();
    this.#context = context;
    this.#shop = {
      context,
      ledger: new Ledger(context, links),
      widening: new Widening(context),
      versions: new VersionWriter(context),
      links,
    };
  }

  /**
   * Finds what the content of operation `id` can be made from and signs it; null where there is nothing. May be asked
   * before or after the operation came, but before its content. Reads the whole basis.
   */
  makeBasis(id: number, path: BytePath, after: FileEntry): MadeBasis | null {
    const made = makeBasis(this.#context, randomBytes(8).readBigUInt64LE(), path, after);
    if (made !== null && this.#bases.size < MAX_BATCH_ENTRIES) this.#bases.set(id, made.basis);
    return made;
  }

  /**
   * Takes one chunk of records; returns the outcomes that are settled by now, in any order. Throws MalformedError where
   * the chunk breaks the rules of the content stream: then only {@link close} makes sense.
   */
  push(chunk: Uint8Array): Outcome[] {
    for (const record of readRecords(chunk)) this.#take(record);
    if (this.#batch.length > 0 && this.#context.clock() - this.#batchSinceMs >= BATCH_MS) this.#flush();
    return this.#takeOutcomes();
  }

  /** Carries out what is left. Operations whose content never came fail. */
  finish(): Outcome[] {
    for (const incoming of [...this.#incoming.values()]) {
      incoming.reception?.interrupt();
      this.#settle(incoming, { path: null, fault: failed('incomplete', 'its content did not come') });
    }
    this.#flush();
    this.close();
    const { fileSystem, root, clock, options } = this.#context;
    expireVersions(fileSystem, root, clock(), options.keepVersionsSeconds);
    return this.#takeOutcomes();
  }

  /** Ends at once, between two steps: what is staged is removed, large partial transfers stay for the next run. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    for (const { reception, task } of this.#incoming.values()) {
      reception?.interrupt();
      dropStaged(this.#context, task);
    }
    this.#incoming.clear();
    for (const task of [...this.#batch, ...this.#waiting.blocked()]) dropStaged(this.#context, task);
    this.#batch = [];
    this.#shop.widening.restore();
    this.#shop.versions.close();
    this.#context.fileSystem.close(this.#context.staging);
  }

  #take(record: ContentRecord): void {
    if (record.kind === 'operation') {
      this.#announce(record.operation);
      return;
    }
    const incoming = this.#incoming.get(record.id);
    if (incoming === undefined) throw new MalformedError(`content for operation ${record.id}, which expects none`);
    switch (record.kind) {
      case 'small':
        this.#refuseBegun(incoming);
        // Settling may carry it out at once: the bytes must be counted before.
        incoming.task.bytes = { literal: record.bytes.length, matched: 0, reused: 0 };
        this.#settle(incoming, stageSmall(this.#context, incoming.operation, record.entry, record.bytes));
        return;
      case 'begin':
        this.#begin(incoming, record.sizeBytes);
        return;
      case 'data':
        begun(incoming).data(record.bytes);
        return;
      case 'hole':
        begun(incoming).hole(record.lengthBytes);
        return;
      case 'blocks':
        begun(incoming).blocks(record.first, record.count);
        return;
      case 'end':
        this.#end(incoming, record.entry);
        return;
      case 'failed': {
        const fault = sourceFailure(record);
        // A source that changed makes what came so far worthless; one that cannot be read may be readable again.
        if (record.changed) incoming.reception?.fail(fault);
        else incoming.reception?.interrupt();
        this.#settle(incoming, { path: null, fault });
        return;
      }
    }
  }

  #announce(operation: Operation): void {
    if (operation.id <= this.#lastId) throw new MalformedError(`operation ${operation.id} out of order`);
    this.#lastId = operation.id;
    const task = taskFor(operation);
    for (const path of pathsOf(operation)) {
      locate(this.#context, path);
      if (isHiddenBySpelling(this.#context, path))
        task.result = failed('reserved-name', 'the name of the hidden folder');
    }
    if (!task.isComplete) this.#expectContent(task);
    if (this.#waiting.admit(task)) this.#enqueue(task);
  }

  #expectContent(task: Task): void {
    const operation = filePutOf(task.operation);
    if (operation === null) throw new MalformedError('content for something that is no file');
    if (this.#incoming.size >= MAX_WAITING) throw new MalformedError('too many operations without their content');
    this.#incoming.set(operation.id, { task, operation, reception: null });
  }

  #begin(incoming: Incoming, sizeBytes: number): void {
    this.#refuseBegun(incoming);
    if (this.#openFiles >= MAX_OPEN_FILES) throw new MalformedError('too many files under way at once');
    this.#openFiles++;
    const basis = this.#bases.get(incoming.operation.id) ?? null;
    incoming.reception = new Reception(this.#context, incoming.operation, sizeBytes, basis);
  }

  #end(incoming: Incoming, entry: FileEntry): void {
    const reception = begun(incoming);
    const isSyncedAlone = this.#context.options.durable && entry.sizeBytes >= SYNC_ALONE_BYTES;
    const staged = reception.end(entry, isSyncedAlone);
    incoming.task.bytes = reception.bytes;
    this.#settle(incoming, staged, isSyncedAlone);
  }

  #refuseBegun(incoming: Incoming): void {
    if (incoming.reception !== null) throw new MalformedError('content that begins twice');
  }

  /** The content of a task is complete, or will never be. */
  #settle(incoming: Incoming, staged: Staged, isSynced = false): void {
    const { task, operation } = incoming;
    if (incoming.reception !== null) this.#openFiles--;
    this.#incoming.delete(operation.id);
    this.#bases.delete(operation.id);
    accept(task, staged, isSynced);
    for (const ready of this.#waiting.complete(task)) this.#enqueue(ready);
  }

  /** Adds a complete task to the batch. A batch changes each path once, so that it can be prepared before it is done. */
  #enqueue(task: Task): void {
    const { changes, reads } = accessOf(task.operation);
    const isHeld = (path: BytePath) => this.#batchChanges.has(path) || this.#batchReads.has(path);
    if (changes.some(isHeld) || reads.some((path) => this.#batchChanges.has(path))) this.#flush();
    const operation = filePutOf(task.operation);
    if (operation?.content === 'copy' && operation.copyFrom !== undefined && task.result === null) {
      accept(task, stageCopy(this.#context, operation, operation.copyFrom), false);
      if (task.result === null) task.bytes = { literal: 0, matched: 0, reused: operation.after.sizeBytes };
    }
    if (this.#batch.length === 0) this.#batchSinceMs = this.#context.clock();
    this.#batch.push(task);
    for (const path of changes) this.#batchChanges.add(path);
    for (const path of reads) this.#batchReads.add(path);
    this.#batchBytes += task.unsyncedBytes;
    if (this.#isBatchFull(task.operation)) this.#flush();
  }

  /** The rename of a directory ends a batch: what the batch knows of paths below it would be out of date. */
  #isBatchFull(last: Operation): boolean {
    const movesMany = last.kind === 'rename' && last.before.kind === 'directory';
    return movesMany || this.#batch.length >= BATCH_TASKS || this.#batchBytes >= BATCH_BYTES;
  }

  #flush(): void {
    const tasks = this.#batch;
    if (tasks.length === 0) return;
    this.#batch = [];
    this.#batchChanges.clear();
    this.#batchReads.clear();
    this.#batchBytes = 0;
    const { lost } = carryOut(this.#shop, tasks);
    if (lost !== null) this.#failUnsynced(lost);
    for (const task of tasks) this.#outcomes.push(outcomeOf(task));
  }

  #failUnsynced(lost: Result): void {
    for (const { reception } of this.#incoming.values()) reception?.fail(lost);
    this.#waiting.failStaged(lost);
  }

  #takeOutcomes(): Outcome[] {
    const outcomes = this.#outcomes;
    this.#outcomes = [];
    return outcomes;
  }
}

function openStaging({ fileSystem, root }: ApplierInput): Fd {
  try {
    return fileSystem.openDirectory(root, STAGING);
  } catch (cause) {
    throw new TidemarkError('unavailable', 'root-not-writable', 'the root cannot be written to', { cause });
  }
}

function begun(incoming: Incoming): Reception {
  if (incoming.reception === null) throw new MalformedError('content that never began');
  return incoming.reception;
}

function accept(task: Task, staged: Staged, isSynced: boolean): void {
  if (staged.path === null) {
    task.result ??= staged.fault;
    return;
  }
  task.staged = staged.path;
  task.content = staged.content;
  // An empty file has an inode to sync all the same.
  task.unsyncedBytes = isSynced ? 0 : staged.content.sizeBytes + 1;
}

/**
 * What an operation changes, and what has to be there before its batch begins. A link where nothing is yet is made when
 * its turn comes, so that the file it links to may be in the same batch.
 */
function accessOf(operation: Operation): { readonly changes: BytePath[]; readonly reads: BytePath[] } {
  if (operation.kind !== 'put') return { changes: pathsOf(operation), reads: [] };
  const { path, copyFrom, content, before } = operation;
  const isMadeInTurn = content === 'link' && before === null;
  return { changes: [path], reads: copyFrom === undefined || isMadeInTurn ? [] : [copyFrom] };
}

function sourceFailure(record: { changed: boolean; code: string; message: string }): Result {
  if (record.changed) return sourceChanged(record.message);
  return { status: 'failed', side: 'source', code: record.code, message: record.message };
}
