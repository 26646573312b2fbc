/**
 * From the log since a cursor to what a consumer needs to know: each path once, in the names of now, and where it came
 * from in the names of then.
 */
import { type BytePath, comparePaths, isWithin } from '../../platform/core/byte-path.ts';
import type { JournalChange, Proof } from './answers.ts';
import { type LogRow, PARKED_PREFIX } from './journal-row.ts';
import { kindsOf, NOTICE } from './kinds.ts';
import { type Place, placeBytes } from './tree-key.ts';

/** After more renames of directories than this, what moves is told as new: names are traced through each of them. */
const MAX_TRACED_MOVES = 10_000;

/** An object that waits to be settled. */
export interface WaitingObject {
  readonly path: BytePath;
  readonly kinds: number;
  readonly isHot: boolean;
}

export interface PresentTree {
  /** The present path of a place; null where its directory is gone. */
  pathOf(place: Place): BytePath | null;
  /** What is recorded at `path` now. */
  kindAt(path: BytePath): 'nothing' | 'directory' | 'other';
}

interface Told {
  kinds: number;
  renamedFrom: BytePath | null;
  hot: boolean;
  proof: Proof;
}

/** Folds `rows` (oldest first) and what still waits. In path order. */
export function foldLog(
  rows: Iterable<LogRow>,
  waiting: Iterable<WaitingObject>,
  present: PresentTree,
): JournalChange[] {
  const told = new Map<BytePath, Told>();
  const origins = new Origins();
  for (const row of rows) {
    const path = present.pathOf(row.place);
    switch (row.kind) {
      case 'written':
        if (row.isNew) origins.made(row.place);
        if (path !== null) tell(told, path, row.kinds, row.proof);
        break;
      case 'removed':
        origins.forget(row.place);
        if (path !== null) tell(told, path, NOTICE.removed, 'scan');
        break;
      case 'moved': {
        const left = present.pathOf(row.from);
        if (left !== null) tell(told, left, NOTICE.removed, 'scan');
        const isTraced = origins.moved(row);
        // Where it was at the cursor has no name: all of it is told.
        const lost = row.isDirectory ? NOTICE.entries | NOTICE.subtree : NOTICE.content;
        if (path !== null) tell(told, path, isTraced ? NOTICE.entries : lost, 'scan');
        break;
      }
    }
  }
  for (const { path, kinds, isHot } of waiting) tell(told, path, kinds, 'pending').hot = isHot;
  origins.each((place, origin) => {
    const path = present.pathOf(place);
    const change = path === null ? undefined : told.get(path);
    if (change !== undefined && path !== null && path !== origin && present.kindAt(path) !== 'nothing')
      change.renamedFrom = origin;
  });
  return [...told]
    .sort(([left], [right]) => comparePaths(left, right))
    .map(([path, change]) => finished(path, change, present.kindAt(path)));
}

function tell(told: Map<BytePath, Told>, path: BytePath, kinds: number, proof: Proof): Told {
  let known = told.get(path);
  if (known === undefined) {
    known = { kinds: 0, renamedFrom: null, hot: false, proof };
    told.set(path, known);
  }
  known.kinds |= kinds;
  known.proof = proof;
  return known;
}

function finished(path: BytePath, change: Told, present: 'nothing' | 'directory' | 'other'): JournalChange {
  const { renamedFrom, hot, proof } = change;
  return { path, kinds: kindsOf(shownKinds(change, present)), renamedFrom, hot, proof };
}

function shownKinds({ kinds, renamedFrom, proof }: Told, present: 'nothing' | 'directory' | 'other'): number {
  if (present === 'nothing') return proof === 'pending' ? kinds : NOTICE.removed;
  if ((kinds & NOTICE.removed) === 0) return kinds;
  // Something else was here. What was below it is told by nothing else; a file's content may be any.
  const replaced = present === 'directory' ? NOTICE.entries | NOTICE.subtree : NOTICE.content;
  return (kinds & ~NOTICE.removed) | (renamedFrom === null ? replaced : 0);
}

/** Follows objects through their renames: by place, which renames of directories above do not touch. */
class Origins {
  /** Where the object now at a place was at the cursor; null where it did not exist then. */
  readonly #origins = new Map<string, { readonly place: Place; readonly path: BytePath | null }>();
  readonly #directoryMoves: { readonly from: BytePath; readonly to: BytePath }[] = [];

  made(place: Place): void {
    this.#origins.set(keyOf(place), { place, path: null });
  }

  forget(place: Place): void {
    this.#origins.delete(keyOf(place));
  }

  /** False where it existed at the cursor, and cannot be said where. */
  moved({ from, place, fromPath, toPath, isDirectory }: LogRow & { readonly kind: 'moved' }): boolean {
    const known = this.#origins.get(keyOf(from));
    const path = known === undefined ? this.#atCursor(fromPath) : known.path;
    this.#origins.delete(keyOf(from));
    this.#origins.set(keyOf(place), { place, path });
    if (isDirectory) this.#directoryMoves.push({ from: fromPath, to: toPath });
    return known !== undefined || path !== null;
  }

  each(use: (place: Place, origin: BytePath) => void): void {
    for (const { place, path } of this.#origins.values()) if (path !== null) use(place, path);
  }

  /** The path as it was before the directories above it were renamed; null where that is too long to trace. */
  #atCursor(path: BytePath): BytePath | null {
    if (this.#directoryMoves.length > MAX_TRACED_MOVES) return null;
    let at = path;
    for (let index = this.#directoryMoves.length - 1; index >= 0; index--) {
      const { from, to } = this.#directoryMoves[index] as { from: BytePath; to: BytePath };
      if (isWithin(at, to)) at = `${from}${at.slice(to.length)}` as BytePath;
    }
    // The cursor was given while it was in no directory.
    return at.startsWith(PARKED_PREFIX) ? null : at;
  }
}

function keyOf({ parent, name }: Place): string {
  return placeBytes(parent, name);
}
