/** Lists in messages: u32 count, then the items one after the other. */
import { ByteReader, ByteWriter } from '../../platform/core/bytes.ts';
import { BATCH_ENTRIES, MAX_BATCH_ENTRIES } from '../../sync/core/limits.ts';
import { LIST_MESSAGE_BYTES } from './limits.ts';

/** `items` as messages of at most BATCH_ENTRIES items and about LIST_MESSAGE_BYTES; none for no items. */
export function* pack<T>(items: Iterable<T>, write: (out: ByteWriter, item: T) => void): Generator<Buffer> {
  const out = new ByteWriter(16 * 1024);
  let count = 0;
  for (const item of items) {
    if (count === 0) out.u32(0);
    write(out, item);
    count++;
    if (count < BATCH_ENTRIES && out.length < LIST_MESSAGE_BYTES) continue;
    out.patchU32(0, count);
    yield out.take();
    count = 0;
  }
  if (count === 0) return;
  out.patchU32(0, count);
  yield out.take();
}

/** The items of one message. Throws MalformedError. */
export function unpack<T>(message: Uint8Array, read: (from: ByteReader) => T): T[] {
  const from = new ByteReader(message);
  const count = from.count(MAX_BATCH_ENTRIES);
  const items: T[] = [];
  for (let index = 0; index < count; index++) items.push(read(from));
  from.finish();
  return items;
}
