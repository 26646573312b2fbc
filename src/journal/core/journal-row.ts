/** Rows of the journal's tables in bytes: what was told (the log), what waits (the dirty set), gaps, consumers. */
import { type BytePath, MAX_NAME_BYTES } from '../../platform/core/byte-path.ts';
import { ByteReader, ByteWriter, MalformedError } from '../../platform/core/bytes.ts';
import type { GapKind, Proof } from './answers.ts';
import { MAX_PATH_BYTES } from './limits.ts';
import { type Place, placeAt, placeBytes } from './tree-key.ts';

/** One line of the log. Places, not paths: a later rename of a directory above needs no correction. */
export type LogRow =
  /** `isNew`: nothing was recorded at the place before. */
  | {
      readonly kind: 'written';
      readonly place: Place;
      readonly kinds: number;
      readonly proof: Proof;
      readonly isNew: boolean;
    }
  | { readonly kind: 'removed'; readonly place: Place }
  /**
   * The paths as they were then: a later answer needs to know where the object came from. What is in no directory for a
   * moment, since something else came to its place first, has a path that begins with {@link PARKED_PREFIX}.
   */
  | {
      readonly kind: 'moved';
      readonly isDirectory: boolean;
      readonly place: Place;
      readonly from: Place;
      readonly fromPath: BytePath;
      readonly toPath: BytePath;
    };

/** Nothing has such a name. */
export const PARKED_PREFIX = '\0';

const ROW = { written: 1, removed: 2, moved: 3 } as const;
const PROOFS: readonly Proof[] = ['leased', 'closed', 'unproven', 'scan', 'pending'];
const GAPS: readonly GapKind[] = ['overflow', 'daemon-down', 'unclean-boot', 'unmounted', 'mark-lost', 'backend-blind'];

export function encodeLogRow(row: LogRow): Buffer {
  const out = new ByteWriter(64).u8(ROW[row.kind]);
  switch (row.kind) {
    case 'written':
      return out
        .u8(row.kinds)
        .u8(PROOFS.indexOf(row.proof))
        .u8(row.isNew ? 1 : 0)
        .rawString(placeOf(row.place))
        .take();
    case 'removed':
      return out.rawString(placeOf(row.place)).take();
    case 'moved':
      out
        .u8(row.isDirectory ? 1 : 0)
        .string(row.fromPath)
        .string(row.toPath)
        .string(placeOf(row.from));
      return out.rawString(placeOf(row.place)).take();
  }
}

export function decodeLogRow(bytes: Buffer): LogRow {
  const from = new ByteReader(bytes);
  const kind = from.u8();
  switch (kind) {
    case ROW.written: {
      const kinds = from.u8();
      const proof = oneOf(PROOFS, from.u8());
      const isNew = from.u8() === 1;
      return { kind: 'written', kinds, proof, isNew, place: placeIn(from.rawString(from.remaining)) };
    }
    case ROW.removed:
      return { kind: 'removed', place: placeIn(from.rawString(from.remaining)) };
    case ROW.moved: {
      const isDirectory = from.u8() === 1;
      const fromPath = from.string(MAX_PATH_BYTES) as BytePath;
      const toPath = from.string(MAX_PATH_BYTES) as BytePath;
      const before = placeIn(from.string(MAX_NAME_BYTES + 8));
      const place = placeIn(from.rawString(from.remaining));
      return { kind: 'moved', isDirectory, fromPath, toPath, from: before, place };
    }
    default:
      throw new MalformedError(`unknown kind of log row ${kind}`);
  }
}

/** What waits to be settled; the place is the row's key. */
export interface DirtyRow {
  readonly kinds: number;
  readonly isHot: boolean;
  /** Kinds that consumers were told while it waited. */
  readonly told: number;
}

export function encodeDirtyRow({ kinds, isHot, told }: DirtyRow): Buffer {
  return Buffer.from([kinds, isHot ? 1 : 0, told]);
}

export function decodeDirtyRow(bytes: Buffer): DirtyRow {
  const from = new ByteReader(bytes);
  return { kinds: from.u8(), isHot: from.u8() === 1, told: from.u8() };
}

/** A time about which the journal knows nothing. */
export interface GapRow {
  readonly kind: GapKind;
  readonly scope: BytePath;
  /** Sequence at which a look at the scope closed it; null while it is open. */
  readonly closedAt: number | null;
}

export function encodeGapRow({ kind, scope, closedAt }: GapRow): Buffer {
  return new ByteWriter(32)
    .u8(GAPS.indexOf(kind))
    .u53(closedAt === null ? 0 : closedAt + 1)
    .rawString(scope)
    .take();
}

export function decodeGapRow(bytes: Buffer): GapRow {
  const from = new ByteReader(bytes);
  const kind = oneOf(GAPS, from.u8());
  const closed = from.u53();
  return { kind, closedAt: closed === 0 ? null : closed - 1, scope: from.rawString(from.remaining) as BytePath };
}

function placeOf({ parent, name }: Place): string {
  return placeBytes(parent, name);
}

function placeIn(bytes: string): Place {
  const place = placeAt(bytes, 0);
  if (place.name.length > MAX_NAME_BYTES) throw new MalformedError('name too long');
  return place;
}

function oneOf<Value>(values: readonly Value[], index: number): Value {
  const value = values[index];
  if (value === undefined) throw new MalformedError(`unknown value ${index}`);
  return value;
}
