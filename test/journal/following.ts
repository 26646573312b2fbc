/** A consumer of a journal that keeps a copy of the tree in memory, doing no more than it is told. */
import { lstatSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { JournalChange } from '../../src/journal/core/answers.ts';

/** Content by path; null for directories. Nothing but files and directories. */
export type TreeModel = Map<string, string | null>;

const depthOf = (path: string): number => path.split('/').length;
const byDepth = (left: string, right: string): number => depthOf(left) - depthOf(right);

/** What is on the disk at and below `path`. */
export function modelOf(root: string, path = '', into: TreeModel = new Map()): TreeModel {
  const stat = lstatSync(join(root, path), { throwIfNoEntry: false });
  if (stat === undefined) return into;
  if (path !== '') into.set(path, stat.isDirectory() ? null : readFileSync(join(root, path), 'latin1'));
  if (!stat.isDirectory()) return into;
  for (const name of readdirSync(join(root, path))) modelOf(root, path === '' ? name : `${path}/${name}`, into);
  return into;
}

export class Follower {
  readonly #root: string;
  model: TreeModel;

  constructor(root: string) {
    this.#root = root;
    this.model = modelOf(root);
  }

  /** Nothing may change on the disk meanwhile. */
  apply(changes: readonly JournalChange[]): void {
    const renamed = changes.filter(({ renamedFrom, kinds }) => renamedFrom !== null && !kinds.includes('removed'));
    // Sources are named as they were at the cursor: all leave, deep ones first, before any arrives.
    const deepFirst = [...renamed].sort((left, right) => byDepth(right.renamedFrom ?? '', left.renamedFrom ?? ''));
    const held = deepFirst.map(({ path, renamedFrom }) => ({ path, nodes: this.#take(renamedFrom ?? '') }));
    for (const { path, nodes } of held.sort((left, right) => byDepth(left.path, right.path))) {
      this.#take(path);
      for (const [below, content] of nodes) this.model.set(path + below, content);
    }
    for (const { path, kinds } of changes) if (kinds.includes('removed')) this.#take(path);
    for (const { path, kinds } of changes) this.#note(path, kinds);
  }

  #note(path: string, kinds: readonly string[]): void {
    if (kinds.includes('removed')) return;
    const stat = lstatSync(join(this.#root, path), { throwIfNoEntry: false });
    if (stat === undefined) {
      this.#take(path);
    } else if (kinds.includes('subtree')) {
      this.#take(path);
      modelOf(this.#root, path, this.model);
    } else if (stat.isDirectory()) {
      // What is below it stays: it may have arrived by a rename a moment ago.
      if (path !== '') this.model.set(path, null);
    } else if (kinds.includes('content')) {
      this.#take(path);
      modelOf(this.#root, path, this.model);
    }
  }

  /** Removes what is at and below `path`; returns it by what follows `path` in each name. */
  #take(path: string): [string, string | null][] {
    const taken: [string, string | null][] = [];
    for (const [at, content] of this.model) {
      if (at !== path && !at.startsWith(`${path}/`)) continue;
      taken.push([at.slice(path.length), content]);
      this.model.delete(at);
    }
    return taken;
  }
}
