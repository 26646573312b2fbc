/** Orders for contents as bytes: on the wire, and on their way to a thread, where cloning them as objects costs more. */

import type { FileEntry } from '../../journal/core/entry.ts';
import { readEntry, readPath, writeEntry, writePath } from '../../journal/core/entry-codec.ts';
import { ByteReader, ByteWriter, MalformedError } from '../../platform/core/bytes.ts';
import type { SupplyOrder } from '../endpoint.ts';
import { MAX_SIGNATURE_BYTES } from './limits.ts';

/** u32 id, path, file entry, signature. */
export function writeSupplyOrder(out: ByteWriter, order: SupplyOrder): void {
  out.u32(order.id);
  writePath(out, order.path);
  writeEntry(out, order.expected);
  writeSignature(out, order.signature);
}

export function readSupplyOrder(from: ByteReader): SupplyOrder {
  return { id: from.u32(), path: readPath(from), expected: readFileEntry(from), signature: readSignature(from) };
}

/** Orders one after another. */
export function packOrders(orders: readonly SupplyOrder[]): Buffer {
  const out = new ByteWriter(64 * orders.length + 1024);
  for (const order of orders) writeSupplyOrder(out, order);
  return out.view();
}

/** The inverse of {@link packOrders}. Signatures are views into `packed`. */
export function unpackOrders(packed: Uint8Array): SupplyOrder[] {
  const from = new ByteReader(packed);
  const orders: SupplyOrder[] = [];
  while (from.remaining > 0) orders.push(readSupplyOrder(from));
  return orders;
}

/** u8 0, or 1 and the signature with its u32 length. */
export function writeSignature(out: ByteWriter, signature: Buffer | null): void {
  if (signature === null) out.u8(0);
  else out.u8(1).bytes(signature);
}

export function readSignature(from: ByteReader): Buffer | null {
  return readFlag(from) ? from.bytes(MAX_SIGNATURE_BYTES) : null;
}

export function readFileEntry(from: ByteReader): FileEntry {
  const entry = readEntry(from);
  if (entry?.kind !== 'file') throw new MalformedError('file entry expected');
  return entry;
}

export function readFlag(from: ByteReader): boolean {
  const flag = from.u8();
  if (flag > 1) throw new MalformedError(`flag ${flag}`);
  return flag === 1;
}
