/**
 * A tree of paths on ordered keys: the part index and archive share.
 *
 * Rows: node (parent number, name) → value; directory number → its node's place (only while it is a directory).
 * A value starts with a byte of which this store owns the top bit: set, the node has a directory number, which is
 * appended to the value (NUMBER_BYTES). Invariants: a node with a number has exactly one place row pointing back; a
 * node's parent number belongs to a node with that number; numbers are never given twice.
 */
import { type BytePath, joinPath, nameOf, parentOf, ROOT } from '../../platform/core/byte-path.ts';
import { ByteReader, ByteWriter } from '../../platform/core/bytes.ts';
import { TidemarkError } from '../../platform/core/errors.ts';
import {
  directoryKey,
  factKey,
  NO_DIRECTORY,
  NODE_PREFIX_BYTES,
  NUMBER_BYTES,
  nodeKey,
  nodesEnd,
  numberAt,
  numberBytes,
  type Place,
  placeAt,
  placeBytes,
  ROOT_DIRECTORY,
} from '../core/tree-key.ts';
import type { Environment } from './environment.ts';
import { damaged } from './store-errors.ts';

/** Bit of a value's first byte that belongs to the tree store. */
export const NUMBERED = 0x80;

/** One node. `end` is where the value proper ends: the directory number behind it is not part of it. */
export interface TreeNode extends Place {
  readonly value: Buffer;
  readonly end: number;
  /** Number of the directory, 0 for a node that holds nothing. */
  readonly number: number;
}

const TREE_FACT = factKey('tree');
const PAGE_ROWS = 512;
/** Paths of directories remembered: a few megabytes, enough for the directories at work at one time. */
const CACHED_DIRECTORIES = 8192;

export class TreeStore {
  readonly environment: Environment;
  #nextNumber = 0;
  /** Counts removals and moves of directories: a cache filled under another count is void. */
  #structure = -1;
  #loadedEpoch = -1;
  #isChanged = false;
  readonly #numbers = new Map<BytePath, number>();

  constructor(environment: Environment) {
    this.environment = environment;
    environment.onRollback(() => {
      this.#loadedEpoch = -1;
      this.#isChanged = false;
      this.#numbers.clear();
    });
  }

  get(path: BytePath): TreeNode | null {
    const place = this.placeOf(path);
    return place === null ? null : this.at(place);
  }

  at(place: Place): TreeNode | null {
    const value = this.environment.get(nodeKey(place.parent, place.name));
    return value === null ? null : treeNode(place.parent, place.name, value);
  }

  /** Where the node of `path` is or would be; null where its parent is not recorded as a directory. */
  placeOf(path: BytePath): Place | null {
    if (path === ROOT) return { parent: NO_DIRECTORY, name: '' };
    const parent = this.numberOf(parentOf(path));
    return parent === 0 ? null : { parent, name: nameOf(path) };
  }

  /** Number of the directory at `path`, 0 where there is none. */
  numberOf(path: BytePath): number {
    this.#load();
    const known = this.#numbers.get(path);
    if (known !== undefined) return known;
    if (path === ROOT) return this.#remembered(path, this.at({ parent: NO_DIRECTORY, name: '' })?.number ?? 0);
    const missing: BytePath[] = [];
    let ancestor = path;
    let number: number | undefined;
    while (ancestor !== ROOT && number === undefined) {
      missing.push(ancestor);
      ancestor = parentOf(ancestor);
      number = this.#numbers.get(ancestor);
    }
    number ??= this.numberOf(ROOT);
    for (let index = missing.length - 1; index >= 0 && number !== 0; index--) {
      const directory = missing[index] as BytePath;
      number = this.#remembered(directory, this.at({ parent: number, name: nameOf(directory) })?.number ?? 0);
    }
    return number;
  }

