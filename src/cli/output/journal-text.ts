/** Answers of the journal in a few lines for people. Pure: answers in, lines out; names are escaped. */
import type {
  ChangesAnswer,
  CheckpointAnswer,
  Gap,
  JournalChange,
  JournalDifference,
  JournalStatus,
  JournalVerification,
} from '../../journal/core/answers.ts';
import type { BytePath } from '../../platform/core/byte-path.ts';
import { displayPath, displayText } from '../../platform/core/display.ts';
import type { Style } from './style.ts';
import { formatCount, plural } from './units.ts';

/** Names printed of one list before the rest is only counted. */
const SHOWN = 20;

/** What a gap means, and what was or will be done about it. */
const GAPS: Record<Gap['kind'], string> = {
  overflow: 'the kernel dropped events',
  'daemon-down': 'nobody recorded for a while',
  'unclean-boot': 'the machine went down without warning',
  unmounted: 'it was not mounted for a while',
  'mark-lost': 'the watch was lost for a while',
  'backend-blind': 'this backend sees no changes',
};

export function changeLine({ path, kinds, renamedFrom, hot, proof }: JournalChange, style: Style): string {
  const what = [...(renamedFrom === null ? [] : ['renamed']), ...kinds].join(', ');
  const from = renamedFrom === null ? '' : `${name(renamedFrom)} → `;
  const notes = [...(hot ? ['open for writing'] : []), ...(proof === 'pending' && !hot ? ['not settled yet'] : [])];
  const note = notes.length === 0 ? '' : style.careful(`  (${notes.join(', ')})`);
  return `${what.padEnd(10)} ${from}${name(path)}${note}`;
}

export function changesLines(answer: Omit<ChangesAnswer, 'changes'>, count: number, style: Style): string[] {
  const lines = gapLines(answer.gaps, style);
  if (answer.freshInstance) {
    lines.push(style.careful('This cursor is not known here (any more): everything there is was listed.'));
  }
  const what = count === 0 ? 'no change' : plural(count, 'change');
  return [...lines, `${style.good(what)}, by ${answer.backend}`, `cursor ${displayText(answer.cursor)}`];
}

export function checkpointLines({ cursor, period, dirty, hot, gaps }: CheckpointAnswer, style: Style): string[] {
  const what = dirty === 0 ? 'nothing changed' : `${plural(dirty, 'object')} changed`;
  return [
    `${style.good(`checkpoint of period ${formatCount(period)}:`)} ${what}`,
    ...hotLines(hot, style),
    ...gapLines(gaps, style),
    `cursor ${displayText(cursor)}`,
  ];
}

export function statusLines(status: JournalStatus, style: Style): string[] {
  const { recording, backend, whyNotBetter, period, dirty, hot, gaps, events } = status;
  const why = whyNotBetter === null ? [] : [`  ${recording ? 'no better backend: ' : ''}${displayText(whyNotBetter)}`];
  const head = recording ? `${style.good('recording')} by ${backend}` : style.careful('not recorded');
  const seen = `${formatCount(events.received)} events, ${formatCount(events.foreign)} of them foreign`;
  const counts = [
    `period ${formatCount(period)}: ${plural(dirty, 'object')} changed so far`,
    `${seen}; ${plural(events.silencedObjects, 'object')} silenced`,
  ];
  const isKnown = recording || period > 0;
  return [head, ...why, ...(isKnown ? counts : []), ...hotLines(hot, style), ...gapLines(gaps, style)];
}

export function differenceLine({ path, recorded, found }: JournalDifference): string {
  return `${name(path)}  recorded: ${displayText(recorded)}  found: ${displayText(found)}`;
}

export function verificationLines(verification: JournalVerification, style: Style): string[] {
  const { differences, entries, compared, firstHashed, hot } = verification;
  const read = [`${plural(compared, 'file')} compared`];
  if (firstHashed > 0) read.push(`${formatCount(firstHashed)} read for the first time`);
  const effort = `${plural(entries, 'entry', 'entries')}, ${read.join(', ')}`;
  const verdict =
    differences.length === 0 ? style.good('equal:') : style.bad(`${plural(differences.length, 'difference')}:`);
  return [...hotLines(hot, style), `${verdict} ${effort}`];
}

/** A path for people; the root itself is `.`. */
export function name(path: BytePath): string {
  return path === '' ? '.' : displayPath(path);
}

function hotLines(hot: readonly BytePath[], style: Style): string[] {
  if (hot.length === 0) return [];
  const rest = hot.length > SHOWN ? [`  … and ${formatCount(hot.length - SHOWN)} more`] : [];
  return [style.careful('open for writing:'), ...hot.slice(0, SHOWN).map((path) => `  ${name(path)}`), ...rest];
}

function gapLines(gaps: readonly Gap[], style: Style): string[] {
  const rest = gaps.length > SHOWN ? [`  … and ${formatCount(gaps.length - SHOWN)} more gaps`] : [];
  const lines = gaps.slice(0, SHOWN).map(({ kind, scope }) => {
    return `${style.careful('gap:')} ${name(scope)}: ${GAPS[kind]} (${kind}); looked at in full`;
  });
  return [...lines, ...rest];
}
