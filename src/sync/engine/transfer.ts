/**
 * Carries out one stage of the plan on one side: operations go to the side that changes, the contents they need come
 * from the other, and every outcome is handed on as it comes.
 *
 *   steps → prepare (reuse? delta?) → operations ─┐
 *                        └→ orders → other.supply ─┴→ chunks → target.apply → outcomes
 *
 * All in flight at once, bounded by queues: a slow side stops the fast one.
 */
import type { BytePath } from '../../platform/core/byte-path.ts';
import { ByteWriter } from '../../platform/core/bytes.ts';
import { BoundedQueue } from '../../platform/queue.ts';
import { writeRecord } from '../core/content.ts';
import { BATCH_ENTRIES, DELTA_MIN_BYTES, RESUME_MIN_BYTES } from '../core/limits.ts';
import type { Operation, Outcome } from '../core/operation.ts';
import type { ApplyOptions, Endpoint, SupplyOrder } from '../endpoint.ts';
import type { Step } from './plan.ts';
import { preferReuse } from './reuse.ts';

/** Bytes of operations and content queued for the target. */
const QUEUE_BYTES = 2 * 1024 * 1024;
/** Steps prepared together: one question about reuse, one chunk of operations, a call for each reading thread. */
const STEPS_PER_BATCH = BATCH_ENTRIES;

/** A step and the operation it became. */
export interface Prepared {
  readonly step: Step;
  readonly operation: Operation;
}

export interface TransferInput {
  readonly target: Endpoint;
  readonly source: Endpoint;
  readonly steps: Iterable<Step>;
  readonly apply: ApplyOptions;
  /** False where the target holds nothing that could be reused. */
  readonly mayReuse: boolean;
  readonly onOutcome: (prepared: Prepared, outcome: Outcome) => void;
  /** Content bytes handed to the target; the large file under way, if any. */
  readonly onBytes: (bytes: number, large: Prepared | null) => void;
  readonly signal: AbortSignal;
}

/** Runs the stage to its end. Rejects only where an endpoint broke; failures of single paths are outcomes. */
export async function transfer(input: TransferInput): Promise<void> {
  const chunks = new BoundedQueue<Buffer>(QUEUE_BYTES);
  const orders = new BoundedQueue<readonly SupplyOrder[]>(BATCH_ENTRIES);
  const underWay = new UnderWay();
  const stop = (error: unknown): never => {
    chunks.fail(error);
    orders.fail(error);
    throw error;
  };
  const feeding = feed(input, chunks, orders, underWay)
    .finally(() => orders.end())
    .catch(stop);
  const supplying = pump(input, orders, chunks, underWay).catch(stop);
  const applying = collect(input, chunks, underWay).catch(stop);
  const flowed = Promise.all([feeding, supplying]).then(() => chunks.end());
  await Promise.all([flowed, applying]).catch(async (error) => {
    await Promise.allSettled([feeding, supplying, applying]);
    throw error;
  });
}

async function feed(
  input: TransferInput,
  chunks: BoundedQueue<Buffer>,
  orders: BoundedQueue<readonly SupplyOrder[]>,
  underWay: UnderWay,
): Promise<void> {
  const out = new ByteWriter();
  let nextId = 0;
  const signing: Promise<void>[] = [];
  for (const steps of inBatches(input.steps, STEPS_PER_BATCH)) {
    if (input.signal.aborted) break;
    const operations = steps.map((step) => operationOf(step, nextId++));
    const settled = input.mayReuse ? await preferReuse(operations, steps, input.target, input.source) : operations;
    const plain: SupplyOrder[] = [];
    const withBasis: SupplyOrder[] = [];
    settled.forEach((operation, index) => {
      const step = steps[index] as Step;
      underWay.add({ step, operation });
      writeRecord(out, { kind: 'operation', operation });
      const order = orderFor(operation, step);
      if (order !== null) (mayHaveBasis(step) ? withBasis : plain).push(order);
    });
    const chunk = out.take();
    await chunks.push(chunk, chunk.length);
    if (plain.length > 0) await orders.push(plain, plain.length);
    if (withBasis.length > 0) signing.push(orderWithSignatures(input.target, withBasis, settled, orders));
  }
  await Promise.all(signing);
}

