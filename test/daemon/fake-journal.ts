/** A journal that holds what it is told: what the service and its commands are tested around. */
import type {
  ChangesAnswer,
  CheckpointAnswer,
  JournalChange,
  JournalStatus,
  JournalVerification,
} from '../../src/journal/core/answers.ts';
import { OLDEST_CURSOR } from '../../src/journal/core/answers.ts';
import type { JournalService } from '../../src/journal/service.ts';
import { type BytePath, fromText, isWithin } from '../../src/platform/core/byte-path.ts';
import { TidemarkError } from '../../src/platform/core/errors.ts';

/** A change of content, settled under a lease. */
export function changed(path: string, of: Partial<JournalChange> = {}): JournalChange {
  return { path: fromText(path), kinds: ['content'], renamedFrom: null, hot: false, proof: 'leased', ...of };
}

export class FakeJournal implements JournalService {
  /** Everything recorded; cursor `c<n>` stands behind the n-th. */
  readonly recorded: JournalChange[] = [];
  readonly acknowledged: [consumer: string, cursor: string][] = [];
  /** Batches that were taken off the last answer of `changes`. */
  batchesTaken = 0;
  batchSize = 2;
  verification: JournalVerification = { differences: [], entries: 3, compared: 2, firstHashed: 1, hot: [] };
  hot: readonly BytePath[] = [];
  #period = 1;
  #followers: (() => void)[] = [];

  record(...changes: readonly JournalChange[]): void {
    this.recorded.push(...changes);
    for (const wake of this.#followers.splice(0)) wake();
  }

  async checkpoint(subtree: BytePath): Promise<CheckpointAnswer> {
    const dirty = this.recorded.filter(({ path }) => isWithin(path, subtree)).length;
    this.record(changed(`checkpoint-${this.#period}`));
    return { cursor: this.#cursor(), period: this.#period++, dirty, hot: this.hot, gaps: [] };
  }

  async changes(cursor: string | null, subtree: BytePath): Promise<ChangesAnswer> {
    const position = cursor === OLDEST_CURSOR ? 0 : Number(/^c(\d+)$/.exec(cursor ?? '')?.[1] ?? Number.NaN);
    const freshInstance = Number.isNaN(position);
    const found = this.recorded.slice(freshInstance ? 0 : position).filter(({ path }) => isWithin(path, subtree));
    const gaps = freshInstance ? [{ kind: 'daemon-down', scope: fromText('') } as const] : [];
    this.batchesTaken = 0;
    return {
      cursor: this.#cursor(),
      backend: 'fanotify-directory',
      freshInstance,
      gaps,
      changes: this.#batches(found),
    };
  }

  async *follow(signal: AbortSignal): AsyncGenerator<readonly JournalChange[]> {
    let seen = this.recorded.length;
    while (!signal.aborted) {
      if (seen === this.recorded.length) {
        await new Promise<void>((resolve) => {
          this.#followers.push(resolve);
          signal.addEventListener('abort', () => resolve(), { once: true });
        });
      }
      const round = this.recorded.slice(seen);
      seen = this.recorded.length;
      if (round.length > 0) yield round;
    }
  }

  async acknowledge(consumer: string, cursor: string): Promise<void> {
    if (!/^c\d+$/.test(cursor)) throw new TidemarkError('usage', 'bad-cursor', `no cursor: ${cursor}`);
    this.acknowledged.push([consumer, cursor]);
  }

  async register(_consumer: string): Promise<string> {
    return this.#cursor();
  }

  async unregister(_consumer: string): Promise<void> {}

  async status(): Promise<JournalStatus> {
    return {
      recording: true,
      backend: 'fanotify-directory',
      whyNotBetter: 'no CAP_SYS_ADMIN',
      period: this.#period,
      dirty: this.recorded.length,
      hot: this.hot,
      gaps: [],
      events: { received: 12, foreign: 3, silencedObjects: 1 },
    };
  }

  async verify(): Promise<JournalVerification> {
    return this.verification;
  }

  async close(): Promise<void> {}

  #cursor(): string {
    return `c${this.recorded.length}`;
  }

  *#batches(changes: readonly JournalChange[]): Generator<readonly JournalChange[]> {
    for (let from = 0; from < changes.length; from += this.batchSize) {
      this.batchesTaken++;
      yield changes.slice(from, from + this.batchSize);
    }
  }
}
