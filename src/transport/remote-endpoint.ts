/**
 * A side of a pair on the other end of a connection.
 *
 * Speaks the methods of docs/protocol.md and trusts no answer: each is validated and matched to what was asked, and
 * one that does not fit ends the connection.
 */

import type { Change } from '../journal/core/change.ts';
import { writePath } from '../journal/core/entry-codec.ts';
import type { CheckpointOptions } from '../journal/core/look.ts';
import type { BytePath } from '../platform/core/byte-path.ts';
import { MalformedError } from '../platform/core/bytes.ts';
import { TidemarkError } from '../platform/core/errors.ts';
import { readOutcome } from '../sync/core/codec.ts';
import { MAX_CHUNK_BYTES } from '../sync/core/limits.ts';
import type { Outcome } from '../sync/core/operation.ts';
import { writeSupplyOrder } from '../sync/core/supply-order.ts';
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
} from '../sync/endpoint.ts';
import type { Connection } from './connection.ts';
import { AskedIds } from './core/asked-ids.ts';
import { ListingOrder } from './core/listing-order.ts';
import * as control from './core/messages-control.ts';
import * as list from './core/messages-list.ts';
import type { MethodName } from './core/methods.ts';
import { operationIds } from './core/operation-scan.ts';
import { pack, unpack } from './core/packing.ts';

/** Most files of one size a side may offer for reuse. */
const CANDIDATES_PER_SIZE = 4;

/** How long the other side may take to finish its current step before it is left alone. */
const CLOSE_TIMEOUT_MS = 30_000;

export interface RemoteEndpointOptions {
  /** Reaches the agent; called once, by `open`. The connection belongs to the endpoint from then on. */
  readonly connect: () => Promise<Connection>;
  /** The root as the user gave it, a byte string. */
  readonly root: string;
}

export class RemoteEndpoint implements Endpoint {
  readonly #options: RemoteEndpointOptions;
  #connection: Connection | null = null;
  #isClosed = false;

  constructor(options: RemoteEndpointOptions) {
    this.#options = options;
  }

  async open(request: OpenRequest): Promise<EndpointInfo> {
    if (this.#connection !== null || this.#isClosed) throw notUsable('opened twice');
    const connection = await this.#options.connect();
    this.#connection = connection;
    return this.#ask('open', control.encodeOpen({ ...request, root: this.#options.root }), control.decodeInfo);
  }

  bind(session: string, kind: 'directory' | 'file'): Promise<string> {
    return this.#ask('bind', control.encodeBind({ session, kind }), control.decodeIdentity);
  }

  checkpoint(options: CheckpointOptions): Promise<Checkpoint> {
    return this.#ask('checkpoint', control.encodeCheckpointOptions(options), control.decodeCheckpoint);
  }

  /** The batches must be iterated (or returned), for until then they occupy a channel. */
  async changes(since: string | null): Promise<Changes> {
    const messages = this.#opened().call('changes', control.encodeSince(since));
    const first = await messages.next();
    const fresh = this.#checked(() => control.decodeFresh(present(first)));
    return { fresh, batches: this.#listing(messages, new ListingOrder(fresh ? 'tree' : 'changes')) };
  }

  async lookup(paths: readonly BytePath[]): Promise<readonly Change[]> {
    const answers: Change[] = [];
    for await (const message of this.#call('lookup', pack(paths, writePath))) {
      this.#checked(() => {
        for (const change of unpack(message, list.readChange)) {
          if (change.path !== paths[answers.length]) throw new MalformedError('a path that was not looked up');
          answers.push(change);
        }
      });
    }
    this.#checked(() => expectCount(answers.length, paths.length));
    return answers;
  }

  subtree(path: BytePath): AsyncIterable<readonly Change[]> {
    return this.#listing(this.#opened().call('subtree', list.encodePath(path)), new ListingOrder('below', path));
  }

