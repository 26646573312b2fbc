import { afterEach, describe, expect, it } from 'vitest';
import type { Change } from '../../src/journal/core/change.ts';
import type { MetadataOptions } from '../../src/journal/core/look.ts';
import { fromText } from '../../src/platform/core/byte-path.ts';
import { ByteWriter } from '../../src/platform/core/bytes.ts';
import { writeRecord } from '../../src/sync/core/content.ts';
import type { Operation, Outcome } from '../../src/sync/core/operation.ts';
import { NO_BYTES } from '../../src/sync/core/operation.ts';
import type { SupplyOrder } from '../../src/sync/endpoint.ts';
import { openConnection } from '../../src/transport/connection.ts';
import { METHODS } from '../../src/transport/core/methods.ts';
import { serveEndpoint } from '../../src/transport/endpoint-server.ts';
import { RemoteEndpoint } from '../../src/transport/remote-endpoint.ts';
import { channelPair } from '../support/channel-pair.ts';
import { settle } from '../support/manual-clock.ts';
import { change, FakeEndpoint, FOLDER, file, INFO, TREE } from './fake-endpoint.ts';

const METADATA: MetadataOptions = {
  perms: true,
  times: true,
  setid: false,
  owner: false,
  xattrs: true,
  acls: false,
  hardLinks: false,
};
const APPLY = { durable: true, backup: false, keepVersionsSeconds: 86_400, metadata: METADATA };
const OPEN = { session: 'ab12', dryRun: false, writable: true };

const endpoints: RemoteEndpoint[] = [];
afterEach(async () => {
  await Promise.all(endpoints.splice(0).map((endpoint) => endpoint.close()));
});

async function remote(fake = new FakeEndpoint()) {
  const [left, right] = channelPair();
  let asked = '';
  const served = openConnection(right, { role: 'server', program: '1', methods: METHODS }).then((connection) =>
    serveEndpoint(connection, (root) => {
      asked = root;
      return fake;
    }),
  );
  served.catch(() => {});
  const endpoint = new RemoteEndpoint({
    connect: () => openConnection(left, { role: 'client', program: '1', methods: METHODS }),
    root: '~/\xfc \n',
  });
  endpoints.push(endpoint);
  const info = await endpoint.open(OPEN);
  return { endpoint, fake, served, info, root: () => asked, left };
}

async function collect<T>(stream: AsyncIterable<readonly T[]>): Promise<T[]> {
  const all: T[] = [];
  for await (const batch of stream) all.push(...batch);
  return all;
}

