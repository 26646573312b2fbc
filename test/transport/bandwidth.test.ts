import { describe, expect, it } from 'vitest';
import { LimitedChannel } from '../../src/transport/bandwidth.ts';
import type { ByteChannel } from '../../src/transport/byte-channel.ts';
import { openConnection } from '../../src/transport/connection.ts';
import { channelPair } from '../support/channel-pair.ts';
import { ManualClock, settle } from '../support/manual-clock.ts';

const KIB = 1024;

/** Notes what is written and when. */
function recorder(clock: ManualClock) {
  const writes: { atMs: number; length: number }[] = [];
  const channel: ByteChannel = {
    write: async (bytes) => {
      writes.push({ atMs: clock.now(), length: bytes.length });
    },
    incoming: (async function* () {})(),
    diagnostics: () => '',
    close: async () => {},
  };
  return { channel, writes };
}

describe('a limited channel', () => {
  it('keeps to its rate, evenly', async () => {
    const clock = new ManualClock();
    const { channel, writes } = recorder(clock);
    const limited = new LimitedChannel(channel, clock, 100 * KIB);
    const done = limited.write(Buffer.alloc(200 * KIB));
    await clock.pass(1000);
    const afterOneSecond = writes.reduce((sum, { length }) => sum + length, 0);
    expect(afterOneSecond / KIB).toBeGreaterThan(90);
    expect(afterOneSecond / KIB).toBeLessThanOrEqual(100);
    await clock.pass(1100);
    await done;
    expect(writes.reduce((sum, { length }) => sum + length, 0)).toBe(200 * KIB);
    expect(Math.max(...writes.map(({ length }) => length))).toBeLessThanOrEqual(5 * KIB);
  });

  it('does not save up for long', async () => {
    const clock = new ManualClock();
    const { channel, writes } = recorder(clock);
    const limited = new LimitedChannel(channel, clock, 100 * KIB);
    await clock.pass(60_000);
    const done = limited.write(Buffer.alloc(50 * KIB));
    await settle();
    expect(writes.reduce((sum, { length }) => sum + length, 0)).toBeLessThanOrEqual(15 * KIB);
    await clock.pass(1000);
    await done;
  });

  it('passes everything at once without a limit', async () => {
    const clock = new ManualClock();
    const { channel, writes } = recorder(clock);
    await new LimitedChannel(channel, clock, null).write(Buffer.alloc(900 * KIB));
    expect(writes).toEqual([{ atMs: 0, length: 900 * KIB }]);
  });

  it('stops waiting when it is closed', async () => {
    const clock = new ManualClock();
    const { channel } = recorder(clock);
    const limited = new LimitedChannel(channel, clock, 2000);
    const writing = limited.write(Buffer.alloc(100 * KIB));
    const failed = expect(writing).rejects.toMatchObject({ code: 'connection-lost' });
    await settle();
    await limited.close();
    await failed;
    expect(clock.pendingTimers).toBe(0);
  });
});

it('a connection limits both directions', async () => {
  const clock = new ManualClock();
  const methods = new Map([
    ['echo', { maxRequestBytes: 1e6, maxAnswerBytes: 1e6, isBulkRequest: false, isBulkAnswer: false }],
  ]);
  const [left, right] = channelPair();
  const opening = Promise.all([
    openConnection(left, { role: 'client', program: '1', methods, clock, bytesPerSecond: 100 * KIB }),
    openConnection(right, { role: 'server', program: '1', methods, clock }),
  ]);
  await clock.pass(100);
  const [client, server] = await opening;
  server.serve(
    new Map([
      [
        'echo',
        async function* (incoming: AsyncIterable<Buffer>) {
          yield* incoming;
        },
      ],
    ]),
  );
  const startedMs = clock.now();
  let finishedMs = 0;
  const call = (async () => {
    for await (const _message of client.call('echo', Buffer.alloc(200 * KIB)));
    finishedMs = clock.now();
  })();
  await clock.pass(10_000);
  await call;
  // Two seconds there and two back.
  expect(finishedMs - startedMs).toBeGreaterThan(3800);
  expect(finishedMs - startedMs).toBeLessThan(4300);
  const closing = Promise.all([client.close(), server.close()]);
  await clock.pass(3000);
  await closing;
});
