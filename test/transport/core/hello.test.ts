import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { agree, decodeHello, encodeHello, type Hello, MAGIC, MagicFinder } from '../../../src/transport/core/hello.ts';
import { MAX_NOISE_BYTES, MAX_WINDOW_BYTES, WINDOW_BYTES } from '../../../src/transport/core/limits.ts';

const HELLO: Hello = {
  major: 1,
  minor: 0,
  program: '0.1.0',
  capabilities: ['zstd', 'brotli'],
  windowBytes: WINDOW_BYTES,
  maxChannels: 32,
  compress: 'auto',
  bytesPerSecond: null,
};
const payload = (value: unknown) => Buffer.from(JSON.stringify(value));
const base = { protocol: { major: 1, minor: 0 }, program: '9' };

describe('hello', () => {
  it('is read back', () => {
    expect(decodeHello(encodeHello(HELLO), '0.1.0')).toEqual(HELLO);
    const limited = { ...HELLO, compress: 'zstd', bytesPerSecond: 5000 } as const;
    expect(decodeHello(encodeHello(limited), '0.1.0')).toEqual(limited);
  });

  it('defaults what is missing, ignores what is unknown', () => {
    const old = decodeHello(payload(base), '0.1.0');
    expect(old).toEqual({ ...HELLO, program: '9', capabilities: [] });
    const newer = decodeHello(
      payload({
        ...base,
        protocol: { major: 1, minor: 9, patch: 3 },
        capabilities: ['brotli', 'telepathy', 7],
        wishes: { compress: 'lzma', telepathy: true },
        mood: { deeply: ['unknown'] },
      }),
      '0.1.0',
    );
    expect(newer).toMatchObject({ minor: 9, capabilities: ['brotli', 'telepathy'], compress: 'auto' });
    expect(agree(HELLO, newer)).toMatchObject({ minor: 0, capabilities: ['brotli'] });
    expect(agree(HELLO, old)).toMatchObject({ minor: 0, capabilities: [] });
  });

  it('refuses another major version before it looks at the rest', () => {
    const run = () =>
      decodeHello(payload({ protocol: { major: 2, minor: 4 }, program: '7.0', limits: 'odd' }), '0.1.0');
    expect(run).toThrow(
      expect.objectContaining({
        fault: 'unavailable',
        code: 'protocol-version',
        message: 'tidemark 0.1.0 (protocol 1.0) cannot talk to tidemark 7.0 (protocol 2.4)',
        remedy: 'install a newer tidemark here',
      }),
    );
  });

  it('uses no more of an offer than our own limit, and refuses an offer of nothing', () => {
    const generous = decodeHello(payload({ ...base, limits: { windowBytes: 2 ** 50, channels: 1e6 } }), 'x');
    expect(agree(HELLO, generous)).toMatchObject({ sendWindowBytes: MAX_WINDOW_BYTES, maxChannels: 32 });
    for (const limits of [{ windowBytes: 1 }, { windowBytes: -1 }, { windowBytes: 'x' }, { channels: 0 }, 5]) {
      expect(() => decodeHello(payload({ ...base, limits }), 'x')).toThrow(/window|channels|limits/);
    }
    expect(decodeHello(payload({ ...base, wishes: { bytesPerSecond: 1 } }), 'x').bytesPerSecond).toBe(1024);
  });

  it.each([
    ['no JSON', Buffer.from('hello')],
    ['a list', payload([])],
    ['no protocol', payload({ program: 'x' })],
    ['a version that is no number', payload({ ...base, protocol: { major: '1', minor: 0 } })],
    ['a prototype instead of fields', Buffer.from('{"__proto__":{"protocol":{"major":1,"minor":0},"program":"x"}}')],
    ['capabilities that are no list', payload({ ...base, capabilities: {} })],
  ])('refuses %s', (_name, bytes) => {
    expect(() => decodeHello(bytes, 'x')).toThrow(expect.objectContaining({ name: 'MalformedError' }));
  });
});

describe('the magic', () => {
  it('is found behind noise, however it is cut', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 300 }),
        fc.uint8Array({ maxLength: 30 }),
        fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 1 }),
        (noise, rest, cuts) => {
          const stream = Buffer.concat([noise, MAGIC.subarray(0, 3), MAGIC, rest]);
          const finder = new MagicFinder();
          let found: Buffer | null = null;
          for (let offset = 0, turn = 0; offset < stream.length; turn++) {
            const piece = stream.subarray(offset, offset + (cuts[turn % cuts.length] as number));
            offset += piece.length;
            found = found === null ? finder.push(piece) : Buffer.concat([found, piece]);
          }
          expect(found?.equals(rest)).toBe(true);
        },
      ),
    );
  });

  it('may come after 64 KiB, not after more', () => {
    const noise = Buffer.alloc(MAX_NOISE_BYTES, 'x');
    expect(new MagicFinder().push(Buffer.concat([noise, MAGIC]))?.length).toBe(0);
    const tooMuch = Buffer.concat([Buffer.from('Willkommen \u001b[31m\r\n'), noise, MAGIC]);
    expect(() => new MagicFinder().push(tooMuch)).toThrow(
      expect.objectContaining({
        code: 'handshake-noise',
        message: expect.stringContaining('"Willkommen \\x1b[31m\\r\\nxxx'),
        remedy: expect.stringContaining('start-up files'),
      }),
    );
  });
});
