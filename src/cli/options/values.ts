/**
 * Values people type: sizes, rates, durations, limits. Text in, a value or a fault out; nothing is thrown.
 *
 * Arguments are byte strings (see byte-arguments.ts), so a value that is a name or a pattern passes through unharmed.
 */
import { nameFault, toBuffer } from '../../platform/core/byte-path.ts';
import type { DeletionLimit } from '../../sync/options.ts';

/** A value, or why the text is none: a phrase that follows `--option "text": `. */
export type Parsed<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly fault: string };

export function parsed<T>(value: T): Parsed<T> {
  return { ok: true, value };
}

export function refused(fault: string): { readonly ok: false; readonly fault: string } {
  return { ok: false, fault };
}

const POWERS = 'KMGT';

/**
 * A transfer rate in bytes per second, written as rsync's `--bwlimit` takes it: a bare number counts KiB, `K`, `M`, `G`
 * and `KiB`, `MiB`, `GiB` are powers of 1024, `KB`, `MB`, `GB` powers of 1000, `B` single bytes; `/s` may follow.
 * 0 is no limit, and so null.
 */
export function parseRate(text: string): Parsed<number | null> {
  const match = /^(\d+(?:\.\d+)?)\s*(?:([kmgt])(i?b)?|b)?(?:\/s)?$/i.exec(text);
  if (match === null) return refused('not a rate');
  const [, digits = '', power, suffix] = match;
  const isBytes = power === undefined && /\db/i.test(text);
  const base = suffix?.toLowerCase() === 'b' ? 1000 : 1024;
  const exponent = power === undefined ? (isBytes ? 0 : 1) : POWERS.indexOf(power.toUpperCase()) + 1;
  const bytesPerSecond = Math.round(Number(digits) * base ** exponent);
  if (!Number.isSafeInteger(bytesPerSecond)) return refused('too large a rate');
  if (bytesPerSecond === 0) return Number(digits) === 0 ? parsed(null) : refused('less than one byte per second');
  return parsed(bytesPerSecond);
}

const SECONDS = { s: 1, m: 60, h: 3600, d: 86_400, w: 604_800, y: 31_536_000 } as const;

/** Longest duration taken: a hundred years, far below where seconds as doubles lose precision. */
const MAX_DURATION_SECONDS = 100 * SECONDS.y;

/** A duration in seconds: a number with `s`, `m` (minutes), `h`, `d`, `w` or `y` behind it, or a bare 0. */
export function parseDuration(text: string): Parsed<number> {
  if (text === '0') return parsed(0);
  if (/^\d+(\.\d+)?$/.test(text)) return refused('a duration without a unit');
  const match = /^(\d+(?:\.\d+)?)\s*([smhdwy])$/.exec(text);
  if (match === null) return refused('not a duration');
  const seconds = Math.round(Number(match[1]) * SECONDS[match[2] as keyof typeof SECONDS]);
  return seconds > MAX_DURATION_SECONDS ? refused('more than a hundred years') : parsed(seconds);
}

/** `N` or `P%`. */
export function parseDeletionLimit(text: string): Parsed<DeletionLimit> {
  const match = /^(\d+(?:\.\d+)?)(%?)$/.exec(text);
  if (match === null) return refused('neither a number nor a percentage');
  const number = Number(match[1]);
  if (match[2] === '%') {
    return number > 100 ? refused('more than 100%') : parsed({ kind: 'percent', percent: number });
  }
  return Number.isSafeInteger(number) ? parsed({ kind: 'count', count: number }) : refused('not a whole number');
}

export function parsePort(text: string): Parsed<number> {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  return port >= 1 && port <= 65_535 ? parsed(port) : refused('not a port number');
}

/** A command or a file: from here on text, not bytes, because Node's own calls take it. Not empty, one line. */
export function parseLine(bytes: string): Parsed<string> {
  const text = toBuffer(bytes).toString('utf8');
  if (text.includes('\ufffd')) return refused('not UTF-8');
  return lineFault(bytes) ?? parsed(text);
}

/** The name of a file, without directories. */
export function parseName(text: string): Parsed<string> {
  const fault = nameFault(text);
  return fault === null ? parsed(text) : refused(fault);
}

/** Longest ignore pattern: a path of the longest kind Linux takes in one call. */
const MAX_PATTERN_BYTES = 4096;

/** One line in gitignore syntax. */
export function parsePattern(text: string): Parsed<string> {
  if (text.length > MAX_PATTERN_BYTES) return refused(`longer than ${MAX_PATTERN_BYTES} bytes`);
  return lineFault(text) ?? parsed(text);
}

export function parseChoice<C extends string>(choices: readonly C[], text: string): Parsed<C> {
  const found = choices.find((choice) => choice === text);
  return found === undefined ? refused('not one of the choices') : parsed(found);
}

function lineFault(text: string): ReturnType<typeof refused> | null {
  if (text.trim() === '') return refused('empty');
  return /[\0\n\r]/.test(text) ? refused('more than one line') : null;
}
