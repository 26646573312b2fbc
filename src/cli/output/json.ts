/** NDJSON for programs: one object per line on stdout, the summary last. */
import type { BytePath } from '../../platform/core/byte-path.ts';
import { jsonPath } from '../../platform/core/display.ts';
import type { ProgressEvent, RunEvent, Summary } from '../../sync/report.ts';
import type { VerifyResult } from '../request.ts';
import type { Reporter } from './reporter.ts';

/** Progress lines at most this often: twice a second. */
export const JSON_PROGRESS_INTERVAL_MS = 500;

export interface JsonReporterOptions {
  readonly write: (line: string) => void;
  /** Milliseconds of any clock that does not go back. */
  readonly nowMs: () => number;
  /** False: no progress lines. */
  readonly progress: boolean;
}

/** Writes every fact as a line. Progress is thinned out; the summary holds conflicts, deferred and failed paths again. */
export function jsonReporter({ write, nowMs, progress }: JsonReporterOptions): Reporter {
  let nextProgressMs = Number.NEGATIVE_INFINITY;
  return {
    event(event) {
      if (event.type === 'note') return;
      if (event.type === 'progress') {
        if (!progress || nowMs() < nextProgressMs) return;
        nextProgressMs = nowMs() + JSON_PROGRESS_INTERVAL_MS;
      }
      write(toJsonLine(eventJson(event)));
    },
    summary(summary) {
      write(toJsonLine(summaryJson(summary)));
    },
    verified(result) {
      for (const difference of result.differences) {
        write(toJsonLine({ type: 'difference', ...withPaths(difference, ['path']) }));
      }
      write(toJsonLine(verifiedJson(result)));
    },
    stopped() {},
  };
}

/** A fact as its JSON object. */
export function eventJson(event: Exclude<RunEvent, { type: 'note' }>): Record<string, unknown> {
  switch (event.type) {
    case 'action':
      return withPaths(event, ['path', 'from']);
    case 'progress':
      return progressJson(event);
    case 'conflict':
    case 'deferred':
    case 'failed':
      return withPaths(event, ['path']);
  }
}

/** The summary as its JSON object, field for field as the command line promises it. */
export function summaryJson(summary: Summary): Record<string, unknown> {
  const { result, mode, halt, bytes, scanned, hashed, elapsedMs } = summary;
  return {
    type: 'summary',
    result,
    mode,
    alpha: summary.alpha,
    beta: summary.beta,
    conflicts: summary.conflicts.map((conflict) => withPaths(conflict, ['path'])),
    deferred: summary.deferred.map((deferred) => withPaths(deferred, ['path'])),
    failed: summary.failed.map((failed) => withPaths(failed, ['path'])),
    halt,
    bytes,
    scanned,
    hashed,
    elapsedMs: Math.round(elapsedMs),
  };
}

/** One object as a line without its line feed. What a terminal would act on is written as `\uXXXX`, which JSON reads back. */
export function toJsonLine(value: unknown): string {
  return JSON.stringify(value).replace(TERMINAL_CONTROLS, (character) => {
    return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
  });
}

/** DEL, C1 controls, line separators and direction overrides; JSON.stringify itself escapes C0. */
const TERMINAL_CONTROLS = /[\u007f-\u009f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g;

/**
 * `from` with the byte strings under `keys` as text: exact where they are UTF-8, otherwise escaped, with the bytes in
 * base64 beside them under `<key>Bytes`.
 */
function withPaths(from: object, keys: readonly string[]): Record<string, unknown> {
  const to: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(from)) {
    if (!keys.includes(key) || typeof value !== 'string') to[key] = value;
    else Object.assign(to, pathJson(key, value));
  }
  return to;
}

function pathJson(key: string, bytes: string): Record<string, string> {
  const { path, pathBytes } = jsonPath(bytes as BytePath);
  return pathBytes === undefined ? { [key]: path } : { [key]: path, [`${key}Bytes`]: pathBytes };
}

function progressJson({ current, ...event }: ProgressEvent): Record<string, unknown> {
  return current === undefined ? event : { ...event, current: withPaths(current, ['path']) };
}

function verifiedJson({ differences, entries, hashedBytes, elapsedMs }: VerifyResult): Record<string, unknown> {
  return {
    type: 'summary',
    result: differences.length === 0 ? 'equal' : 'different',
    differences: differences.length,
    entries,
    hashedBytes,
    elapsedMs: Math.round(elapsedMs),
  };
}
