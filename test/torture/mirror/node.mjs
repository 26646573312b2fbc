/** One entry of the consumer's copy: whether it has been copied, what still has to be, and what lies below it. */
export class Node {
  isCopied = false;
  /** `content`, `metadata`, `entries`, `subtree`: what an answer said and nobody has acted on. */
  owed = {};
  children = new Map();

  get isOwed() {
    return Object.keys(this.owed).length > 0;
  }

  find(path) {
    let node = this;
    if (path === '') return node;
    for (const name of path.split('/')) {
      node = node.children.get(name);
      if (node === undefined) return null;
    }
    return node;
  }
}