describe('every method', () => {
  it('open, bind, checkpoint, acknowledge', async () => {
    const { endpoint, fake, info, root } = await remote();
    expect(info).toEqual(INFO);
    expect(root()).toBe('~/\xfc \n');
    expect(await endpoint.bind('ab12', 'directory')).toBe('id:1234');
    const options = {
      ignore: { patterns: ['*.o', '\xff'], file: '.tidemarkignore', gitignore: true, vcs: false },
      metadata: METADATA,
      digest: 'sha256',
      symlinks: 'portable',
      oneFileSystem: true,
      rehash: false,
    } as const;
    expect(await endpoint.checkpoint(options)).toEqual({
      cursor: 'c1',
      scanned: 1,
      hashed: 2,
      entries: 3,
      entriesBefore: 4,
    });
    await endpoint.acknowledge('c1');
    expect(fake.calls).toEqual([
      ['open', OPEN],
      ['bind', 'ab12', 'directory'],
      ['checkpoint', options],
      ['acknowledge', 'c1'],
    ]);
    await expect(endpoint.bind('0bad', 'file')).rejects.toMatchObject({
      fault: 'locked',
      code: 'locked',
      remedy: 'wait',
    });
  });

  it('changes and subtree', async () => {
    const { endpoint, fake } = await remote();
    const { fresh, batches } = await endpoint.changes(null);
    expect(fresh).toBe(true);
    expect(await collect(batches)).toEqual(TREE);
    fake.fresh = false;
    fake.tree = [change('a/b/c', null, 'fedcba9876543210'), change('q', file())];
    const delta = await endpoint.changes('c1');
    expect(delta.fresh).toBe(false);
    expect(await collect(delta.batches)).toEqual(fake.tree);
    fake.tree = TREE;
    expect(await collect(endpoint.subtree(fromText('a')))).toEqual(TREE.slice(2, 4));
    expect(await collect(endpoint.subtree(fromText('none')))).toEqual([]);
  });

  it('lookup of more than one message holds', async () => {
    const { endpoint } = await remote();
    const paths = Array.from({ length: 5000 }, (_, index) => fromText(`folder/${index}`));
    const rows = await endpoint.lookup(paths);
    expect(rows.map(({ path }) => path)).toEqual(paths);
    expect(await endpoint.lookup([])).toEqual([]);
  });

  it('digest, signatures, reuse', async () => {
    const { endpoint } = await remote();
    const digests = await collect(
      endpoint.digest([
        { path: fromText('a'), strong: true },
        { path: fromText('gone'), strong: false },
      ]),
    );
    expect(digests).toEqual([
      { path: 'a', entry: file(1), problem: null },
      { path: 'gone', entry: null, problem: { code: 'changed', message: 'it changed' } },
    ]);
    const requests = [0, 1, 9000].map((id) => ({ id, path: fromText(`f${id}`), after: file(id) }));
    const signatures = await collect(endpoint.signatures(requests));
    expect(signatures.map(({ id, signature }) => [id, signature?.length ?? null])).toEqual([
      [9000, 9_000_000],
      [1, 1000],
      [0, null],
    ]);
    const candidates = await endpoint.reuseCandidates([20_000, 5]);
    expect(candidates.map(({ sizeBytes, path }) => [sizeBytes, path])).toEqual([
      [20_000, 'of-20000'],
      [5, 'of-5'],
    ]);
  });

  it('supply, with orders given as the answers come', async () => {
    const { endpoint } = await remote();
    const order = (id: number, signature: Buffer | null): SupplyOrder => ({
      id,
      path: fromText(`f${id}`),
      expected: file(),
      signature,
    });
    let sawFirst = () => {};
    const first = new Promise<void>((resolve) => {
      sawFirst = resolve;
    });
    async function* orders() {
      yield [order(1, null)];
      await first;
      yield [order(2, Buffer.alloc(12)), order(3, Buffer.alloc(15_000_000))];
    }
    const seen: string[] = [];
    for await (const chunk of endpoint.supply(orders())) {
      seen.push(chunk.toString());
      sawFirst();
    }
    expect(seen).toEqual(['1:none', '2:12', '3:15000000']);
  });

  it('apply', async () => {
    const { endpoint, fake } = await remote();
    const outcomes = await collect(endpoint.apply(chunksOf([[0, 1], [2]]), APPLY));
    expect(outcomes.map(({ id }) => id)).toEqual([0, 1, 2]);
    expect(outcomes[0]).toEqual({ id: 0, status: 'done', entry: file(), bytes: NO_BYTES });
    expect(fake.calls.at(-1)).toEqual(['apply', APPLY]);
    expect(await collect(endpoint.apply(chunksOf([]), APPLY))).toEqual([]);
  });
});

describe('the end', () => {
  it('closes the far endpoint once and counts traffic beyond that', async () => {
    const { endpoint, fake, served } = await remote();
    await endpoint.close();
    expect(await served).toBeNull();
    expect(fake.isClosed).toBe(true);
    expect(endpoint.traffic().sent).toBeGreaterThan(100);
    expect(endpoint.traffic().received).toBeGreaterThan(100);
    await endpoint.close();
  });

  it('closes the far endpoint when the connection is lost', async () => {
    const { endpoint, fake, served, left } = await remote();
    await left.close();
    expect((await served)?.code).toBe('connection-lost');
    expect(fake.isClosed).toBe(true);
    await expect(endpoint.lookup([fromText('a')])).rejects.toMatchObject({ fault: 'unavailable' });
  });

  it('does nothing to an endpoint that was never opened', async () => {
    await new RemoteEndpoint({ connect: () => Promise.reject(new Error('no')), root: '' }).close();
  });
});

