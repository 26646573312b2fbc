/** The configuration file: TOML, every option under its own name at the top level. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fromText } from '../../platform/core/byte-path.ts';
import { TidemarkError } from '../../platform/core/errors.ts';
import { usageError } from '../usage.ts';
import { closestName } from './closest.ts';
import type { OptionSpec } from './kinds.ts';
import type { Given, Source } from './resolve.ts';
import { OPTIONS, type OptionName, optionNamed } from './table.ts';

/** Largest configuration file read: every option a hundred times over. */
const MAX_CONFIG_BYTES = 1024 * 1024;

/**
 * What the configuration file gives; nothing where there is no file.
 * @param homeDirectory Stands for `~/` in values that are files.
 * @throws TidemarkError `usage` where the file cannot be read, is no TOML, or holds an unknown key or a wrong type.
 */
export async function readConfig(file: string, homeDirectory: string): Promise<Source> {
  const text = readText(file);
  if (text === null) return new Map();
  const table = await parseToml(file, text);
  const source = new Map<OptionName, Given>();
  for (const [key, value] of Object.entries(table)) {
    const where = `${file}, line ${lineOf(key, text)}: ${key}`;
    const spec = optionNamed(key);
    if (spec === undefined) throw unknownKey(key, where);
    source.set(key as OptionName, { as: givenAs(spec, value, where, homeDirectory), where });
  }
  return source;
}

function readText(file: string): string | null {
  try {
    const bytes = readFileSync(file);
    if (bytes.length > MAX_CONFIG_BYTES) throw usageError('config-too-large', `${file} is larger than 1 MiB`);
    return bytes.toString('utf8');
  } catch (error) {
    if (error instanceof TidemarkError) throw error;
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return null;
    throw usageError('config-unreadable', `cannot read ${file}: ${message}`, 'Make it readable, or move it away.');
  }
}

async function parseToml(file: string, text: string): Promise<Record<string, unknown>> {
  const { parse, TomlError } = await import('smol-toml');
  try {
    return parse(text);
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    const [reason = ''] = error.message.split('\n');
    throw usageError('config-syntax', `${file}, line ${error.line}, column ${error.column}: ${reason}`);
  }
}

function unknownKey(key: string, where: string): TidemarkError {
  const names = Object.keys(OPTIONS);
  const closest = closestName(key.replaceAll('_', '-'), names);
  const remedy = closest === null ? `Known keys: ${names.join(', ')}.` : `Did you mean "${closest}"?`;
  return usageError('config-unknown-key', `${where} is not an option`, remedy);
}

function givenAs(spec: OptionSpec, value: unknown, where: string, home: string): boolean | readonly string[] {
  switch (spec.kind) {
    case 'switch':
      if (spec.notConfigurable !== undefined) {
        throw usageError('config-one-run-only', `${where} cannot be set here: ${spec.notConfigurable}`);
      }
      if (typeof value === 'boolean') return value;
      throw wrongType(where, value, 'Give true or false.');
    case 'value':
      if (typeof value === 'string') return [asBytes(value, spec.isFile === true, home)];
      if (typeof value === 'number') return [String(value)];
      throw wrongType(where, value, spec.expects);
    case 'list': {
      const items: unknown[] = Array.isArray(value) ? value : [value];
      return items.map((item) => {
        if (typeof item === 'string') return asBytes(item, spec.isFile === true, home);
        throw wrongType(where, value, 'Give a string, or a list of strings in brackets.');
      });
    }
  }
}

function asBytes(value: string, isFile: boolean, home: string): string {
  return fromText(isFile && value.startsWith('~/') ? join(home, value.slice(2)) : value);
}

function wrongType(where: string, value: unknown, remedy: string): TidemarkError {
  return usageError('config-wrong-type', `${where}: ${nameOfType(value)} does not fit`, remedy);
}

function nameOfType(value: unknown): string {
  if (Array.isArray(value)) return 'a list';
  if (value instanceof Date) return 'a date';
  switch (typeof value) {
    case 'boolean':
      return `${value}`;
    case 'string':
      return 'a string';
    case 'number':
    case 'bigint':
      return 'a number';
    default:
      return 'a table';
  }
}

/** Line of a top-level key; the parser does not keep it. 1 where it is written in an unusual way. */
function lineOf(key: string, text: string): number {
  const lines = text.split('\n');
  const pattern = new RegExp(`^\\s*\\[?\\s*["']?${key.replace(/[^\w-]/g, '\\$&')}["']?\\s*[=.\\]]`);
  return Math.max(lines.findIndex((line) => pattern.test(line)) + 1, 1);
}
