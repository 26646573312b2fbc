import fc from 'fast-check';
import { expect, test } from 'vitest';
import { MAX_FRAME_BYTES } from '../../../src/daemon/core/limits.ts';
import { CHANGE, DIFFERENCE, GAP, itemsIn, PATH, payloadsOf } from '../../../src/daemon/core/lists.ts';
import type { Gap, JournalChange } from '../../../src/journal/core/answers.ts';
import type { BytePath } from '../../../src/platform/core/byte-path.ts';

const name = fc
  .uint8Array({ minLength: 1, maxLength: 20 })
  .map((bytes) => Buffer.from(bytes).toString('latin1').replace(/[/\0]/g, 'x'))
  .filter((text) => text !== '.' && text !== '..');
const path = fc.array(name, { maxLength: 5 }).map((names) => names.join('/') as BytePath);
const change: fc.Arbitrary<JournalChange> = fc.record({
  path,
  kinds: fc
    .subarray(['content', 'metadata', 'entries', 'subtree', 'removed'] as const)
    .map((kinds): JournalChange['kinds'] => kinds),
  renamedFrom: fc.option(path, { nil: null }),
  hot: fc.boolean(),
  proof: fc.constantFrom('leased', 'closed', 'unproven', 'scan', 'pending'),
});

test('changes arrive as they were, names of any bytes included', () => {
  fc.assert(
    fc.property(fc.array(change, { maxLength: 50 }), (changes) => {
      const back = [...payloadsOf(CHANGE, changes)].flatMap((payload) => itemsIn(CHANGE, payload));
      expect(back).toEqual(changes);
    }),
  );
});

test('long lists travel in several frames, none of them too long', () => {
  const long = `${'d'.repeat(255)}/`.repeat(15) as string;
  const changes = Array.from({ length: 300 }, (_, index): JournalChange => {
    const at = `${long}${index}` as BytePath;
    return { path: at, kinds: ['content'], renamedFrom: at, hot: false, proof: 'scan' };
  });
  const payloads = [...payloadsOf(CHANGE, changes)];
  expect(payloads.length).toBeGreaterThan(10);
  expect(Math.max(...payloads.map((payload) => payload.length))).toBeLessThan(MAX_FRAME_BYTES);
  expect(payloads.flatMap((payload) => itemsIn(CHANGE, payload))).toEqual(changes);
});

test('gaps, paths and differences', () => {
  const gaps: Gap[] = [
    { kind: 'backend-blind', scope: '' as BytePath },
    { kind: 'overflow', scope: 'a/\xff' as BytePath },
  ];
  expect([...payloadsOf(GAP, gaps)].flatMap((payload) => itemsIn(GAP, payload))).toEqual(gaps);
  const paths = ['a', 'b/c'] as BytePath[];
  expect([...payloadsOf(PATH, paths)].flatMap((payload) => itemsIn(PATH, payload))).toEqual(paths);
  const differences = [{ path: 'a' as BytePath, recorded: 'größer', found: 'nothing' }];
  expect([...payloadsOf(DIFFERENCE, differences)].flatMap((payload) => itemsIn(DIFFERENCE, payload))).toEqual(
    differences,
  );
  expect([...payloadsOf(PATH, [])]).toEqual([]);
});

test.each([
  ['an unknown kind', [0xff, 0, 0, 0, 0]],
  ['an unknown proof', [1, 9, 0, 0, 0]],
  ['an unknown flag', [1, 0, 4, 0, 0]],
  ['a record cut short', [1, 0, 0]],
  ['a path with ..', [1, 0, 0, 1, 0, 2, 0x2e, 0x2e]],
  ['a path with a slash', [1, 0, 0, 1, 0, 1, 0x2f]],
  ['an empty name', [1, 0, 0, 1, 0, 0]],
  ['more names than a path may have', [1, 0, 0, 0xff, 0xff]],
])('refused: %s', (_what, bytes) => {
  expect(() => itemsIn(CHANGE, Buffer.from(bytes))).toThrow(expect.objectContaining({ code: 'malformed' }));
});

test('anything at all is understood or refused, never something else', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
      for (const codec of [CHANGE, GAP, PATH, DIFFERENCE]) {
        try {
          itemsIn<unknown>(codec as typeof CHANGE, bytes);
        } catch (error) {
          expect(error).toMatchObject({ code: 'malformed' });
        }
      }
    }),
  );
});
