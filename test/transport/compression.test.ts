import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { systemClock } from '../../src/transport/clock.ts';
import {
  type CompressionHistory,
  Compressor,
  chooseEncoding,
  Decompressor,
  SUPPORTED_ENCODINGS,
} from '../../src/transport/compression.ts';
import { type ConnectionOptions, openConnection } from '../../src/transport/connection.ts';
import type { MethodSpec } from '../../src/transport/core/method.ts';
import { LinkMeter } from '../../src/transport/link-meter.ts';
import { channelPair, type TestChannel } from '../support/channel-pair.ts';

const KIB = 1024;
const TEXT = Buffer.from('the quick brown fox jumps over the lazy dog; '.repeat(8000)).subarray(0, 256 * KIB);
const NOISE = randomBytes(256 * KIB);
const fresh = (): CompressionHistory => ({ skip: 0, lastSkip: 0 });

describe('the choice of an encoding', () => {
  it('takes the best both have', () => {
    expect(chooseEncoding('auto', SUPPORTED_ENCODINGS)).toBe(SUPPORTED_ENCODINGS[0]);
    expect(chooseEncoding('auto', ['brotli'])).toBe('brotli');
    expect(chooseEncoding('auto', [])).toBe('none');
    expect(chooseEncoding('none', ['zstd', 'brotli'])).toBe('none');
    expect(chooseEncoding('brotli', ['brotli'])).toBe('brotli');
  });

  it('does not quietly replace one that was demanded', () => {
    expect(() => chooseEncoding('zstd', ['brotli'])).toThrow(
      expect.objectContaining({ fault: 'usage', code: 'compression-unavailable' }),
    );
  });
});

describe.each(SUPPORTED_ENCODINGS)('%s', (encoding) => {
  it('is undone', async () => {
    const packed = await new Compressor(encoding, true, systemClock).compress(TEXT, fresh());
    expect(packed).toMatchObject({ encoding, originalBytes: TEXT.length });
    expect(packed.bytes.length).toBeLessThan(TEXT.length / 10);
    const bytes = Buffer.from(packed.bytes);
    const decompressor = new Decompressor();
    expect((await decompressor.decompress(encoding, bytes, TEXT.length)).equals(TEXT)).toBe(true);
    for (const declared of [TEXT.length - 1, TEXT.length + 1, 0]) {
      await expect(decompressor.decompress(encoding, bytes, declared)).rejects.toThrow();
    }
    await expect(decompressor.decompress(encoding, NOISE.subarray(0, 100), 100)).rejects.toThrow();
  });

  it('is left out where it gains too little, and less often tried from then on', async () => {
    const compressor = new Compressor(encoding, true, systemClock);
    const history = fresh();
    const skipped: number[] = [];
    for (let tried = 0; tried < 4; tried++) {
      let skips = 0;
      while (!compressor.wants(history, NOISE.length, 0, 1)) skips++;
      skipped.push(skips);
      expect((await compressor.compress(NOISE, history)).encoding).toBe('none');
    }
    expect(skipped).toEqual([0, 1, 2, 4]);
    for (let skips = 0; skips < 8; skips++) expect(compressor.wants(history, TEXT.length, 0, 1)).toBe(false);
    expect(compressor.wants(history, TEXT.length, 0, 1)).toBe(true);
    expect((await compressor.compress(TEXT, history)).encoding).toBe(encoding);
    expect(compressor.wants(history, TEXT.length, 0, 1)).toBe(true);
  });
});

describe('auto', () => {
  const compressor = new Compressor('brotli', false, systemClock);
  it.each([
    ['a slow link with a queue', 100_000, 1, 10_000, true],
    ['a slow link without a queue', 100_000, 0, 10_000, false],
    ['a link faster than the compressor', 100_000, 1, 10_000_000, false],
    ['a link nobody ever waited for', 100_000, 1, Number.POSITIVE_INFINITY, false],
    ['a short message', 1023, 1, 10_000, false],
    ['one of 1 KiB', 1024, 1, 10_000, true],
  ])('%s', (_name, lengthBytes, backlogBytes, linkBytesPerMs, expected) => {
    expect(compressor.wants(fresh(), lengthBytes, backlogBytes, linkBytesPerMs)).toBe(expected);
  });
});

it('the meter measures waiting only', () => {
  const meter = new LinkMeter();
  expect(meter.bytesPerMs).toBe(Number.POSITIVE_INFINITY);
  meter.record(1000, 1);
  expect(meter.bytesPerMs).toBe(Number.POSITIVE_INFINITY);
  meter.record(199_000, 19);
  expect(meter.bytesPerMs).toBe(10_000);
  for (let index = 0; index < 64; index++) meter.record(1024 * KIB, 0.01);
  expect(meter.bytesPerMs).toBeGreaterThan(10_000_000);
});

describe('on a connection', () => {
  const spec: MethodSpec = {
    maxRequestBytes: 1024 * KIB,
    maxAnswerBytes: 1024 * KIB,
    isBulkRequest: true,
    isBulkAnswer: true,
  };
  const methods = new Map([
    ['bulk', spec],
    ['plain', { ...spec, isBulkRequest: false, isBulkAnswer: false }],
  ]);

  async function echoed(method: string, options: Partial<ConnectionOptions>, slow: boolean, count = 20) {
    const [left, right] = channelPair({ highWaterBytes: 64 * KIB });
    if (slow) for (const channel of [left, right]) delayed(channel);
    const [client, server] = await Promise.all([
      openConnection(left, { role: 'client', program: '1', methods, ...options }),
      openConnection(right, { role: 'server', program: '1', methods }),
    ]);
    server.serve(
      new Map([...methods.keys()].map((name) => [name, (incoming: AsyncIterable<Buffer>) => echo(incoming)])),
    );
    for await (const message of client.call(method, times(TEXT, count))) expect(message.equals(TEXT)).toBe(true);
    const { sent, received } = client.traffic;
    await Promise.all([client.close(), server.close()]);
    return { sent: sent / (count * TEXT.length), received: received / (count * TEXT.length) };
  }

  it('compresses in both directions when told to', async () => {
    const { sent, received } = await echoed('bulk', { compress: 'brotli' }, false);
    expect([sent < 0.05, received < 0.05]).toEqual([true, true]);
  });

  it('not where told not to, nor methods that are not bulk', async () => {
    for (const run of [echoed('bulk', { compress: 'none' }, true), echoed('plain', { compress: 'brotli' }, true)]) {
      const { sent, received } = await run;
      expect([sent >= 1, received >= 1]).toEqual([true, true]);
    }
  });

  it('auto compresses on a slow link and never on a fast one', async () => {
    // The first window is queued before the link is known.
    const onSlow = await echoed('bulk', {}, true, 60);
    expect(onSlow.sent).toBeLessThan(0.5);
    const onFast = await echoed('bulk', {}, false);
    expect(onFast.sent).toBeGreaterThanOrEqual(1);
  });
});

/** A link of about 20 MiB/s. */
function delayed(channel: TestChannel): void {
  const write = channel.write.bind(channel);
  channel.write = async (bytes) => {
    await new Promise((resolve) => setTimeout(resolve, bytes.length / 20_000));
    await write(bytes);
  };
}

async function* times(bytes: Buffer, count: number): AsyncGenerator<Buffer> {
  for (let index = 0; index < count; index++) yield bytes;
}

async function* echo(incoming: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  yield* incoming;
}
