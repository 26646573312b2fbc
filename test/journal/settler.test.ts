import { afterEach, describe, expect, it } from 'vitest';
import { NOTICE } from '../../src/journal/core/kinds.ts';
import { placeBytes } from '../../src/journal/core/tree-key.ts';
import type { LookAnswer, LookRequest } from '../../src/journal/settle-plan.ts';
import { type SettlerOptions, settle } from '../../src/journal/settler.ts';
import { type BytePath, ROOT } from '../../src/platform/core/byte-path.ts';
import { packStat } from '../../src/platform/core/stat-codec.ts';
import { EVENT } from '../../src/platform/fanotify.ts';
import type { Stat } from '../../src/platform/filesystem.ts';
import { Ground } from './absorbing.ts';

let ground: Ground;
afterEach(() => ground.dispose());

interface Script {
  /** What a look finds at a path. */
  readonly found?: Readonly<Record<string, (request: LookRequest) => LookAnswer>>;
  /** Runs while a look is under way. */
  readonly meanwhile?: () => void;
  readonly scans?: () => number;
}

/** Settles everything with a scripted look; returns the paths looked at and the places scanned. */
async function settled({ found = {}, meanwhile, scans }: Script): Promise<{ looked: string[]; scanned: string[] }> {
  const looked: string[] = [];
  const scanned: string[] = [];
  const options: SettlerOptions = {
    store: ground.store,
    protocol: ground.protocol,
    async look(requests) {
      meanwhile?.();
      return requests.map((request) => {
        looked.push(request.path);
        return found[request.path]?.(request) ?? { key: request.key, found: 'nothing' };
      });
    },
    scans: scans ?? (() => 0),
    async scan(keys) {
      for (const key of keys) {
        scanned.push(ground.store.pathOf(placeOfKey(key)) ?? '?');
        ground.protocol.scanned(key);
      }
    },
    onLinked() {},
  };
  await settle(options, ROOT);
  return { looked, scanned };
}

const placeOfKey = (key: string) => {
  const path = [...ground.store.tree.below(ROOT)].find(({ node }) => placeBytes(node.parent, node.name) === key);
  if (path === undefined) throw new Error('a place without a node');
  return path.node;
};

const statWith = (fields: Partial<Stat>): Uint8Array =>
  packStat({
    dev: 1n,
    ino: 7n,
    mode: 0o100644,
    nlink: 1,
    uid: 0,
    gid: 0,
    sizeBytes: 1,
    mtimeNs: 5n,
    ctimeNs: 5n,
    birthNs: 1n,
    ...fields,
  } as Stat);

const file =
  (fast: string, fields: Partial<Stat> = {}) =>
  ({ key }: LookRequest): LookAnswer => ({
    key,
    found: 'file',
    packedStat: statWith(fields),
    digests: { fast, strong: null },
    proof: 'leased',
    linkedKey: null,
  });
const directory =
  (handle: string) =>
  ({ key }: LookRequest): LookAnswer => ({
    key,
    found: 'other',
    packedStat: statWith({ mode: 0o40755 }),
    target: null,
    handle,
  });
const hot =
  (fields: Partial<Stat> | null) =>
  ({ key }: LookRequest): LookAnswer => ({
    key,
    found: 'hot',
    reason: 'open for writing',
    packedStat: fields === null ? null : statWith(fields),
  });
const ONE = '12345678';
const OTHER = '87654321';
const told = () => ground.told(0).map(({ path, kinds }) => `${path} ${kinds.join('+')}`);
const waiting = () => [...ground.protocol.unsettled()].map(([key]) => key.slice(5)).sort();

