/** The end of a run in words. Pure: a summary in, lines out. */

import type { BytePath } from '../../platform/core/byte-path.ts';
import { displayPath, displayText } from '../../platform/core/display.ts';
import type { Failed, Halt, HaltReason, Summary } from '../../sync/report.ts';
import type { VerifyResult } from '../request.ts';
import type { Style } from './style.ts';
import { formatBytes, formatElapsed, plural } from './units.ts';

/** One line: how it ended and what was done. */
export function summaryLine(summary: Summary, style: Style): string {
  switch (summary.result) {
    case 'halted':
      return style.bad('halted: nothing was touched');
    case 'dry-run':
      return `${style.strong('dry run, nothing touched:')} ${plannedText(summary)} (${formatElapsed(summary.elapsedMs)})`;
    case 'in-sync':
      return didNothing(summary) ? nothingToDo(summary, style) : `${style.good('in sync:')} ${doneText(summary)}`;
    default: {
      const rest = didNothing(summary) ? `nothing else to do (${formatElapsed(summary.elapsedMs)})` : doneText(summary);
      return `${style.careful(`${remainders(summary).join(', ')};`)} ${rest}`;
    }
  }
}

/** Everything that needs attention, each with its cause, and per kind what to do about it. */
export function troubleLines(summary: Summary, style: Style): string[] {
  return [
    ...haltLines(summary.halt, style),
    ...conflictLines(summary, style),
    ...failedLines(summary.failed, style),
    ...deferredLines(summary, style),
  ];
}

export function verifiedLine({ differences, entries, hashedBytes, elapsedMs }: VerifyResult, style: Style): string {
  const effort = `${plural(entries, 'entry', 'entries')}, ${formatBytes(hashedBytes)} read, ${formatElapsed(elapsedMs)}`;
  if (differences.length === 0) return `${style.good('equal:')} ${effort}`;
  return `${style.bad(`${plural(differences.length, 'difference')}:`)} ${effort}`;
}

const COUNTED = ['created', 'modified', 'deleted', 'renamed', 'metadata'] as const;
type Counted = (typeof COUNTED)[number];

const PLANNED: Record<Counted, string> = {
  created: 'to create',
  modified: 'to modify',
  deleted: 'to delete',
  renamed: 'to rename',
  metadata: 'metadata',
};

function total(summary: Summary, what: Counted): number {
  return summary.alpha[what] + summary.beta[what];
}

function didNothing(summary: Summary): boolean {
  return COUNTED.every((what) => total(summary, what) === 0);
}

function countsText(summary: Summary, words: (what: Counted) => string): string {
  return COUNTED.filter((what) => total(summary, what) > 0)
    .map((what) => `${plural(total(summary, what), words(what), words(what))}`)
    .join(', ');
}

function doneText(summary: Summary): string {
  const { sent, received } = summary.bytes;
  const wire = sent + received === 0 ? '' : `; ${formatBytes(sent)} sent, ${formatBytes(received)} received`;
  return `${countsText(summary, (what) => what)} in ${formatElapsed(summary.elapsedMs)}${wire}`;
}

function plannedText(summary: Summary): string {
  const parts = [...remainders(summary)];
  if (!didNothing(summary)) parts.unshift(countsText(summary, (what) => PLANNED[what]));
  return parts.length === 0 ? 'nothing to do' : parts.join(', ');
}

function nothingToDo({ mode, entries, elapsedMs }: Summary, style: Style): string {
  const found = mode.startsWith('one-way') ? 'beta has all of alpha' : 'both sides equal';
  const effort = `${plural(entries.alpha, 'entry', 'entries')}, ${formatElapsed(elapsedMs)}`;
  return `${style.good('nothing to do:')} ${found} (${effort})`;
}

