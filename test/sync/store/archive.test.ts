import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { TrackedEntry } from '../../../src/journal/core/entry.ts';
import { type BytePath, fromText, ROOT } from '../../../src/platform/core/byte-path.ts';
import { Archive, type SessionFacts } from '../../../src/sync/store/archive.ts';

let folder: string;
let archive: Archive;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tidemark-archive-'));
  archive = Archive.open(join(folder, 'archive'), { durable: false });
});

afterEach(() => {
  archive.close();
  rmSync(folder, { recursive: true });
});

const DIRECTORY: TrackedEntry = { kind: 'directory', mode: 0o755 };
const LINK: TrackedEntry = { kind: 'symlink', target: '../x' };
const FACTS: SessionFacts = {
  session: 'abc',
  alpha: { address: '/tmp/ä', identity: 'id:1', kind: 'directory', cursor: 'f00.12', entries: 3 },
  beta: { address: 'ssh://h/b', identity: 'fs:2', kind: 'directory', cursor: 'ba4.7', entries: 3 },
};

function file(sizeBytes: number): TrackedEntry {
  const digests = { fast: '8 bytes!', strong: 's'.repeat(32) };
  return { kind: 'file', mode: 0o644, sizeBytes, mtimeNs: 5n, digests };
}

const p = fromText;
const paths = () => [...archive.subtree(ROOT)].map(({ path }) => path);

describe('Archive', () => {
  test('keeps entries of every kind in path order', () => {
    archive.put(ROOT, DIRECTORY);
    archive.put(p('b'), file(1));
    archive.put(p('a'), { ...DIRECTORY, owner: '1:2', xattrs: 'packed' });
    archive.put(p('a/x'), LINK);
    expect([...archive.subtree(ROOT)]).toEqual([
      { path: 'a', entry: { ...DIRECTORY, owner: '1:2', xattrs: 'packed' } },
      { path: 'a/x', entry: LINK },
      { path: 'b', entry: file(1) },
    ]);
    expect([...archive.children(ROOT)].map(({ name }) => name)).toEqual(['a', 'b']);
    expect(archive.get(ROOT)).toEqual(DIRECTORY);
    expect(archive.get(p('nope/deeper'))).toBeNull();
  });

  test('takes a child before its parents', () => {
    archive.put(p('a/b/c'), file(1));
    expect(archive.get(p('a/b'))).toBeNull();
    expect(paths()).toEqual(['a/b/c']);
    archive.put(p('a'), DIRECTORY);
    archive.put(p('a/b'), DIRECTORY);
    expect(paths()).toEqual(['a', 'a/b', 'a/b/c']);
    archive.put(p('a'), file(2));
    expect(paths()).toEqual(['a']);
    archive.put(p('a/new'), file(3));
    expect(paths()).toEqual(['a/new']);
  });

  test('moves and forgets whole directories', () => {
    for (const path of ['d', 'd/e', 't']) archive.put(p(path), DIRECTORY);
    archive.put(p('d/e/f'), file(1));
    archive.put(p('t/old'), file(2));
    archive.rename(p('d'), p('t'));
    expect(paths()).toEqual(['t', 't/e', 't/e/f']);
    archive.rename(p('t/e'), p('far/away'));
    expect(paths()).toEqual(['far/away', 'far/away/f', 't']);
    archive.rename(p('unknown'), p('t'));
    expect(() => archive.rename(p('far'), p('far/x'))).toThrow('into itself');
    archive.remove(p('far'));
    archive.remove(p('unknown'));
    expect(paths()).toEqual(['t']);
  });

  test('facts and pending paths change with the entries, or not at all', () => {
    expect(archive.readSession()).toBeNull();
    archive.transaction(() => {
      archive.writeSession(FACTS);
      archive.put(p('x'), file(1));
    });
    expect(() =>
      archive.transaction(() => {
        archive.writeSession({ ...FACTS, session: 'other', rulesKey: 'r' });
        archive.put(p('y'), file(1));
        archive.pendingPut(p('y'), 'conflict');
        throw new Error('stop');
      }),
    ).toThrow('stop');
    expect(archive.readSession()).toEqual(FACTS);
    expect(archive.pending()).toEqual([]);
    expect(paths()).toEqual(['x']);
  });

  test('pending paths come in path order, long ones too', () => {
    const long = p(Array(30).fill('l'.repeat(200)).join('/'));
    const reasons: [BytePath, string][] = [
      [p('b'), 'conflict'],
      [p('a.b'), 'é'],
      [p('a/z'), 'EACCES'],
      [long, 'changed'],
      [`${long}2` as BytePath, 'changed'],
      [ROOT, 'changed'],
    ];
    archive.replacePending(new Map([[p('gone'), 'x']]));
    archive.replacePending(new Map(reasons));
    expect(archive.pending().map(({ path }) => path)).toEqual([ROOT, 'a/z', 'a.b', 'b', long, `${long}2`]);
    archive.pendingPut(p('b'), 'other');
    archive.pendingRemove(long);
    expect(archive.pending().map(({ reason }) => reason)).toEqual(['changed', 'EACCES', 'é', 'other', 'changed']);
  });

  test('clearing starts over, in the same opening and the next', () => {
    archive.put(p('a/b/c'), file(1));
    archive.writeSession(FACTS);
    archive.pendingPut(p('a'), 'x');
    expect(() =>
      archive.transaction(() => {
        archive.clear();
        archive.put(p('z'), file(9));
        throw new Error('stop');
      }),
    ).toThrow('stop');
    expect(paths()).toEqual(['a/b/c']);
    archive.clear();
    expect(archive.get(p('a/b/c'))).toBeNull();
    archive.put(p('n/a'), DIRECTORY);
    archive.put(p('a/q'), file(2));
    expect(paths()).toEqual(['a/q', 'n/a']);
    archive.close();
    archive = Archive.open(join(folder, 'archive'));
    expect(paths()).toEqual(['a/q', 'n/a']);
    expect(archive.readSession()).toBeNull();
    expect(archive.pending()).toEqual([]);
  });
});