  /** Path of directory `number`; null where it is gone. `known` speeds up a run of calls on an unchanging tree. */
  pathOf(number: number, known: Map<number, BytePath | null>): BytePath | null {
    if (number === ROOT_DIRECTORY) return ROOT;
    const remembered = known.get(number);
    if (remembered !== undefined) return remembered;
    const place = this.placeOfNumber(number);
    let path: BytePath | null = null;
    if (place !== null) {
      const { parent, name } = place;
      if (parent === number) throw damaged(this.environment.folder, 'directories in a ring');
      const above = parent === NO_DIRECTORY ? null : this.pathOf(parent, known);
      if (above !== null) path = joinPath(above, name);
    }
    known.set(number, path);
    return path;
  }

  /** Where directory `number` is; null where it is gone. */
  placeOfNumber(number: number): Place | null {
    const place = this.environment.get(directoryKey(number));
    return place === null ? null : placeAt(place.toString('latin1'), 0);
  }

  /** What directory `number` holds, in name order, page by page; nothing for 0. Writing between two steps is allowed. */
  *nodesOf(number: number): Generator<TreeNode> {
    for (let after = ''; number !== 0; ) {
      const page = this.pageOf(number, after, PAGE_ROWS);
      yield* page;
      const last = page.at(-1);
      if (last === undefined || page.length < PAGE_ROWS) return;
      after = last.name;
    }
  }

  /** Up to `limit` nodes of directory `number` with names above `after` ('' for the first). */
  pageOf(number: number, after: string, limit: number): TreeNode[] {
    const start = after === '' ? nodeKey(number, '') : `${nodeKey(number, after)}\0`;
    const nodes: TreeNode[] = [];
    for (const { key, value } of this.environment.page(start, nodesEnd(number), limit)) {
      nodes.push(treeNode(number, key.slice(NODE_PREFIX_BYTES), value));
    }
    return nodes;
  }

  /** Everything below `path`, itself not included, in path order. */
  *below(path: BytePath): Generator<{ readonly path: BytePath; readonly node: TreeNode }> {
    const levels = [{ path, nodes: this.nodesOf(this.numberOf(path)) }];
    for (let level = levels.at(-1); level !== undefined; level = levels.at(-1)) {
      const next = level.nodes.next();
      if (next.done) {
        levels.pop();
        continue;
      }
      const node = next.value;
      const below = joinPath(level.path, node.name);
      yield { path: below, node };
      if (node.number !== 0) levels.push({ path: below, nodes: this.nodesOf(node.number) });
    }
  }

  /**
   * Writes a node. Its first byte must not have NUMBERED set. `number` is the one it has so far (0 for none): kept where
   * `isDirectory`, given where it has none, and dropped otherwise, which needs an empty directory.
   */
  write(place: Place, value: Buffer, isDirectory: boolean, number: number): number {
    this.#load();
    if (((value[0] as number) & NUMBERED) !== 0) throw new TidemarkError('internal', 'store', 'a value with our bit');
    if (!isDirectory) {
      if (number !== 0) this.#dropNumber(number);
      this.environment.put(nodeKey(place.parent, place.name), value);
      return 0;
    }
    const kept = number === 0 ? this.#takeNumber(place) : number;
    const numbered = Buffer.allocUnsafe(value.length + NUMBER_BYTES);
    numbered.set(value);
    numbered[0] = (value[0] as number) | NUMBERED;
    numbered.write(numberBytes(kept), value.length, 'latin1');
    this.environment.put(nodeKey(place.parent, place.name), numbered);
    return kept;
  }

  /** Removes a node that holds nothing. */
  remove(node: TreeNode): void {
    this.#load();
    if (node.number !== 0) this.#dropNumber(node.number);
    this.environment.remove(nodeKey(node.parent, node.name));
  }

  /** Moves a node, and with it everything below, to a free place. Two rows change, three for a directory. */
  move(node: TreeNode, to: Place): void {
    this.#load();
    this.environment.remove(nodeKey(node.parent, node.name));
    this.environment.put(nodeKey(to.parent, to.name), node.value);
    if (node.number === 0) return;
    this.environment.put(directoryKey(node.number), Buffer.from(placeBytes(to.parent, to.name), 'latin1'));
    this.#structureChanged();
  }

