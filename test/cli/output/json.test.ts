import { expect, test } from 'vitest';
import { jsonReporter, summaryJson, toJsonLine } from '../../../src/cli/output/json.ts';
import { type BytePath, fromText } from '../../../src/platform/core/byte-path.ts';
import type { ProgressEvent, RunEvent } from '../../../src/sync/report.ts';
import { summary } from '../harness.ts';

const NOT_UTF8 = 'caf\xe9/\x1b[31m' as BytePath;

function printed(events: readonly RunEvent[], progress = true, clock = () => 0): string[] {
  const lines: string[] = [];
  const reporter = jsonReporter({ write: (line) => lines.push(line), nowMs: clock, progress });
  for (const event of events) reporter.event(event);
  return lines;
}

const PROGRESS: ProgressEvent = {
  type: 'progress',
  phase: 'transferring',
  filesDone: 1,
  filesTotal: 2,
  bytesDone: 10,
  bytesTotal: 20,
  current: { path: fromText('big.iso'), bytesDone: 5, bytesTotal: 9 },
};

test('the summary has exactly the promised fields, in order', () => {
  const line = toJsonLine(
    summaryJson(
      summary({
        result: 'failed',
        conflicts: [{ path: fromText('a"b'), alpha: 'modified file', beta: 'deleted' }],
        deferred: [{ path: fromText('db'), reason: 'open for writing' }],
        failed: [{ path: fromText('ö'), side: 'beta', error: 'ENOSPC', message: 'no space left on device' }],
        bytes: { literal: 1, matched: 2, reused: 3, sent: 4, received: 5 },
      }),
    ),
  );
  const side = '"backend":"scan","cursor":"c1","created":0,"modified":0,"deleted":0,"renamed":0,"metadata":0';
  expect(line).toBe(
    '{"type":"summary","result":"failed","mode":"two-way-safe",' +
      `"alpha":{"root":"/a",${side}},"beta":{"root":"/b",${side}},` +
      '"conflicts":[{"path":"a\\"b","alpha":"modified file","beta":"deleted"}],' +
      '"deferred":[{"path":"db","reason":"open for writing"}],' +
      '"failed":[{"path":"ö","side":"beta","error":"ENOSPC","message":"no space left on device"}],"halt":null,' +
      '"bytes":{"literal":1,"matched":2,"reused":3,"sent":4,"received":5},' +
      '"scanned":{"alpha":3,"beta":3},"hashed":{"alpha":0,"beta":0},"elapsedMs":912}',
  );
});

test('a halt is an object', () => {
  const halt = { reason: 'max-delete', side: 'beta', detail: '12 of 15 files' } as const;
  expect(summaryJson(summary({ halt })).halt).toEqual(halt);
});

test('actions', () => {
  expect(
    printed([
      { type: 'action', side: 'beta', operation: 'create', kind: 'file', path: fromText('n/new.md'), bytes: 12 },
      {
        type: 'action',
        side: 'alpha',
        operation: 'rename',
        kind: 'directory',
        path: fromText('to'),
        from: fromText('from'),
      },
      { type: 'action', side: 'alpha', operation: 'delete', kind: 'symlink', path: fromText('') },
    ]),
  ).toEqual([
    '{"type":"action","side":"beta","operation":"create","kind":"file","path":"n/new.md","bytes":12}',
    '{"type":"action","side":"alpha","operation":"rename","kind":"directory","path":"to","from":"from"}',
    '{"type":"action","side":"alpha","operation":"delete","kind":"symlink","path":""}',
  ]);
});

test('a path that is not UTF-8 is escaped and carries its bytes', () => {
  const [line = ''] = printed([{ type: 'deferred', path: NOT_UTF8, reason: 'open for writing' }]);
  expect(JSON.parse(line)).toEqual({
    type: 'deferred',
    path: 'caf\\xe9/\\x1b[31m',
    pathBytes: Buffer.from(NOT_UTF8, 'latin1').toString('base64'),
    reason: 'open for writing',
  });
  const [renamed = ''] = printed([
    { type: 'action', side: 'beta', operation: 'rename', kind: 'file', path: fromText('x'), from: NOT_UTF8 },
  ]);
  expect(JSON.parse(renamed)).toMatchObject({ path: 'x', fromBytes: expect.any(String) });
  expect(JSON.parse(renamed)).not.toHaveProperty('pathBytes');
});

test('a line holds nothing a terminal acts on, and reads back exactly', () => {
  const text = 'a\x1b[2J\u009b31m\u202egnp.exe\u2028\x7f\r\n\\';
  const [line = ''] = printed([{ type: 'conflict', path: fromText(text), alpha: 'x', beta: 'y' }]);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: that is what is looked for
  expect(line).not.toMatch(/[\0-\x1f\x7f-\x9f\u2028-\u202e]/);
  expect(JSON.parse(line).path).toBe(text);
});

test('progress at most twice a second', () => {
  let now = 0;
  const lines: string[] = [];
  const reporter = jsonReporter({ write: (line) => lines.push(line), nowMs: () => now, progress: true });
  for (now = 0; now < 2000; now += 10) reporter.event(PROGRESS);
  expect(lines).toHaveLength(4);
  expect(JSON.parse(lines[0] ?? '')).toEqual({ ...PROGRESS });
});

test('no progress lines where they are not wanted, notes never', () => {
  expect(printed([PROGRESS], false)).toEqual([]);
  expect(printed([{ type: 'note', level: 'warning', message: 'clock' }])).toEqual([]);
});

test('a verification: differences, then a summary', () => {
  const lines: string[] = [];
  const reporter = jsonReporter({ write: (line) => lines.push(line), nowMs: () => 0, progress: true });
  const differences = [{ path: fromText('x'), alpha: 'file of 3 bytes', beta: 'nothing' }];
  reporter.verified({ differences, entries: 9, hashedBytes: 33, elapsedMs: 1.5 });
  expect(lines).toEqual([
    '{"type":"difference","path":"x","alpha":"file of 3 bytes","beta":"nothing"}',
    '{"type":"summary","result":"different","differences":1,"entries":9,"hashedBytes":33,"elapsedMs":2}',
  ]);
});
