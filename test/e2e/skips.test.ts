/** Nothing is skipped but what is listed here. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { NEEDS } from './skips.ts';

/** What the tests do without on a machine that runs them as root, on Linux, with an ssh server. */
const EXPECTED_AS_ROOT = ['vfat', 'folding'];

/** What an ordinary user's machine may lack beside that. */
const EXPECTED_AS_USER = [...EXPECTED_AS_ROOT, 'root', 'mount', 'otherUser', 'sshd', 'addon', 'distinct'];

it('only what is expected is missing here', () => {
  const missing = Object.entries(NEEDS).flatMap(([need, why]) => (why === null ? [] : [need]));
  const expected = process.getuid?.() === 0 && process.platform === 'linux' ? EXPECTED_AS_ROOT : EXPECTED_AS_USER;
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
