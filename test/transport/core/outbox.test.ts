import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { creditFrame, type EncodedMessage, frame } from '../../../src/transport/core/frame.ts';
import { FrameParser } from '../../../src/transport/core/frame-parser.ts';
import { FRAGMENT_BYTES, MAX_SHORT_STREAK } from '../../../src/transport/core/limits.ts';
import { Outbox } from '../../../src/transport/core/outbox.ts';

const message = (sizeBytes: number, fill = 0): EncodedMessage => ({
  encoding: 'none',
  bytes: Buffer.alloc(sizeBytes, fill),
  originalBytes: sizeBytes,
});

/** What comes out, frame by frame: `3` for a data frame of channel 3, `3.` for its last frame, `!` for control. */
function drain(outbox: Outbox, limit = Number.POSITIVE_INFINITY): string {
  const frames: string[] = [];
  for (let taken = outbox.take(); taken !== null; taken = frames.length < limit ? outbox.take() : null) {
    const channel = taken.head.readUInt32LE(5);
    frames.push(taken.head[4] === 3 ? `${channel}` : taken.head[4] === 4 ? `${channel}.` : '!');
  }
  return frames.join(' ');
}

describe('order', () => {
  it('control frames overtake, one frame of bulk goes round', () => {
    const outbox = new Outbox();
    outbox.message(1, message(3 * FRAGMENT_BYTES));
    outbox.message(2, message(2 * FRAGMENT_BYTES));
    outbox.finish(1);
    expect(drain(outbox, 1)).toBe('1');
    outbox.control(creditFrame(1, 5));
    expect(drain(outbox)).toBe('! 2 1 2 1 1.');
  });

  it('short messages overtake bulk', () => {
    const outbox = new Outbox();
    outbox.message(1, message(3 * FRAGMENT_BYTES));
    expect(drain(outbox, 1)).toBe('1');
    outbox.message(2, message(100));
    outbox.finish(2);
    expect(drain(outbox)).toBe('2 2. 1 1');
  });

  it('but do not starve it', () => {
    const outbox = new Outbox();
    outbox.message(1, message(2 * FRAGMENT_BYTES));
    for (let index = 0; index < 3 * MAX_SHORT_STREAK; index++) outbox.message(2, message(1));
    const frames = drain(outbox).split(' ');
    expect(frames.indexOf('1')).toBe(MAX_SHORT_STREAK);
    expect(frames.lastIndexOf('1')).toBe(2 * MAX_SHORT_STREAK + 1);
  });

  it('nothing of a channel passes a message that is still being made', () => {
    const outbox = new Outbox();
    const slot = outbox.reserve(1, 500);
    outbox.message(1, message(10));
    outbox.finish(1);
    outbox.message(2, message(10));
    expect(drain(outbox)).toBe('2');
    expect(outbox.messageBytes).toBe(510);
    outbox.fill(slot, message(20));
    expect(drain(outbox)).toBe('1 1 1.');
    expect(outbox.messageBytes).toBe(0);
  });

  it('drop forgets a channel, in the middle of a message too, and a late fill is harmless', () => {
    const outbox = new Outbox();
    outbox.message(1, message(3 * FRAGMENT_BYTES));
    const slot = outbox.reserve(1, 100);
    drain(outbox, 1);
    expect(outbox.drop(1)).toBe(true);
    expect(outbox.drop(1)).toBe(false);
    outbox.finish(1, frame('error', 1, Buffer.from('{}')));
    outbox.fill(slot, message(7));
    expect(drain(outbox)).toBe('!');
    expect(outbox.messageBytes).toBe(0);
  });

  it('clear forgets everything', () => {
    const outbox = new Outbox();
    outbox.message(1, message(10));
    outbox.control(creditFrame(1, 5));
    outbox.clear();
    expect([drain(outbox), outbox.messageBytes, outbox.controlBytes]).toEqual(['', 0, 0]);
  });
});

it('every channel gets its messages whole and in order, whatever is queued when', () => {
  const step = fc.oneof(
    fc.record({
      kind: fc.constant('message' as const),
      channel: fc.integer({ min: 1, max: 4 }),
      size: fc.nat(200_000),
    }),
    fc.record({ kind: fc.constant('take' as const), count: fc.integer({ min: 1, max: 10 }) }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const outbox = new Outbox();
      const parser = new FrameParser();
      const sent = new Map<number, number[]>();
      const seen = new Map<number, number[]>();
      let number = 0;
      const take = () => {
        const next = outbox.take();
        if (next === null) return false;
        const bytes = Buffer.concat([next.head, next.body ?? Buffer.alloc(0)]);
        for (const event of parser.push(bytes)) {
          if (event.kind === 'message') seen.set(event.channel, [...(seen.get(event.channel) ?? []), event.wireBytes]);
        }
        return true;
      };
      for (const one of steps) {
        if (one.kind === 'message') {
          outbox.message(one.channel, message(one.size, number++));
          sent.set(one.channel, [...(sent.get(one.channel) ?? []), one.size]);
        } else {
          for (let index = 0; index < one.count; index++) take();
        }
      }
      while (take());
      expect(seen).toEqual(sent);
      expect(outbox.messageBytes).toBe(0);
    }),
    { numRuns: 50 },
  );
});
