/**
 * A consumer of the journal: it keeps a copy of the tree by what `journal since` says and by nothing else.
 *
 * An answer is taken in two steps. `take` applies what it says about names to the copy and notes what has to be copied;
 * `settle` copies. Answers that come while writers run are only taken: a path may hold something else by the time it is
 * copied, and the journal could not be blamed for what follows from that. Notes belong to the entry, not to its path, so
 * they move with it when a later answer says that it was renamed.
 *
 * Where the journal says little, the consumer does little, so that whatever it forgets stays visible: of a renamed
 * directory nothing below is copied, of an entry with changed metadata not the content, and a hot file not at all.
 */
import { mkdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { copyEntry, listNames, statOf } from './mirror/copy.mjs';
import { Node } from './mirror/node.mjs';
import { bytes, depthOf, joined, nameOf, parentOf } from './paths.mjs';

export class Consumer {
  #root;
  #copy;
  #aside;
  #applyMetadata;
  #top = new Node();
  /** Paths whose owner, mode, times and attributes have to be set, in this order: children before their directory. */
  #touched = [];
  counts = { told: 0, copied: 0, moved: 0, removed: 0, hot: 0, renamesFromNowhere: 0 };

  /** `applyMetadata(pairs)` sets what Node cannot set exactly. */
  constructor({ root, copy, aside, applyMetadata }) {
    this.#root = root;
    this.#copy = copy;
    this.#aside = aside;
    this.#applyMetadata = applyMetadata;
    for (const each of [copy, aside]) mkdirSync(each, { recursive: true });
  }

  /** As after `freshInstance`: everything has to be copied. */
  owesEverything() {
    this.#top.owed.subtree = true;
  }

  take(answer) {
    if (answer.isFresh) this.owesEverything();
    this.counts.told += answer.changes.length;
    const placed = this.#detachRenamed(answer.changes);
    this.#place(placed);
    for (const { path, kinds } of answer.changes) {
      if (kinds.includes('removed')) this.#remove(path);
    }
    for (const change of answer.changes) this.#note(change);
  }

  settle() {
    this.#settleNode('', this.#top);
    this.#applyMetadata(this.#touched.map((path) => [this.#at(this.#root, path), this.#at(this.#copy, path)]));
    this.#touched = [];
  }

  /** Sources are named as they were at the cursor, so all leave before any arrives; deep ones first, out of the others. */
  #detachRenamed(changes) {
    const renamed = changes.filter(({ renamedFrom, kinds }) => renamedFrom !== null && !kinds.includes('removed'));
    const deepFirst = [...renamed].sort((left, right) => depthOf(right.renamedFrom) - depthOf(left.renamedFrom));
    return deepFirst.map(({ path, renamedFrom }, number) => {
      const node = this.#top.find(renamedFrom);
      if (node === null) return { path, node: null };
      this.#top.find(parentOf(renamedFrom)).children.delete(nameOf(renamedFrom));
      const held = join(this.#aside, `${number}`);
      if (node.isCopied) renameSync(this.#at(this.#copy, renamedFrom), held);
      return { path, node, held };
    });
  }

  /** Shallow ones first, so that the others find the directories they go to. */
  #place(placed) {
    for (const { path, node, held } of placed.sort((left, right) => depthOf(left.path) - depthOf(right.path))) {
      if (node === null) {
        // It may have been hot, and so never copied, for as long as it was there; else a compare will tell.
        this.counts.renamesFromNowhere++;
        this.#remove(path);
        this.#ensure(path).owed.subtree = true;
        continue;
      }
      this.#remove(path);
      const parent = this.#ensure(parentOf(path));
      parent.children.set(nameOf(path), node);
      this.counts.moved++;
      if (!node.isCopied) continue;
      this.#makeDirectory(parentOf(path));
      renameSync(held, this.#at(this.#copy, path));
    }
  }

  #remove(path) {
    const parent = this.#top.find(parentOf(path));
    if (parent === null || !parent.children.delete(nameOf(path))) return;
    this.counts.removed++;
    try {
      rmSync(this.#at(this.#copy, path), { recursive: true, force: true });
    } catch (error) {
      // Owed but not copied yet: what it is to be in is still a file here.
      if (error.code !== 'ENOTDIR') throw error;
    }
  }

  #note({ path, kinds, isHot }) {
    if (kinds.includes('removed')) return;
    if (isHot) {
      this.counts.hot++;
      return;
    }
    const node = this.#ensure(path);
    if (kinds.includes('subtree')) node.owed.subtree = true;
    if (kinds.includes('content')) node.owed.content = true;
    if (kinds.includes('metadata')) node.owed.metadata = true;
    if (kinds.includes('entries')) node.owed.entries = true;
  }

  /** The node of `path`, with those above it; new ones stand for what is not copied yet. */
  #ensure(path) {
    let node = this.#top;
    if (path === '') return node;
    for (const name of path.split('/')) {
      if (!node.children.has(name)) node.children.set(name, new Node());
      node = node.children.get(name);
    }
    return node;
  }

  /** A rename may arrive in a directory that is new as well and told in the same answer. */
  #makeDirectory(path) {
    if (path === '') return;
    this.#makeDirectory(parentOf(path));
    const target = this.#at(this.#copy, path);
    const stat = statOf(target);
    if (stat?.isDirectory()) return;
    if (stat !== undefined) rmSync(target, { recursive: true, force: true });
    mkdirSync(target);
    this.#ensure(path).isCopied = true;
    this.#ensure(path).owed.metadata = true;
  }

  #settleNode(path, node) {
    const { owed } = node;
    if (owed.subtree) return this.#copySubtree(path, node);
    const isNew = !node.isCopied && path !== '';
    node.owed = {};
    if (owed.content || owed.entries || owed.metadata) {
      if (!this.#copyOne(path, node, isNew || owed.content === true)) return undefined;
      if (owed.entries) this.#compareNames(path, node);
    }
    for (const [name, child] of [...node.children]) this.#settleNode(joined(path, name), child);
    return undefined;
  }

  /** Of a directory whose names changed: what is gone goes, what is new comes whole. The rest is told by itself. */
  #compareNames(path, node) {
    const names = new Set(listNames(this.#at(this.#root, path)).filter((name) => !isHidden(path, name)));
    for (const name of [...node.children.keys()]) {
      if (!names.has(name)) this.#remove(joined(path, name));
    }
    for (const name of names) {
      const child = this.#ensure(joined(path, name));
      if (!child.isCopied && !child.isOwed) child.owed.subtree = true;
    }
  }

  #copySubtree(path, node) {
    node.owed = {};
    if (!this.#copyOne(path, node, true)) return;
    const names = listNames(this.#at(this.#root, path)).filter((name) => !isHidden(path, name));
    for (const name of [...node.children.keys()]) {
      if (!names.includes(name)) this.#remove(joined(path, name));
    }
    for (const name of names) this.#copySubtree(joined(path, name), this.#ensure(joined(path, name)));
  }

  /** False where it is not there, or has no names below it. */
  #copyOne(path, node, withContent) {
    const [from, to] = [this.#at(this.#root, path), this.#at(this.#copy, path)];
    if (statOf(from) === undefined) {
      this.#remove(path);
      return false;
    }
    this.#makeDirectory(parentOf(path));
    const outcome = copyEntry(from, to, withContent);
    if (outcome === 'other') return false;
    this.counts.copied++;
    node.isCopied = true;
    this.#touched.push(path);
    if (outcome === 'directory') return true;
    node.children.clear();
    return false;
  }

  #at(top, path) {
    return Buffer.concat([Buffer.from(path === '' ? top : `${top}/`), bytes(path)]);
  }
}

/** The program's own folder at the root is no part of the tree. */
export function isHidden(parent, name) {
  return parent === '' && name === '.tidemark';
}

/** Whether an answer says of `path` that somebody is writing it. */
export function hotPathsOf(answer) {
  return new Set(answer.changes.filter(({ isHot }) => isHot).map(({ path }) => path));
}
