/**
 * Reads files for the other side in several threads at once: many small files share a call, a large one has its own.
 */

import { SMALL_FILE_BYTES } from '../../journal/core/limits.ts';
import { BoundedQueue } from '../../platform/queue.ts';
import type { SupplyOrder } from '../endpoint.ts';

/** Chunks read ahead of the consumer. */
const AHEAD_BYTES = 1024 * 1024;
/** Small files per call: enough to hide the cost of a call, few enough to spread over the threads. */
const ORDERS_PER_CALL = 512;
const BYTES_PER_CALL = 2 * 1024 * 1024;

/** Runs `read` on groups of orders, `lanes` at a time; yields the chunks they emit, in no particular order between groups. */
export async function* readInLanes(
  orders: AsyncIterable<readonly SupplyOrder[]>,
  lanes: number,
  read: (group: readonly SupplyOrder[], emit: (chunk: Buffer) => Promise<void>) => Promise<void>,
): AsyncGenerator<Buffer> {
  const chunks = new BoundedQueue<Buffer>(AHEAD_BYTES);
  const running = new Set<Promise<void>>();
  const drive = async (): Promise<void> => {
    for await (const batch of orders) {
      for (const group of grouped(batch)) {
        while (running.size >= lanes) await Promise.race(running);
        const lane: Promise<void> = read(group, (chunk) => chunks.push(chunk, chunk.length)).finally(() =>
          running.delete(lane),
        );
        lane.catch((error) => chunks.fail(error));
        running.add(lane);
      }
    }
    await Promise.all(running);
    chunks.end();
  };
  const driving = drive().catch((error) => chunks.fail(error));
  yield* chunks;
  await driving;
}

/** Orders in groups for one call each, small ones first: most files arrive early. */
function* grouped(batch: readonly SupplyOrder[]): Generator<readonly SupplyOrder[]> {
  let group: SupplyOrder[] = [];
  let bytes = 0;
  const large: SupplyOrder[] = [];
  for (const order of batch) {
    if (order.expected.sizeBytes > SMALL_FILE_BYTES || order.signature !== null) {
      large.push(order);
      continue;
    }
    group.push(order);
    bytes += order.expected.sizeBytes;
    if (group.length >= ORDERS_PER_CALL || bytes >= BYTES_PER_CALL) {
      yield group;
      group = [];
      bytes = 0;
    }
  }
  if (group.length > 0) yield group;
  for (const order of large) yield [order];
}
