/**
 * Lists on the control socket, in the binary form of the rest of tidemark (paths as in entry-codec.ts): records one
 * behind the other to the end of the frame. Every reader refuses what it does not know; limits are in limits.ts.
 */
import type { ChangeKind, Gap, GapKind, JournalChange, JournalDifference, Proof } from '../../journal/core/answers.ts';
import { readPath, readText, writePath, writeText } from '../../journal/core/entry-codec.ts';
import type { BytePath } from '../../platform/core/byte-path.ts';
import { ByteReader, ByteWriter, MalformedError } from '../../platform/core/bytes.ts';
import { LIST_FRAME_BYTES, MAX_TEXT_LENGTH } from './limits.ts';

/** Positions are what is sent: new words go to the end. */
const KINDS: readonly ChangeKind[] = ['content', 'metadata', 'entries', 'subtree', 'removed'];
const PROOFS: readonly Proof[] = ['leased', 'closed', 'unproven', 'scan', 'pending'];
const GAP_KINDS: readonly GapKind[] = [
  'overflow',
  'daemon-down',
  'unclean-boot',
  'unmounted',
  'mark-lost',
  'backend-blind',
];

const HOT = 1;
const RENAMED = 2;

/** How one item of a list is written and read. */
export interface ItemCodec<Item> {
  write(out: ByteWriter, item: Item): void;
  read(from: ByteReader): Item;
}

/** u8 bits of kinds, u8 proof, u8 flags (1 hot, 2 renamed), path, path before where renamed. */
export const CHANGE: ItemCodec<JournalChange> = {
  write(out, { path, kinds, renamedFrom, hot, proof }) {
    out.u8(kinds.reduce((bits, kind) => bits | (1 << KINDS.indexOf(kind)), 0));
    out.u8(PROOFS.indexOf(proof));
    out.u8((hot ? HOT : 0) | (renamedFrom === null ? 0 : RENAMED));
    writePath(out, path);
    if (renamedFrom !== null) writePath(out, renamedFrom);
  },
  read(from) {
    const bits = from.u8();
    if (bits >= 1 << KINDS.length) throw new MalformedError('unknown kind of change');
    const proof = wordAt(PROOFS, from.u8(), 'proof');
    const flags = from.u8();
    if (flags > (HOT | RENAMED)) throw new MalformedError('unknown flag of a change');
    const path = readPath(from);
    const renamedFrom = (flags & RENAMED) === 0 ? null : readPath(from);
    const kinds = KINDS.filter((_kind, index) => (bits & (1 << index)) !== 0);
    return { path, kinds, renamedFrom, hot: (flags & HOT) !== 0, proof };
  },
};

export const PATH: ItemCodec<BytePath> = { write: writePath, read: readPath };

/** u8 kind, path. */
export const GAP: ItemCodec<Gap> = {
  write(out, { kind, scope }) {
    writePath(out.u8(GAP_KINDS.indexOf(kind)), scope);
  },
  read(from) {
    return { kind: wordAt(GAP_KINDS, from.u8(), 'gap'), scope: readPath(from) };
  },
};

/** Path, and two texts. */
export const DIFFERENCE: ItemCodec<JournalDifference> = {
  write(out, { path, recorded, found }) {
    writePath(out, path);
    writeText(out, recorded, MAX_TEXT_LENGTH);
    writeText(out, found, MAX_TEXT_LENGTH);
  },
  read(from) {
    return { path: readPath(from), recorded: readText(from, MAX_TEXT_LENGTH), found: readText(from, MAX_TEXT_LENGTH) };
  },
};

/** `items` as payloads of about {@link LIST_FRAME_BYTES}; none for no items. */
export function* payloadsOf<Item>(codec: ItemCodec<Item>, items: Iterable<Item>): Generator<Buffer> {
  const out = new ByteWriter(LIST_FRAME_BYTES + 1024);
  for (const item of items) {
    codec.write(out, item);
    if (out.length >= LIST_FRAME_BYTES) yield out.take();
  }
  if (out.length > 0) yield out.take();
}

/** The items of one payload. Throws MalformedError. */
export function itemsIn<Item>(codec: ItemCodec<Item>, payload: Uint8Array): Item[] {
  const from = new ByteReader(payload);
  const items: Item[] = [];
  while (from.remaining > 0) items.push(codec.read(from));
  return items;
}

function wordAt<Word extends string>(words: readonly Word[], index: number, what: string): Word {
  const word = words[index];
  if (word === undefined) throw new MalformedError(`unknown ${what} ${index}`);
  return word;
}
