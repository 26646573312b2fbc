/** A scripted peer that breaks each rule of the protocol, and its neighbour that just keeps to it. */
import { brotliCompressSync } from 'node:zlib';
import { afterEach, describe, expect, it } from 'vitest';
import { type Connection, openConnection } from '../../src/transport/connection.ts';
import { creditFrame, dataHead, type Encoding, frame, openFrame } from '../../src/transport/core/frame.ts';
import { encodeHello, type Hello, MAGIC } from '../../src/transport/core/hello.ts';
import {
  HANDSHAKE_TIMEOUT_MS,
  MAX_CHANNELS,
  MAX_FRAME_BYTES,
  MAX_NOISE_BYTES,
  MESSAGE_OVERHEAD_BYTES,
  WINDOW_BYTES,
} from '../../src/transport/core/limits.ts';
import type { MethodSpec } from '../../src/transport/core/method.ts';
import type { Handler } from '../../src/transport/responder.ts';
import { channelPair, type TestChannel } from '../support/channel-pair.ts';
import { ManualClock, settle } from '../support/manual-clock.ts';

const KIB = 1024;
const MIB = 1024 * KIB;
const SPEC: MethodSpec = {
  maxRequestBytes: 2 * MIB,
  maxAnswerBytes: 2 * MIB,
  isBulkRequest: false,
  isBulkAnswer: false,
};
const METHODS = new Map([['ask', SPEC]]);
const HELLO: Hello = {
  major: 1,
  minor: 0,
  program: '6.6.6',
  capabilities: ['brotli'],
  windowBytes: WINDOW_BYTES,
  maxChannels: MAX_CHANNELS,
  compress: 'none',
  bytesPerSecond: null,
};
const GREETING = Buffer.concat([MAGIC, frame('hello', 0, encodeHello(HELLO))]);

const open: Connection[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((connection) => connection.close()));
});

/** Takes what it is sent and answers nothing. */
async function sink(channel: TestChannel): Promise<void> {
  for await (const _chunk of channel.incoming);
}

/** Our connection and a peer that has said hello and now writes raw bytes. */
async function facing(role: 'client' | 'server', handler?: Handler) {
  const [ours, theirs] = channelPair({ highWaterBytes: 64 * MIB });
  void sink(theirs);
  await theirs.write(GREETING);
  const connection = await openConnection(ours, { role, program: '1', methods: METHODS });
  open.push(connection);
  if (role === 'server') connection.serve(new Map([['ask', handler ?? swallow]]));
  return { connection, peer: theirs };
}

/** Takes one message, then waits for ever: the window stays where it is. */
const stuck: Handler = async function* (incoming) {
  const messages = incoming[Symbol.asyncIterator]();
  await messages.next();
  await new Promise(() => {});
  yield Buffer.alloc(0);
};

const swallow: Handler = async function* (incoming) {
  for await (const message of incoming) yield message;
};

function data(channel: number, body: Buffer, encoding: Encoding = 'none', originalBytes = body.length): Buffer {
  return Buffer.concat([dataHead(channel, { encoding, bytes: body, originalBytes }, body.length), body]);
}

/** The first frame of a message of `wireBytes`, of which only `body` comes. */
function start(channel: number, wireBytes: number, body = Buffer.alloc(0)): Buffer {
  const head = dataHead(channel, { encoding: 'none', bytes: Buffer.alloc(0), originalBytes: 0 }, body.length);
  head.writeUInt32LE(wireBytes, 10);
  return Buffer.concat([head, body]);
}

const bomb = brotliCompressSync(Buffer.alloc(2 * MIB));
const one = Buffer.from('x');

