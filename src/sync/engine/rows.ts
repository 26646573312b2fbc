/**
 * Gathers what the reconciler looks at: for each path that may need work, the archive's entry and both sides'.
 *
 * Two ways, one shape. A first sync (or an endpoint that lost count) streams both trees and the archive side by side, in
 * constant memory. Otherwise only the paths that changed on a side or were left over from the last run are looked up,
 * with the directories above them, and everything below a directory whose structure is in question.
 */

import type { Change } from '../../journal/core/change.ts';
import type { Entry, Side, TrackedEntry } from '../../journal/core/entry.ts';
import { type BytePath, comparePaths, isWithin, parentOf, ROOT } from '../../platform/core/byte-path.ts';
import type { Row } from '../core/plan.ts';
import type { Changes, Endpoint } from '../endpoint.ts';

/** What rows need of the archive. */
export interface Ancestors {
  get(path: BytePath): TrackedEntry | null;
  /** Everything below `path`, in path order. */
  subtree(path: BytePath): Iterable<{ readonly path: BytePath; readonly entry: TrackedEntry }>;
}

/** A first sync knows no ancestors. */
export const NO_ANCESTORS: Ancestors = { get: () => null, subtree: () => [] };

const ROWS_PER_BATCH = 512;

/** Rows of whole trees, in path order: both listings and the archive merged. */
export async function* listedRows(
  alpha: AsyncIterable<readonly Change[]>,
  beta: AsyncIterable<readonly Change[]>,
  ancestors: Ancestors,
): AsyncGenerator<readonly Row[]> {
  const sources = [
    new SortedSource(alpha),
    new SortedSource(beta),
    new SortedSource(archiveBatches(ancestors)),
  ] as const;
  const [alphaSource, betaSource, archiveSource] = sources;
  let rows: Row[] = [];
  for (;;) {
    for (const source of sources) if (source.isDrained) await source.refill();
    const path = firstPath(sources);
    if (path === null) break;
    const inAlpha = alphaSource.take(path);
    const inBeta = betaSource.take(path);
    const agreed = archiveSource.take(path);
    rows.push({
      path,
      ancestor: (agreed?.entry ?? null) as TrackedEntry | null,
      alpha: inAlpha?.entry ?? null,
      beta: inBeta?.entry ?? null,
      alphaIdentity: inAlpha?.identity ?? null,
      betaIdentity: inBeta?.identity ?? null,
    });
    if (rows.length >= ROWS_PER_BATCH) {
      yield rows;
      rows = [];
    }
  }
  if (rows.length > 0) yield rows;
}

/** Rows of the paths that changed on a side or are pending, in path order, all in memory: O(changes). */
export async function changedRows(
  sides: Readonly<Record<Side, Endpoint>>,
  changes: Readonly<Record<Side, Changes>>,
  pending: Iterable<BytePath>,
  ancestors: Ancestors,
): Promise<Row[]> {
  const known = {
    alpha: await gathered(changes.alpha.batches),
    beta: await gathered(changes.beta.batches),
  };
  const paths = new Set<BytePath>([...known.alpha.keys(), ...known.beta.keys()]);
  for (const path of pending) await addSubtree(path, sides, known, paths, ancestors);
  addParents(paths);
  await lookUpMissing(sides, known, paths);
  for (const path of questionedDirectories(known, paths, ancestors)) {
    await addSubtree(path, sides, known, paths, ancestors);
  }
  await lookUpMissing(sides, known, paths);
  return [...paths].sort(comparePaths).map((path) => rowAt(path, known, ancestors));
}

type Known = Readonly<Record<Side, Map<BytePath, Change>>>;

async function gathered(batches: AsyncIterable<readonly Change[]>): Promise<Map<BytePath, Change>> {
  const changes = new Map<BytePath, Change>();
  for await (const batch of batches) for (const change of batch) changes.set(change.path, change);
  return changes;
}

/** Adds `path` and whatever either side or the archive holds below it. */
async function addSubtree(
  path: BytePath,
  sides: Readonly<Record<Side, Endpoint>>,
  known: Known,
  paths: Set<BytePath>,
  ancestors: Ancestors,
): Promise<void> {
  paths.add(path);
  for (const side of ['alpha', 'beta'] as const) {
    for await (const batch of sides[side].subtree(path)) {
      for (const change of batch) {
        paths.add(change.path);
        if (!known[side].has(change.path)) known[side].set(change.path, change);
      }
    }
  }
  for (const { path: below } of ancestors.subtree(path)) paths.add(below);
}

