import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  creditFrame,
  dataHead,
  type EncodedMessage,
  FRAME,
  FRAME_HEADER_BYTES,
  frame,
  openFrame,
} from '../../../src/transport/core/frame.ts';
import { type FrameEvent, FrameParser } from '../../../src/transport/core/frame-parser.ts';
import { MAX_FRAME_BYTES, MAX_HELLO_BYTES } from '../../../src/transport/core/limits.ts';

function parse(bytes: Buffer, cuts: readonly number[] = []): FrameEvent[] {
  const parser = new FrameParser();
  const events: FrameEvent[] = [];
  let offset = 0;
  for (let turn = 0; offset < bytes.length; turn++) {
    const length = cuts.length === 0 ? bytes.length : (cuts[turn % cuts.length] as number);
    events.push(...parser.push(bytes.subarray(offset, offset + length)));
    offset += length;
  }
  expect(parser.isBetweenFrames).toBe(true);
  return merged(events);
}

/** Pieces of message bytes joined, so that the cutting of the stream does not show. */
function merged(events: readonly FrameEvent[]): FrameEvent[] {
  const result: FrameEvent[] = [];
  for (const event of events) {
    const last = result.at(-1);
    if (event.kind === 'bytes' && last?.kind === 'bytes' && last.channel === event.channel) {
      result[result.length - 1] = { ...last, bytes: Buffer.concat([last.bytes, event.bytes]) };
    } else {
      result.push(event);
    }
  }
  return result;
}

function data(channel: number, message: EncodedMessage): Buffer {
  return Buffer.concat([dataHead(channel, message, message.bytes.length), message.bytes]);
}

const plain = (text: string): EncodedMessage => ({
  encoding: 'none',
  bytes: Buffer.from(text),
  originalBytes: text.length,
});

const ALL = Buffer.concat([
  frame('hello', 0, Buffer.from('{}')),
  openFrame(1, 'lookup'),
  data(1, plain('hello')),
  data(2, plain('')),
  data(3, { encoding: 'brotli', bytes: Buffer.from('xyz'), originalBytes: 1000 }),
  dataHead(1, { ...plain('long message'), bytes: Buffer.from('long message') }, 4),
  Buffer.from('long'),
  dataHead(1, null, 8),
  Buffer.from(' message'),
  frame('end', 1),
  frame('error', 2, Buffer.from('{}')),
  creditFrame(3, 65_536),
  frame('cancel', 3),
  frame('ping', 0),
  frame('pong', 0, Buffer.from([1, 2])),
  frame('goodbye', 0),
]);

describe('frames', () => {
  it('are read back, however the stream is cut', () => {
    const expected = parse(ALL);
    expect(expected.map(({ kind }) => kind)).toEqual([
      'hello',
      'open',
      'message',
      'bytes',
      'message',
      'message',
      'bytes',
      'message',
      'bytes',
      'end',
      'error',
      'credit',
      'cancel',
      'ping',
      'pong',
      'goodbye',
    ]);
    expect(expected[5]).toEqual({ kind: 'message', channel: 3, encoding: 'brotli', wireBytes: 3, originalBytes: 1000 });
    expect(expected[8]).toEqual({ kind: 'bytes', channel: 1, bytes: Buffer.from('long message') });
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1 }), (cuts) => {
        expect(parse(ALL, cuts)).toEqual(expected);
      }),
    );
  });

  it('never throws anything but MalformedError', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.nat({ max: ALL.length }), (noise, at) => {
        const bytes = Buffer.concat([ALL.subarray(0, at), noise]);
        try {
          new FrameParser().push(bytes);
        } catch (error) {
          expect(error).toMatchObject({ name: 'MalformedError' });
        }
      }),
    );
  });
});

describe('refused', () => {
  const header = (length: number, type: number, channel: number) => {
    const bytes = Buffer.alloc(FRAME_HEADER_BYTES);
    bytes.writeUInt32LE(length, 0);
    bytes[4] = type;
    bytes.writeUInt32LE(channel, 5);
    return bytes;
  };
  const withPayload = (type: number, channel: number, payload: readonly number[]) =>
    Buffer.concat([header(payload.length, type, channel), Buffer.from(payload)]);
  /** Each with a neighbour that is accepted. */
  const rows: readonly (readonly [string, Buffer, Buffer])[] = [
    ['an unknown type', header(0, 11, 0), header(0, FRAME.goodbye, 0)],
    ['type 0', header(0, 0, 0), header(0, FRAME.ping, 0)],
    [
      'a data frame above the limit',
      header(MAX_FRAME_BYTES + 1, FRAME.data, 1),
      header(MAX_FRAME_BYTES, FRAME.data, 1),
    ],
    ['a hello above its limit', header(MAX_HELLO_BYTES + 1, FRAME.hello, 0), header(MAX_HELLO_BYTES, FRAME.hello, 0)],
    ['an empty data frame', header(0, FRAME.data, 1), header(1, FRAME.data, 1)],
    ['an end with a payload', header(1, FRAME.end, 1), header(0, FRAME.end, 1)],
    ['a credit of three bytes', header(3, FRAME.credit, 1), header(4, FRAME.credit, 1)],
    ['data on channel 0', header(1, FRAME.data, 0), header(1, FRAME.data, 1)],
    ['ping on channel 1', header(0, FRAME.ping, 1), header(0, FRAME.ping, 0)],
    ['unknown flags', withPayload(FRAME.data, 1, [8]), withPayload(FRAME.data, 1, [4, 0, 0, 0, 0])],
    [
      'an unknown encoding',
      withPayload(FRAME.data, 1, [7, 0, 0, 0, 0, 0, 0, 0, 0]),
      withPayload(FRAME.data, 1, [6, 0, 0, 0, 0, 0, 0, 0, 0]),
    ],
    ['an encoding inside a message', withPayload(FRAME.data, 1, [1, 9]), withPayload(FRAME.data, 1, [0, 9])],
    [
      'a start shorter than its head',
      withPayload(FRAME.data, 1, [4, 0, 0, 0]),
      withPayload(FRAME.data, 1, [4, 0, 0, 0, 0]),
    ],
    ['a continuation of nothing', withPayload(FRAME.data, 1, [0]), withPayload(FRAME.data, 1, [0, 9])],
    ['a method with a slash', withPayload(FRAME.open, 1, [2, 0x61, 0x2f]), withPayload(FRAME.open, 1, [2, 0x61, 0x62])],
    [
      'a method longer than its frame',
      withPayload(FRAME.open, 1, [3, 0x61, 0x62]),
      withPayload(FRAME.open, 1, [1, 0x61, 0x62]),
    ],
    ['a method without a name', withPayload(FRAME.open, 1, [0, 0x61]), withPayload(FRAME.open, 1, [1, 0x61])],
  ];
  it.each(rows)('%s', (_name, bad, good) => {
    expect(() => new FrameParser().push(bad)).toThrow(expect.objectContaining({ name: 'MalformedError' }));
    expect(() => new FrameParser().push(good)).not.toThrow();
  });
});
