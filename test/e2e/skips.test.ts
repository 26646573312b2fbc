/** Nothing is skipped but what is listed here. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { NEEDS } from './skips.ts';

/** What even the machine that checks every change does without: it runs as root, on Linux, with an ssh server. */
const EXPECTED_IN_CI = ['vfat', 'folding'];

/** What any other machine may lack beside that; the tests then run with less, and say so in their names. */
const EXPECTED_ELSEWHERE = [
  'sshd',
  'ssh',
  'keygen',
  'rsync',
  'root',
  'mount',
  'otherUser',
  'addon',
  'python',
  'distinct',
];

it('only what is expected is missing here', () => {
  const missing = Object.entries(NEEDS).flatMap(([need, why]) => (why === null ? [] : [need]));
  const expected = process.env.CI === undefined ? [...EXPECTED_IN_CI, ...EXPECTED_ELSEWHERE] : EXPECTED_IN_CI;
  expect(missing.filter((need) => !expected.includes(need))).toEqual([]);
});

it('no test is skipped by other means', () => {
  const folder = import.meta.dirname;
  const files = readdirSync(folder).filter((name) => name.endsWith('.ts') && !name.startsWith('skips.'));
  const skipping = files.filter((name) =>
    /\.(skip|skipIf|runIf|todo|only)\b/.test(readFileSync(join(folder, name), 'utf8')),
  );
  expect(skipping).toEqual([]);
});
