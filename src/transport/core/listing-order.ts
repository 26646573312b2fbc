/** Checks listings as they stream by: strict path order, and in full listings nothing below what is no directory. */

import type { Change } from '../../journal/core/change.ts';
import { type BytePath, comparePaths, isWithin, parentOf, ROOT } from '../../platform/core/byte-path.ts';
import { MalformedError } from '../../platform/core/bytes.ts';

export class ListingOrder {
  readonly #base: BytePath;
  readonly #isFull: boolean;
  readonly #hasBase: boolean;
  #last: BytePath | null = null;
  /** Directories on the way to the last path, the base not among them. */
  readonly #open: BytePath[] = [];
  #isBaseDirectory = true;

  /**
   * `changes`: any paths. `tree`: everything of the whole tree, the root itself first or left out.
   * `below`: everything below `base`, itself left out.
   */
  constructor(kind: 'changes' | 'tree' | 'below', base: BytePath = ROOT) {
    this.#base = base;
    this.#isFull = kind !== 'changes';
    this.#hasBase = kind === 'tree';
  }

  /** Throws MalformedError where `change` cannot follow what came before. */
  check(change: Change): void {
    const { path } = change;
    if (this.#last !== null && comparePaths(this.#last, path) >= 0) throw new MalformedError('paths out of order');
    this.#last = path;
    if (!this.#isFull) return;
    if (path === this.#base) {
      if (!this.#hasBase) throw new MalformedError('the directory itself among what it holds');
      this.#isBaseDirectory = change.entry?.kind === 'directory';
      return;
    }
    if (!isWithin(path, this.#base)) throw new MalformedError('path outside the directory asked for');
    this.#checkParent(path);
    if (change.entry?.kind === 'directory') this.#open.push(path);
  }

  #checkParent(path: BytePath): void {
    const parent = parentOf(path);
    while (this.#open.length > 0 && !isWithin(path, this.#open.at(-1) as BytePath)) this.#open.pop();
    const deepest = this.#open.at(-1);
    const isListed = deepest === undefined ? parent === this.#base && this.#isBaseDirectory : deepest === parent;
    if (!isListed) throw new MalformedError('path whose parent is not a listed directory');
  }
}