/** What a hostile caller sends to a server; the second neighbour is accepted. */
const toServer: readonly (readonly [string, Buffer, Buffer, Handler?])[] = [
  ['a frame above the limit', oversized(MAX_FRAME_BYTES + 1), oversized(MAX_FRAME_BYTES)],
  ['a message above the limit of its method', asked(start(1, 2 * MIB + 1)), asked(start(1, 2 * MIB))],
  [
    'a declared original above the limit',
    asked(data(1, bomb, 'brotli', 2 * MIB + 1)),
    asked(data(1, bomb, 'brotli', 2 * MIB)),
  ],
  ['a bomb: more than declared', asked(data(1, bomb, 'brotli', MIB)), asked(data(1, bomb, 'brotli', 2 * MIB))],
  [
    'less than declared',
    asked(data(1, brotliCompressSync(Buffer.alloc(100)), 'brotli', 101)),
    asked(data(1, brotliCompressSync(Buffer.alloc(100)), 'brotli', 100)),
  ],
  [
    'damaged compressed bytes',
    asked(data(1, Buffer.from('no brotli'), 'brotli', 100)),
    asked(data(1, brotliCompressSync(Buffer.alloc(100)), 'brotli', 100)),
  ],
  ['an encoding that was not agreed on', asked(data(1, one, 'zstd', 5)), asked(data(1, one))],
  ['data on a channel never opened', data(1, one), asked(data(1, one))],
  [
    'data after the end',
    asked(data(1, one), frame('end', 1), data(1, one)),
    asked(data(1, one), frame('end', 1)),
    stuck,
  ],
  ['data after a cancel', asked(frame('cancel', 1), data(1, one)), asked(frame('cancel', 1)), stuck],
  ['end inside a message', asked(start(1, 100, one), frame('end', 1)), asked(start(1, 1, one), frame('end', 1))],
  ['a message inside a message', asked(start(1, 100, one), data(1, one)), asked(start(1, 1, one), data(1, one))],
  [
    'more bytes than the message declared',
    asked(start(1, 1, Buffer.from('xy'))),
    asked(start(1, 2, Buffer.from('xy'))),
  ],
  ['a second end', asked(frame('end', 1), frame('end', 1)), asked(frame('end', 1)), stuck],
  ['a second cancel', asked(frame('cancel', 1), frame('cancel', 1)), asked(frame('cancel', 1)), stuck],
  ['an id used twice', asked(openFrame(1, 'ask')), asked(openFrame(2, 'ask'))],
  [
    'an id out of order',
    Buffer.concat([openFrame(5, 'ask'), openFrame(4, 'ask')]),
    Buffer.concat([openFrame(4, 'ask'), openFrame(5, 'ask')]),
  ],
  ['too many channels', opened(MAX_CHANNELS + 1), opened(MAX_CHANNELS), stuck],
  // One message is taken; its credit is below a quarter of the window and so not returned yet.
  [
    'an overrun of the window',
    Buffer.concat([openFrame(1, 'ask'), ...smallMessages(WINDOW_BYTES, 1)]),
    Buffer.concat([openFrame(1, 'ask'), ...smallMessages(WINDOW_BYTES, 0)]),
    stuck,
  ],
  ['credit nobody was owed', asked(creditFrame(1, 1)), asked(data(1, one)), stuck],
  ['credit of nothing', asked(creditFrame(1, 0)), asked(data(1, one)), stuck],
  ['cancel of a channel never opened', frame('cancel', 1), asked(frame('cancel', 1))],
  [
    'an error from the calling side',
    asked(frame('error', 1, Buffer.from('{"fault":"usage","code":"x","message":""}'))),
    asked(frame('cancel', 1)),
  ],
  ['a pong without a ping', frame('pong', 0), frame('ping', 0)],
  ['a second hello', frame('hello', 0, encodeHello(HELLO)), frame('ping', 0)],
  ['an unknown frame', Buffer.from([0, 0, 0, 0, 99, 0, 0, 0, 0]), frame('ping', 0)],
];

/** A data frame of `length` payload bytes. */
function oversized(length: number): Buffer {
  return asked(start(1, length - 5, Buffer.alloc(length - 5)));
}

function asked(...frames: Buffer[]): Buffer {
  return Buffer.concat([openFrame(1, 'ask'), ...frames]);
}