describe('settling', () => {
  it('lets a file leave that was read, and tells its content once', async () => {
    ground = new Ground();
    ground.record('f');
    ground.absorb(ground.event(EVENT.modify, 'root', 'f'));
    await settled({ found: { f: file(ONE) } });
    expect(waiting()).toEqual([]);
    expect(told()).toEqual(['f content']);
    ground.absorb(ground.event(EVENT.modify, 'root', 'f'));
    const { sequence } = ground.store.log;
    await settled({ found: { f: file(ONE) } });
    expect(ground.told(sequence)).toEqual([]);
  });

  it('keeps what was noticed while it was looked at', async () => {
    ground = new Ground();
    ground.record('f');
    ground.absorb(ground.event(EVENT.modify, 'root', 'f'));
    const meanwhile = () => void ground.absorb(ground.event(EVENT.modify, 'root', 'f'));
    await settled({ found: { f: file(ONE) }, meanwhile });
    expect(waiting()).toEqual(['f']);
    expect(told()).toEqual([]);
  });

  it('keeps a hot one, and tells that what was told of goes', async () => {
    ground = new Ground();
    ground.absorb(ground.event(EVENT.create, 'root', 'f'));
    await settled({ found: { f: hot(null) } });
    const [key, noticed] = [...ground.protocol.unsettled()][0] ?? [];
    expect(noticed?.isHot).toBe(true);
    ground.protocol.told(key ?? '', NOTICE.content);
    await settled({});
    expect(waiting()).toEqual([]);
    expect(told()).toEqual(['f removed']);
  });

  it('tells again, settled, what was told of while it waited', async () => {
    ground = new Ground();
    ground.absorb(ground.event(EVENT.create, 'root', 'd'));
    await settled({ found: { d: hot(null) } });
    const [key] = [...ground.protocol.unsettled()][0] ?? [];
    ground.protocol.told(key ?? '', NOTICE.content | NOTICE.subtree);
    await settled({ found: { d: file(ONE) } });
    expect(told().join()).toContain('subtree');
  });

  it('says nothing of what came and went untold', async () => {
    ground = new Ground();
    ground.absorb(ground.event(EVENT.create, 'root', 'f'));
    await settled({});
    expect(told()).toEqual([]);
  });

  it('tells a change under all names of the file', async () => {
    ground = new Ground();
    const nlink = 2;
    for (const name of ['f', 'g']) ground.absorb(ground.event(EVENT.create, 'root', name));
    await settled({ found: { f: file(ONE, { nlink }), g: file(ONE, { nlink }) } });
    const { sequence } = ground.store.log;
    ground.absorb(ground.event(EVENT.modify, 'root', 'f'));
    const changed = file(OTHER, { nlink, mtimeNs: 6n, ctimeNs: 6n });
    await settled({ found: { f: changed, g: changed } });
    expect(ground.told(sequence).map(({ path }) => path)).toEqual(['f', 'g']);
  });

  it('makes all names of a file hot where a writer is known by a refused lease alone', async () => {
    ground = new Ground();
    const nlink = 2;
    for (const name of ['f', 'g']) ground.absorb(ground.event(EVENT.create, 'root', name));
    await settled({ found: { f: file(ONE, { nlink }), g: file(ONE, { nlink }) } });
    ground.absorb(ground.event(EVENT.modify, 'root', 'f'));
    await settled({ found: { f: hot({ nlink }) } });
    expect([...ground.protocol.unsettled()].map(([key, { isHot }]) => `${key.slice(5)} ${isHot}`).sort()).toEqual([
      'f true',
      'g true',
    ]);
  });

  it('records a problem instead of a file', async () => {
    ground = new Ground();
    ground.record('f');
    ground.absorb(ground.event(EVENT.modify, 'root', 'f'));
    const problem = { code: 'EIO', message: 'cannot be read' };
    await settled({ found: { f: ({ key }) => ({ key, found: 'problem', problem }) } });
    const node = ground.store.tree.get('f' as BytePath);
    expect(node === null ? null : ground.store.record(node).entry).toMatchObject({ kind: 'problem', code: 'EIO' });
  });

  it('leaves what is elsewhere where it is', async () => {
    ground = new Ground();
    ground.record('d/');
    ground.record('d/f');
    ground.absorb(ground.event(EVENT.modify, 'd', 'f'));
    await settled({ found: { 'd/f': ({ key }) => ({ key, found: 'elsewhere' }) } });
    expect(waiting()).toEqual(['f']);
    expect(ground.tree()).toEqual(['d/ d', 'd/f']);
  });

  it('forgets what waits in a directory that is gone', async () => {
    ground = new Ground();
    ground.record('d/');
    ground.absorb(ground.event(EVENT.create, 'd', 'f'), ground.rename('root/d', 'elsewhere/d', 'd', true));
    await settled({});
    expect(waiting()).toEqual([]);
  });

  it('looks once more, at less, where a scan came in between, and gives way to many', async () => {
    ground = new Ground();
    ground.absorb(ground.event(EVENT.create, 'root', 'f'));
    let scans = 0;
    const { looked } = await settled({ found: { f: file(ONE) }, scans: () => (scans += 2) });
    expect(looked.length).toBeGreaterThan(1);
    expect(looked.length).toBeLessThan(10);
    expect(waiting()).toEqual(['f']);
  });

  it('keeps what was to leave where the store takes nothing', async () => {
    ground = new Ground();
    ground.absorb(ground.event(EVENT.create, 'root', 'f'), ground.event(EVENT.create, 'root', 'g'));
    const failing = ({ key }: LookRequest): LookAnswer => ({ ...file('too short')({ key } as LookRequest), key });
    await expect(settled({ found: { f: file(ONE), g: failing } })).rejects.toThrow();
    expect(waiting()).toEqual(['f', 'g']);
    expect(ground.protocol.takeUnwritten().length).toBe(2);
  });
});

describe('a directory of which no event told', () => {
  it('is scanned, and leaves after that', async () => {
    ground = new Ground();
    ground.protocol.notice(placeBytes(1, 'd'), NOTICE.entries);
    const { scanned } = await settled({ found: { d: directory('D') } });
    expect(scanned).toEqual(['d']);
    expect(told()).toEqual(['d entries']);
  });

  it('waits, on the disk as well, until it was scanned', async () => {
    ground = new Ground();
    ground.protocol.notice(placeBytes(1, 'd'), NOTICE.entries);
    const options: SettlerOptions = {
      store: ground.store,
      protocol: ground.protocol,
      look: async (requests) => requests.map((request) => directory('D')(request)),
      scans: () => 0,
      scan: async () => {
        throw new Error('killed');
      },
      onLinked() {},
    };
    await expect(settle(options, ROOT)).rejects.toThrow('killed');
    expect([...ground.store.dirty()].map(({ row }) => row.kinds & NOTICE.subtree)).toEqual([NOTICE.subtree]);
    expect(waiting()).toEqual(['d']);
  });

  it('in the place of another, replaces it with everything below', async () => {
    ground = new Ground();
    ground.record('d/');
    ground.record('d/f');
    ground.protocol.notice(placeBytes(1, 'd'), NOTICE.moved);
    const { scanned } = await settled({ found: { d: directory('another') } });
    expect(scanned).toEqual(['d']);
    expect(ground.tree()).toEqual(['d/ another']);
    expect(told()).toEqual(['d entries+subtree']);
  });
});
