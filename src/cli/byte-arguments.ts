/**
 * The arguments as bytes. Node decodes them as UTF-8 and so loses names that are not; where that happened, Linux still
 * has them in /proc/self/cmdline.
 */
import { readFileSync } from 'node:fs';
import { fromText } from '../platform/core/byte-path.ts';
import { usageError } from './usage.ts';

/**
 * `texts` as byte strings.
 * @param readRaw The process's arguments with a NUL behind each; read only where a text was not UTF-8.
 * @throws TidemarkError `usage` where the bytes cannot be had: a wrong name must not be taken for the right one.
 */
export function byteArguments(texts: readonly string[], readRaw: () => Buffer = readCommandLine): string[] {
  if (!texts.some(isDamaged)) return texts.map(fromText);
  const raw = rawArguments(texts.length, readRaw);
  return texts.map((text, index) => {
    if (!isDamaged(text)) return fromText(text);
    const bytes = raw?.[index];
    if (bytes !== undefined && Buffer.from(bytes, 'latin1').toString('utf8') === text) return bytes;
    throw usageError('argument-encoding', `argument ${index + 1} is not UTF-8 and cannot be read on this system`);
  });
}

function isDamaged(text: string): boolean {
  return text.includes('\ufffd');
}

function readCommandLine(): Buffer {
  return readFileSync('/proc/self/cmdline');
}

function rawArguments(count: number, readRaw: () => Buffer): string[] | null {
  try {
    return readRaw().toString('latin1').split('\0').slice(0, -1).slice(-count);
  } catch {
    return null;
  }
}
