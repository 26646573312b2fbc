import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Entry, TrackedEntry } from '../../../src/journal/core/entry.ts';
import type { BytePath } from '../../../src/platform/core/byte-path.ts';
import { ByteWriter } from '../../../src/platform/core/bytes.ts';
import { TidemarkError } from '../../../src/platform/core/errors.ts';
import { type ContentRecord, writeRecord } from '../../../src/sync/core/content.ts';
import { BATCH_ENTRIES } from '../../../src/sync/core/limits.ts';
import * as control from '../../../src/transport/core/messages-control.ts';
import { readChange, writeChange } from '../../../src/transport/core/messages-list.ts';
import { operationIds } from '../../../src/transport/core/operation-scan.ts';
import { pack, unpack } from '../../../src/transport/core/packing.ts';
import { decodeError, encodeError } from '../../../src/transport/core/wire-error.ts';
import { INFO } from '../fake-endpoint.ts';

const bytes = (max: number) =>
  fc.uint8Array({ minLength: 1, maxLength: max }).map((array) => Buffer.from(array).toString('latin1'));
const name = bytes(20).map((text) => text.replace(/[/\0]/g, '_').replace(/^\.{1,2}$/, 'dots'));
const path = fc.array(name, { maxLength: 5 }).map((names) => names.join('/') as BytePath);
const digests = fc.record({
  fast: fc.option(fc.constant('abcdefgh')),
  strong: fc.constant('0123456789abcdef0123456789abcdef'),
});
const optional = { owner: fc.constantFrom('0:0', '1000:1000'), xattrs: bytes(30) };
const mode = fc.integer({ min: 0, max: 0o7777 });
const file = fc.record(
  {
    kind: fc.constant('file' as const),
    mode,
    sizeBytes: fc.nat(),
    mtimeNs: fc.bigInt({ min: 0n, max: 2n ** 62n }),
    digests,
    ...optional,
    linkTo: path,
  },
  { requiredKeys: ['kind', 'mode', 'sizeBytes', 'mtimeNs', 'digests'] },
);
const directory = fc.record(
  { kind: fc.constant('directory' as const), mode, ...optional },
  { requiredKeys: ['kind', 'mode'] },
);
const symlink = fc.record(
  {
    kind: fc.constant('symlink' as const),
    target: bytes(30).map((t) => t.replaceAll('\0', '_')),
    owner: optional.owner,
    mtimeNs: fc.bigInt({ min: 0n, max: 2n ** 62n }),
  },
  { requiredKeys: ['kind', 'target'] },
);
const tracked: fc.Arbitrary<TrackedEntry> = fc.oneof(file, directory, symlink);
const entry: fc.Arbitrary<Entry | null> = fc.oneof(
  tracked,
  fc.constant(null),
  fc.constant({ kind: 'untracked', what: 'socket' } as const),
  fc.constant({ kind: 'problem', code: 'EIO', message: 'no' } as const),
);
const id = fc.nat({ max: 1_000_000 });
const record: fc.Arbitrary<ContentRecord> = fc.oneof(
  fc.record({
    kind: fc.constant('operation' as const),
    operation: fc.oneof(
      fc.record({
        kind: fc.constant('put' as const),
        id,
        path,
        before: entry,
        after: tracked,
        content: fc.constantFrom('keep' as const, 'stream' as const),
      }),
      fc.record({
        kind: fc.constant('put' as const),
        id,
        path,
        before: entry,
        after: tracked,
        content: fc.constant('copy' as const),
        copyFrom: path,
      }),
      fc.record({ kind: fc.constant('remove' as const), id, path, before: tracked }),
      fc.record({ kind: fc.constant('rename' as const), id, path, before: tracked, to: path }),
    ),
  }),
  fc.record({
    kind: fc.constant('small' as const),
    id,
    entry: file,
    bytes: fc.uint8Array({ maxLength: 50 }).map((a) => Buffer.from(a)),
  }),
  fc.record({ kind: fc.constant('begin' as const), id, sizeBytes: fc.nat() }),
  fc.record({
    kind: fc.constant('data' as const),
    id,
    bytes: fc.uint8Array({ maxLength: 50 }).map((a) => Buffer.from(a)),
  }),
  fc.record({ kind: fc.constant('hole' as const), id, lengthBytes: fc.nat() }),
  fc.record({ kind: fc.constant('blocks' as const), id, first: fc.nat(), count: fc.nat() }),
  fc.record({ kind: fc.constant('end' as const), id, entry: file }),
  fc.record({
    kind: fc.constant('failed' as const),
    id,
    changed: fc.boolean(),
    code: fc.constant('EIO'),
    message: fc.string(),
  }),
);

