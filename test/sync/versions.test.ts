import * as fs from 'node:fs';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { clearLeftovers } from '../../src/sync/apply/leftovers.ts';
import { expireVersions, readVersions, recoverVersions } from '../../src/sync/versions.ts';
import { hookedFileSystem } from './apply/hooked-filesystem.ts';
import { BOTH_KINDS } from './apply/kinds.ts';
import { at, verdicts, Workbench } from './apply/workbench.ts';

const DAY_MS = 24 * 3600 * 1000;

describe.each(BOTH_KINDS)('$name', ({ fileSystem }) => {
  let bench: Workbench;
  beforeEach(() => {
    bench = new Workbench(fileSystem);
    bench.write('file', 'old', 0o640);
    bench.write('dir/inner', 'inner');
    bench.observe();
  });
  afterEach(() => bench.close());

  function runs(): string[] {
    return fs.readdirSync(bench.path('.tidemark/versions')).sort();
  }

  test('a version is the same inode, with all that it had, and says what it was', () => {
    const before = fs.statSync(bench.path('file'), { bigint: true });
    const startedMs = Date.now();
    bench.apply([bench.put('file', 'new')]);
    const [version, ...others] = [...readVersions(fileSystem, bench.root)];
    expect(others).toEqual([]);
    expect(version).toMatchObject({
      number: 0,
      path: 'file',
      reason: 'overwritten',
      session: 'c0ffee',
      entry: { kind: 'file', mode: 0o640, sizeBytes: 3 },
    });
    expect(version?.whenMs).toBeGreaterThanOrEqual(startedMs);
    const kept = fs.statSync(bench.path(`.tidemark/versions/${version?.run}/0`), { bigint: true });
    expect([kept.mtimeNs, kept.mode, kept.size]).toEqual([before.mtimeNs, before.mode, before.size]);
    if (fileSystem.kind === 'native') expect(kept.ino).toBe(before.ino);
  });

  test('names of any bytes and any length', () => {
    const name = Buffer.concat([Buffer.from([0xff, 0x0a, 0x1b]), Buffer.alloc(240, 0x61)]);
    fs.writeFileSync(Buffer.concat([Buffer.from(`${bench.directory}/`), name]), 'hostile');
    bench.observe();
    const path = name.toString('latin1');
    expect(verdicts(bench.apply([bench.remove(path)]))).toEqual(['done']);
    expect([...readVersions(fileSystem, bench.root)].map((version) => version.path)).toEqual([path]);
  });

  test('newest run first', () => {
    bench.apply([bench.put('file', 'second')], { clock: () => Date.now() - 60_000 });
    bench.apply([bench.put('file', 'third')]);
    expect(bench.versions()).toEqual(['overwritten file=second', 'overwritten file=old']);
  });

  test('versions expire by the time of their run', () => {
    const now = Date.now();
    bench.options = { ...bench.options, keepVersionsSeconds: 30 * 24 * 3600 };
    bench.apply([bench.put('file', 'second')], { clock: () => now - 31 * DAY_MS });
    bench.apply([bench.put('file', 'third')], { clock: () => now - 29 * DAY_MS });
    expect(runs()).toHaveLength(2);
    bench.apply([bench.put('other', 'x')], { clock: () => now });
    expect(bench.versions()).toEqual(['overwritten file=second']);
    expireVersions(fileSystem, bench.root, now, 0);
    expect(runs()).toEqual([]);
  });

  test('what is not a run of ours is left alone', () => {
    fs.mkdirSync(bench.path('.tidemark/versions/notes'));
    expireVersions(fileSystem, bench.root, Date.now(), 0);
    recoverVersions(fileSystem, bench.root);
    expect(runs()).toEqual(['notes']);
  });

  test('a manifest cut short or damaged loses only what is behind the damage, and no object', () => {
    bench.apply([bench.put('file', 'new'), bench.remove('dir/inner')]);
    const manifest = bench.path(`.tidemark/versions/${runs()[0]}/manifest`);
    const bytes = fs.readFileSync(manifest);
    fs.rmSync(bench.path(`.tidemark/versions/${runs()[0]}/settled`));
    for (const damaged of [bytes.subarray(0, bytes.length - 3), flipped(bytes, bytes.length - 3)]) {
      fs.writeFileSync(manifest, damaged);
      recoverVersions(fileSystem, bench.root);
      expect(bench.versions()).toEqual(['overwritten file=old']);
      expect(bench.read(`.tidemark/versions/${runs()[0]}/1`)).toBe('inner');
      fs.rmSync(bench.path(`.tidemark/versions/${runs()[0]}/settled`), { force: true });
    }
    for (const damaged of [Buffer.alloc(0), Buffer.from('nonsense')]) {
      fs.writeFileSync(manifest, damaged);
      recoverVersions(fileSystem, bench.root);
      expect(bench.versions()).toEqual([]);
      expect(bench.read(`.tidemark/versions/${runs()[0]}/0`)).toBe('old');
    }
  });

  describe('a run that was killed', () => {
    /** Runs operations up to the call that matches, and leaves things as a kill would. */
    function killedAt(
      method: string,
      nth: number,
      act: (applierInput: { fileSystem: typeof fileSystem }) => void,
    ): void {
      let count = 0;
      let isDead = false;
      const hooked = hookedFileSystem(fileSystem, (called, args) => {
        if (isDead || (called === method && args.some((arg) => arg === 'file') && ++count === nth)) {
          isDead = true;
          throw Object.assign(new Error('killed'), { code: 'EKILLED' });
        }
      });
      try {
        act({ fileSystem: hooked });
      } catch {
        // As it was at that moment.
      }
    }

    test.skipIf(fileSystem.kind === 'portable')('before the exchange: the staged content is no version', () => {
      killedAt('exchange', 1, (input) => bench.apply([bench.put('file', 'new')], input));
      expect(bench.versions()).toEqual(['overwritten file=new']);
      clearLeftovers(fileSystem, bench.root, Date.now());
      expect([bench.read('file'), bench.versions(), bench.litter()]).toEqual(['old', [], []]);
      expect(runs()).toEqual([]);
    });

    test.skipIf(fileSystem.kind === 'portable')('after the exchange: the old content is a version', () => {
      killedAt('stat', 4, (input) => bench.apply([bench.put('file', 'new')], input));
      clearLeftovers(fileSystem, bench.root, Date.now());
      expect([bench.read('file'), bench.versions(), bench.litter()]).toEqual(['new', ['overwritten file=old'], []]);
    });

    test('before it was said what a slot is for: nothing stays', () => {
      const hooked = hookedFileSystem(fileSystem, (method) => {
        if (method === 'syncFileSystem' || method === 'syncDirectory') throw new Error('killed');
      });
      const applier = bench.applier({ fileSystem: hooked });
      bench.pushTo(applier, bench.put('file', 'new'));
      clearLeftovers(fileSystem, bench.root, Date.now());
      expect([bench.read('file'), bench.versions(), bench.litter()]).toEqual(['old', [], []]);
    });
  });

  test('the versions of a file root lie beside it', () => {
    bench.index.records.clear();
    bench.index.records.set(at(''), { entry: bench.observe().entry('file'), packedStat: null, racy: false });
    const record = bench.index.get(at('file'));
    if (record === null) throw new Error();
    bench.index.records.clear();
    bench.index.records.set(at(''), record);
    const outcomes = bench.apply([bench.put('', 'new')], { only: at('file') as never });
    expect(verdicts(outcomes)).toEqual(['done']);
    expect([bench.read('file'), bench.versions()]).toEqual(['new', ['overwritten file=old']]);
  });
});

function flipped(bytes: Buffer, position: number): Buffer {
  const copy = Buffer.from(bytes);
  copy[position] = (copy[position] ?? 0) ^ 0xff;
  return copy;
}
