import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from 'esbuild';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { terminalPrompter, typed } from '../../src/cli/prompt.ts';

test.each([
  ['', 'abc', 'more', 'abc'],
  ['abc', '\r', 'done', 'abc'],
  ['ab', 'c\nrest', 'done', 'abc'],
  ['abc', '\x7f\x7f', 'more', 'a'],
  ['', '\x7fx', 'more', 'x'],
  ['a🚀', '\b', 'more', 'a'],
  ['abc', '\x15x', 'more', 'x'],
  ['abc', '\x03', 'interrupted', ''],
  ['abc', '\x04', 'interrupted', ''],
  ['a', '\x1b[A\t', 'more', 'a[A'],
  ['x'.repeat(4096), 'y', 'more', 'x'.repeat(4096)],
])('%j and then %j', (before, input, kind, text) => {
  expect(typed(before, input)).toEqual({ kind, text });
});

test('without a terminal nobody is asked', async () => {
  const prompter = terminalPrompter({ hold: () => () => {}, device: '/nonexistent/tty' });
  expect(prompter.isInteractive()).toBe(false);
  await expect(prompter.askSecret('Passphrase for key:')).rejects.toMatchObject({
    fault: 'unavailable',
    code: 'no-terminal',
    message: expect.stringContaining('"Passphrase for key"'),
  });
});

const ASK = `
import { terminalPrompter } from ${JSON.stringify(join(import.meta.dirname, '../../src/cli/prompt.ts'))};
const prompter = terminalPrompter({ hold: () => () => {} });
const asked = await Promise.allSettled([prompter.askSecret('First:'), prompter.askSecret('Second\\x1b[2J:')]);
console.log(JSON.stringify(asked.map(({ value, reason }) => value ?? reason.fault)));
`;

let folder: string;
let program: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'tidemark-prompt-'));
  program = join(folder, 'ask.mjs');
  const stdin = { contents: ASK, resolveDir: folder, loader: 'ts' } as const;
  await build({ stdin, outfile: program, bundle: true, platform: 'node', format: 'esm', logLevel: 'error' });
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Runs the questions with a terminal of their own (`script` makes one), and types an answer when its question shows. */
function inTerminal(answers: ReadonlyMap<string, string>): Promise<string> {
  const child = spawn('script', ['-qec', `${process.execPath} ${program}`, '/dev/null']);
  const open = new Map(answers);
  let shown = '';
  child.stdout.setEncoding('utf8');
  child.stdout.on('data', (chunk: string) => {
    shown += chunk;
    for (const [question, answer] of open) {
      if (!shown.includes(question)) continue;
      open.delete(question);
      child.stdin.write(answer);
    }
  });
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', () => resolve(shown));
  });
}

test('two questions at once come one after the other; answers are not shown, questions are harmless', async () => {
  const shown = await inTerminal(
    new Map([
      ['First: ', 'hunter2\r'],
      ['Second', 'swordfishes\x7f\x7f\r'],
    ]),
  );
  expect(shown.replaceAll('\r', '')).toBe('First: \nSecond\\x1b[2J: \n["hunter2","swordfish"]\n');
});

test('Ctrl-C at a question interrupts', async () => {
  const shown = await inTerminal(
    new Map([
      ['First: ', '\x03'],
      ['Second', 'x\r'],
    ]),
  );
  expect(shown).toContain('["interrupted","x"]');
});