describe('lists', () => {
  it('changes are read back', () => {
    const change = fc.record({ path, entry, identity: fc.option(fc.constant('0123456789abcdef')) });
    fc.assert(
      fc.property(fc.array(change, { maxLength: 30 }), (changes) => {
        const read = [...pack(changes, writeChange)].flatMap((message) => unpack(message, readChange));
        expect(read).toEqual(changes);
      }),
    );
  });

  it('are cut by number and by size', () => {
    const numbers = Array.from({ length: 2 * BATCH_ENTRIES + 1 }, (_, index) => index);
    const small = [...pack(numbers, (out, value) => out.u32(value))];
    expect(small.map((message) => message.readUInt32LE())).toEqual([BATCH_ENTRIES, BATCH_ENTRIES, 1]);
    const large = [...pack([1, 2, 3], (out) => out.raw(Buffer.alloc(200_000)))];
    expect(large.map((message) => message.readUInt32LE())).toEqual([2, 1]);
    expect([...pack([], () => {})]).toEqual([]);
  });

  it('refuse trailing bytes, missing bytes and absurd counts', () => {
    const read = (hex: string) => unpack(Buffer.from(hex, 'hex'), (from) => from.u8());
    expect(read('0200000001ff')).toEqual([1, 255]);
    for (const hex of ['0100000001ff', '0300000001ff', 'ffffffff01ff', '01']) {
      expect(() => read(hex)).toThrow(expect.objectContaining({ name: 'MalformedError' }));
    }
  });
});

it('the scan of a chunk finds the operations the decoder would', () => {
  fc.assert(
    fc.property(fc.array(record, { maxLength: 40 }), (records) => {
      const out = new ByteWriter();
      for (const one of records) writeRecord(out, one);
      const expected = records.flatMap((one) => (one.kind === 'operation' ? [one.operation.id] : []));
      expect(operationIds(out.take())).toEqual(expected);
    }),
    { numRuns: 300 },
  );
  expect(() => operationIds(Buffer.from([2, 0, 0, 0, 0, 1]))).toThrow('cut short');
});

describe('control messages', () => {
  it('refuse what is missing or of another type', () => {
    const good = JSON.parse(control.encodeInfo(INFO).toString());
    expect(control.decodeInfo(Buffer.from(JSON.stringify({ ...good, later: 1 })))).toEqual(INFO);
    for (const name of Object.keys(good)) {
      for (const value of [undefined, [1], -1, 'x'.repeat(5000)]) {
        if (name === 'remarks' && Array.isArray(value)) continue;
        const bad = Buffer.from(JSON.stringify({ ...good, [name]: value }));
        expect(() => control.decodeInfo(bad), `${name} = ${value}`).toThrow(
          expect.objectContaining({ name: 'MalformedError' }),
        );
      }
    }
  });

  it('refuse a root with NUL and sessions that are no ids', () => {
    const open = { root: '/a', session: '', dryRun: true, writable: false };
    expect(control.decodeOpen(control.encodeOpen(open))).toEqual(open);
    for (const bad of [{ root: 'a\0b' }, { root: 'a\u0100' }, { session: '../x' }, { session: 'AB' }]) {
      expect(() => control.decodeOpen(control.encodeOpen({ ...open, ...bad }))).toThrow();
    }
  });

  it('clip the texts of a talkative host', () => {
    const info = { ...INFO, remarks: Array.from({ length: 1000 }, () => 'x'.repeat(10_000)) };
    expect(control.decodeInfo(control.encodeInfo(info)).remarks).toHaveLength(200);
  });
});

describe('errors', () => {
  it('travel', () => {
    const error = new TidemarkError('locked', 'locked', 'another run', { remedy: 'wait\nor not' });
    expect(decodeError(encodeError(error))).toMatchObject({
      fault: 'locked',
      code: 'locked',
      message: 'another run',
      remedy: 'wait\nor not',
    });
    expect(decodeError(encodeError('text'))).toMatchObject({ fault: 'internal', code: 'internal', message: 'text' });
    expect(decodeError(encodeError(Object.assign(new Error('x'), { code: 'odd code!' })))).toMatchObject({
      code: 'internal',
    });
  });

  it('are clipped and cleaned', () => {
    const error = decodeError(
      encodeError(new TidemarkError('halted', 'x', `\u001b]0;evil\u0007\u202e${'€'.repeat(9000)}`)),
    );
    expect(error.message).toMatch(/^\\u\{1b\}\]0;evil\\u\{7\}\\u\{202e\}€+$/);
    expect(error.message.length).toBeLessThanOrEqual(4096);
  });

  it.each([
    ['{}'],
    ['{"fault":"mine","code":"x","message":""}'],
    ['{"fault":"halted","code":"a b","message":""}'],
    ['[]'],
  ])('refuse %s', (text) => {
    expect(() => decodeError(Buffer.from(text))).toThrow(expect.objectContaining({ name: 'MalformedError' }));
  });
});
