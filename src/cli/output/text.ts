/** Plain lines for people: what happened on stdout, trouble on stderr. */

import { displayPath, displayText } from '../../platform/core/display.ts';
import type { ActionEvent } from '../../sync/report.ts';
import type { VerifyResult } from '../request.ts';
import type { Reporter } from './reporter.ts';
import { summaryLine, troubleLines, verifiedLine } from './sentences.ts';
import { PLAIN, type Style } from './style.ts';
import type { Terminal } from './terminal.ts';
import { formatBytes, formatCount } from './units.ts';

/** Lines printed of each operation on each side before the rest is only counted, unless -v is given. */
export const LINES_PER_OPERATION = 20;

export type Loudness = 'quiet' | 'normal' | 'verbose';

export interface TextReporterOptions {
  readonly terminal: Pick<Terminal, 'result' | 'talk'>;
  readonly loudness: Loudness;
  readonly dryRun: boolean;
  /** For stdout and for stderr. */
  readonly resultStyle?: Style;
  readonly talkStyle?: Style;
}

/** Prints notes, on stderr: warnings by default, details with -v. For text and for JSON. */
export function noteReporter(options: Pick<TextReporterOptions, 'terminal' | 'loudness' | 'talkStyle'>): Reporter {
  const { terminal, loudness, talkStyle = PLAIN } = options;
  return {
    event(event) {
      if (event.type !== 'note' || loudness === 'quiet') return;
      if (event.level === 'detail' && loudness !== 'verbose') return;
      terminal.talk(`${talkStyle.careful('note:')} ${displayText(event.message)}`);
    },
    summary() {},
    verified() {},
    stopped() {},
  };
}

/** Prints actions as they happen; conflicts, deferred and failed paths all together at the end, where people look. */
export function textReporter(options: TextReporterOptions): Reporter {
  const { terminal, loudness, dryRun, resultStyle = PLAIN, talkStyle = PLAIN } = options;
  const limit = loudness === 'verbose' ? Number.POSITIVE_INFINITY : LINES_PER_OPERATION;
  const counts = new Map<string, number>();
  return {
    event(event) {
      if (event.type !== 'action' || loudness === 'quiet') return;
      const kind = actionKind(event, dryRun);
      const count = (counts.get(kind) ?? 0) + 1;
      counts.set(kind, count);
      if (count <= limit) terminal.result(actionLine(event, dryRun, resultStyle));
    },
    summary(summary) {
      if (loudness !== 'quiet') for (const line of restLines(counts, limit)) terminal.result(line);
      for (const line of troubleLines(summary, talkStyle)) terminal.talk(line);
      if (loudness !== 'quiet') terminal.result(summaryLine(summary, resultStyle));
    },
    verified(result) {
      for (const line of differenceLines(result)) terminal.result(line);
      if (loudness !== 'quiet') terminal.result(verifiedLine(result, resultStyle));
    },
    stopped() {},
  };
}

const DONE = {
  create: 'created',
  modify: 'modified',
  delete: 'deleted',
  rename: 'renamed',
  metadata: 'metadata',
} as const;
const PLANNED = {
  create: 'create',
  modify: 'modify',
  delete: 'delete',
  rename: 'rename',
  metadata: 'metadata',
} as const;
const TO = { alpha: '← alpha', beta: '→ beta ' } as const;

function actionKind({ side, operation }: ActionEvent, dryRun: boolean): string {
  return `${TO[side]}  ${(dryRun ? PLANNED : DONE)[operation].padEnd(8)}`;
}

function actionLine(event: ActionEvent, dryRun: boolean, style: Style): string {
  const from = event.from === undefined ? '' : `${shown(event, event.from)} → `;
  const size = event.bytes === undefined ? '' : ` (${formatBytes(event.bytes)})`;
  const paint = event.operation === 'delete' ? style.bad : style.good;
  return `${paint(actionKind(event, dryRun))}  ${from}${shown(event, event.path)}${style.faint(size)}`;
}

/** Directories end in a slash, so that a line tells what it is about. */
function shown({ kind }: ActionEvent, path: ActionEvent['path']): string {
  const text = path === '' ? '.' : displayPath(path);
  if (kind === 'directory') return `${text}/`;
  return kind === 'symlink' ? `${text} (symlink)` : text;
}

function restLines(counts: ReadonlyMap<string, number>, limit: number): string[] {
  return [...counts]
    .filter(([, count]) => count > limit)
    .map(([kind, count]) => `${kind}  … and ${formatCount(count - limit)} more (-v lists all)`);
}

function differenceLines({ differences }: VerifyResult): string[] {
  return differences.map(({ path, alpha, beta }) => {
    return `${path === '' ? '.' : displayPath(path)}  alpha: ${displayText(alpha)}  beta: ${displayText(beta)}`;
  });
}