describe('answers that do not fit end the connection', () => {
  const cases: Record<string, [(fake: FakeEndpoint) => void, (endpoint: RemoteEndpoint) => Promise<unknown>]> = {
    'lookup of another path': [
      (fake) => {
        fake.lookup = async () => [change('other', null)];
      },
      (endpoint) => endpoint.lookup([fromText('a')]),
    ],
    'lookup with an answer too few': [
      (fake) => {
        fake.lookup = async () => [];
      },
      (endpoint) => endpoint.lookup([fromText('a')]),
    ],
    'digest of another path': [
      (fake) => {
        fake.digest = async function* () {
          yield [{ path: fromText('b'), entry: file(), problem: null }];
        };
      },
      (endpoint) => collect(endpoint.digest([{ path: fromText('a'), strong: true }])),
    ],
    'signature nobody asked for': [
      (fake) => {
        fake.signatures = async function* () {
          yield [{ id: 7, signature: null }];
        };
      },
      (endpoint) => collect(endpoint.signatures([{ id: 1, path: fromText('a'), after: file() }])),
    ],
    'signature given twice': [
      (fake) => {
        fake.signatures = async function* () {
          yield [{ id: 1, signature: null }];
          yield [{ id: 1, signature: null }];
        };
      },
      (endpoint) => collect(endpoint.signatures([{ id: 1, path: fromText('a'), after: file() }])),
    ],
    'reuse of another size': [
      (fake) => {
        fake.reuseCandidates = async () => [{ sizeBytes: 4, path: fromText('x'), entry: file(4) }];
      },
      (endpoint) => endpoint.reuseCandidates([5]),
    ],
    'reuse of five of one size': [
      (fake) => {
        fake.reuseCandidates = async () =>
          Array.from({ length: 5 }, () => ({ sizeBytes: 4, path: fromText('x'), entry: file(4) }));
      },
      (endpoint) => endpoint.reuseCandidates([4]),
    ],
    'paths out of order': listing([change('b', file()), change('a', file())]),
    'a path twice': listing([change('b', file()), change('b', file())]),
    'a child before its directory': listing([change('a/b', file())]),
    'a child under a file': listing([change('a', file()), change('a/b', file())]),
    'a child under an untracked entry': listing([
      change('a', { kind: 'untracked', what: 'mount' }),
      change('a/b', FOLDER),
    ]),
    'a child of a root that is a file': listing([change('', file()), change('a', file())]),
    'a subtree outside': [
      (fake) => {
        fake.subtree = async function* () {
          yield [change('b', file())];
        };
      },
      (endpoint) => collect(endpoint.subtree(fromText('a'))),
    ],
    'an outcome nobody asked for': applying([outcome(5)]),
    'an outcome given twice': applying([outcome(0), outcome(0)]),
    'an outcome missing': applying([outcome(0)]),
  };
  for (const [name, [spoil, ask]] of Object.entries(cases)) {
    it(name, async () => {
      const { endpoint, fake, served } = await remote();
      spoil(fake);
      await expect(ask(endpoint)).rejects.toMatchObject({ code: 'protocol-violation' });
      // The other side is told why, and the connection is of no more use.
      expect((await served)?.code).toBe('protocol-violation');
      await expect(endpoint.bind('ab', 'file')).rejects.toMatchObject({ fault: 'unavailable' });
    });
    it(`${name}: control`, async () => {
      const { endpoint } = await remote();
      await ask(endpoint).catch((error) => {
        throw error;
      });
      expect(await endpoint.bind('ab', 'file')).toBe('id:1234');
    });
  }

  it('a request that is malformed ends it on the serving side', async () => {
    const [left, right] = channelPair();
    const [client, server] = await Promise.all([
      openConnection(left, { role: 'client', program: '1', methods: METHODS }),
      openConnection(right, { role: 'server', program: '1', methods: METHODS }),
    ]);
    const served = serveEndpoint(server, () => new FakeEndpoint());
    await expect(client.call('lookup', Buffer.from([1, 0, 0, 0])).next()).rejects.toMatchObject({
      code: 'protocol-violation',
    });
    expect((await served)?.code).toBe('protocol-violation');
    await settle();
    await client.close();
  });
});

function listing(
  tree: readonly Change[],
): [(fake: FakeEndpoint) => void, (endpoint: RemoteEndpoint) => Promise<unknown>] {
  return [
    (fake) => {
      fake.tree = tree;
    },
    async (endpoint) => collect((await endpoint.changes(null)).batches),
  ];
}

function applying(outcomes: Outcome[]): [(fake: FakeEndpoint) => void, (endpoint: RemoteEndpoint) => Promise<unknown>] {
  return [
    (fake) => {
      fake.apply = async function* (chunks) {
        for await (const _chunk of chunks);
        for (const one of outcomes) yield [one];
      };
    },
    (endpoint) => collect(endpoint.apply(chunksOf([[0, 1]]), APPLY)),
  ];
}

function outcome(id: number): Outcome {
  return { id, status: 'failed', side: 'target', problem: { code: 'ENOSPC', message: 'full' } };
}

async function* chunksOf(groups: readonly (readonly number[])[]): AsyncGenerator<Buffer> {
  for (const ids of groups) {
    const out = new ByteWriter();
    for (const id of ids) {
      const path = fromText(`p${id}`);
      const operation: Operation = { kind: 'put', id, path, before: null, after: file(), content: 'stream' };
      writeRecord(out, { kind: 'operation', operation });
      writeRecord(out, { kind: 'small', id, entry: file(), bytes: Buffer.from('abc') });
    }
    yield out.take();
  }
}
