/** The log: every fact with its time, one JSON object per line, appended to a file of the user's own. */
import { closeSync, constants, fstatSync, openSync, writeSync } from 'node:fs';
import type { TidemarkError } from '../../platform/core/errors.ts';
import { usageError } from '../usage.ts';
import { eventJson, JSON_PROGRESS_INTERVAL_MS, summaryJson, toJsonLine } from './json.ts';
import type { Reporter } from './reporter.ts';

/** Text is gathered up to this size before it is written. */
const BUFFER_CHARACTERS = 32 * 1024;

/** A reporter that writes to a file; close it to write the rest. */
export interface LogFile extends Reporter {
  close(): void;
}

/**
 * Opens `file` for appending; made 0600 where there is none.
 *
 * A log is often put where others may write, such as /tmp: what is not a regular file, is a symbolic link, or belongs
 * to somebody else is refused (O_NONBLOCK: not even waited for).
 * @param nowMs Milliseconds since 1970.
 * @throws TidemarkError `usage`.
 */
export function openLogFile(file: string, nowMs: () => number): LogFile {
  const fd = openOwn(file);
  let pending = '';
  let nextProgressMs = Number.NEGATIVE_INFINITY;
  const flush = () => {
    const text = pending;
    pending = '';
    if (text !== '') writeOrDrop(fd, text);
  };
  const record = (object: Record<string, unknown>) => {
    pending += `${toJsonLine({ time: new Date(nowMs()).toISOString(), ...object })}\n`;
    if (pending.length > BUFFER_CHARACTERS) flush();
  };
  return {
    event(event) {
      if (event.type === 'progress') {
        if (nowMs() < nextProgressMs) return;
        nextProgressMs = nowMs() + JSON_PROGRESS_INTERVAL_MS;
      }
      record(event.type === 'note' ? { ...event } : eventJson(event));
    },
    summary: (summary) => record(summaryJson(summary)),
    verified: ({ differences, ...rest }) => {
      record({ type: 'verified', differences: differences.length, ...rest });
    },
    stopped: (error) => record({ type: 'error', message: error.message, stack: error.stack }),
    close() {
      flush();
      closeSync(fd);
    },
  };
}

function openOwn(file: string): number {
  const { O_WRONLY, O_APPEND, O_CREAT, O_NOFOLLOW, O_NONBLOCK, O_NOCTTY } = constants;
  let fd: number;
  try {
    fd = openSync(file, O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, 0o600);
  } catch (error) {
    throw cannotLog(file, reasonOf(error));
  }
  const { uid, isRegular } = statOf(fd);
  const user = process.geteuid?.() ?? uid;
  if (isRegular && uid === user) return fd;
  closeSync(fd);
  throw cannotLog(file, isRegular ? `it belongs to user ${uid}` : 'it is not a regular file');
}

function statOf(fd: number): { uid: number; isRegular: boolean } {
  const stats = fstatSync(fd);
  return { uid: stats.uid, isRegular: stats.isFile() };
}

function reasonOf(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  return code === 'ELOOP' ? 'it is a symbolic link' : message;
}

function cannotLog(file: string, reason: string): TidemarkError {
  return usageError('log-file', `cannot log to ${file}: ${reason}`, 'Name another file with --log-file.');
}

/** A full disk must not end the run that is logged. */
function writeOrDrop(fd: number, text: string): void {
  const bytes = Buffer.from(text, 'utf8');
  try {
    for (let written = 0; written < bytes.length; ) written += writeSync(fd, bytes, written);
  } catch {
    // Nothing better to tell it to than the log itself.
  }
}
