/**
 * Receives one streamed file: `begin`, then data, holes and blocks of the basis, then `end`.
 *
 * A system error ends the file, not the stream: the rest of its records is skipped and the operation fails with that
 * error. Records that break their own announcement throw MalformedError, which ends the connection.
 */
import { fsyncSync } from 'node:fs';
import type { FileEntry } from '../../journal/core/entry.ts';
import { type BytePath, joinPath } from '../../platform/core/byte-path.ts';
import { MalformedError } from '../../platform/core/bytes.ts';
import type { Fd } from '../../platform/filesystem.ts';
import { RESUME_MIN_BYTES } from '../core/limits.ts';
import type { ContentBytes } from '../core/operation.ts';
import { blockRange } from '../core/signature.ts';
import { type Basis, partialPrefix } from './basis.ts';
import { ContentWriter } from './content-writer.ts';
import { type ApplyContext, STAGING } from './context.ts';
import { readPieces } from './file-content.ts';
import { changed, failedBy, type Result, sourceChanged } from './outcome.ts';
import { isSameContent } from './packed-stat.ts';
import {
  digestFault,
  discard,
  type FilePut,
  finishStaged,
  STAGED_MODE,
  type Staged,
  sourceFault,
  stagedName,
} from './staging.ts';

export class Reception {
  readonly #context: ApplyContext;
  readonly #operation: FilePut;
  readonly #basis: Basis | null;
  readonly #path: BytePath;
  readonly #isResumable: boolean;
  #fd: Fd | null = null;
  #basisFd: Fd | null = null;
  #writer: ContentWriter | null = null;
  #fault: Result | null = null;
  #literal = 0;
  #matched = 0;

  constructor(context: ApplyContext, operation: FilePut, sizeBytes: number, basis: Basis | null) {
    this.#context = context;
    this.#operation = operation;
    this.#basis = basis;
    this.#isResumable = sizeBytes >= RESUME_MIN_BYTES;
    this.#path = this.#isResumable
      ? joinPath(STAGING, partialPrefix(operation.path, operation.after) + context.randomName())
      : stagedName(context);
    if (sizeBytes !== operation.after.sizeBytes) {
      this.#fault = sourceChanged('it changed after the plan was made');
      return;
    }
    this.#attempt(() => {
      this.#fd = context.fileSystem.createFile(context.root, this.#path, STAGED_MODE);
      this.#writer = new ContentWriter(this.#fd, sizeBytes);
    });
  }

  get bytes(): ContentBytes {
    return { literal: this.#literal, matched: this.#matched, reused: 0 };
  }

  data(bytes: Buffer): void {
    this.#attempt((writer) => writer.write(bytes));
    this.#literal += bytes.length;
  }

  hole(lengthBytes: number): void {
    this.#attempt((writer) => writer.hole(lengthBytes));
  }

  /** Copies blocks of the basis. Throws MalformedError where there is no basis, or no such blocks in it. */
  blocks(first: number, count: number): void {
    if (this.#basis === null) throw new MalformedError('blocks of a basis that was never offered');
    const { start, end } = blockRange(this.#basis.signature, first, count);
    this.#attempt((writer) => {
      const fd = this.#openBasis();
      if (fd === null) return;
      const until = writer.receivedBytes + (end - start);
      for (const piece of readPieces(fd, start, end)) writer.write(piece);
      if (writer.receivedBytes !== until) this.#fail(changed('it was edited'));
    });
    this.#matched += end - start;
  }

  /** Verifies and finishes the file. `isDurable`: synced here, so that a batch of files need not wait for a large one. */
  end(entry: FileEntry, isDurable: boolean): Staged {
    let result: Staged = { path: null, fault: changed('it was edited') };
    this.#attempt((writer) => {
      const fault = sourceFault(this.#operation, entry) ?? digestFault(entry, writer.finish());
      if (fault !== null) this.#fail(fault);
      else {
        finishStaged(this.#context, this.#path, this.#operation);
        if (isDurable && this.#fd !== null) fsyncSync(this.#fd);
        result = { path: this.#path, content: entry, fault: null };
      }
    });
    if (this.#fault !== null) result = { path: null, fault: this.#fault };
    // Used up; or, where the digest did not match, possibly the reason why.
    if (this.#basis?.isPartial === true) discard(this.#context, this.#basis.path);
    this.#release();
    return result;
  }

  /** Ends an interrupted transfer: a large one is kept for the next attempt, everything else removed. */
  interrupt(): void {
    const keeps = this.#isResumable && this.#fault === null;
    if (keeps) this.#attempt((writer) => writer.flushPartial());
    this.#release();
    if (!keeps) discard(this.#context, this.#path);
  }

  /** Makes the file fail, whatever else comes: its written pages may be lost. */
  fail(result: Result): void {
    this.#fail(result);
  }

  #openBasis(): Fd | null {
    if (this.#basisFd !== null || this.#basis === null) return this.#basisFd;
    const { fileSystem, root } = this.#context;
    const fd = fileSystem.openFile(root, this.#basis.path);
    if (isSameContent(fileSystem.fstat(fd), this.#basis.stat)) {
      this.#basisFd = fd;
      return fd;
    }
    fileSystem.close(fd);
    this.#fail(changed('it was edited'));
    return null;
  }

  /** Runs one step, unless the file has failed already; a system error makes it fail. */
  #attempt(step: (writer: ContentWriter) => void): void {
    if (this.#fault !== null) return;
    try {
      step(this.#writer as ContentWriter);
    } catch (error) {
      if (error instanceof MalformedError) {
        this.#fail(failedBy(error, 'broken content'));
        throw error;
      }
      this.#fail(failedBy(error, 'could not be written'));
    }
  }

  #fail(fault: Result): void {
    this.#fault ??= fault;
    this.#release();
    discard(this.#context, this.#path);
  }

  #release(): void {
    this.#writer?.dispose();
    this.#writer = null;
    for (const fd of [this.#fd, this.#basisFd]) if (fd !== null) this.#context.fileSystem.close(fd);
    this.#fd = null;
    this.#basisFd = null;
  }
}
