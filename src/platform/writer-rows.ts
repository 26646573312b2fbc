/** The block in which the addon tells who can write, decoded. Its form is described in `native/census.c`. */
import type { OpenWriters, WriterRow } from './filesystem.ts';

const HEAD_BYTES = 16;
const ROW_BYTES = 40;
const HOW: readonly WriterRow['how'][] = ['descriptor', 'mapping', 'loop'];

export function decodeWriters(block: ArrayBuffer): OpenWriters {
  const [count = 0, hiddenProcesses = 0, seesAll = 0] = new Uint32Array(block, 0, HEAD_BYTES / 4);
  const rows: WriterRow[] = [];
  let offset = HEAD_BYTES;
  while (rows.length < count) {
    const [row, bytes] = decodeRow(block, offset);
    rows.push(row);
    offset += bytes;
  }
  return { rows, hiddenProcesses, seesAllProcesses: seesAll === 1 };
}

/** A row and how many bytes it takes, its padding included. */
function decodeRow(block: ArrayBuffer, offset: number): [WriterRow, number] {
  const [dev = 0n, ino = 0n, mount = 0n] = new BigUint64Array(block, offset, 3);
  const [pid = 0, nlink = 0] = new Uint32Array(block, offset + 24, 2);
  const [how = 0, direct = 0] = new Uint8Array(block, offset + 32, 2);
  const [processBytes = 0] = new Uint16Array(block, offset + 34, 1);
  const [nameBytes = 0] = new Uint32Array(block, offset + 36, 1);
  const text = Buffer.from(block, offset + ROW_BYTES, processBytes + nameBytes).toString('latin1');
  const row: WriterRow = {
    dev,
    ino,
    nlink,
    mount: Number(mount),
    pid,
    process: text.slice(0, processBytes),
    how: HOW[how] ?? 'descriptor',
    isDirect: direct === 1,
    name: text.slice(processBytes),
  };
  return [row, ROW_BYTES + Math.ceil((processBytes + nameBytes) / 8) * 8];
}