function opened(count: number): Buffer {
  return Buffer.concat(Array.from({ length: count }, (_, index) => openFrame(index + 1, 'ask')));
}

/** Messages that fill the window to the last byte, and `extra` more. */
function smallMessages(windowBytes: number, extra: number): Buffer[] {
  const sizeBytes = 128 * KIB - MESSAGE_OVERHEAD_BYTES;
  const count = windowBytes / (sizeBytes + MESSAGE_OVERHEAD_BYTES);
  return Array.from({ length: count + extra }, () => data(1, Buffer.alloc(sizeBytes)));
}

describe('a hostile caller', () => {
  for (const [name, bad, good, handler] of toServer) {
    it(name, async () => {
      const hostile = await facing('server', handler);
      await hostile.peer.write(bad);
      expect(await hostile.connection.closed).toMatchObject({ fault: 'unavailable', code: 'protocol-violation' });
      const control = await facing('server', handler);
      await control.peer.write(good);
      await settle();
      await control.peer.write(frame('goodbye', 0));
      expect(await control.connection.closed).toBeNull();
    });
  }

  it('that only pings and never reads', async () => {
    const [ours, theirs] = channelPair({ highWaterBytes: 64 * MIB });
    await theirs.write(GREETING);
    const connection = await openConnection(ours, { role: 'server', program: '1', methods: METHODS });
    open.push(connection);
    ours.write = () => new Promise(() => {});
    const pings = Buffer.concat(Array.from({ length: 10_000 }, () => frame('ping', 0, Buffer.alloc(16))));
    for (let index = 0; index < 5; index++) await theirs.write(pings);
    expect(await connection.closed).toMatchObject({
      code: 'protocol-violation',
      message: expect.stringContaining('flood'),
    });
  });
});

describe('a hostile answerer', () => {
  const rows: readonly (readonly [string, Buffer, Buffer])[] = [
    ['an answer nobody asked for', data(7, one), data(1, one)],
    ['an end nobody asked for', frame('end', 7), frame('end', 1)],
    [
      'an answer after the end',
      Buffer.concat([frame('end', 1), data(1, one)]),
      Buffer.concat([data(1, one), frame('end', 1)]),
    ],
    ['a second end', Buffer.concat([frame('end', 1), frame('end', 1)]), frame('end', 1)],
    ['an open', openFrame(1, 'ask'), frame('end', 1)],
    ['a cancel', frame('cancel', 1), frame('end', 1)],
    ['an answer above the limit', start(1, 2 * MIB + 1), start(1, 2 * MIB)],
    [
      'an error that is none',
      frame('error', 1, Buffer.from('{}')),
      frame('error', 1, Buffer.from('{"fault":"halted","code":"x","message":""}')),
    ],
    ['credit for a channel never opened', creditFrame(2, 5), frame('end', 1)],
  ];
  it.each(rows)('%s', async (_name, bad, good) => {
    for (const [bytes, code] of [
      [bad, 'protocol-violation'],
      [good, undefined],
    ] as const) {
      const { connection, peer } = await facing('client');
      const call = connection.call('ask', one);
      const first = call.next().catch(() => {});
      await settle();
      await peer.write(bytes);
      await settle();
      await peer.write(frame('goodbye', 0)).catch(() => {});
      expect((await connection.closed)?.code).toBe(code);
      await first;
      await call.return();
    }
  });

  it('credit for a channel that was just answered is no violation', async () => {
    const { connection, peer } = await facing('client');
    const call = connection.call('ask', one);
    const first = call.next();
    await settle();
    await peer.write(Buffer.concat([frame('end', 1), creditFrame(1, 65)]));
    expect((await first).done).toBe(true);
    await peer.write(frame('goodbye', 0));
    expect(await connection.closed).toBeNull();
  });

  it('a goodbye with a reason reaches whoever waits', async () => {
    const { connection, peer } = await facing('client');
    const pending = connection.call('ask', one).next();
    pending.catch(() => {});
    await peer.write(frame('goodbye', 0, Buffer.from('{"fault":"unavailable","code":"tired","message":"enough"}')));
    await expect(pending).rejects.toMatchObject({ code: 'tired', message: 'enough' });
  });
});

