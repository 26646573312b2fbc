/**
 * Keys of the embedded store, laid out like a file system.
 *
 * A directory has a number; a node's key is its parent's number and its own name. So a key is never longer than a name
 * and six bytes whatever the depth, what a directory holds lies together in name order, and moving a directory
 * re-writes one row. Keys are byte strings that compare in key order; the first byte tells the table.
 */
import { MalformedError } from '../../platform/core/bytes.ts';

/**
 * Tables, in key order: facts; of a journal: consumers, the dirty set, followed objects, gaps, handles to directory numbers, files by inode,
 * directory numbers to handles; directory numbers back to nodes, change log, files by size, pending paths, nodes. Nodes
 * come last because a first scan appends them: LMDB fills its pages where a row is the last of all, and leaves them half
 * empty where others follow (measured: 140 against 262 bytes a file).
 */
export const TABLE = {
  fact: 'a',
  consumer: 'c',
  dirty: 'd',
  followed: 'f',
  gap: 'g',
  handle: 'h',
  inode: 'i',
  numberHandle: 'k',
  directory: 'p',
  log: 'q',
  size: 's',
  pending: 'w',
  node: 'z',
} as const;

/** Pseudo directory that holds the root's node under the empty name. */
export const NO_DIRECTORY = 0;

/** Number of the root directory. */
export const ROOT_DIRECTORY = 1;

/** Bytes of a directory number: enough for a trillion directories made over the life of a store. */
export const NUMBER_BYTES = 5;

const NUMBER_LIMIT = 2 ** 40;
const SEQUENCE_LIMIT = 2 ** 48;

/** A directory number as big-endian bytes. Throws where the numbers are used up. */
export function numberBytes(number: number): string {
  if (!(number >= 0 && number < NUMBER_LIMIT)) throw new MalformedError(`directory number ${number} out of range`);
  const high = Math.floor(number / 0x1_0000_0000);
  return String.fromCharCode(
    high & 0xff,
    (number >>> 24) & 0xff,
    (number >>> 16) & 0xff,
    (number >>> 8) & 0xff,
    number & 0xff,
  );
}

/** The inverse of {@link numberBytes}, at `offset` of a byte string. */
export function numberAt(bytes: string, offset: number): number {
  if (offset + NUMBER_BYTES > bytes.length) throw new MalformedError('directory number cut short');
  let number = 0;
  for (let index = offset; index < offset + NUMBER_BYTES; index++) number = number * 256 + bytes.charCodeAt(index);
  return number;
}

/** A size or sequence below 2^48 as six big-endian bytes. */
export function sequenceBytes(value: number): string {
  if (!(value >= 0 && value < SEQUENCE_LIMIT)) throw new MalformedError(`sequence ${value} out of range`);
  const high = Math.floor(value / 0x1_0000_0000);
  return String.fromCharCode(
    (high >>> 8) & 0xff,
    high & 0xff,
    (value >>> 24) & 0xff,
    (value >>> 16) & 0xff,
    (value >>> 8) & 0xff,
    value & 0xff,
  );
}

/** The inverse of {@link sequenceBytes}. */
export function sequenceAt(bytes: string, offset: number): number {
  if (offset + 6 > bytes.length) throw new MalformedError('sequence cut short');
  let value = 0;
  for (let index = offset; index < offset + 6; index++) value = value * 256 + bytes.charCodeAt(index);
  return value;
}

export function factKey(name: string): string {
  return TABLE.fact + name;
}

/** Key of `name` in directory `parent`. */
export function nodeKey(parent: number, name: string): string {
  return TABLE.node + numberBytes(parent) + name;
}

/** First key after everything in directory `parent`. */
export function nodesEnd(parent: number): string {
  return nodeKey(parent + 1, '');
}

/** Length of a node key before the name. */
export const NODE_PREFIX_BYTES = 1 + NUMBER_BYTES;

/** Key under which the place of directory `number` is kept: the value is {@link placeBytes}. */
export function directoryKey(number: number): string {
  return TABLE.directory + numberBytes(number);
}

/** Where a node is: parent number and name. */
export interface Place {
  readonly parent: number;
  readonly name: string;
}

export function placeBytes(parent: number, name: string): string {
  return numberBytes(parent) + name;
}

export function placeAt(bytes: string, offset: number): Place {
  return { parent: numberAt(bytes, offset), name: bytes.slice(offset + NUMBER_BYTES) };
}

export function logKey(sequence: number): string {
  return TABLE.log + sequenceBytes(sequence);
}

/** Key of a file in the size table: size, parent, name. The value is empty. */
export function sizeKey(sizeBytes: number, parent: number, name: string): string {
  return TABLE.size + sequenceBytes(sizeBytes) + placeBytes(parent, name);
}

/** Length of a size key before the place. */
export const SIZE_PREFIX_BYTES = 7;

/** Largest size the size table takes; larger files are not looked up by size. */
export const MAX_KEYED_SIZE = SEQUENCE_LIMIT - 1;