/** Asks the receiver what it has of these files, then orders them: a delta where it has something. */
async function orderWithSignatures(
  target: Endpoint,
  wanted: readonly SupplyOrder[],
  operations: readonly Operation[],
  orders: BoundedQueue<readonly SupplyOrder[]>,
): Promise<void> {
  const after = new Map(operations.map((operation) => [operation.id, operation]));
  const requests = wanted.flatMap(({ id, path }) => {
    const operation = after.get(id);
    return operation?.kind === 'put' && operation.after.kind === 'file' ? [{ id, path, after: operation.after }] : [];
  });
  const byId = new Map(wanted.map((order) => [order.id, order]));
  for await (const answers of target.signatures(requests)) {
    const ready = answers.flatMap(({ id, signature }) => {
      const order = byId.get(id);
      return order === undefined ? [] : [{ ...order, signature }];
    });
    await orders.push(ready, ready.length);
  }
}

async function pump(
  input: TransferInput,
  orders: BoundedQueue<readonly SupplyOrder[]>,
  chunks: BoundedQueue<Buffer>,
  underWay: UnderWay,
): Promise<void> {
  // The other side is asked only once there is something to ask for: most stages move no content.
  const iterator = orders[Symbol.asyncIterator]();
  const first = await iterator.next();
  if (first.done === true) return;
  for await (const chunk of input.source.supply(prepend(first.value, iterator))) {
    // Small files are soon done; a large one may be gigabytes, and the receiver keeps what it has of it for the next run.
    if (underWay.firstLarge() !== null) input.signal.throwIfAborted();
    input.onBytes(chunk.length, underWay.firstLarge());
    await chunks.push(chunk, chunk.length);
  }
}

async function collect(input: TransferInput, chunks: BoundedQueue<Buffer>, underWay: UnderWay): Promise<void> {
  for await (const outcomes of input.target.apply(chunks, input.apply)) {
    for (const outcome of outcomes) {
      const prepared = underWay.take(outcome.id);
      if (prepared !== null) input.onOutcome(prepared, outcome);
    }
  }
}

/** Operations whose outcome is still to come. */
class UnderWay {
  readonly #all = new Map<number, Prepared>();
  /** Files worth naming while they move, in the order they were begun. */
  readonly #large = new Map<number, Prepared>();

  add(prepared: Prepared): void {
    const { step, operation } = prepared;
    this.#all.set(operation.id, prepared);
    if (step.kind === 'put' && (step.source?.sizeBytes ?? 0) >= RESUME_MIN_BYTES)
      this.#large.set(operation.id, prepared);
  }

  take(id: number): Prepared | null {
    const prepared = this.#all.get(id) ?? null;
    this.#all.delete(id);
    this.#large.delete(id);
    return prepared;
  }

  firstLarge(): Prepared | null {
    return this.#large.values().next().value ?? null;
  }
}

function operationOf(step: Step, id: number): Operation {
  switch (step.kind) {
    case 'put': {
      const content = step.source === null ? 'keep' : 'stream';
      const linked = step.after.kind === 'file' ? step.after.linkTo : undefined;
      return linked === undefined
        ? { kind: 'put', id, path: step.path, before: step.before, after: step.after, content }
        : {
            kind: 'put',
            id,
            path: step.path,
            before: step.before,
            after: step.after,
            content: 'link',
            copyFrom: linked as BytePath,
          };
    }
    case 'remove':
      return { kind: 'remove', id, path: step.path, before: step.before };
    case 'rename':
      return { kind: 'rename', id, path: step.from, to: step.to, before: step.before };
    case 'keep-loser':
      return { kind: 'rename', id, path: step.path, to: step.to, before: step.before };
  }
}

function orderFor(operation: Operation, step: Step): SupplyOrder | null {
  if (operation.kind !== 'put' || operation.content !== 'stream') return null;
  if (step.kind !== 'put' || step.source === null) return null;
  return { id: operation.id, path: step.path, expected: step.source, signature: null };
}

/** True where the receiver may hold an old version or a partial transfer worth a round trip. */
function mayHaveBasis(step: Step): boolean {
  if (step.kind !== 'put' || step.source === null) return false;
  const old = step.before?.kind === 'file' ? step.before.sizeBytes : 0;
  return (
    step.source.sizeBytes >= RESUME_MIN_BYTES || (old >= DELTA_MIN_BYTES && step.source.sizeBytes >= DELTA_MIN_BYTES)
  );
}

function* inBatches<Item>(items: Iterable<Item>, size: number): Generator<Item[]> {
  let batch: Item[] = [];
  for (const item of items) {
    batch.push(item);
    if (batch.length >= size) {
      yield batch;
      batch = [];
    }
  }
  if (batch.length > 0) yield batch;
}

async function* prepend<Item>(first: Item, rest: AsyncIterator<Item>): AsyncGenerator<Item> {
  yield first;
  for (let next = await rest.next(); next.done !== true; next = await rest.next()) yield next.value;
}