describe('the handshake', () => {
  async function greetedBy(bytes: Buffer | null, closes = false, diagnostics = '') {
    const clock = new ManualClock();
    const [ours, theirs] = channelPair({ diagnostics, highWaterBytes: MIB });
    void sink(theirs);
    const opening = openConnection(ours, { role: 'client', program: '0.1.0', methods: METHODS, clock });
    const result = opening.catch((error: unknown) => error);
    if (bytes !== null) await theirs.write(bytes);
    if (closes) await theirs.close();
    await settle();
    return { clock, ours, theirs, result };
  }

  it('skips noise up to the limit', async () => {
    const { result } = await greetedBy(Buffer.concat([Buffer.alloc(MAX_NOISE_BYTES, '.'), GREETING]));
    const connection = (await result) as Connection;
    expect(connection.peer).toEqual({ program: '6.6.6', minor: 0, capabilities: ['brotli'] });
    await connection.close();
  });

  it('gives up on more noise, quoting it', async () => {
    const { result, ours } = await greetedBy(Buffer.concat([Buffer.alloc(MAX_NOISE_BYTES + 1, '.'), GREETING]));
    expect(await result).toMatchObject({ code: 'handshake-noise', message: expect.stringContaining('"......') });
    expect(ours.isClosed).toBe(true);
  });

  it('has one deadline, which bytes do not push back', async () => {
    const { result, clock, theirs, ours } = await greetedBy(Buffer.from('motd\n'));
    await clock.pass(HANDSHAKE_TIMEOUT_MS - 1);
    await theirs.write(Buffer.from('still here'));
    await settle();
    expect(ours.isClosed).toBe(false);
    await clock.pass(1);
    expect(await result).toMatchObject({
      fault: 'unavailable',
      code: 'handshake-timeout',
      message: expect.stringContaining('it printed: "motd\\nstill here"'),
    });
    expect(ours.isClosed).toBe(true);
  });

  it('beats the deadline by a millisecond', async () => {
    const { result, clock, theirs } = await greetedBy(null);
    await clock.pass(HANDSHAKE_TIMEOUT_MS - 1);
    await theirs.write(GREETING);
    const connection = (await result) as Connection;
    await clock.pass(10);
    await connection.close();
  });

  it('says what the other side said when it ends early', async () => {
    const { result } = await greetedBy(Buffer.from('oops'), true, 'sh: tidemark: not found\n');
    expect(await result).toMatchObject({
      code: 'handshake-failed',
      message: expect.stringMatching(/it said: sh: tidemark: not found; it printed: "oops"/),
    });
  });

  it('names both versions where they cannot talk', async () => {
    const hello = encodeHello({ ...HELLO, major: 2 });
    const { result } = await greetedBy(Buffer.concat([MAGIC, frame('hello', 0, hello)]));
    expect(await result).toMatchObject({
      fault: 'unavailable',
      code: 'protocol-version',
      message: expect.stringMatching(/0\.1\.0.*6\.6\.6/),
    });
  });

  it('refuses anything before hello', async () => {
    const { result } = await greetedBy(Buffer.concat([MAGIC, frame('ping', 0)]));
    expect(await result).toMatchObject({ code: 'protocol-violation' });
  });

  it('can be called off', async () => {
    const abort = new AbortController();
    const [ours, theirs] = channelPair();
    void sink(theirs);
    const opening = openConnection(ours, { role: 'client', program: '1', methods: METHODS, signal: abort.signal });
    abort.abort();
    await expect(opening).rejects.toMatchObject({ fault: 'interrupted' });
    await settle();
    expect(ours.isClosed).toBe(true);
  });
});
