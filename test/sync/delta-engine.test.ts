import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import { initHashing, xxh64 } from '../../src/journal/hash.ts';
import { loadAddon } from '../../src/platform/addon.ts';
import { DeltaEncoder } from '../../src/sync/core/delta.ts';
import { parseSignature } from '../../src/sync/core/signature.ts';
import {
  createDeltaEngine,
  type DeltaAddon,
  type DeltaEngine,
  threadDeltaEngine,
} from '../../src/sync/delta-engine.ts';
import { applied, noise, sha256, signatureOf, stepsOf, thueMorse, versions } from '../support/delta-tools.ts';

beforeAll(initHashing);

// Without a C compiler there is no addon and nothing to compare.
describe.skipIf(loadAddon().addon === null)('the native engine', () => {
  const addon = loadAddon().addon as unknown as DeltaAddon;
  const native = createDeltaEngine(addon);
  const portable = createDeltaEngine(null);

  test('is the one this thread takes', () => {
    expect(threadDeltaEngine().kind).toBe('native');
  });

  /** `sizeHint`: 0 makes the smallest window; `capacity`: runs taken from one scan. */
  function run(
    engine: DeltaEngine,
    old: Buffer,
    fresh: Buffer,
    { slices = [262_144], sizeHint = 1e9, capacity = 9 } = {},
  ) {
    const packed = signatureOf(old, engine.signBlocks, 0xfedc_ba98_7654_3210n);
    const signature = parseSignature(packed);
    const windowed = engine.createMatcher(signature);
    const steps = stepsOf(new DeltaEncoder(signature, windowed, sizeHint), fresh, slices);
    expect(applied(steps, old, signature).equals(fresh)).toBe(true);
    const whole = engine.createMatcher(signature);
    const scans: number[][] = [];
    const found = new Uint32Array(2 + 3 * capacity);
    do {
      whole.scan(fresh, found[0] as number, fresh.length, true, found);
      scans.push([...found.subarray(0, 2 + (found[1] as number) * 3)]);
    } while (found[1] === capacity);
    // Digests: comparing large buffers element by element takes seconds.
    const told = steps.map((step) => (step.kind === 'literal' ? sha256(step.bytes) : step));
    return { packed, told, scans, counters: [windowed.counters(), whole.counters()] };
  }

  test('gives the same signature, steps and counts as TypeScript', () => {
    fc.assert(
      fc.property(
        versions,
        fc.array(fc.integer({ min: 1, max: 30_000 }), { minLength: 1, maxLength: 4 }),
        fc.constantFrom(0, 3000, 1_000_000),
        fc.integer({ min: 1, max: 4 }),
        ({ old, fresh }, slices, sizeHint, capacity) => {
          const options = { slices, sizeHint, capacity };
          expect(run(native, old, fresh, options)).toEqual(run(portable, old, fresh, options));
        },
      ),
      { numRuns: 100 },
    );
  });

  test('on contents made to collide too', () => {
    const size = 1024 * 1024;
    const trap = Buffer.concat([Buffer.alloc(1024 - 128, thueMorse(128, 1, 2)), thueMorse(128, 2, 1)]);
    const old = Buffer.concat([trap, noise(size - trap.length, 5)]);
    const fresh = Buffer.alloc(size, thueMorse(128, 1, 2));
    const result = run(native, old, fresh);
    expect(result).toEqual(run(portable, old, fresh));
    for (const { failedBytes } of result.counters) expect(failedBytes).toBeLessThanOrEqual(size + 64 * 1024);
  });

  test('64 MiB of zeros against zeros with specks: few strong checks, few steps', () => {
    const size = 64 * 1024 * 1024;
    const fresh = Buffer.alloc(size);
    for (let at = 0; at < size / 2; at += 5003) fresh[at] = 1;
    for (let at = size / 2; at < size; at += 1_000_003) fresh[at] = 1;
    const signature = parseSignature(signatureOf(Buffer.alloc(size), native.signBlocks));
    const matcher = native.createMatcher(signature);
    matcher.scan(fresh, 0, size, true, new Uint32Array(2 + 3 * 10_000));
    const { strongBytes, bucketSteps } = matcher.counters();
    expect(strongBytes).toBeLessThan(2 * size);
    expect(bucketSteps).toBeLessThan(size / 1000);
  });

  test('its strong checksum is xxh64, at every length', () => {
    const bytes = noise(200, 9);
    for (let length = 1; length <= bytes.length; length++) {
      const out = Buffer.alloc(12);
      addon.signBlocks(bytes.subarray(0, length), 704, 5n, out, 0);
      expect(out.readBigUInt64LE(4)).toBe(xxh64(bytes.subarray(0, length), 5n));
    }
  });

  test.each<[string, () => unknown]>([
    ['an output too small', () => addon.signBlocks(Buffer.alloc(2000), 704, 1n, Buffer.alloc(24), 0)],
    ['blocks of nothing', () => addon.signBlocks(Buffer.alloc(2000), 0, 1n, Buffer.alloc(100), 0)],
    ['an offset outside', () => addon.signBlocks(Buffer.alloc(20), 704, 1n, Buffer.alloc(100), 101)],
    ['odd checksums', () => addon.openMatcher(Buffer.alloc(13), 704, 704, 1n)],
    ['a last block longer than the others', () => addon.openMatcher(Buffer.alloc(12), 704, 705, 1n)],
    ['a stranger for a matcher', () => addon.matchCounters({} as never)],
    [
      'a range outside',
      () =>
        addon.scanBlocks(
          addon.openMatcher(Buffer.alloc(12), 704, 704, 1n),
          Buffer.alloc(9),
          0,
          10,
          true,
          new Uint32Array(8),
        ),
    ],
    [
      'a range backwards',
      () =>
        addon.scanBlocks(
          addon.openMatcher(Buffer.alloc(12), 704, 704, 1n),
          Buffer.alloc(9),
          5,
          4,
          true,
          new Uint32Array(8),
        ),
    ],
    [
      'no room for runs',
      () =>
        addon.scanBlocks(
          addon.openMatcher(Buffer.alloc(12), 704, 704, 1n),
          Buffer.alloc(9),
          0,
          9,
          true,
          new Uint32Array(4),
        ),
    ],
  ])('refuses %s', (_, call) => {
    expect(call).toThrow(TypeError);
  });
});
