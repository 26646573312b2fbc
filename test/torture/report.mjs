/** What a run prints: progress, and for every miss what is needed to find out why. */
import { readFileSync } from 'node:fs';
import { linesAbout } from './consumer.mjs';
import { isWithin, shown } from './paths.mjs';

const LINES_PER_MISS = 15;
const MISSES_SHOWN = 8;

/** The misses with what the answer says about their surroundings and what was lately done to them. */
export function describeMisses(misses, answer, logs) {
  const operations = operationsIn(logs);
  const parts = misses.slice(0, MISSES_SHOWN).map((miss) => describe(miss, answer, operations));
  if (misses.length > MISSES_SHOWN) parts.push(`… and ${misses.length - MISSES_SHOWN} more`);
  return parts.join('\n');
}

function describe({ path, what }, answer, operations) {
  const told = linesAbout(answer, path)
    .slice(0, 5)
    .map(({ path: about, kinds, renamedFrom, isHot, proof }) => {
      const from = renamedFrom === null ? '' : ` from ${shown(renamedFrom)}`;
      return `    told: ${shown(about)} ${kinds.join('+')}${from}${isHot ? ' hot' : ''} ${proof}`;
    });
  const done = operations.filter(({ paths }) => paths.some((each) => isWithin(path, each)));
  const lines = done.slice(-LINES_PER_MISS).map(({ line }) => `    done: ${shown(line).replaceAll('%20', ' ')}`);
  return [`  ${shown(path)}: ${what}`, ...told, ...lines].join('\n');
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
