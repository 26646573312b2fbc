/** Answers of the journal as JSON objects, field for field as the command line promises them. */
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
import { jsonPath } from '../../platform/core/display.ts';

type Json = Record<string, unknown>;

export function changeJson({ path, kinds, renamedFrom, hot, proof }: JournalChange): Json {
  const from = renamedFrom === null ? {} : named('renamedFrom', renamedFrom);
  return { type: 'change', ...named('path', path), kinds, ...from, hot, proof };
}

export function changesJson({ cursor, backend, freshInstance, gaps }: Omit<ChangesAnswer, 'changes'>): Json {
  return { type: 'summary', cursor, backend, freshInstance, gaps: gaps.map(gapJson) };
}

export function checkpointJson({ cursor, period, dirty, hot, gaps }: CheckpointAnswer): Json {
  return { type: 'checkpoint', cursor, period, dirty, ...listed('hot', hot), gaps: gaps.map(gapJson) };
}

export function journalStatusJson(status: JournalStatus): Json {
  const { recording, backend, whyNotBetter, period, dirty, hot, gaps, events } = status;
  const lists = { ...listed('hot', hot), gaps: gaps.map(gapJson) };
  return { type: 'status', recording, backend, whyNotBetter, period, dirty, ...lists, events };
}

export function differenceJson({ path, recorded, found }: JournalDifference): Json {
  return { type: 'difference', ...named('path', path), recorded, found };
}

export function verificationJson(verification: JournalVerification): Json {
  const { differences, entries, compared, firstHashed, hot } = verification;
  const result = differences.length === 0 ? 'equal' : 'different';
  const counts = { differences: differences.length, entries, compared, firstHashed };
  return { type: 'summary', result, ...counts, ...listed('hot', hot) };
}

/** A root, or another path, under `key`; its bytes beside it where it is not UTF-8. */
export function named(key: string, bytes: string): Json {
  const { path, pathBytes } = jsonPath(bytes as BytePath);
  return pathBytes === undefined ? { [key]: path } : { [key]: path, [`${key}Bytes`]: pathBytes };
}

function gapJson({ kind, scope }: Gap): Json {
  return { kind, ...named('scope', scope) };
}

/** Paths as a list of texts; where one is not UTF-8, a second list holds its bytes at the same place, null elsewhere. */
function listed(key: string, paths: readonly BytePath[]): Json {
  const texts = paths.map(jsonPath);
  const list = { [key]: texts.map(({ path }) => path) };
  if (texts.every(({ pathBytes }) => pathBytes === undefined)) return list;
  return { ...list, [`${key}Bytes`]: texts.map(({ pathBytes }) => pathBytes ?? null) };
}
