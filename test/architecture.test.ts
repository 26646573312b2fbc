/** The two rules of ARCHITECTURE.md that a compiler does not check: floors import downwards, cores are pure. */
import { readdirSync, readFileSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';

const SOURCE = resolve(import.meta.dirname, '../src');
const FLOORS = ['platform', 'journal', 'sync', 'transport', 'daemon', 'cli'];

interface Import {
  readonly from: string;
  readonly to: string;
  readonly isTypeOnly: boolean;
}

/** Reasons why `code` at `file` (relative to src) breaks a rule; none where it keeps them. */
function violations(file: string, code: string): string[] {
  return [...importsIn(file, code).flatMap(importViolations), ...(isCore(file) ? impurities(file, code) : [])];
}

function importViolations({ from, to, isTypeOnly }: Import): string[] {
  if (!to.startsWith('.')) {
    return isCore(from) && !isTypeOnly ? [`${from} is core and imports ${to}`] : [];
  }
  const target = relative(SOURCE, resolve(SOURCE, from, '..', to));
  const found: string[] = [];
  if (floorOf(target) > floorOf(from)) found.push(`${from} reaches up to ${target}`);
  if (isCore(from) && !isCore(target) && !isTypeOnly) found.push(`${from} is core and imports the shell ${target}`);
  return found;
}

/** What a core must not touch; Buffer and the other globals of the language are fine. */
const IMPURE: readonly [RegExp, string][] = [
  [/\bDate\.now\b|\bnew Date\(\)/, 'the clock'],
  [/\bMath\.random\b|\bcrypto\.(?!subtle)/, 'randomness'],
  [/\bsetTimeout\b|\bsetInterval\b|\bsetImmediate\b/, 'timers'],
  [/\bprocess\./, 'the process'],
  [/\bnew Promise\b|\basync\b|\bawait\b/, 'promises'],
  [/\bconsole\./, 'the console'],
];

function impurities(file: string, code: string): string[] {
  const plain = code.replace(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, '').replace(/'[^'\n]*'|`[^`]*`/g, "''");
  return IMPURE.filter(([pattern]) => pattern.test(plain)).map(([, what]) => `${file} is core and uses ${what}`);
}

function importsIn(from: string, code: string): Import[] {
  const statements = code.matchAll(/^(?:import|export)\s(type\s)?[^;]*?from\s+'([^']+)'|^import\s+'([^']+)'/gm);
  const dynamic = code.matchAll(/\bimport\(\s*'([^']+)'\s*\)/g);
  return [
    ...[...statements].map((match) => ({ from, to: match[2] ?? match[3] ?? '', isTypeOnly: match[1] !== undefined })),
    ...[...dynamic].map((match) => ({ from, to: match[1] ?? '', isTypeOnly: false })),
  ];
}

function floorOf(file: string): number {
  return FLOORS.indexOf(file.split('/')[0] ?? '');
}

function isCore(file: string): boolean {
  return file.split('/').includes('core');
}

function sourceFiles(): string[] {
  return readdirSync(SOURCE, { recursive: true, encoding: 'utf8' }).filter((name) => /\.tsx?$/.test(name));
}

describe('architecture', () => {
  it('keeps floors and cores apart', () => {
    const files = sourceFiles();
    expect(files.length).toBeGreaterThan(100);
    expect(files.flatMap((file) => violations(file, readFileSync(join(SOURCE, file), 'utf8')))).toEqual([]);
  });

  it.each([
    ['a floor that reaches up', 'sync/x.ts', "import { a } from '../transport/frame.ts';"],
    ['a lazy import that reaches up', 'journal/x.ts', "const a = await import('../sync/scan.ts');"],
    ['a core with a node module', 'sync/core/x.ts', "import { readFileSync } from 'node:fs';"],
    ['a core that uses its shell', 'sync/core/x.ts', "import { scanTree } from '../scan.ts';"],
    ['a core with a clock', 'sync/core/x.ts', 'export const now = () => Date.now();'],
    ['a core with a promise', 'sync/core/x.ts', 'export async function f() {}'],
  ])('catches %s', (_name, file, code) => {
    expect(violations(file, code)).not.toEqual([]);
  });
});