function remainders({ failed, conflicts, deferred }: Summary): string[] {
  const parts: string[] = [];
  if (failed.length > 0) parts.push(`${plural(failed.length, 'path')} failed`);
  if (conflicts.length > 0) parts.push(plural(conflicts.length, 'conflict'));
  if (deferred.length > 0) parts.push(`${plural(deferred.length, 'path')} deferred`);
  return parts;
}

const AFTER_HALT: Record<HaltReason, string> = {
  'root-missing': 'Mount it or put it back. If it is gone for good and may be made anew, run again with --force.',
  'root-emptied': 'Bring its files back, or, if they were deleted on purpose, run again with --force.',
  'root-type': 'Put back what was there. If the new kind is meant, run again with --force.',
  'root-identity': 'This is another directory than last time. If that is meant, run again with --force.',
  'max-delete': 'If the deletions are meant, run again with --force, or allow more with --max-delete.',
};

function haltLines(halt: Halt | null, style: Style): string[] {
  if (halt === null) return [];
  return [`${style.bad('halted:')} ${halt.side}: ${displayText(halt.detail)}`, `  ${AFTER_HALT[halt.reason]}`];
}

function conflictLines({ conflicts }: Summary, style: Style): string[] {
  if (conflicts.length === 0) return [];
  return [
    style.careful(`${plural(conflicts.length, 'conflict')}, changed on both sides:`),
    ...conflicts.map(
      ({ path, alpha, beta }) => `  ${name(path)}  alpha: ${displayText(alpha)}  beta: ${displayText(beta)}`,
    ),
    '  Make the two sides agree, or let --conflict decide (copy keeps both).',
  ];
}

function deferredLines({ deferred }: Summary, style: Style): string[] {
  if (deferred.length === 0) return [];
  return [
    style.careful(`${plural(deferred.length, 'path')} deferred:`),
    ...deferred.map(({ path, reason }) => `  ${name(path)}: ${displayText(reason)}`),
    '  Left as they are; the next run takes them up.',
  ];
}

function failedLines(failed: readonly Failed[], style: Style): string[] {
  if (failed.length === 0) return [];
  return [
    style.bad(`${plural(failed.length, 'path')} failed:`),
    ...failed.map(({ path, side, error, message }) => `  ${name(path)} on ${side}: ${withCode(message, error)}`),
    ...remediesFor(failed).map((remedy) => `  ${remedy}`),
  ];
}

/** Messages of Node begin with the code already. */
function withCode(message: string, code: string): string {
  const text = displayText(message);
  return text.includes(code) ? text : `${text} (${code})`;
}

/** What helps against an errno, said once however many paths it struck. */
const REMEDIES = new Map<string, (side: Failed['side']) => string>([
  ['ENOSPC', (side) => `ENOSPC: make room on ${side}, then run again.`],
  ['EDQUOT', (side) => `EDQUOT: the quota on ${side} is used up; make room, then run again.`],
  ['EACCES', (side) => `EACCES: check owner and permissions on ${side}, or run as a user who may.`],
  [
    'EPERM',
    (side) => `EPERM: ${side} does not allow this to your user; an immutable flag or an owner may be the cause.`,
  ],
  ['EROFS', (side) => `EROFS: ${side} is mounted read-only.`],
  ['ENAMETOOLONG', (side) => `ENAMETOOLONG: the file system of ${side} takes no such long name; rename it.`],
  ['EILSEQ', (side) => `EILSEQ: the file system of ${side} cannot hold this name; rename it.`],
  ['EINVAL', (side) => `EINVAL: the file system of ${side} may not be able to hold this name or attribute.`],
  ['EFBIG', (side) => `EFBIG: the file system of ${side} holds no files as large as this.`],
  ['EIO', (side) => `EIO: the disk of ${side} reports errors; look at the kernel log there.`],
]);

function remediesFor(failed: readonly Failed[]): string[] {
  return [...new Set(failed.flatMap(({ error, side }) => REMEDIES.get(error)?.(side) ?? []))];
}

function name(path: BytePath): string {
  return path === '' ? '.' : displayPath(path);
}
