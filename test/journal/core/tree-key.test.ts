import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  logKey,
  nodeKey,
  nodesEnd,
  numberAt,
  numberBytes,
  placeAt,
  placeBytes,
  sequenceAt,
  sequenceBytes,
  sizeKey,
} from '../../../src/journal/core/tree-key.ts';

const number = fc.oneof(fc.nat(300), fc.integer({ min: 0, max: 2 ** 40 - 2 }));
const name = fc.uint8Array({ minLength: 1, maxLength: 255 }).map((bytes) => Buffer.from(bytes).toString('latin1'));
const order = (left: string, right: string) =>
  Buffer.compare(Buffer.from(left, 'latin1'), Buffer.from(right, 'latin1'));

test('numbers and places come back', () => {
  fc.assert(
    fc.property(number, name, (parent, text) => {
      expect(numberAt(`x${numberBytes(parent)}`, 1)).toBe(parent);
      expect(sequenceAt(sequenceBytes(parent * 200), 0)).toBe(parent * 200);
      expect(placeAt(placeBytes(parent, text), 0)).toEqual({ parent, name: text });
      expect(placeAt(sizeKey(parent, parent, text), 7)).toEqual({ parent, name: text });
    }),
  );
  expect(() => numberBytes(2 ** 40)).toThrow();
  expect(() => sequenceBytes(2 ** 48)).toThrow();
  expect(() => numberAt('1234', 0)).toThrow();
});

test('bytes of keys sort as parent, then name; sequences as numbers', () => {
  fc.assert(
    fc.property(number, name, number, name, (parent, text, otherParent, otherText) => {
      const expected = Math.sign(parent - otherParent) || order(text, otherText);
      expect(order(nodeKey(parent, text), nodeKey(otherParent, otherText))).toBe(expected);
      expect(order(logKey(parent), logKey(otherParent))).toBe(Math.sign(parent - otherParent));
      expect(order(nodeKey(parent, text), nodesEnd(parent))).toBe(-1);
      expect(nodeKey(parent, text).length).toBeLessThanOrEqual(261);
    }),
  );
});
