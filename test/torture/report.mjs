/** What a run prints: progress, and for every miss what is needed to find out why. */
import { readFileSync } from 'node:fs';
import { isWithin, shown } from './paths.mjs';

const LINES_PER_MISS = 15;
const MISSES_SHOWN = 8;

/**
 * The misses, each with what was told of it and done to it lately, in order of time. `events` is what the run itself did:
 * `{ at, text, changes? }`, the answers with their changes.
 */
export function describeMisses(misses, events, logs) {
  const operations = operationsIn(logs);
  const parts = misses.slice(0, MISSES_SHOWN).map((miss) => describe(miss, events, operations));
  if (misses.length > MISSES_SHOWN) parts.push(`  … and ${misses.length - MISSES_SHOWN} more`);
  return parts.join('\n');
}

/** An operation counts if it named the path, something above it, or by its inode the same file under another name. */
function describe({ path, what, inode }, events, operations) {
  const done = operations.filter(({ paths }) => paths.some((each) => isWithin(path, each) || each === `#${inode}`));
  const lines = [
    ...done.slice(-LINES_PER_MISS).map(({ at, line }) => ({ at, text: `done: ${shown(line).replaceAll('%20', ' ')}` })),
    ...events.map(({ at, text, changes }) => ({ at, text: `${text}${told(changes, path)}` })),
  ].sort((left, right) => left.at - right.at);
  return [`  ${shown(path)} #${inode}: ${what}`, ...lines.map(({ at, text }) => `    ${at % 1_000_000} ${text}`)].join(
    '\n',
  );
}

/** What an answer says of the path, of what is above it, and of what was moved from there. */
function told(changes = [], path) {
  const about = changes.filter((change) => {
    const { path: to, renamedFrom } = change;
    return isWithin(path, to) || (renamedFrom !== null && isWithin(path, renamedFrom));
  });
  const lines = about.slice(0, 6).map(({ path: to, kinds, renamedFrom, isHot, proof }) => {
    const from = renamedFrom === null ? '' : ` from ${shown(renamedFrom)}`;
    return `\n        ${shown(to) || '(root)'} ${kinds.join('+')}${from}${isHot ? ' hot' : ''} ${proof}`;
  });
  return lines.join('');
}

/** Lines `milliseconds writer row paths…` of all writers, in order of time. */
function operationsIn(logs) {
  const lines = logs.flatMap((log) => textOf(log).split('\n').slice(-4000));
  const operations = lines.filter(Boolean).map((line) => {
    const [at, , , ...paths] = line.split(' ');
    return { at: Number(at), line, paths };
  });
  return operations.sort((left, right) => left.at - right.at);
}

function textOf(path) {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return '';
  }
}

/** A table of how often each row was carried out, and the rows that should have been and were not. */
export function describeRows(rows, counts, mayLack) {
  const lines = rows.map(({ name }) => {
    const [done, unsupported, missed] = counts.get(name) ?? [0, 0, 0];
    return {
      name,
      done,
      unsupported,
      text: `${name} ${done}${unsupported > 0 ? ` (unsupported ${unsupported})` : ''}${missed > 0 ? ` (nothing there ${missed})` : ''}`,
    };
  });
  const idle = lines.filter(({ done }) => done === 0);
  return {
    text: lines.map(({ text }) => text).join(', '),
    notExercised: idle
      .filter(({ name, unsupported }) => unsupported === 0 || !mayLack.includes(name))
      .map(({ name }) => name),
    unsupported: idle
      .filter(({ name, unsupported }) => unsupported > 0 && mayLack.includes(name))
      .map(({ name }) => name),
  };
}
