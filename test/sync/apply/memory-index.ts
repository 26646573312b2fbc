/** An index in memory, with the rules of the real one that the applier relies on. */

import type { IndexRecord } from '../../../src/journal/store/index.ts';
import { type BytePath, isWithin, parentOf } from '../../../src/platform/core/byte-path.ts';
import type { ApplyIndex } from '../../../src/sync/apply/context.ts';

export class MemoryIndex implements ApplyIndex {
  readonly records = new Map<BytePath, IndexRecord>();
  readonly origins = new Map<BytePath, string>();
  transactions = 0;

  get(path: BytePath): IndexRecord | null {
    return this.records.get(path) ?? null;
  }

  put(path: BytePath, record: IndexRecord, origin: string): void {
    if (path !== '' && this.records.get(parentOf(path))?.entry.kind !== 'directory') {
      throw new Error(`no directory recorded for ${path}`);
    }
    if (record.entry.kind !== 'directory') this.#removeBelow(path);
    this.records.set(path, record);
    this.origins.set(path, origin);
  }

  remove(path: BytePath): void {
    this.#removeBelow(path);
    this.records.delete(path);
  }

  rename(from: BytePath, to: BytePath): void {
    if (this.records.has(to)) throw new Error(`something is recorded at ${to}`);
    for (const [path, record] of [...this.records]) {
      if (!isWithin(path, from)) continue;
      this.records.delete(path);
      this.records.set((to + path.slice(from.length)) as BytePath, record);
    }
  }

  transaction<T>(work: () => T): T {
    this.transactions++;
    return work();
  }

  #removeBelow(path: BytePath): void {
    for (const other of [...this.records.keys()])
      if (other !== path && isWithin(other, path)) this.records.delete(other);
  }
}
