/**
 * Fills in the digests that rows need before they can be reconciled: the hasher confirms what really changed.
 *
 * Batches of rows go through in order, a few under way at once, so that both sides hash while the next batch comes in.
 */

import type { Entry, Side } from '../../journal/core/entry.ts';
import type { BytePath } from '../../platform/core/byte-path.ts';
import { pathOn } from '../core/compare.ts';
import type { DigestNeed, Row } from '../core/plan.ts';
import type { DigestAnswer, DigestRequest, Endpoint } from '../endpoint.ts';

/** Files hashed on each side so far, and bytes of both together. */
export interface HashCounts {
  alpha: number;
  beta: number;
  bytes: number;
}

/** Batches being hashed at once. */
const BATCHES_AHEAD = 4;

/** Rows with every digest known that `needs` asks for. A file that could not be hashed becomes a problem entry. */
export async function* confirmedRows(
  batches: AsyncIterable<readonly Row[]>,
  sides: Readonly<Record<Side, Endpoint>>,
  needs: (row: Row) => readonly DigestNeed[],
  hashed: HashCounts,
): AsyncGenerator<readonly Row[]> {
  const ahead: Promise<readonly Row[]>[] = [];
  for await (const batch of batches) {
    const confirmed = confirm(batch, sides, needs, hashed);
    // The rejection is seen when the batch's turn comes; until then it must not count as unhandled.
    confirmed.catch(() => {});
    ahead.push(confirmed);
    if (ahead.length >= BATCHES_AHEAD) yield (await ahead.shift()) ?? [];
  }
  for (const confirmed of ahead) yield await confirmed;
}

/** Whether a side changed is asked first, whether two changed sides hold the same after that: never more than twice. */
const MAX_PASSES = 2;

/** One batch of rows with the digests they need; asks again where an answer leads to a further question. */
export async function confirm(
  rows: readonly Row[],
  sides: Readonly<Record<Side, Endpoint>>,
  needs: (row: Row) => readonly DigestNeed[],
  hashed: HashCounts,
): Promise<readonly Row[]> {
  let confirmed = rows;
  for (let pass = 0; pass < MAX_PASSES; pass++) {
    const wanted = confirmed.flatMap(needs);
    if (wanted.length === 0) return confirmed;
    const [alpha, beta] = await Promise.all([
      digestAll(sides.alpha, requestsOf('alpha', wanted)),
      digestAll(sides.beta, requestsOf('beta', wanted)),
    ]);
    hashed.alpha += alpha.size;
    hashed.beta += beta.size;
    for (const { entry } of [...alpha.values(), ...beta.values()]) hashed.bytes += entry?.sizeBytes ?? 0;
    confirmed = confirmed.map((row) => {
      const inAlpha = answerFor(row, 'alpha', alpha);
      const inBeta = answerFor(row, 'beta', beta);
      if (inAlpha === undefined && inBeta === undefined) return row;
      return { ...row, alpha: withAnswer(row.alpha, inAlpha), beta: withAnswer(row.beta, inBeta) };
    });
  }
  return confirmed;
}

function requestsOf(side: Side, needs: readonly DigestNeed[]): DigestRequest[] {
  const requests = new Map<BytePath, DigestRequest>();
  for (const need of needs) {
    if (need.side !== side) continue;
    const strong = need.strong || (requests.get(need.path)?.strong ?? false);
    requests.set(need.path, { path: need.path, strong });
  }
  return [...requests.values()];
}

/** Digests of many files of one side, by path. */
export async function digestAll(
  endpoint: Endpoint,
  requests: readonly DigestRequest[],
): Promise<Map<BytePath, DigestAnswer>> {
  const answers = new Map<BytePath, DigestAnswer>();
  if (requests.length === 0) return answers;
  for await (const batch of endpoint.digest(requests)) for (const answer of batch) answers.set(answer.path, answer);
  return answers;
}

/** What was found for the file the row has on `side`, which before a rename lies under another name there. */
function answerFor(row: Row, side: Side, answers: ReadonlyMap<BytePath, DigestAnswer>): DigestAnswer | undefined {
  return row[side]?.kind === 'file' ? answers.get(pathOn(row, side)) : undefined;
}

function withAnswer(entry: Entry | null, answer: DigestAnswer | undefined): Entry | null {
  if (answer === undefined) return entry;
  if (answer.entry !== null) return answer.entry;
  const { code, message } = answer.problem ?? { code: 'unhashed', message: 'could not be hashed' };
  return { kind: 'problem', code, message };
}
