/** An operation on its way: from its arrival, through staging, to its outcome. */

import type { FileEntry } from '../../journal/core/entry.ts';
import type { IndexRecord } from '../../journal/store/index.ts';
import type { BytePath } from '../../platform/core/byte-path.ts';
import { type ContentBytes, NO_BYTES, type Operation, type Outcome, type PutOperation } from '../core/operation.ts';
import type { Slot } from '../versions.ts';
import { type Result, toOutcome } from './outcome.ts';
import type { FilePut } from './staging.ts';

export interface Task {
  readonly operation: Operation;
  /** True while an earlier operation on the same path is not done. */
  isBlocked: boolean;
  /** True once all its content is here. */
  isComplete: boolean;
  /** The finished object in the staging folder, or in its slot. */
  staged: BytePath | null;
  /** Content of the staged file, with its SHA-256. */
  content: FileEntry | null;
  /** Bytes written for it that no sync has covered yet. */
  unsyncedBytes: number;
  bytes: ContentBytes;
  /** Where the object that it displaces goes. */
  slot: Slot | null;
  /** Inode of the object staged in the slot: nothing else is ever removed from there. */
  stagedInode: bigint | null;
  /** What the index knew of the target when the batch was prepared. */
  record: IndexRecord | null;
  result: Result | null;
}

export function taskFor(operation: Operation): Task {
  return {
    operation,
    isBlocked: false,
    isComplete: !(operation.kind === 'put' && operation.content === 'stream'),
    staged: null,
    content: null,
    unsyncedBytes: 0,
    bytes: NO_BYTES,
    slot: null,
    stagedInode: null,
    record: null,
    result: null,
  };
}

export function outcomeOf(task: Task): Outcome {
  const result = task.result ?? {
    status: 'failed',
    side: 'target',
    code: 'interrupted',
    message: 'the run ended early',
  };
  return toOutcome(task.operation.id, result, result.status === 'done' ? task.bytes : NO_BYTES);
}

/** Every path an operation reads or changes. */
export function pathsOf(operation: Operation): BytePath[] {
  switch (operation.kind) {
    case 'put':
      return operation.copyFrom === undefined ? [operation.path] : [operation.path, operation.copyFrom];
    case 'remove':
      return [operation.path];
    case 'rename':
      return [operation.path, operation.to];
  }
}

/** The operation as one that writes a file, or null where it is none. */
export function filePutOf(operation: Operation): FilePut | null {
  if (operation.kind !== 'put' || operation.after.kind !== 'file') return null;
  return operation as FilePut;
}

/** True where the object stays and only its metadata changes. */
export function isInPlace(operation: PutOperation): boolean {
  const { before, after, content } = operation;
  if (before === null || before.kind !== after.kind) return false;
  if (after.kind === 'symlink') return before.kind === 'symlink' && before.target === after.target;
  return after.kind === 'directory' || content === 'keep';
}
