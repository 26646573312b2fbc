import { expect, test } from 'vitest';
import { FRAME, FrameSplitter, frameBytes } from '../../../src/daemon/core/frames.ts';

const TWO = Buffer.concat([frameBytes(FRAME.hot, Buffer.from('hot')), frameBytes(FRAME.alive, Buffer.alloc(0))]);

test('frames come out whole, however the stream was cut', () => {
  for (let size = 1; size <= TWO.length; size++) {
    const splitter = new FrameSplitter(16);
    const frames = [];
    for (let from = 0; from < TWO.length; from += size) frames.push(...splitter.push(TWO.subarray(from, from + size)));
    expect(frames.map(({ type, payload }) => [type, payload.toString()])).toEqual([
      [FRAME.hot, 'hot'],
      [FRAME.alive, ''],
    ]);
    expect(splitter.isUnfinished).toBe(false);
  }
});

test('a frame too long is refused by its header, before any of it is kept', () => {
  const header = Buffer.from([0xff, 0xff, 0xff, 0xff, FRAME.hot]);
  expect(() => new FrameSplitter(1024).push(header)).toThrow('frame of 4294967295 bytes');
  expect(() => new FrameSplitter(2).push(frameBytes(FRAME.hot, Buffer.from('hot')))).toThrow('frame of 3 bytes');
});

test.each([0, 11, 255])('type %i is refused', (type) => {
  expect(() => new FrameSplitter(16).push(Buffer.from([0, 0, 0, 0, type]))).toThrow(`frame of type ${type}`);
});

test('a stream that ends within a frame was cut short', () => {
  const splitter = new FrameSplitter(16);
  splitter.push(TWO.subarray(0, 3));
  expect(splitter.isUnfinished).toBe(true);
});
