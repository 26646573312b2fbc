import { describe, expect, test } from 'vitest';
import type { Entry, FileEntry, TrackedEntry } from '../../../src/journal/core/entry.ts';
import type { DigestName } from '../../../src/journal/core/look.ts';
import type { BytePath } from '../../../src/platform/core/byte-path.ts';
import { compareContent, digestsNeeded, type Likeness, type Proof } from '../../../src/sync/core/compare.ts';
import { agreedEntry } from '../../../src/sync/core/compare-metadata.ts';
import { ALL_METADATA, directoryOf, fileOf, NO_METADATA } from '../../support/tree-model.ts';

/** A file of size 1 whose digests are known as far as the letters say: f fast, s strong. */
function known(text: string, which: '' | 'f' | 's' | 'fs'): FileEntry {
  const file = fileOf(text);
  const { fast, strong } = file.digests;
  return { ...file, digests: { fast: which.includes('f') ? fast : null, strong: which.includes('s') ? strong : null } };
}

describe('content', () => {
  test.each<[string, TrackedEntry, TrackedEntry, Proof, DigestName, Likeness]>([
    ['sizes differ', known('1', ''), known('22', ''), 'adopt', 'xxh64', 'different'],
    ['both empty', known('', ''), known('', ''), 'adopt', 'sha256', 'same'],
    ['nothing known', known('1', ''), known('1', ''), 'change', 'xxh64', 'unknown'],
    ['fast proves a change', known('1', 'f'), known('2', 'f'), 'adopt', 'sha256', 'different'],
    ['fast proves no change', known('1', 'f'), known('1', 'f'), 'change', 'xxh64', 'same'],
    ['but not in a sha256 session', known('1', 'f'), known('1', 'f'), 'change', 'sha256', 'unknown'],
    ['nor that two contents are one', known('1', 'f'), known('1', 'f'), 'adopt', 'xxh64', 'unknown'],
    ['strong does', known('1', 's'), known('1', 's'), 'adopt', 'xxh64', 'same'],
    ['strong against fast', known('1', 's'), known('1', 'f'), 'change', 'xxh64', 'unknown'],
    ['kinds', fileOf('1'), directoryOf(), 'adopt', 'xxh64', 'different'],
    ['directories', directoryOf(0o700), directoryOf(0o755), 'adopt', 'xxh64', 'same'],
    ['targets', { kind: 'symlink', target: 'a' }, { kind: 'symlink', target: 'b' }, 'change', 'xxh64', 'different'],
  ])('%s', (_name, left, right, proof, digest, likeness) => {
    expect(compareContent(left, right, proof, digest)).toBe(likeness);
    expect(compareContent(right, left, proof, digest)).toBe(likeness);
  });
});

describe('digests needed', () => {
  test.each<[string, TrackedEntry | null, Entry | null, Entry | null, DigestName, string[]]>([
    ['new on one side', null, known('1', ''), null, 'xxh64', []],
    ['new on both', null, known('1', ''), known('2', ''), 'xxh64', ['alpha strong', 'beta strong']],
    ['new on both, fast differs', null, known('1', 'f'), known('2', 'f'), 'xxh64', []],
    ['new on both, other sizes', null, known('1', ''), known('22', ''), 'xxh64', []],
    ['new on both, one known', null, known('1', 's'), known('1', 'f'), 'xxh64', ['beta strong']],
    ['perhaps changed', known('1', 'f'), known('1', ''), known('1', 'f'), 'xxh64', ['alpha fast']],
    ['perhaps changed, sha256', known('1', 'fs'), known('1', 'f'), known('1', 's'), 'sha256', ['alpha strong']],
    ['perhaps changed on both', known('1', 'f'), known('1', ''), known('1', ''), 'xxh64', ['alpha fast', 'beta fast']],
    ['changed on one', known('1', 'f'), known('2', 'f'), known('1', 'f'), 'xxh64', []],
    [
      'changed on both, perhaps the same',
      known('1', 'f'),
      known('2', 'f'),
      known('2', 'f'),
      'xxh64',
      ['alpha strong', 'beta strong'],
    ],
    ['size changed, other gone', known('1', 'f'), known('22', ''), null, 'xxh64', []],
    ['perhaps changed, other gone', known('1', 'f'), known('1', ''), null, 'xxh64', ['alpha fast']],
    ['archive knows only strong', known('1', 's'), known('1', 'f'), known('1', 's'), 'xxh64', ['alpha strong']],
    [
      'archive of another session digest: compared with each other',
      known('1', 'f'),
      known('1', 'f'),
      known('1', 'f'),
      'sha256',
      ['alpha strong', 'beta strong'],
    ],
    ['against a directory', null, known('1', ''), directoryOf(), 'xxh64', []],
    [
      'against something ignored',
      known('1', 'f'),
      known('1', ''),
      { kind: 'untracked', what: 'ignored' },
      'xxh64',
      ['alpha fast'],
    ],
  ])('%s', (_name, ancestor, alpha, beta, digest, expected) => {
    const path = 'a' as BytePath;
    const needs = digestsNeeded({ path, ancestor, alpha, beta, alphaIdentity: null, betaIdentity: null }, { digest });
    expect(needs.map(({ side, strong }) => `${side} ${strong ? 'strong' : 'fast'}`)).toEqual(expected);
  });
});

describe('agreed entry', () => {
  const file = (changes: Partial<FileEntry> = {}, text = '1') => fileOf(text, changes);
  test.each<[string, TrackedEntry | null, TrackedEntry | null, TrackedEntry | null, TrackedEntry | null]>([
    ['both gone', file(), null, null, null],
    ['one gone: not agreed', file(), file(), null, file()],
    ['contents differ: not agreed', file({}, '0'), file(), file({}, '2'), file({}, '0')],
    ['contents not known to be the same', null, known('1', 'f'), known('1', 's'), null],
    ['the same', null, file(), file(), file()],
    ['digests come together', null, known('1', 'f'), known('1', 'fs'), file()],
    ['a mode that did not arrive is still to come', file(), file({ mode: 0o600 }), file(), file()],
    ['a mode that never agreed', null, file({ mode: 0o600 }), file(), null],
    ['a touch that did not arrive', file(), file({ mtimeNs: 9n }), file(), file()],
    ['a time made coarser', null, file({ mtimeNs: 1999n }), file({ mtimeNs: 1000n }), file({ mtimeNs: 1999n })],
    ['special bits are not agreed upon', null, file({ mode: 0o4755 }), file({ mode: 0o755 }), file({ mode: 0o755 })],
    ['xattrs that one side cannot hold', file({ xattrs: 'k' }), file({ xattrs: 'l' }), file(), file({ xattrs: 'k' })],
  ])('%s', (_name, ancestor, alpha, beta, agreed) => {
    expect(agreedEntry(ancestor, alpha, beta, ALL_METADATA)).toEqual(agreed);
  });

  test('what is not synced does not stand in the way', () => {
    const agreed = agreedEntry(null, file({ mode: 0o600, mtimeNs: 1n }), file({ mtimeNs: 2n }), NO_METADATA);
    expect(agreed).toEqual(file({ mode: 0o600, mtimeNs: 2n }));
  });
});
