/** Files that come in pieces: holes, deltas, resumption, and senders that break the rules. */
import { randomBytes } from 'node:crypto';
import * as fs from 'node:fs';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { FileEntry } from '../../../src/journal/core/entry.ts';
import { DATA_RECORD_BYTES } from '../../../src/journal/core/limits.ts';
import { initHashing } from '../../../src/journal/hash.ts';
import type { BytePath } from '../../../src/platform/core/byte-path.ts';
import { MalformedError } from '../../../src/platform/core/bytes.ts';
import { clearLeftovers } from '../../../src/sync/apply/leftovers.ts';
import type { ContentRecord } from '../../../src/sync/core/content.ts';
import { RESUME_MIN_BYTES } from '../../../src/sync/core/limits.ts';
import type { Operation, Outcome } from '../../../src/sync/core/operation.ts';
import { parseSignature } from '../../../src/sync/core/signature.ts';
import { BOTH_KINDS } from './kinds.ts';
import { at, chunkOf, fileEntry, type Order, verdict, verdicts, Workbench } from './workbench.ts';

await initHashing();

describe.each(BOTH_KINDS)('$name', ({ fileSystem }) => {
  let bench: Workbench;
  beforeEach(() => {
    bench = new Workbench(fileSystem);
    bench.write('file', 'old');
    bench.observe();
  });
  afterEach(() => bench.close());

  /** A put of a file that comes in pieces. */
  function stream(path: string, content: Buffer, records: (id: number, entry: FileEntry) => ContentRecord[]): Order {
    const { operation } = bench.put(path, content);
    return { operation, content: records(operation.id, (operation as Operation & { after: FileEntry }).after) };
  }

  function whole(path: string, content: Buffer): Order {
    return stream(path, content, (id, entry) => [
      { kind: 'begin', id, sizeBytes: content.length },
      ...pieces(content).map((bytes) => ({ kind: 'data' as const, id, bytes })),
      { kind: 'end', id, entry },
    ]);
  }

  test.each([0, 1, DATA_RECORD_BYTES, 1024 * 1024, 1024 * 1024 + 1, 3_000_000])('a file of %i bytes', (size) => {
    const content = randomBytes(size);
    const [outcome] = bench.apply([whole('new', content)]);
    expect(outcome).toMatchObject({ status: 'done', bytes: { literal: size, matched: 0, reused: 0 } });
    expect(fs.readFileSync(bench.path('new')).equals(content)).toBe(true);
    expect(bench.litter()).toEqual([]);
  });

  test('holes stay holes, in the middle and at the end', () => {
    const head = randomBytes(100_000);
    const content = Buffer.concat([head, Buffer.alloc(5_000_000), head, Buffer.alloc(3_000_000)]);
    const order = stream('sparse', content, (id, entry) => [
      { kind: 'begin', id, sizeBytes: content.length },
      { kind: 'data', id, bytes: head },
      { kind: 'hole', id, lengthBytes: 5_000_000 },
      { kind: 'data', id, bytes: head },
      { kind: 'hole', id, lengthBytes: 3_000_000 },
      { kind: 'end', id, entry },
    ]);
    expect(verdicts(bench.apply([order]))).toEqual(['done']);
    expect(fs.readFileSync(bench.path('sparse')).equals(content)).toBe(true);
    expect(fs.statSync(bench.path('sparse')).blocks * 512).toBeLessThan(1_000_000);
  });

  test('contents of several files interleave; what depends on one of them waits for it', () => {
    const content = randomBytes(100_000);
    const first = bench.put('a', content);
    const second = bench.put('b', content);
    const link = bench.place('c', fileEntry(content, { linkTo: 'a' }), { content: 'link', copyFrom: at('a') });
    const small = bench.put('d', 'small');
    const applier = bench.applier();
    const outcomes: Outcome[] = [];
    const push = (...records: ContentRecord[]) => outcomes.push(...applier.push(chunkOf(...records)));
    for (const { operation } of [first, second, link, small]) push({ kind: 'operation', operation });
    push(...small.content);
    for (const id of [0, 1]) push({ kind: 'begin', id, sizeBytes: content.length });
    for (const id of [1, 0]) push({ kind: 'data', id, bytes: content.subarray(0, 50_000) });
    for (const id of [1, 0]) push({ kind: 'data', id, bytes: content.subarray(50_000) });
    for (const id of [1, 0]) push({ kind: 'end', id, entry: fileEntry(content) });
    outcomes.push(...applier.finish());
    expect(outcomes.map(({ id, status }) => `${id} ${status}`)).toEqual(['3 done', '1 done', '0 done', '2 done']);
    expect(fs.statSync(bench.path('c')).ino).toBe(fs.statSync(bench.path('a')).ino);
  });

  describe('deltas', () => {
    test('blocks come from the old version', () => {
      const old = randomBytes(400_000);
      bench.write('big', old);
      bench.observe();
      const content = Buffer.concat([old, Buffer.from('more')]);
      const { operation } = bench.put('big', content);
      const entry = fileEntry(content);
      const applier = bench.applier();
      const made = applier.makeBasis(operation.id, at('big'), entry);
      if (made === null) throw new Error('no basis');
      const { count, basisBytes } = parseSignature(made.signature);
      expect(basisBytes).toBe(old.length);
      const outcomes = applier.push(
        chunkOf(
          { kind: 'operation', operation },
          { kind: 'begin', id: 0, sizeBytes: content.length },
          { kind: 'blocks', id: 0, first: 0, count: 10 },
          { kind: 'blocks', id: 0, first: 10, count: count - 10 },
          { kind: 'data', id: 0, bytes: Buffer.from('more') },
          { kind: 'end', id: 0, entry },
        ),
      );
      outcomes.push(...applier.finish());
      expect(outcomes).toMatchObject([{ status: 'done', bytes: { literal: 4, matched: old.length, reused: 0 } }]);
      expect(fs.readFileSync(bench.path('big')).equals(content)).toBe(true);
    });

    test('a basis that changes meanwhile is noticed', () => {
      bench.write('big', randomBytes(400_000));
      bench.observe();
      const content = fs.readFileSync(bench.path('big'));
      const { operation } = bench.put('big', content);
      const applier = bench.applier();
      const made = applier.makeBasis(0, at('big'), fileEntry(content));
      if (made === null) throw new Error('no basis');
      fs.writeFileSync(bench.path('big'), 'MINE');
      const { count } = parseSignature(made.signature);
      applier.push(
        chunkOf(
          { kind: 'operation', operation },
          { kind: 'begin', id: 0, sizeBytes: content.length },
          { kind: 'blocks', id: 0, first: 0, count },
          { kind: 'end', id: 0, entry: fileEntry(content) },
        ),
      );
      expect(verdicts(applier.finish())).toEqual(['changed target']);
      expect(bench.read('big')).toBe('MINE');
    });

    test('an interrupted large transfer is resumed from what came, and leaves nothing behind', () => {
      const content = randomBytes(RESUME_MIN_BYTES + 300_000);
      const entry = fileEntry(content);
      const half = content.subarray(0, content.length - 100_000);
      const { operation } = bench.put('huge', content);
      const first = bench.applier();
      first.push(chunkOf({ kind: 'operation', operation }, { kind: 'begin', id: 0, sizeBytes: content.length }));
      for (const bytes of pieces(half)) first.push(chunkOf({ kind: 'data', id: 0, bytes }));
      first.close();
      expect(bench.read('huge')).toBe(null);
      expect(bench.litter()).toHaveLength(1);
      clearLeftovers(fileSystem, bench.root, Date.now());
      expect(bench.litter()).toHaveLength(1);

      const second = bench.applier();
      const made = second.makeBasis(0, at('huge'), entry);
      if (made === null) throw new Error('no basis');
      expect(made.basis.isPartial).toBe(true);
      const { count, basisBytes } = parseSignature(made.signature);
      second.push(
        chunkOf(
          { kind: 'operation', operation },
          { kind: 'begin', id: 0, sizeBytes: content.length },
          { kind: 'blocks', id: 0, first: 0, count },
        ),
      );
      for (const bytes of pieces(content.subarray(basisBytes))) second.push(chunkOf({ kind: 'data', id: 0, bytes }));
      second.push(chunkOf({ kind: 'end', id: 0, entry }));
      expect(second.finish()).toMatchObject([{ status: 'done', bytes: { matched: half.length } }]);
      expect(fs.readFileSync(bench.path('huge')).equals(content)).toBe(true);
      expect(bench.litter()).toEqual([]);
    });

    test('partial transfers expire after a week', () => {
      const content = randomBytes(RESUME_MIN_BYTES);
      const { operation } = bench.put('huge', Buffer.concat([content, content]));
      const applier = bench.applier();
      applier.push(chunkOf({ kind: 'operation', operation }, { kind: 'begin', id: 0, sizeBytes: 2 * content.length }));
      for (const bytes of pieces(content)) applier.push(chunkOf({ kind: 'data', id: 0, bytes }));
      applier.close();
      clearLeftovers(fileSystem, bench.root, Date.now());
      expect(bench.litter()).toHaveLength(1);
      clearLeftovers(fileSystem, bench.root, Date.now() + 8 * 24 * 3600 * 1000);
      expect(bench.litter()).toEqual([]);
    });
  });

  describe('a source that fails', () => {
    test.each([
      [true, 'changed source'],
      [false, 'failed EIO'],
    ])('changed %s: %s', (changed, expected) => {
      const order = stream('new', Buffer.from('abc'), (id) => [
        { kind: 'begin', id, sizeBytes: 3 },
        { kind: 'data', id, bytes: Buffer.from('a') },
        { kind: 'failed', id, changed, code: 'EIO', message: 'no' },
      ]);
      expect(verdicts(bench.apply([order, bench.put('next', 'x')]))).toEqual([expected, 'done']);
      expect([bench.read('new'), bench.litter()]).toEqual([null, []]);
    });

    test('other content than the plan knows of', () => {
      const order = bench.put('new', 'abc');
      const entry = fileEntry('abcd');
      const content: ContentRecord[] = [{ kind: 'small', id: order.operation.id, entry, bytes: Buffer.from('abcd') }];
      const streamed = stream('two', Buffer.from('abc'), (id) => [
        { kind: 'begin', id, sizeBytes: 4 },
        { kind: 'data', id, bytes: Buffer.from('abcd') },
        { kind: 'end', id, entry },
      ]);
      expect(verdicts(bench.apply([{ ...order, content }, streamed]))).toEqual(['changed source', 'changed source']);
      expect([bench.read('new'), bench.read('two'), bench.litter()]).toEqual([null, null, []]);
    });

    test('content that does not have its digest', () => {
      const digests = { fast: null, strong: null };
      const lie = { ...fileEntry('abc'), digests: fileEntry('abd').digests };
      const small = bench.put('new', 'abc', { digests });
      const big = bench.put('file', 'abc', { digests });
      const orders: Order[] = [
        { ...small, content: [{ kind: 'small', id: 0, entry: lie, bytes: Buffer.from('abc') }] },
        {
          ...big,
          content: [
            { kind: 'begin', id: 1, sizeBytes: 3 },
            { kind: 'data', id: 1, bytes: Buffer.from('abc') },
            { kind: 'end', id: 1, entry: lie },
          ],
        },
      ];
      expect(verdicts(bench.apply(orders))).toEqual(['failed digest-mismatch', 'failed digest-mismatch']);
      expect([bench.read('new'), bench.read('file'), bench.litter()]).toEqual([null, 'old', []]);
    });

    test('content that never comes', () => {
      const orders = [{ ...bench.put('new', 'abc'), content: [] }, bench.put('next', 'x')];
      expect(bench.apply(orders).map(verdict).sort()).toEqual(['done', 'failed incomplete']);
    });
  });

  describe('a sender that breaks the rules', () => {
    const begin: ContentRecord = { kind: 'begin', id: 0, sizeBytes: 3 };
    const entry = fileEntry('abc');
    const data = (text: string): ContentRecord => ({ kind: 'data', id: 0, bytes: Buffer.from(text) });
    const small: ContentRecord = { kind: 'small', id: 0, entry, bytes: Buffer.from('abc') };
    const end: ContentRecord = { kind: 'end', id: 0, entry };
    const directory: Operation = {
      kind: 'put',
      id: 1,
      path: at('d'),
      before: null,
      after: { kind: 'directory', mode: 0o755 },
      content: 'stream',
    };
    const put = (path: string, id = 1): Operation => ({
      kind: 'put',
      id,
      path: at(path),
      before: null,
      after: entry,
      content: 'stream',
    });

    const OFFENCES: Readonly<Record<string, ContentRecord[]>> = {
      'data for no operation': [{ ...data('x'), id: 7 } as ContentRecord],
      'data before begin': [data('abc')],
      'end before begin': [end],
      'begin twice': [begin, begin],
      'small after begin': [begin, small],
      'small twice': [small, small],
      'more than announced': [begin, data('abcd')],
      'a hole beyond the end': [begin, { kind: 'hole', id: 0, lengthBytes: 2 ** 52 }],
      'less than announced': [begin, data('ab'), end],
      'blocks without a basis': [begin, { kind: 'blocks', id: 0, first: 0, count: 1 }],
      'content for a directory': [{ kind: 'operation', operation: directory }],
      'an id used twice': [{ kind: 'operation', operation: put('x', 0) }],
      'the hidden folder': [{ kind: 'operation', operation: put('.tidemark/id') }],
      'the hidden folder itself': [{ kind: 'operation', operation: put('.tidemark') }],
      'a copy out of the hidden folder': [
        { kind: 'operation', operation: { ...put('x'), content: 'copy', copyFrom: at('.tidemark/id') } as Operation },
      ],
    };

    test.each(Object.keys(OFFENCES))('%s', (name) => {
      const applier = bench.applier();
      applier.push(chunkOf({ kind: 'operation', operation: put('new', 0) }));
      expect(() => applier.push(chunkOf(...(OFFENCES[name] ?? [])))).toThrow(MalformedError);
      applier.close();
      expect(fs.readdirSync(bench.directory).sort()).toEqual(['.tidemark', 'file']);
      expect(bench.litter()).toEqual([]);
    });

    test('the hidden folder by another spelling, where names fold; elsewhere that is just a name', () => {
      const folding = {
        ...fileSystem,
        stat: (root: number, path: BytePath) => fileSystem.stat(root, at(path.replace(/^\.tidemark/i, '.tidemark'))),
      };
      const spelling = at('.TIDE\u00e2\u0080\u008dMARK');
      expect(verdicts(bench.apply([bench.put(spelling, 'x'), bench.put('.TideMark', 'x')]))).toEqual(['done', 'done']);
      bench.apply([bench.remove(spelling), bench.remove('.TideMark')]);
      expect(verdicts(bench.apply([bench.put('.TideMark', 'x')], { fileSystem: folding }))).toEqual([
        'failed reserved-name',
      ]);
    });

    test('blocks outside of the basis', () => {
      bench.write('big', randomBytes(100_000));
      bench.observe();
      const content = fs.readFileSync(bench.path('big'));
      const { operation } = bench.put('big', content);
      const applier = bench.applier();
      const made = applier.makeBasis(0, at('big'), fileEntry(content));
      const { count } = parseSignature(made?.signature ?? Buffer.alloc(0));
      applier.push(chunkOf({ kind: 'operation', operation }, { kind: 'begin', id: 0, sizeBytes: content.length }));
      expect(() => applier.push(chunkOf({ kind: 'blocks', id: 0, first: count, count: 1 }))).toThrow(MalformedError);
      applier.close();
      expect(bench.litter()).toEqual([]);
    });

    test('more files under way than anybody needs', () => {
      const applier = bench.applier();
      const records: ContentRecord[] = [];
      for (let id = 0; id < 65; id++) {
        records.push({ kind: 'operation', operation: put(`f${id}`, id) }, { kind: 'begin', id, sizeBytes: 3 });
      }
      expect(() => applier.push(chunkOf(...records))).toThrow(MalformedError);
      applier.close();
      expect(bench.litter()).toEqual([]);
    });
  });
});

function pieces(content: Buffer): Buffer[] {
  const found: Buffer[] = [];
  for (let at = 0; at < content.length; at += DATA_RECORD_BYTES)
    found.push(content.subarray(at, at + DATA_RECORD_BYTES));
  return found;
}