  async *digest(requests: readonly DigestRequest[]): AsyncGenerator<readonly DigestAnswer[]> {
    let answered = 0;
    for await (const message of this.#call('digest', pack(requests, list.writeDigestRequest))) {
      yield this.#checked(() => {
        const answers = unpack(message, list.readDigestAnswer);
        for (const { path } of answers) {
          if (path !== requests[answered++]?.path) throw new MalformedError('a digest that was not asked for');
        }
        return answers;
      });
    }
    this.#checked(() => expectCount(answered, requests.length));
  }

  async reuseCandidates(sizes: readonly number[]): Promise<readonly ReuseCandidate[]> {
    const left = new Map(sizes.map((size) => [size, CANDIDATES_PER_SIZE]));
    const found: ReuseCandidate[] = [];
    for await (const message of this.#call('reuse', pack(sizes, list.writeSize))) {
      this.#checked(() => {
        for (const candidate of unpack(message, list.readCandidate)) {
          const allowed = left.get(candidate.sizeBytes) ?? 0;
          if (allowed === 0) throw new MalformedError('a file of a size that was not asked for, or too many of one');
          left.set(candidate.sizeBytes, allowed - 1);
          found.push(candidate);
        }
      });
    }
    return found;
  }

  async *signatures(requests: readonly SignatureRequest[]): AsyncGenerator<readonly SignatureAnswer[]> {
    const asked = new AskedIds();
    for (const { id } of requests) if (!asked.ask(id)) throw notUsable(`two signatures for ${id}`);
    for await (const message of this.#call('signatures', pack(requests, list.writeSignatureRequest))) {
      yield this.#checked(() => {
        const answers = unpack(message, list.readSignatureAnswer);
        for (const { id } of answers) asked.answer(id);
        return answers;
      });
    }
    this.#checked(() => asked.finish());
  }

  async *supply(orders: AsyncIterable<readonly SupplyOrder[]>): AsyncGenerator<Buffer> {
    yield* this.#opened().call('supply', packAll(orders));
  }

  async *apply(chunks: AsyncIterable<Buffer>, options: ApplyOptions): AsyncGenerator<readonly Outcome[]> {
    const asked = new AskedIds();
    const progress = { isComplete: false };
    for await (const message of this.#opened().call('apply', applyRequest(chunks, options, asked, progress))) {
      yield this.#checked(() => {
        const outcomes = unpack(message, readOutcome);
        for (const { id } of outcomes) asked.answer(id);
        return outcomes;
      });
    }
    this.#checked(() => {
      if (!progress.isComplete) throw new MalformedError('apply ended before it was given everything');
      asked.finish();
    });
  }

  async acknowledge(cursor: string): Promise<void> {
    await this.#ask('acknowledge', control.encodeCursor(cursor), control.decodeNothing);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    const connection = this.#connection;
    if (connection === null) return;
    try {
      const patience = AbortSignal.timeout(CLOSE_TIMEOUT_MS);
      await single(connection, connection.call('close', control.NOTHING, patience));
    } catch {
      // A side that is gone, or that does not finish in time, cannot be closed more than by hanging up.
    }
    await connection.close();
  }

  traffic(): { readonly sent: number; readonly received: number } {
    return this.#connection?.traffic ?? { sent: 0, received: 0 };
  }

  async #ask<T>(method: MethodName, request: Buffer, decode: (answer: Buffer) => T): Promise<T> {
    const connection = this.#opened();
    const answer = await single(connection, connection.call(method, request));
    return this.#checked(() => decode(answer));
  }

  #call(method: MethodName, messages: Iterable<Buffer>): AsyncGenerator<Buffer> {
    return this.#opened().call(method, asyncOf(messages));
  }

  async *#listing(messages: AsyncIterable<Buffer>, order: ListingOrder): AsyncGenerator<readonly Change[]> {
    for await (const message of messages) {
      yield this.#checked(() => {
        const changes = unpack(message, list.readChange);
        for (const change of changes) order.check(change);
        return changes;
      });
    }
  }

  /** Runs a check of an answer; one that fails ends the connection. */
  #checked<T>(check: () => T): T {
    try {
      return check();
    } catch (error) {
      if (error instanceof MalformedError) throw this.#opened().violation(error.message);
      throw error;
    }
  }

  #opened(): Connection {
    if (this.#connection === null) throw notUsable('not open');
    return this.#connection;
  }
}

/** The one message of an answer. */
async function single(connection: Connection, messages: AsyncIterable<Buffer>): Promise<Buffer> {
  let answer: Buffer | null = null;
  for await (const message of messages) {
    if (answer !== null) throw connection.violation('more than one answer');
    answer = message;
  }
  if (answer === null) throw connection.violation('no answer');
  return answer;
}

async function* asyncOf(messages: Iterable<Buffer>): AsyncGenerator<Buffer> {
  yield* messages;
}

async function* packAll(orders: AsyncIterable<readonly SupplyOrder[]>): AsyncGenerator<Buffer> {
  for await (const batch of orders) yield* pack(batch, writeSupplyOrder);
}

/** The options, then the chunks; notes what is asked on the way. */
async function* applyRequest(
  chunks: AsyncIterable<Buffer>,
  options: ApplyOptions,
  asked: AskedIds,
  progress: { isComplete: boolean },
): AsyncGenerator<Buffer> {
  yield control.encodeApplyOptions(options);
  for await (const chunk of chunks) {
    if (chunk.length > MAX_CHUNK_BYTES) throw notUsable(`chunk of ${chunk.length} bytes`);
    for (const id of operationIds(chunk)) if (!asked.ask(id)) throw notUsable(`two operations ${id}`);
    yield chunk;
  }
  progress.isComplete = true;
}

function present(result: IteratorResult<Buffer, void>): Buffer {
  if (result.done === true) throw new MalformedError('no answer');
  return result.value;
}

function expectCount(actual: number, expected: number): void {
  if (actual !== expected) throw new MalformedError(`${actual} answers where ${expected} were asked for`);
}

function notUsable(detail: string): TidemarkError {
  return new TidemarkError('internal', 'remote-endpoint', detail);
}
