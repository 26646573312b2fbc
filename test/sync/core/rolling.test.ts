import fc from 'fast-check';
import { expect, test } from 'vitest';
import { leavingTable, WEAK_BASE, weakOf, weakPower } from '../../../src/sync/core/rolling.ts';
import { thueMorse } from '../../support/delta-tools.ts';

test('sliding by one byte gives the checksum of the next window', () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 2, maxLength: 200 }), fc.integer({ min: 1, max: 100 }), (bytes, wanted) => {
      const window = Math.min(wanted, bytes.length - 1);
      const leaving = leavingTable(window);
      let weak = weakOf(bytes, 0, window);
      for (let at = 1; at + window <= bytes.length; at++) {
        const entering = bytes[at + window - 1] as number;
        weak = (Math.imul(weak, WEAK_BASE) + entering - (leaving[bytes[at - 1] as number] as number)) >>> 0;
        expect(weak).toBe(weakOf(bytes, at, at + window));
      }
    }),
  );
});

test('powers', () => {
  expect(weakPower(0)).toBe(1);
  expect(weakPower(1)).toBe(WEAK_BASE);
  expect(weakPower(5)).toBe(Number(BigInt(WEAK_BASE) ** 5n % 2n ** 32n));
  expect(weakPower(8 * 1024 * 1024)).toBe(Number(modularPower(BigInt(WEAK_BASE), 8n * 1024n * 1024n, 2n ** 32n)));
});

test('it is weak: prepared contents collide', () => {
  const [left, right] = [thueMorse(128, 0, 1), thueMorse(128, 1, 0)];
  expect(left.equals(right)).toBe(false);
  expect(weakOf(left, 0, 128)).toBe(weakOf(right, 0, 128));
});

function modularPower(base: bigint, exponent: bigint, modulus: bigint): bigint {
  if (exponent === 0n) return 1n;
  const half = modularPower(base, exponent / 2n, modulus);
  return (half * half * (exponent % 2n === 1n ? base : 1n)) % modulus;
}
