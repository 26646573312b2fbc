import { expect, test } from 'vitest';
import { type Loudness, noteReporter, textReporter } from '../../../src/cli/output/text.ts';
import { type BytePath, fromText } from '../../../src/platform/core/byte-path.ts';
import type { ActionEvent, RunEvent, Summary } from '../../../src/sync/report.ts';
import { summary } from '../harness.ts';

interface Printed {
  readonly out: string[];
  readonly err: string[];
}

function print(events: readonly RunEvent[], end: Summary, loudness: Loudness = 'normal', dryRun = false): Printed {
  const printed: Printed = { out: [], err: [] };
  const terminal = { result: (line: string) => printed.out.push(line), talk: (line: string) => printed.err.push(line) };
  const reporter = textReporter({ terminal, loudness, dryRun });
  for (const event of events) reporter.event(event);
  reporter.summary(end);
  return printed;
}

function created(path: BytePath, of: Partial<ActionEvent> = {}): ActionEvent {
  return { type: 'action', side: 'beta', operation: 'create', kind: 'file', path, ...of };
}

const COUNTS = { created: 1200, modified: 3, deleted: 1, renamed: 2, metadata: 4 };

test('every operation in a line of its own', () => {
  const { out, err } = print(
    [
      created(fromText('docs/new.md'), { bytes: 1234 }),
      created(fromText('docs'), { kind: 'directory' }),
      created(fromText('latest'), { kind: 'symlink', side: 'alpha' }),
      created(fromText('a.txt'), { operation: 'modify', bytes: 0 }),
      created(fromText('b.txt'), { operation: 'delete', side: 'alpha' }),
      created(fromText('new/c'), { operation: 'rename', kind: 'directory', from: fromText('old/c') }),
      created(fromText(''), { operation: 'metadata', kind: 'directory' }),
    ],
    summary({ beta: { ...summary().beta, ...COUNTS }, bytes: { ...summary().bytes, sent: 1_300_000, received: 812 } }),
  );
  expect(out).toEqual([
    '→ beta   created   docs/new.md (1.2 KB)',
    '→ beta   created   docs/',
    '← alpha  created   latest (symlink)',
    '→ beta   modified  a.txt (0 B)',
    '← alpha  deleted   b.txt',
    '→ beta   renamed   old/c/ → new/c/',
    '→ beta   metadata  ./',
    'in sync: 1,200 created, 3 modified, 1 deleted, 2 renamed, 4 metadata in 0.9 s; 1.3 MB sent, 812 B received',
  ]);
  expect(err).toEqual([]);
});

test('many paths: twenty of a kind, then a count; with -v all', () => {
  const events = Array.from({ length: 1254 }, (_, index) => created(fromText(`f${index}`)));
  events.push(created(fromText('one'), { side: 'alpha' }));
  const { out } = print(events, summary());
  expect(out).toHaveLength(20 + 1 + 1 + 1);
  expect(out.at(-2)).toBe('→ beta   created   … and 1,234 more (-v lists all)');
  expect(print(events, summary(), 'verbose').out).toHaveLength(1255 + 1);
});

test('nothing to do', () => {
  expect(print([], summary()).out).toEqual(['nothing to do: both sides equal (78,579 entries, 0.9 s)']);
  expect(print([], summary({ mode: 'one-way-safe', entries: { alpha: 1, beta: 9 } })).out).toEqual([
    'nothing to do: beta has all of alpha (1 entry, 0.9 s)',
  ]);
});

test('a dry run says what would be', () => {
  const alpha = { ...summary().alpha, created: 2, deleted: 1 };
  const conflicts = [{ path: fromText('x'), alpha: 'modified file', beta: 'deleted' }];
  const end = summary({ result: 'dry-run', alpha, conflicts });
  const { out } = print([created(fromText('y'))], end, 'normal', true);
  expect(out).toEqual([
    '→ beta   create    y',
    'dry run, nothing touched: 2 to create, 1 to delete, 1 conflict (0.9 s)',
  ]);
  expect(print([], summary({ result: 'dry-run' })).out).toEqual(['dry run, nothing touched: nothing to do (0.9 s)']);
});

