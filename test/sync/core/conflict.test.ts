import { describe, expect, test } from 'vitest';
import type { Entry, TrackedEntry } from '../../../src/journal/core/entry.ts';
import { fromText, nameOf, toBuffer } from '../../../src/platform/core/byte-path.ts';
import { describeChange, settleConflict } from '../../../src/sync/core/conflict.ts';
import { conflictPath } from '../../../src/sync/core/conflict-name.ts';
import type { ConflictPolicy } from '../../../src/sync/options.ts';
import { directoryOf, fileOf, optionsWith } from '../../support/tree-model.ts';

const early = fileOf('1', { mtimeNs: 1n });
const late = fileOf('22', { mtimeNs: 2n });
const link: TrackedEntry = { kind: 'symlink', target: 'x' };

describe('settling', () => {
  test.each<[ConflictPolicy, TrackedEntry, TrackedEntry, string]>([
    ['report', early, late, 'report'],
    ['newer', early, late, 'beta'],
    ['older', early, late, 'alpha'],
    ['larger', early, late, 'beta'],
    ['newer', early, fileOf('2'), 'report'],
    ['larger', early, fileOf('2'), 'report'],
    ['newer', early, link, 'report'],
    ['larger', directoryOf(), early, 'report'],
    ['alpha', early, directoryOf(), 'alpha'],
    ['beta', early, directoryOf(), 'beta'],
    ['copy', early, late, 'alpha moves aside'],
    ['copy', late, early, 'beta moves aside'],
    ['copy', early, fileOf('2'), 'beta moves aside'],
    ['copy', early, directoryOf(), 'alpha moves aside'],
    ['copy', directoryOf(), late, 'beta moves aside'],
    ['copy', link, early, 'alpha moves aside'],
    ['copy', link, { kind: 'symlink', target: 'y' }, 'beta moves aside'],
  ])('%s', (policy, alpha, beta, expected) => {
    const settled = settleConflict(alpha, beta, policy);
    const side =
      settled.kind === 'winner' ? settled.side : settled.kind === 'copy' ? `${settled.loser} moves aside` : null;
    expect(side ?? 'report').toBe(expected);
  });
});

describe('words', () => {
  const file = fileOf('1');
  test.each<[Entry | null, TrackedEntry | null, string]>([
    [null, file, 'deleted'],
    [null, directoryOf(), 'deleted directory'],
    [null, null, 'nothing'],
    [file, null, 'created file'],
    [directoryOf(), null, 'created directory'],
    [fileOf('2'), file, 'modified file'],
    [link, file, 'file replaced by symlink'],
    [{ ...file, mode: 0o640 }, file, 'changed mode 0640'],
    [{ ...file, xattrs: 'k' }, file, 'changed extended attributes'],
    [{ ...file, linkTo: 'a' }, file, 'changed hard links'],
    [file, file, 'unchanged file'],
    [{ kind: 'untracked', what: 'fifo' }, file, 'fifo'],
    [{ kind: 'problem', code: 'EIO', message: '' }, file, 'unreadable'],
  ])('%#', (entry, ancestor, text) => {
    expect(describeChange(entry, ancestor, optionsWith())).toBe(text);
  });
});

describe('names of copies', () => {
  const at = (path: string, taken: readonly string[] = []) =>
    conflictPath(fromText(path), 'beta', '20250102T030405Z', (candidate) => taken.includes(candidate));

  test.each([
    ['a.txt', 'a.conflict-beta-20250102T030405Z.txt'],
    ['d/a', 'd/a.conflict-beta-20250102T030405Z'],
    ['d.e/a', 'd.e/a.conflict-beta-20250102T030405Z'],
    ['.bashrc', '.bashrc.conflict-beta-20250102T030405Z'],
    ['a.tar.gz', 'a.tar.conflict-beta-20250102T030405Z.gz'],
    ['a.not really an extension', 'a.not really an extension.conflict-beta-20250102T030405Z'],
  ])('%s', (path, expected) => {
    expect(at(path)).toBe(expected);
  });

  test('a name that is taken gets a number', () => {
    const taken = ['a.conflict-beta-20250102T030405Z.txt', 'a.conflict-beta-20250102T030405Z-2.txt'];
    expect(at('a.txt', taken)).toBe('a.conflict-beta-20250102T030405Z-3.txt');
  });

  test('long names are cut between characters', () => {
    for (const letter of ['a', 'é', '€', '😀']) {
      const bytes = Buffer.byteLength(letter);
      const name = nameOf(at(`${letter.repeat(Math.floor(250 / bytes))}.txt`));
      expect(name.length).toBeLessThanOrEqual(255);
      expect(name.length).toBeGreaterThan(255 - bytes);
      expect(toBuffer(name).toString('utf8')).toMatch(
        new RegExp(`^(${letter})+\\.conflict-beta-20250102T030405Z\\.txt$`, 'u'),
      );
    }
  });
});
