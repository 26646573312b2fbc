/** What a journal tells: from its store and what still waits to the answers of its consumers. Looks at nothing. */
import { type BytePath, isWithin } from '../platform/core/byte-path.ts';
import { TidemarkError } from '../platform/core/errors.ts';
import { type BackendName, type ChangesAnswer, type JournalChange, OLDEST_CURSOR } from './core/answers.ts';
import { type CursorParts, formatCursor, parseCursor } from './core/cursor.ts';
import { foldLog, type PresentTree, type WaitingObject } from './core/fold-log.ts';
import { bitsOf, kindsOf, NOTICE } from './core/kinds.ts';
import type { CheckpointProtocol, Key } from './core/protocol.ts';
import { placeAt } from './core/tree-key.ts';
import type { Recording } from './recording.ts';
import type { JournalStore } from './store/journal-store.ts';

/** Changes of one batch of an answer. */
const BATCH_CHANGES = 1024;

/** What waits, and the key of its place. */
type WaitingPlace = WaitingObject & { readonly key: Key };

export class Answering {
  readonly #store: JournalStore;
  readonly #protocol: CheckpointProtocol;
  readonly #recording: Recording;

  constructor(store: JournalStore, protocol: CheckpointProtocol, recording: Recording) {
    this.#store = store;
    this.#protocol = protocol;
    this.#recording = recording;
  }

  /** The present point. */
  cursor(): string {
    const { journal, epoch } = this.#store.state();
    return formatCursor({ journal, epoch, sequence: this.#store.log.sequence });
  }

  /** What changed after `cursor`, as far as it was settled or noticed. */
  changesSince(cursor: string | null, subtree: BytePath, backend: BackendName): ChangesAnswer {
    const parts = this.#parse(cursor);
    const isKnown = parts !== null && this.#store.log.reaches(parts.sequence);
    const base = { cursor: this.cursor(), backend, freshInstance: !isKnown };
    if (!isKnown) {
      this.#markTold(subtree, () => NOTICE.content | NOTICE.entries);
      return { ...base, gaps: [], changes: this.#everything(subtree) };
    }
    const changes = this.foldSince(parts.sequence, subtree);
    const told = new Map(changes.map(({ path, kinds }) => [path, kinds]));
    this.#markTold(subtree, (path) => bitsOf(told.get(path) ?? []));
    return { ...base, gaps: this.#recording.gapsSince(parts.epoch), changes: inBatches(changes) };
  }

  /** What changed after `sequence` at and below `subtree`, each path once. */
  foldSince(sequence: number, subtree: BytePath): JournalChange[] {
    const changes = foldLog(this.#store.log.since(sequence), this.waiting(subtree), this.#present());
    return changes.filter(({ path }) => isWithin(path, subtree));
  }

  /** The sequence `cursor` names. Throws `usage` (`bad-cursor`) where it is none of this journal. */
  sequenceOf(cursor: string): number {
    const parts = this.#parse(cursor);
    if (parts !== null && parts.sequence <= this.#store.log.sequence) return parts.sequence;
    throw new TidemarkError('usage', 'bad-cursor', `"${cursor}" is no cursor of this journal`, {
      remedy: 'Give a cursor that journal checkpoint or journal since printed for this root.',
    });
  }

  hotPaths(subtree: BytePath): BytePath[] {
    return [...this.waiting(subtree)].filter(({ isHot }) => isHot).map(({ path }) => path);
  }

  /** What waits to be settled at and below `subtree`. */
  *waiting(subtree: BytePath): Generator<WaitingPlace> {
    const known = new Map<number, BytePath | null>();
    for (const [key, { kinds, isHot }] of this.#protocol.unsettled()) {
      const path = this.#store.pathOf(placeAt(key, 0), known);
      if (path !== null && isWithin(path, subtree)) yield { key, path, kinds, isHot };
    }
  }

  /** null for what is no cursor, or one of another journal. */
  #parse(cursor: string | null): CursorParts | null {
    const { journal, epoch } = this.#store.state();
    if (cursor === OLDEST_CURSOR) return { journal, epoch, sequence: this.#store.log.floor };
    const parts = parseCursor(cursor ?? '');
    return parts !== null && parts.journal === journal && parts.epoch <= epoch ? parts : null;
  }

  /** Remembers, durably, what was told of objects that wait. */
  #markTold(subtree: BytePath, kindsAt: (path: BytePath) => number): void {
    for (const { key, path } of [...this.waiting(subtree)]) this.#protocol.told(key, kindsAt(path));
    this.#recording.persist();
  }

  /** The whole tree at and below `subtree`. */
  *#everything(subtree: BytePath): Generator<readonly JournalChange[]> {
    const waiting = new Map([...this.waiting(subtree)].map((object) => [object.path, object]));
    let batch: JournalChange[] = [];
    for (const { path, node } of this.#store.tree.below(subtree)) {
      const object = waiting.get(path);
      waiting.delete(path);
      const kinds = kindsOf(node.number === 0 ? NOTICE.content : NOTICE.entries);
      const proof = object === undefined ? 'scan' : 'pending';
      batch.push({ path, kinds, renamedFrom: null, hot: object?.isHot ?? false, proof });
      if (batch.length < BATCH_CHANGES) continue;
      yield batch;
      batch = [];
    }
    for (const { path, kinds, isHot } of waiting.values()) {
      batch.push({ path, kinds: kindsOf(kinds), renamedFrom: null, hot: isHot, proof: 'pending' });
    }
    if (batch.length > 0) yield batch;
  }

  #present(): PresentTree {
    const known = new Map<number, BytePath | null>();
    return {
      pathOf: (place) => this.#store.pathOf(place, known),
      kindAt: (path) => {
        const node = this.#store.tree.get(path);
        if (node === null) return 'nothing';
        return node.number === 0 ? 'other' : 'directory';
      },
    };
  }
}

function* inBatches(changes: readonly JournalChange[]): Generator<readonly JournalChange[]> {
  for (let start = 0; start < changes.length; start += BATCH_CHANGES) yield changes.slice(start, start + BATCH_CHANGES);
}