const TROUBLE = summary({
  result: 'failed',
  beta: { ...summary().beta, created: 1 },
  conflicts: [
    { path: fromText('docs/a.txt'), alpha: 'modified file', beta: 'deleted' },
    { path: fromText('b'), alpha: 'created directory', beta: 'created file' },
  ],
  deferred: [{ path: fromText('db/data.ibd'), reason: 'open for writing' }],
  failed: [
    { path: fromText('big.iso'), side: 'beta', error: 'ENOSPC', message: 'no space left on device' },
    { path: fromText('other.iso'), side: 'beta', error: 'ENOSPC', message: 'ENOSPC: no space left on device, write' },
    { path: fromText('secret'), side: 'alpha', error: 'EACCES', message: 'permission denied' },
    { path: fromText('odd'), side: 'alpha', error: 'changed', message: 'changed again and again' },
  ],
});

test.each<Loudness>(['quiet', 'normal', 'verbose'])('trouble is told in full, with what to do (%s)', (loudness) => {
  const { out, err } = print([], TROUBLE, loudness);
  expect(err).toEqual([
    '2 conflicts, changed on both sides:',
    '  docs/a.txt  alpha: modified file  beta: deleted',
    '  b  alpha: created directory  beta: created file',
    '  Make the two sides agree, or let --conflict decide (copy keeps both).',
    '4 paths failed:',
    '  big.iso on beta: no space left on device (ENOSPC)',
    '  other.iso on beta: ENOSPC: no space left on device, write',
    '  secret on alpha: permission denied (EACCES)',
    '  odd on alpha: changed again and again',
    '  ENOSPC: make room on beta, then run again.',
    '  EACCES: check owner and permissions on alpha, or run as a user who may.',
    '1 path deferred:',
    '  db/data.ibd: open for writing',
    '  Left as they are; the next run takes them up.',
  ]);
  expect(out).toEqual(loudness === 'quiet' ? [] : ['4 paths failed, 2 conflicts, 1 path deferred; 1 created in 0.9 s']);
});

test('conflicts with nothing else done', () => {
  const conflicts = [{ path: fromText('x'), alpha: 'a', beta: 'b' }];
  expect(print([], summary({ result: 'conflicts', conflicts })).out).toEqual([
    '1 conflict; nothing else to do (0.9 s)',
  ]);
});

test.each([
  ['root-missing', 'Mount it or put it back.'],
  ['root-emptied', 'Bring its files back'],
  ['root-type', 'Put back what was there.'],
  ['root-identity', 'another directory than last time'],
  ['max-delete', '--max-delete'],
] as const)('halted: %s', (reason, remedy) => {
  const end = summary({ result: 'halted', halt: { reason, side: 'beta', detail: 'the detail' } });
  const { out, err } = print([], end);
  expect(out).toEqual(['halted: nothing was touched']);
  expect(err[0]).toBe('halted: beta: the detail');
  expect(err[1]).toContain(remedy);
});

test('names and foreign words come out harmless, each in one line', () => {
  const hostile = 'a\x1b]0;owned\x07\nb\u202egnp.exe\u009b31m' as string;
  const { out, err } = print(
    [created(fromText(hostile), { from: 'caf\xe9' as BytePath, operation: 'rename' })],
    summary({
      result: 'failed',
      failed: [{ path: fromText(hostile), side: 'beta', error: 'EIO', message: `peer says ${hostile}` }],
      conflicts: [{ path: fromText(hostile), alpha: hostile, beta: hostile }],
      deferred: [{ path: fromText(hostile), reason: hostile }],
      halt: { reason: 'root-type', side: 'alpha', detail: hostile },
    }),
  );
  // biome-ignore lint/suspicious/noControlCharactersInRegex: that is what is looked for
  for (const line of [...out, ...err]) expect(line).not.toMatch(/[\0-\x1f\x7f-\x9f\u202a-\u202e]/);
  expect(out[0]).toBe('→ beta   renamed   caf\\xe9 → a\\x1b]0;owned\\x07\\nb\\u{202e}gnp.exe\\u{9b}31m');
});

test('notes: warnings by default, details with -v, none with -q', () => {
  const noted = (loudness: Loudness) => {
    const talked: string[] = [];
    const terminal = { result: () => {}, talk: (line: string) => talked.push(line) };
    const reporter = noteReporter({ terminal, loudness });
    reporter.event({ type: 'note', level: 'warning', message: 'the clocks are 3 h apart\x1b[2J' });
    reporter.event({ type: 'note', level: 'detail', message: 'leftovers cleared' });
    return talked;
  };
  expect(noted('quiet')).toEqual([]);
  expect(noted('normal')).toEqual(['note: the clocks are 3 h apart\\x1b[2J']);
  expect(noted('verbose')).toHaveLength(2);
});