/** A path's fate depends on the directories above it (ignored, unreadable, in conflict), so they get rows too. */
function addParents(paths: Set<BytePath>): void {
  for (const path of [...paths]) {
    for (let parent = parentOf(path); path !== ROOT && !paths.has(parent); parent = parentOf(parent)) {
      paths.add(parent);
    }
  }
}

async function lookUpMissing(
  sides: Readonly<Record<Side, Endpoint>>,
  known: Known,
  paths: ReadonlySet<BytePath>,
): Promise<void> {
  await Promise.all(
    (['alpha', 'beta'] as const).map(async (side) => {
      const missing = [...paths].filter((path) => !known[side].has(path));
      for (let start = 0; start < missing.length; start += ROWS_PER_BATCH) {
        const found = await sides[side].lookup(missing.slice(start, start + ROWS_PER_BATCH));
        for (const change of found) known[side].set(change.path, change);
      }
    }),
  );
}

/**
 * Directories below which every path matters: gone or no longer a directory on one side while the other or the archive
 * has one, or a directory on both sides that the archive does not know. Only the topmost of each.
 */
function questionedDirectories(known: Known, paths: ReadonlySet<BytePath>, ancestors: Ancestors): BytePath[] {
  const topmost: BytePath[] = [];
  for (const path of [...paths].sort(comparePaths)) {
    const last = topmost.at(-1);
    if (last !== undefined && isWithin(path, last)) continue;
    const kinds = [known.alpha.get(path)?.entry?.kind, known.beta.get(path)?.entry?.kind, ancestors.get(path)?.kind];
    const directories = kinds.filter((kind) => kind === 'directory').length;
    if (directories > 0 && directories < kinds.length) topmost.push(path);
  }
  return topmost;
}

function rowAt(path: BytePath, known: Known, ancestors: Ancestors): Row {
  const alpha = known.alpha.get(path);
  const beta = known.beta.get(path);
  return {
    path,
    ancestor: ancestors.get(path),
    alpha: alpha?.entry ?? null,
    beta: beta?.entry ?? null,
    alphaIdentity: alpha?.identity ?? null,
    betaIdentity: beta?.identity ?? null,
  };
}

type Sorted = { readonly path: BytePath; readonly entry: Entry | null; readonly identity: string | null };

/** A stream of batches in path order, looked at one item at a time without awaiting each. */
class SortedSource {
  readonly #batches: AsyncIterator<readonly Sorted[]>;
  #batch: readonly Sorted[] = [];
  #at = 0;
  #ended = false;

  constructor(batches: AsyncIterable<readonly Sorted[]>) {
    this.#batches = batches[Symbol.asyncIterator]();
  }

  get isDrained(): boolean {
    return this.#at >= this.#batch.length && !this.#ended;
  }

  async refill(): Promise<void> {
    while (this.isDrained) {
      const next = await this.#batches.next();
      this.#batch = next.done === true ? [] : next.value;
      this.#ended = next.done === true;
      this.#at = 0;
    }
  }

  get path(): BytePath | null {
    return this.#batch[this.#at]?.path ?? null;
  }

  /** The item at `path`, if it is the next; moves on. */
  take(path: BytePath): Sorted | null {
    const item = this.#batch[this.#at];
    if (item === undefined || item.path !== path) return null;
    this.#at++;
    return item;
  }
}

function firstPath(sources: readonly SortedSource[]): BytePath | null {
  let first: BytePath | null = null;
  for (const { path } of sources) {
    if (path !== null && (first === null || comparePaths(path, first) < 0)) first = path;
  }
  return first;
}

async function* archiveBatches(ancestors: Ancestors): AsyncGenerator<readonly Sorted[]> {
  const root = ancestors.get(ROOT);
  let batch: Sorted[] = root === null ? [] : [{ path: ROOT, entry: root, identity: null }];
  for (const { path, entry } of ancestors.subtree(ROOT)) {
    batch.push({ path, entry, identity: null });
    if (batch.length >= ROWS_PER_BATCH) {
      yield batch;
      batch = [];
    }
  }
  yield batch;
}
