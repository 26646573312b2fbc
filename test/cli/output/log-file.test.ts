import { execFileSync } from 'node:child_process';
import { chownSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openLogFile } from '../../../src/cli/output/log-file.ts';
import { fromText } from '../../../src/platform/core/byte-path.ts';
import { invoke, summary } from '../harness.ts';

let folder: string;
let file: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tidemark-log-'));
  file = join(folder, 'log');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function records(): Record<string, unknown>[] {
  return readFileSync(file, 'utf8')
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line));
}

test('facts with their time, appended, readable by the owner only', () => {
  for (const path of ['one', 'two']) {
    const log = openLogFile(file, () => 1_700_000_000_000);
    log.event({ type: 'deferred', path: fromText(path), reason: 'open for writing' });
    log.event({ type: 'note', level: 'detail', message: 'cleared' });
    log.summary(summary());
    log.close();
  }
  expect(records().map(({ time, type }) => [time, type])).toEqual(
    ['deferred', 'note', 'summary', 'deferred', 'note', 'summary'].map((type) => ['2023-11-14T22:13:20.000Z', type]),
  );
  expect(statSync(file).mode & 0o777).toBe(0o600);
});

test('a run that cannot go on is in the log too', async () => {
  const runSync = async () => {
    throw new Error('boom');
  };
  const { code } = await invoke(['sync', 'a', 'b', '--log-file', file], { dependencies: { runSync } });
  expect(code).toBe(4);
  expect(records()).toMatchObject([{ type: 'error', message: 'boom' }]);
});

test.each([
  ['a symbolic link', () => symlinkSync(join(folder, 'target'), file), 'symbolic link'],
  ['a FIFO', () => execFileSync('mkfifo', [file]), ''],
  ['a directory', () => (file = folder), ''],
  ['a missing folder', () => (file = join(folder, 'no', 'log')), 'ENOENT'],
])('%s is refused', async (_what, make, reason) => {
  make();
  const { code, stderr, syncs } = await invoke(['sync', 'a', 'b', '--log-file', file]);
  expect({ code, syncs }).toEqual({ code: 2, syncs: [] });
  expect(stderr).toContain(`cannot log to ${file}`);
  expect(stderr).toContain(reason);
});

test.runIf(process.geteuid?.() === 0)("somebody else's file is refused (runs as root only)", async () => {
  writeFileSync(file, '');
  chownSync(file, 12_345, 12_345);
  const { stderr } = await invoke(['sync', 'a', 'b', '--log-file', file]);
  expect(stderr).toContain('belongs to user 12345');
});
