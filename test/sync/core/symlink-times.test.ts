import { describe, expect, test } from 'vitest';
import type { SymlinkEntry, TrackedEntry } from '../../../src/journal/core/entry.ts';
import { type BytePath, fromText, ROOT } from '../../../src/platform/core/byte-path.ts';
import { agreedEntry, sameMetadata } from '../../../src/sync/core/compare-metadata.ts';
import type { Decision, ReconcileOptions, Row } from '../../../src/sync/core/plan.ts';
import { reconcile } from '../../../src/sync/core/reconcile.ts';
import { ALL_METADATA, NO_METADATA, optionsWith } from '../../support/tree-model.ts';

const PATH: BytePath = fromText('link');
const FOLDER: TrackedEntry = { kind: 'directory', mode: 0o755 };

/** `x@7`: a symlink to x with that mtime; `x`: one of which none is known; `-`: nothing. */
function link(text: string): SymlinkEntry | null {
  if (text === '-') return null;
  const [target = '', mtime] = text.split('@');
  return { kind: 'symlink', target, ...(mtime === undefined ? {} : { mtimeNs: BigInt(mtime) }) };
}

function decide(words: string, changes: Partial<ReconcileOptions> = {}): string[] {
  const [ancestor = null, alpha = null, beta = null] = words.split(' ').map(link);
  const identities = { alphaIdentity: null, betaIdentity: null };
  const rows: Row[] = [
    { path: ROOT, ancestor: FOLDER, alpha: FOLDER, beta: FOLDER, ...identities },
    { path: PATH, ancestor, alpha, beta, ...identities },
  ];
  return [...reconcile(rows, optionsWith(changes))].map(textOf);
}

function textOf(decision: Decision): string {
  switch (decision.kind) {
    case 'put':
      return `put ${decision.side} ${wordOf(decision.after)} ${decision.reason}`;
    case 'record':
      return `record ${wordOf(decision.entry)}`;
    case 'remove':
      return `remove ${decision.side}`;
    default:
      return decision.kind;
  }
}

function wordOf(entry: TrackedEntry | null): string {
  if (entry?.kind !== 'symlink') return '-';
  return entry.mtimeNs === undefined ? entry.target : `${entry.target}@${entry.mtimeNs}`;
}

describe('the time of a symlink', () => {
  /** Archive, alpha, beta, and what happens; all of it also with the sides swapped. */
  const cases: [name: string, trees: string, expected: string[]][] = [
    ['unchanged', 'x@1 x@1 x@1', []],
    ['touched on one side', 'x@1 x@5 x@1', ['put beta x@5 metadata']],
    ['set back on one side', 'x@5 x@1 x@5', ['put beta x@1 metadata']],
    ['touched on both, the later wins', 'x@1 x@5 x@7', ['put alpha x@7 metadata']],
    ['touched on both alike', 'x@1 x@5 x@5', ['record x@5']],
    ['new on both with one target, the later wins', '- x@5 x@7', ['put alpha x@7 metadata']],
    ['new on both, all the same', '- x@5 x@5', ['record x@5']],
    ['new on one side', '- x@5 -', ['put beta x@5 create']],
    ['retargeted on one side', 'x@1 y@5 x@1', ['put beta y@5 content']],
    ['retargeted here, touched there', 'x@1 y@5 x@7', ['put beta y@5 content']],
    ['touched here, removed there: no content, no rescue', 'x@1 x@5 -', ['remove alpha']],
    ['other targets conflict, whatever their times', 'x@1 y@5 z@7', ['conflict']],
    ['not known on one side', 'x@1 x@5 x', []],
    ['not known before', 'x x@5 x@7', ['put alpha x@7 metadata']],
    ['known now', 'x x@5 x@5', ['record x@5']],
    ['retargeted where no time is known', 'x@1 y x@1', ['put beta y content']],
  ];

  test.each(cases)('%s', (_name, trees, expected) => {
    const [ancestor = '', alpha = '', beta = ''] = trees.split(' ');
    expect(decide(trees)).toEqual(expected);
    const swapped = expected.map((text) => text.replace(/alpha|beta/, (side) => (side === 'alpha' ? 'beta' : 'alpha')));
    expect(decide(`${ancestor} ${beta} ${alpha}`)).toEqual(swapped);
  });

  test.each(['x@1 x@5 x@1', 'x@1 x@5 x@7', 'x@1 x@1 x@7'])('is left alone with --no-times: %s', (trees) => {
    expect(decide(trees, { metadata: NO_METADATA }).filter((text) => !text.startsWith('record'))).toEqual([]);
  });

  test("is alpha's in one-way modes", () => {
    expect(decide('x@1 x@5 x@7', { mode: 'one-way-replica' })).toEqual(['put beta x@5 metadata']);
    expect(decide('x@1 x@1 x@7', { mode: 'one-way-replica' })).toEqual(['put beta x@1 metadata']);
  });

  test.each(['two-way-safe', 'two-way-resolved', 'one-way-safe', 'one-way-replica'] as const)(
    'never conflicts in %s',
    (mode) => {
      for (const trees of ['x@1 x@5 x@7', '- x@5 x@7', 'x@1 x@5 x@1']) {
        expect(decide(trees, { mode, conflict: 'report' })).not.toContain('conflict');
      }
    },
  );
});

describe('what the archive keeps of it', () => {
  const agreed = (...words: string[]) => {
    const [ancestor = null, alpha = null, beta = null] = words.map(link);
    return wordOf(agreedEntry(ancestor, alpha, beta, ALL_METADATA));
  };

  test('follows both sides, and stays where only one of them moved', () => {
    expect(agreed('x@1', 'x@5', 'x@5')).toBe('x@5');
    expect(agreed('x@1', 'x@5', 'x@1')).toBe('x@1');
    expect(agreed('x@1', 'x@5', 'x')).toBe('x@1');
    expect(agreed('-', 'x@5', 'x')).toBe('x');
    // Coarser stamps on one side.
    expect(agreed('x@1', 'x@5', 'x@4')).toBe('x@5');
  });

  test('counts as metadata', () => {
    const [here, there] = [link('x@1'), link('x@2')] as [SymlinkEntry, SymlinkEntry];
    expect(sameMetadata(here, there, ALL_METADATA)).toBe(false);
    expect(sameMetadata(here, there, NO_METADATA)).toBe(true);
  });
});
