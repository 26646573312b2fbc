import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { OPTIONS } from '../../../src/cli/options/table.ts';
import { invoke } from '../harness.ts';

let folder: string;
const scripts = new Map<string, string>();
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'tidemark-completion-'));
  writeFileSync(join(folder, 'two words.txt'), '');
  writeFileSync(join(folder, 'st*r'), '');
  mkdirSync(join(folder, 'tree'));
  for (const shell of ['bash', 'zsh', 'fish']) {
    const { code, stdout, stderr } = await invoke(['completion', shell]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    scripts.set(shell, stdout);
    writeFileSync(join(folder, `.${shell}`), stdout);
  }
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** What bash offers for the last word. */
function offered(...words: string[]): string[] {
  const script = `
    source .bash
    COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
    _tidemark
    printf '%s\\n' "\${COMPREPLY[@]}"`;
  const output = execFileSync('bash', ['--norc', '-c', script, 'bash', ...words], { cwd: folder, encoding: 'utf8' });
  return output.split('\n').filter((word) => word !== '');
}

test('bash takes the script without complaint', () => {
  expect(execFileSync('bash', ['-n', join(folder, '.bash')], { encoding: 'utf8' })).toBe('');
});

test.each([
  [
    ['tidemark', ''],
    ['sync', 'verify', 'journal', 'daemon', 'doctor', 'completion', 'help', '-V', '--version', '-h', '--help'],
  ],
  [['tidemark', 's'], ['sync']],
  [['tidemark', '--v'], ['--version']],
  [['tidemark', 'sync', '--mod'], ['--mode']],
  [
    ['tidemark', 'sync', '--no-p'],
    ['--no-perms', '--no-progress'],
  ],
  [
    ['tidemark', 'sync', '--mode', 'one'],
    ['one-way-safe', 'one-way-replica'],
  ],
  [
    ['tidemark', 'sync', '--mode', '=', 'two'],
    ['two-way-safe', 'two-way-resolved'],
  ],
  [
    ['tidemark', 'sync', '--mode', '='],
    ['two-way-safe', 'two-way-resolved', 'one-way-safe', 'one-way-replica'],
  ],
  [['tidemark', 'sync', 'a', '--conflict', 'l'], ['larger']],
  [
    ['tidemark', 'sync', 't'],
    ['two words.txt', 'tree'],
  ],
  [['tidemark', 'sync', 'a', 'st'], ['st*r']],
  [['tidemark', 'sync', '-i', 'tr'], ['tree']],
  [['tidemark', 'sync', '--port', ''], []],
  [['tidemark', 'sync', 'host', ':', 't'], []],
  [['tidemark', 'verify', '--force'], []],
  [
    ['tidemark', 'completion', ''],
    ['bash', 'zsh', 'fish'],
  ],
  [
    ['tidemark', 'help', 'd'],
    ['daemon', 'doctor'],
  ],
  [
    ['tidemark', 'daemon', ''],
    ['run', 'start', 'stop', 'status', 'install', 'uninstall'],
  ],
  [
    ['tidemark', 'journal', 's'],
    ['status', 'since'],
  ],
  [['tidemark', 'journal', 'checkpoint', '--su'], ['--subtree']],
  [['tidemark', 'journal', 'since', 'c1', 'tr'], ['tree']],
  [['tidemark', 'daemon', 'install', '--s'], ['--system']],
  [['tidemark', 'sync', 'journal', '--jso'], ['--json']],
])('bash: %j', (words, expected) => {
  expect(offered(...words).sort()).toEqual([...expected].sort());
});

test('zsh and fish know every option and its choices', () => {
  for (const [name, spec] of Object.entries(OPTIONS)) {
    const isOff = spec.kind === 'switch' && spec.shown === 'off';
    expect(scripts.get('zsh')).toContain(isOff ? `--no-${name}` : `--${name}`);
    expect(scripts.get('fish')).toContain(isOff ? `-l no-${name}` : `-l ${name}`);
  }
  expect(scripts.get('zsh')).toContain('value:(two-way-safe two-way-resolved one-way-safe one-way-replica)');
  expect(scripts.get('fish')).toContain("-f -a 'two-way-safe two-way-resolved one-way-safe one-way-replica'");
});

test('zsh and fish know the commands below journal, and whose verify is whose', () => {
  const fish = scripts.get('fish') ?? '';
  expect(fish).toContain(
    "'__fish_seen_subcommand_from journal; and __fish_seen_subcommand_from checkpoint' -l subtree -x",
  );
  expect(fish).toContain("'__fish_seen_subcommand_from verify; and not __fish_seen_subcommand_from journal' -l ignore");
  const zsh = (scripts.get('zsh') ?? '').split('\n').map((line) => line.trim());
  const journal = zsh.indexOf('journal)');
  expect(journal).toBeGreaterThan(0);
  expect(zsh.indexOf('checkpoint)')).toBeGreaterThan(journal);
  expect(zsh).toContain("'checkpoint:name this moment, durably: prints a cursor for since'");
});

test('quotes and brackets of descriptions stay inside their strings', () => {
  for (const shell of ['zsh', 'fish']) {
    for (const line of (scripts.get(shell) ?? '').split('\n')) {
      if (line.startsWith('#')) continue;
      expect(line.replace(/\\'/g, '').split("'").length % 2, line).toBe(1);
    }
  }
});