  /**
   * Removes what `path` holds and then the node itself, children first, at most `limit` nodes; tells each to `onRemove`
   * before it goes. Returns true once the node is gone, so that a large removal can be spread over transactions.
   */
  removeSome(path: BytePath, limit: number, onRemove: (path: BytePath, node: TreeNode) => void): boolean {
    const top = this.get(path);
    if (top === null) return true;
    let left = limit;
    const stack: { path: BytePath; node: TreeNode; page: TreeNode[] }[] = [{ path, node: top, page: [] }];
    for (let level = stack.at(-1); level !== undefined; level = stack.at(-1)) {
      if (left === 0) return false;
      if (level.page.length === 0 && level.node.number !== 0) {
        level.page = this.pageOf(level.node.number, '', Math.min(left, PAGE_ROWS)).reverse();
      }
      const child = level.page.pop();
      if (child !== undefined && child.number !== 0) {
        stack.push({ path: joinPath(level.path, child.name), node: child, page: [] });
        continue;
      }
      left--;
      if (child !== undefined) {
        onRemove(joinPath(level.path, child.name), child);
        this.remove(child);
        continue;
      }
      onRemove(level.path, level.node);
      this.remove(level.node);
      stack.pop();
    }
    return true;
  }

  /** Within a transaction that removed every row: starts over. */
  reset(): void {
    this.#load();
    this.#nextNumber = ROOT_DIRECTORY;
    this.#structureChanged();
  }

  /** Writes what a transaction changed in the store's own facts; to be called before it commits. */
  flush(): void {
    if (!this.#isChanged) return;
    this.environment.put(TREE_FACT, new ByteWriter(16).u53(this.#nextNumber).u53(this.#structure).take());
    this.#isChanged = false;
  }

  /** Reads the facts anew where another thread may have changed them. */
  #load(): void {
    if (this.#loadedEpoch === this.environment.epoch) return;
    const fact = this.environment.get(TREE_FACT);
    const from = fact === null ? null : new ByteReader(fact);
    this.#nextNumber = from?.u53() ?? ROOT_DIRECTORY;
    const structure = from?.u53() ?? 0;
    if (structure !== this.#structure) this.#numbers.clear();
    this.#structure = structure;
    this.#loadedEpoch = this.environment.epoch;
  }

  #remembered(path: BytePath, number: number): number {
    if (number === 0) return 0;
    if (this.#numbers.size >= CACHED_DIRECTORIES) {
      const oldest = this.#numbers.keys().next().value;
      if (oldest !== undefined) this.#numbers.delete(oldest);
    }
    this.#numbers.set(path, number);
    return number;
  }

  #takeNumber(place: Place): number {
    const isRoot = place.parent === NO_DIRECTORY;
    const number = isRoot ? ROOT_DIRECTORY : Math.max(this.#nextNumber, ROOT_DIRECTORY + 1);
    if (!isRoot) this.#nextNumber = number + 1;
    this.#isChanged = true;
    this.environment.put(directoryKey(number), Buffer.from(placeBytes(place.parent, place.name), 'latin1'));
    return number;
  }

  #dropNumber(number: number): void {
    this.environment.remove(directoryKey(number));
    this.#structureChanged();
  }

  #structureChanged(): void {
    this.#structure++;
    this.#isChanged = true;
    this.#numbers.clear();
  }
}

function treeNode(parent: number, name: string, value: Buffer): TreeNode {
  const isNumbered = ((value[0] as number) & NUMBERED) !== 0;
  const end = isNumbered ? value.length - NUMBER_BYTES : value.length;
  const number = isNumbered ? numberAt(value.toString('latin1', end), 0) : 0;
  return { parent, name, value, end, number };
}
