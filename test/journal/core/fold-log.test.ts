import { describe, expect, it } from 'vitest';
import type { JournalChange } from '../../../src/journal/core/answers.ts';
import { foldLog, type WaitingObject } from '../../../src/journal/core/fold-log.ts';
import { decodeLogRow, encodeLogRow, type LogRow } from '../../../src/journal/core/journal-row.ts';
import { NOTICE } from '../../../src/journal/core/kinds.ts';
import type { Place } from '../../../src/journal/core/tree-key.ts';
import type { BytePath } from '../../../src/platform/core/byte-path.ts';

/** Directory 1 is the root; each test names the others and what is there now. */
function fold(
  rows: readonly LogRow[],
  directories: Readonly<Record<number, string>>,
  there: readonly string[],
  waiting: readonly WaitingObject[] = [],
): JournalChange[] {
  return foldLog(
    rows.map((row) => decodeLogRow(encodeLogRow(row))),
    waiting,
    {
      pathOf({ parent, name }) {
        const directory = parent === 1 ? '' : directories[parent];
        if (directory === undefined) return null;
        return (directory === '' ? name : `${directory}/${name}`) as BytePath;
      },
      kindAt(path) {
        if (!there.includes(path)) return 'nothing';
        return Object.values(directories).includes(path) ? 'directory' : 'other';
      },
    },
  );
}

const at = (parent: number, name: string): Place => ({ parent, name });
const written = (place: Place, kinds: number = NOTICE.content, isNew = false): LogRow => ({
  kind: 'written',
  place,
  kinds,
  proof: 'leased',
  isNew,
});
const moved = (from: Place, place: Place, fromPath: string, toPath: string, isDirectory = false): LogRow => ({
  kind: 'moved',
  isDirectory,
  place,
  from,
  fromPath: fromPath as BytePath,
  toPath: toPath as BytePath,
});
const removed = (place: Place): LogRow => ({ kind: 'removed', place });
const brief = (changes: readonly JournalChange[]) =>
  changes.map(
    ({ path, kinds, renamedFrom }) => `${path} ${kinds.join('+')}${renamedFrom === null ? '' : ` < ${renamedFrom}`}`,
  );

describe('folding the log', () => {
  it('tells each path once, kinds together, newest proof', () => {
    const changes = fold([written(at(1, 'a')), written(at(1, 'a'), NOTICE.metadata)], {}, ['a']);
    expect(changes).toEqual([
      { path: 'a', kinds: ['content', 'metadata'], renamedFrom: null, hot: false, proof: 'leased' },
    ]);
  });

  it('tells a removal, and nothing of what came and went within', () => {
    expect(brief(fold([removed(at(1, 'a'))], {}, []))).toEqual(['a removed']);
    expect(brief(fold([written(at(2, 'x')), removed(at(1, 'd'))], {}, []))).toEqual(['d removed']);
  });

  it('tells what was removed and made again as content', () => {
    expect(brief(fold([removed(at(1, 'a')), written(at(1, 'a'), NOTICE.content, true)], {}, ['a']))).toEqual([
      'a content',
    ]);
  });

  it('tells of everything below a directory that took the place of another', () => {
    const rows = [removed(at(1, 'd')), written(at(1, 'd'), NOTICE.entries, true), written(at(2, 'x'))];
    expect(brief(fold(rows, { 2: 'd' }, ['d', 'd/x']))).toEqual(['d entries+subtree', 'd/x content']);
  });

  it('follows a file through several names', () => {
    const rows = [moved(at(1, 'a'), at(1, 'b'), 'a', 'b'), moved(at(1, 'b'), at(1, 'c'), 'b', 'c')];
    expect(brief(fold(rows, {}, ['c']))).toEqual(['a removed', 'b removed', 'c entries < a']);
  });

  it('follows a file within a directory that was renamed before', () => {
    const rows = [moved(at(1, 'd'), at(1, 'e'), 'd', 'e', true), moved(at(2, 'f'), at(2, 'g'), 'e/f', 'e/g')];
    expect(brief(fold(rows, { 2: 'e' }, ['e', 'e/g']))).toEqual([
      'd removed',
      'e entries < d',
      'e/f removed',
      'e/g entries < d/f',
    ]);
  });

  it('follows a file within a directory that is renamed later', () => {
    const rows = [moved(at(2, 'f'), at(2, 'g'), 'd/f', 'd/g'), moved(at(1, 'd'), at(1, 'e'), 'd', 'e', true)];
    expect(brief(fold(rows, { 2: 'e' }, ['e', 'e/g']))).toContain('e/g entries < d/f');
  });

  it('follows both halves of an exchange', () => {
    const rows = [
      moved(at(0, 'parked 0'), at(1, 'b'), 'b', 'b'),
      moved(at(1, 'a'), at(1, 'b'), 'a', 'b'),
      moved(at(1, 'b2'), at(1, 'a'), 'b', 'a'),
    ].slice(1);
    expect(brief(fold(rows, {}, ['a', 'b']))).toEqual(['a entries < b', 'b entries < a', 'b2 removed']);
  });

  it('does not trace what did not exist at the cursor', () => {
    const rows = [
      written(at(1, 'tmp'), NOTICE.content, true),
      moved(at(1, 'tmp'), at(1, 'f'), 'tmp', 'f'),
      written(at(1, 'f')),
    ];
    expect(brief(fold(rows, {}, ['f']))).toEqual(['f content+entries', 'tmp removed']);
  });

  it('a file that came back to its name was not renamed', () => {
    const rows = [moved(at(1, 'a'), at(1, 'b'), 'a', 'b'), moved(at(1, 'b'), at(1, 'a'), 'b', 'a')];
    expect(brief(fold(rows, {}, ['a']))).toEqual(['a content+entries', 'b removed']);
  });

  it('tells what waits as pending, hot or not', () => {
    const waiting = [{ path: 'db' as BytePath, kinds: NOTICE.content, isHot: true }];
    expect(fold([], {}, ['db'], waiting)).toEqual([
      { path: 'db', kinds: ['content'], renamedFrom: null, hot: true, proof: 'pending' },
    ]);
  });
});
