/** Progress on a terminal: one line, drawn again at most ten times a second. */

import { displayPath } from '../../platform/core/display.ts';
import type { ProgressEvent } from '../../sync/report.ts';
import type { Reporter } from './reporter.ts';
import type { Terminal } from './terminal.ts';
import { formatBytes, formatCount, formatElapsed } from './units.ts';
import { fitted, textWidth } from './width.ts';

export const DRAW_INTERVAL_MS = 100;

/** Without a terminal, where --progress asks for it: a line of its own this often. */
export const LINE_INTERVAL_MS = 2000;

/** The rate is that of the last seconds: long enough to be calm, short enough to be true. */
const RATE_WINDOW_MS = 5000;

export interface ProgressReporterOptions {
  readonly terminal: Pick<Terminal, 'status' | 'talk' | 'isTerminal' | 'columns'>;
  /** Milliseconds of any clock that does not go back. */
  readonly nowMs: () => number;
}

export function progressReporter({ terminal, nowMs }: ProgressReporterOptions): Reporter {
  const isTerminal = terminal.isTerminal('stderr');
  const intervalMs = isTerminal ? DRAW_INTERVAL_MS : LINE_INTERVAL_MS;
  let meter = new RateMeter();
  let phase = '';
  let nextMs = Number.NEGATIVE_INFINITY;
  const finish = () => terminal.status('');
  return {
    event(event) {
      if (event.type !== 'progress') return;
      if (event.phase !== phase) {
        meter = new RateMeter();
        phase = event.phase;
      }
      const now = nowMs();
      if (now < nextMs) return;
      nextMs = now + intervalMs;
      const rate = meter.add(now, event.bytesDone);
      if (isTerminal) terminal.status(progressLine(event, rate, terminal.columns - 1));
      else terminal.talk(progressLine(event, rate, Number.POSITIVE_INFINITY));
    },
    summary: finish,
    verified: finish,
    stopped: finish,
  };
}

/** Bytes per second over the last seconds, null while there is too little to tell. */
export class RateMeter {
  #samples: { readonly atMs: number; readonly bytes: number }[] = [];

  add(atMs: number, bytes: number): number | null {
    this.#samples = this.#samples.filter((sample) => sample.atMs > atMs - RATE_WINDOW_MS);
    this.#samples.push({ atMs, bytes });
    const first = this.#samples[0] ?? { atMs, bytes };
    const elapsedMs = atMs - first.atMs;
    return elapsedMs < 500 ? null : Math.max(0, ((bytes - first.bytes) * 1000) / elapsedMs);
  }
}

const BAR_COLUMNS = 20;

/** Progress in at most `columns` columns: what matters most comes first, the rest falls off at the end. */
export function progressLine(event: ProgressEvent, bytesPerSecond: number | null, columns: number): string {
  const share = shareOf(event);
  const parts = [event.phase.padEnd('transferring'.length)];
  if (share !== null) parts.push(columns >= 70 ? `${bar(share)} ${percent(share)}` : percent(share));
  if (event.filesDone + event.filesTotal > 0)
    parts.push(`${ratio(event.filesDone, event.filesTotal, formatCount)} files`);
  if (event.bytesDone + event.bytesTotal > 0) parts.push(ratio(event.bytesDone, event.bytesTotal, formatBytes));
  if (bytesPerSecond !== null && bytesPerSecond > 0) {
    parts.push(`${formatBytes(bytesPerSecond)}/s`);
    const left = event.bytesTotal - event.bytesDone;
    if (left > 0) parts.push(`${formatElapsed((left * 1000) / bytesPerSecond)} left`);
  }
  const kept = keptParts(parts, columns);
  return `${kept}${currentText(event, columns - textWidth(kept))}`;
}

function shareOf({ bytesDone, bytesTotal, filesDone, filesTotal }: ProgressEvent): number | null {
  const share = bytesTotal > 0 ? bytesDone / bytesTotal : filesTotal > 0 ? filesDone / filesTotal : null;
  return share === null ? null : Math.min(1, Math.max(0, share));
}

function bar(share: number): string {
  const filled = Math.floor(share * BAR_COLUMNS);
  return `[${'#'.repeat(filled)}${'-'.repeat(BAR_COLUMNS - filled)}]`;
}

/** Rounded down: 100% is said only of what is done. */
function percent(share: number): string {
  return `${Math.floor(share * 100)}%`.padStart(4);
}

function ratio(done: number, total: number, format: (number: number) => string): string {
  return total > 0 ? `${format(done)}/${format(total)}` : format(done);
}

function keptParts(parts: readonly string[], columns: number): string {
  let line = '';
  for (const part of parts) {
    const longer = line === '' ? part : `${line}  ${part}`;
    if (textWidth(longer) > columns) break;
    line = longer;
  }
  return line;
}

/** Shortest piece of a name worth showing. */
const MIN_NAME_COLUMNS = 12;

function currentText({ current }: ProgressEvent, columns: number): string {
  if (current === undefined) return '';
  const share = current.bytesTotal > 0 ? ` ${Math.floor((current.bytesDone / current.bytesTotal) * 100)}%` : '';
  const room = columns - 2 - share.length;
  return room < MIN_NAME_COLUMNS ? '' : `  ${fitted(displayPath(current.path), room)}${share}`;
}
