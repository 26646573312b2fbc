/**
 * The journal of a root that another process records, behind its control socket.
 *
 * Every call is a conversation of its own. Where the process dies in the middle of one its successor is asked, which the
 * supervisor puts in its place and which has missed nothing; all requests may be repeated.
 */
import { setMaxListeners } from 'node:events';
import { setTimeout as pause } from 'node:timers/promises';
import type {
  ChangesAnswer,
  CheckpointAnswer,
  Gap,
  JournalChange,
  JournalDifference,
  JournalStatus,
  JournalVerification,
} from '../journal/core/answers.ts';
import type { JournalService } from '../journal/service.ts';
import type { BytePath } from '../platform/core/byte-path.ts';
import { MalformedError } from '../platform/core/bytes.ts';
import { TidemarkError } from '../platform/core/errors.ts';
import { Spool } from '../sync/engine/spool.ts';
import type { JsonObject } from '../transport/core/json.ts';
import { ask, askForEnd, isPassing } from './client.ts';
import { readChanges, readCheckpoint, readCursor, readStatus, readVerification } from './core/answers.ts';
import { FRAME, type Frame } from './core/frames.ts';
import { MAX_LISTED } from './core/limits.ts';
import { CHANGE, DIFFERENCE, GAP, type ItemCodec, itemsIn, PATH } from './core/lists.ts';
import type { Request, RootPath } from './core/messages.ts';

/** A worker that died is replaced within a moment; one that dies again and again is not waited for. */
const ATTEMPTS = 4;
const PAUSE_MS = 150;

/** Changes handed out at once. */
const BATCH = 512;

/** Lists of an answer, as far as this kind of answer has them. */
class Lists {
  readonly hot: BytePath[] = [];
  readonly gaps: Gap[] = [];
  readonly differences: JournalDifference[] = [];
  readonly changes = new Spool<JournalChange>(CHANGE.write, CHANGE.read);

  take({ type, payload }: Frame): void {
    if (type === FRAME.hot) keep(this.hot, PATH, payload);
    else if (type === FRAME.gaps) keep(this.gaps, GAP, payload);
    else if (type === FRAME.differences) keep(this.differences, DIFFERENCE, payload);
    else if (type === FRAME.changes) for (const change of itemsIn(CHANGE, payload)) this.changes.append(change);
    else throw new MalformedError(`frame of type ${type} in the answer of a journal`);
  }
}

export class RemoteJournal implements JournalService {
  readonly #socketPath: string;
  readonly #root: RootPath;
  readonly #closing = new AbortController();

  constructor(socketPath: string, root: RootPath) {
    this.#socketPath = socketPath;
    this.#root = root;
    // One listener for each call under way, of which there may be any number.
    setMaxListeners(0, this.#closing.signal);
  }

  async checkpoint(subtree: BytePath): Promise<CheckpointAnswer> {
    const { end, lists } = await this.#ask({ method: 'checkpoint', root: this.#root, subtree }, readCheckpoint);
    return { ...end, hot: lists.hot, gaps: lists.gaps };
  }

  /** All changes are here before it resolves: in memory, or in an unlinked file where they are many. */
  async changes(cursor: string | null, subtree: BytePath): Promise<ChangesAnswer> {
    const { end, lists } = await this.#ask({ method: 'changes', root: this.#root, cursor, subtree }, readChanges);
    return { ...end, gaps: lists.gaps, changes: batches(lists.changes) };
  }

  /** The first batch is empty: it says that whatever happens from now on will be told. */
  async *follow(signal: AbortSignal): AsyncGenerator<readonly JournalChange[]> {
    const until = AbortSignal.any([signal, this.#closing.signal]);
    try {
      for await (const frame of ask(this.#socketPath, { method: 'follow', root: this.#root }, { signal: until })) {
        if (frame.type === FRAME.changes) yield itemsIn(CHANGE, frame.payload);
      }
    } catch (error) {
      if (!until.aborted) throw error;
    }
  }

  async acknowledge(consumer: string, cursor: string): Promise<void> {
    await this.#ask({ method: 'acknowledge', root: this.#root, consumer, cursor }, nothing);
  }

  async register(consumer: string): Promise<string> {
    return (await this.#ask({ method: 'register', root: this.#root, consumer }, readCursor)).end;
  }

  async unregister(consumer: string): Promise<void> {
    await this.#ask({ method: 'unregister', root: this.#root, consumer }, nothing);
  }

  async status(): Promise<JournalStatus> {
    const { end, lists } = await this.#ask({ method: 'status', root: this.#root }, readStatus);
    return { ...end, hot: lists.hot, gaps: lists.gaps };
  }

  async verify(): Promise<JournalVerification> {
    const { end, lists } = await this.#ask({ method: 'verify', root: this.#root }, readVerification);
    return { ...end, differences: lists.differences, hot: lists.hot };
  }

  /** Gives up what is under way. The journal itself goes on. */
  async close(): Promise<void> {
    this.#closing.abort(new TidemarkError('interrupted', 'closed', 'the journal was closed'));
  }

  async #ask<End>(request: Request, read: (end: JsonObject) => End): Promise<{ end: End; lists: Lists }> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#askOnce(request, read);
      } catch (error) {
        if (!isPassing(error) || attempt === ATTEMPTS) throw error;
        await pause(PAUSE_MS * attempt, undefined, { signal: this.#closing.signal });
      }
    }
  }

  async #askOnce<End>(request: Request, read: (end: JsonObject) => End): Promise<{ end: End; lists: Lists }> {
    const lists = new Lists();
    try {
      const options = { signal: this.#closing.signal };
      const end = await askForEnd(this.#socketPath, request, (frame) => lists.take(frame), read, options);
      return { end, lists };
    } catch (error) {
      lists.changes.close();
      throw error;
    }
  }
}

/** The end of an answer that says nothing more. */
function nothing(): void {}

function keep<Item>(list: Item[], codec: ItemCodec<Item>, payload: Uint8Array): void {
  for (const item of itemsIn(codec, payload)) list.push(item);
  if (list.length > MAX_LISTED) throw new MalformedError(`a list of more than ${MAX_LISTED} items`);
}

function* batches(spool: Spool<JournalChange>): Generator<readonly JournalChange[]> {
  try {
    let batch: JournalChange[] = [];
    for (const change of spool.read()) {
      batch.push(change);
      if (batch.length < BATCH) continue;
      yield batch;
      batch = [];
    }
    if (batch.length > 0) yield batch;
  } finally {
    spool.close();
  }
}
