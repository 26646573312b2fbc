/** Serves an endpoint over a connection: the agent's half of docs/protocol.md. Requests are validated before use. */

import type { Change } from '../journal/core/change.ts';
import { readPath } from '../journal/core/entry-codec.ts';
import { MalformedError } from '../platform/core/bytes.ts';
import type { TidemarkError } from '../platform/core/errors.ts';
import { writeOutcome } from '../sync/core/codec.ts';
import { readSupplyOrder } from '../sync/core/supply-order.ts';
import type { Endpoint } from '../sync/endpoint.ts';
import type { Connection } from './connection.ts';
import * as control from './core/messages-control.ts';
import * as list from './core/messages-list.ts';
import type { MethodName } from './core/methods.ts';
import { pack, unpack } from './core/packing.ts';
import { violation } from './core/wire-error.ts';
import type { Handler } from './responder.ts';

/**
 * Answers calls on `connection` until it ends, then closes the endpoint; resolves with why it ended (null: a goodbye).
 * `createEndpoint` is given the root as the other side's user wrote it, a byte string, once.
 */
export async function serveEndpoint(
  connection: Connection,
  createEndpoint: (root: string) => Endpoint,
): Promise<TidemarkError | null> {
  const server = new EndpointServer(createEndpoint);
  connection.serve(server.handlers());
  const reason = await connection.closed;
  await server.close();
  return reason;
}

type Incoming = AsyncIterable<Buffer>;

class EndpointServer {
  readonly #createEndpoint: (root: string) => Endpoint;
  #endpoint: Endpoint | null = null;
  #closing: Promise<void> | null = null;

  constructor(createEndpoint: (root: string) => Endpoint) {
    this.#createEndpoint = createEndpoint;
  }

  handlers(): ReadonlyMap<MethodName, Handler> {
    return new Map<MethodName, Handler>([
      ['open', (incoming) => this.#open(incoming)],
      ['bind', (incoming) => this.#bind(incoming)],
      ['checkpoint', (incoming) => this.#checkpoint(incoming)],
      ['changes', (incoming) => this.#changes(incoming)],
      ['lookup', (incoming) => this.#lookup(incoming)],
      ['subtree', (incoming) => this.#subtree(incoming)],
      ['digest', (incoming) => this.#digest(incoming)],
      ['reuse', (incoming) => this.#reuse(incoming)],
      ['signatures', (incoming) => this.#signatures(incoming)],
      ['supply', (incoming) => this.#supply(incoming)],
      ['apply', (incoming) => this.#apply(incoming)],
      ['acknowledge', (incoming) => this.#acknowledge(incoming)],
      ['close', (incoming) => this.#close(incoming)],
    ]);
  }

  /** Closes the endpoint once, however often it is asked to. */
  close(): Promise<void> {
    this.#closing ??= this.#endpoint?.close() ?? Promise.resolve();
    return this.#closing;
  }

  async *#open(incoming: Incoming): AsyncGenerator<Buffer> {
    const { root, ...request } = await only(incoming, control.decodeOpen);
    if (this.#endpoint !== null || this.#closing !== null) throw violation('opened twice');
    this.#endpoint = this.#createEndpoint(root);
    yield control.encodeInfo(await this.#endpoint.open(request));
  }

  async *#bind(incoming: Incoming): AsyncGenerator<Buffer> {
    const { session, kind } = await only(incoming, control.decodeBind);
    yield control.encodeIdentity(await this.#opened().bind(session, kind));
  }

  async *#checkpoint(incoming: Incoming): AsyncGenerator<Buffer> {
    const options = await only(incoming, control.decodeCheckpointOptions);
    yield control.encodeCheckpoint(await this.#opened().checkpoint(options));
  }

  async *#changes(incoming: Incoming): AsyncGenerator<Buffer> {
    const since = await only(incoming, control.decodeSince);
    const { fresh, batches } = await this.#opened().changes(since);
    yield control.encodeFresh(fresh);
    yield* packChanges(batches);
  }

  async *#lookup(incoming: Incoming): AsyncGenerator<Buffer> {
    const endpoint = this.#opened();
    for await (const paths of each(incoming, (message) => unpack(message, readPath))) {
      yield* pack(await endpoint.lookup(paths), list.writeChange);
    }
  }

  async *#subtree(incoming: Incoming): AsyncGenerator<Buffer> {
    yield* packChanges(this.#opened().subtree(await only(incoming, list.decodePath)));
  }

  async *#digest(incoming: Incoming): AsyncGenerator<Buffer> {
    const endpoint = this.#opened();
    for await (const requests of each(incoming, (message) => unpack(message, list.readDigestRequest))) {
      for await (const answers of endpoint.digest(requests)) yield* pack(answers, list.writeDigestAnswer);
    }
  }

  async *#reuse(incoming: Incoming): AsyncGenerator<Buffer> {
    const endpoint = this.#opened();
    for await (const sizes of each(incoming, (message) => unpack(message, list.readSize))) {
      yield* pack(await endpoint.reuseCandidates(sizes), list.writeCandidate);
    }
  }

  async *#signatures(incoming: Incoming): AsyncGenerator<Buffer> {
    const endpoint = this.#opened();
    for await (const requests of each(incoming, (message) => unpack(message, list.readSignatureRequest))) {
      for await (const answers of endpoint.signatures(requests)) yield* pack(answers, list.writeSignatureAnswer);
    }
  }

  async *#supply(incoming: Incoming): AsyncGenerator<Buffer> {
    yield* this.#opened().supply(each(incoming, (message) => unpack(message, readSupplyOrder)));
  }

  async *#apply(incoming: Incoming): AsyncGenerator<Buffer> {
    const messages = incoming[Symbol.asyncIterator]();
    const first = await messages.next();
    if (first.done === true) throw violation('apply without options');
    const options = checked(() => control.decodeApplyOptions(first.value));
    // Chunks stay packed: the endpoint validates every record before it touches anything.
    const chunks = { [Symbol.asyncIterator]: () => messages };
    for await (const outcomes of this.#opened().apply(chunks, options)) yield* pack(outcomes, writeOutcome);
  }

  async *#acknowledge(incoming: Incoming): AsyncGenerator<Buffer> {
    await this.#opened().acknowledge(await only(incoming, control.decodeCursor));
    yield control.NOTHING;
  }

  async *#close(incoming: Incoming): AsyncGenerator<Buffer> {
    await only(incoming, control.decodeNothing);
    await this.close();
    yield control.NOTHING;
  }

  #opened(): Endpoint {
    if (this.#endpoint === null || this.#closing !== null)
      throw violation('asked for something before open or after close');
    return this.#endpoint;
  }
}

/** The one message of a request, decoded. */
async function only<T>(incoming: Incoming, decode: (message: Buffer) => T): Promise<T> {
  let request: { readonly value: T } | null = null;
  for await (const message of incoming) {
    if (request !== null) throw violation('more than one request');
    request = { value: checked(() => decode(message)) };
  }
  if (request === null) throw violation('no request');
  return request.value;
}

async function* each<T>(incoming: Incoming, decode: (message: Buffer) => T): AsyncGenerator<T> {
  for await (const message of incoming) yield checked(() => decode(message));
}

async function* packChanges(batches: AsyncIterable<readonly Change[]>): AsyncGenerator<Buffer> {
  for await (const batch of batches) yield* pack(batch, list.writeChange);
}

/** Decodes a request; one that is malformed ends the connection. */
function checked<T>(decode: () => T): T {
  try {
    return decode();
  } catch (error) {
    if (error instanceof MalformedError) throw violation(error.message);
    throw error;
  }
}
