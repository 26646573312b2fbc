import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { dump, FRAMES, GOLDEN, MESSAGES } from '../../../fixtures/protocol/samples.ts';
import { readPath } from '../../../src/journal/core/entry-codec.ts';
import { ByteWriter } from '../../../src/platform/core/bytes.ts';
import { readOutcome, writeOutcome } from '../../../src/sync/core/codec.ts';
import { readRecords, writeRecord } from '../../../src/sync/core/content.ts';
import { readSupplyOrder, writeSupplyOrder } from '../../../src/sync/core/supply-order.ts';
import { openConnection } from '../../../src/transport/connection.ts';
import { frame } from '../../../src/transport/core/frame.ts';
import { FrameParser } from '../../../src/transport/core/frame-parser.ts';
import { MAGIC } from '../../../src/transport/core/hello.ts';
import * as control from '../../../src/transport/core/messages-control.ts';
import * as list from '../../../src/transport/core/messages-list.ts';
import { pack, unpack } from '../../../src/transport/core/packing.ts';
import { channelPair } from '../../support/channel-pair.ts';

const folder = join(import.meta.dirname, '../../../fixtures/protocol');
const stored = (name: string) => readFileSync(join(folder, name), 'utf8');

/** The samples of a golden file by name. */
function read(name: string): Map<string, Buffer> {
  const blocks = stored(name)
    .split(/^# /m)
    .filter((block) => block !== '');
  return new Map(
    blocks.map((block) => {
      const [title = '', ...lines] = block.split('\n');
      const text = lines.join('');
      return [title, text.startsWith('{') ? Buffer.from(text) : Buffer.from(text.replaceAll(' ', ''), 'hex')];
    }),
  );
}

describe('golden files', () => {
  it.each(Object.keys(GOLDEN))('%s is what the code writes', (name) => {
    expect(stored(name)).toBe(GOLDEN[name]);
  });

  it('would show a byte that changed', () => {
    const spoilt = { ...FRAMES, end: Buffer.concat([FRAMES.end as Buffer, Buffer.from([0])]) };
    expect(dump(spoilt)).not.toBe(stored('frames.txt'));
  });

  it('every frame is read', () => {
    const frames = read('frames.txt');
    expect(frames.size).toBe(Object.keys(FRAMES).length);
    for (const [name, bytes] of frames) {
      if (name === 'magic') expect(bytes).toEqual(MAGIC);
      else expect(new FrameParser().push(bytes)[0]?.kind, name).toBe(kindOf(name));
    }
  });

  it('every message is read and written back the same', () => {
    const messages = read('messages.txt');
    expect([...messages.keys()]).toEqual([...ROUND_TRIPS.keys()]);
    expect([...messages.keys()]).toEqual(Object.keys(MESSAGES));
    for (const [name, bytes] of messages) {
      expect(ROUND_TRIPS.get(name)?.(bytes).toString('hex'), name).toBe(bytes.toString('hex'));
    }
  });
});

describe('peers of other minor versions', () => {
  it.each([
    ['hello-minor-0-bare.json', { program: '0.0.9', minor: 0, capabilities: [] }],
    ['hello-newer-minor.json', { program: '4.2.0', minor: 0, capabilities: ['brotli'] }],
  ])('%s', async (name, peer) => {
    for (const role of ['client', 'server'] as const) {
      const [ours, theirs] = channelPair();
      await theirs.write(Buffer.concat([MAGIC, frame('hello', 0, Buffer.from(stored(name)))]));
      const connection = await openConnection(ours, { role, program: '0.1.0', methods: new Map() });
      expect(connection.peer).toEqual(peer);
      await connection.close();
    }
  });
});

function kindOf(name: string): string {
  if (name === 'data, second of two') return 'bytes';
  return name.startsWith('data') ? 'message' : name;
}

function again<I, O>(decode: (bytes: Buffer) => I, encode: (value: I) => O): (bytes: Buffer) => O {
  return (bytes) => encode(decode(bytes));
}

function listed<T>(
  readItem: Parameters<typeof unpack<T>>[1],
  writeItem: (out: ByteWriter, item: T) => void,
): (bytes: Buffer) => Buffer {
  return (bytes) => Buffer.concat([...pack(unpack(bytes, readItem), writeItem)]);
}

function chunk(bytes: Buffer): Buffer {
  const out = new ByteWriter();
  for (const record of readRecords(bytes)) writeRecord(out, record);
  return out.take();
}

const ROUND_TRIPS: ReadonlyMap<string, (bytes: Buffer) => Buffer> = new Map<string, (bytes: Buffer) => Buffer>([
  ['open request', again(control.decodeOpen, control.encodeOpen)],
  ['open answer', again(control.decodeInfo, control.encodeInfo)],
  ['bind request', again(control.decodeBind, control.encodeBind)],
  ['bind answer', again(control.decodeIdentity, control.encodeIdentity)],
  ['checkpoint request', again(control.decodeCheckpointOptions, control.encodeCheckpointOptions)],
  ['checkpoint answer', again(control.decodeCheckpoint, control.encodeCheckpoint)],
  ['changes request', again(control.decodeSince, control.encodeSince)],
  ['changes answer, first message', again(control.decodeFresh, control.encodeFresh)],
  ['changes, lookup and subtree answer', listed(list.readChange, list.writeChange)],
  ['subtree request', again(list.decodePath, list.encodePath)],
  ['digest request', listed(list.readDigestRequest, list.writeDigestRequest)],
  ['digest answer', listed(list.readDigestAnswer, list.writeDigestAnswer)],
  ['reuse request', listed(list.readSize, list.writeSize)],
  ['reuse answer', listed(list.readCandidate, list.writeCandidate)],
  ['signatures request', listed(list.readSignatureRequest, list.writeSignatureRequest)],
  ['signatures answer', listed(list.readSignatureAnswer, list.writeSignatureAnswer)],
  ['supply request', listed(readSupplyOrder, writeSupplyOrder)],
  ['apply request, first message', again(control.decodeApplyOptions, control.encodeApplyOptions)],
  ['supply answer, apply request: content records', chunk],
  ['apply answer', listed(readOutcome, writeOutcome)],
  ['acknowledge request', again(control.decodeCursor, control.encodeCursor)],
  [
    'close request, empty answers',
    (bytes) => {
      control.decodeNothing(bytes);
      return control.NOTHING;
    },
  ],
]);

// Paths of `lookup` are those of `subtree` with a count before them.
it('lookup requests', () => {
  const one = MESSAGES['subtree request'] as Buffer;
  expect(unpack(Buffer.concat([Buffer.from([1, 0, 0, 0]), one]), readPath)).toEqual([list.decodePath(one)]);
});
