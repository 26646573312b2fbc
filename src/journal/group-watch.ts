/**
 * Reads the events of one fanotify group and gives them to the journals recorded with it, in order.
 *
 * Everything that takes events runs in one line: batches are absorbed by all journals, trees that came from elsewhere
 * are scanned, and only then the next batch is taken. What was read stays in the reader's ring until every journal has
 * written down what followed from it ({@link EventConsumer.persist}); then the ring is committed. A process that is
 * killed in between has its successor absorb those events again, which is harmless: they only say where to look.
 */
import type { FanotifyBatch, FanotifyEvent } from '../platform/fanotify.ts';
import type { EventConsumer } from './source.ts';

/** Events taken at once: some tens of milliseconds of work. */
const EVENTS_PER_BATCH = 16_384;

/** From this share of the ring on, what was absorbed is written down so that the ring has room again. */
const FULL_SHARE = 0.5;

/** The native reader (platform/fanotify.ts), or a scripted one in tests. */
export interface EventReader {
  take(limit: number): FanotifyBatch;
  commit(): void;
  usage(): number;
  barrier(): Promise<void>;
  keyOf(directory: number): string;
  setForeign(directory: number): void;
  resetForeign(): void;
  follow(key: string): void;
  counters(): { readonly received: number; readonly foreign: number };
  stop(): void;
}

export class GroupWatch {
  readonly #reader: EventReader;
  readonly #consumers = new Set<EventConsumer>();
  #line: Promise<void> = Promise.resolve();
  #isPumping = false;
  #isStopped = false;
  #hasTaken = false;
  #release: () => void = () => {};
  readonly #released: Promise<void>;

  /**
   * `isHeld`: takes no events before {@link release}. Whoever goes on from an earlier process first attaches all that
   * had been attached, or events would be lost on those that come later.
   */
  constructor(reader: EventReader, isHeld = false) {
    this.#reader = reader;
    this.#released = new Promise((resolve) => {
      this.#release = resolve;
    });
    if (!isHeld) this.#release();
  }

  release(): void {
    this.#release();
  }

  get reader(): EventReader {
    return this.#reader;
  }

  /**
   * Begins giving events to `consumer`, after running `prepare` (marks, first scan) with all events held back. `isLate`:
   * events were taken before, which may have been meant for it.
   */
  attach(consumer: EventConsumer, prepare: (isLate: boolean) => Promise<void>): Promise<void> {
    return this.#inLine(async () => {
      await prepare(this.#hasTaken);
      this.#consumers.add(consumer);
      this.#reader.resetForeign();
    });
  }

  detach(consumer: EventConsumer): Promise<void> {
    return this.#inLine(async () => {
      this.#consumers.delete(consumer);
    });
  }

  /** The reader has events: takes all there are. */
  onReadable(): void {
    if (this.#isPumping || this.#isStopped) return;
    this.#isPumping = true;
    void this.#released.then(() =>
      this.#inLine(() => {
        this.#isPumping = false;
        return this.#pump();
      }),
    );
  }

  /** Resolves when everything that was in the kernel's queue at the call has been absorbed. */
  async drain(): Promise<void> {
    // Meanwhile the reader goes on telling of what it read, so that the ring is emptied and never blocks it.
    await this.#released;
    await this.#reader.barrier();
    await this.#inLine(() => this.#pump());
  }

  /** Runs `work` while no events are taken. */
  hold(work: () => Promise<void>): Promise<void> {
    return this.#inLine(async () => {
      await work();
      this.#reader.resetForeign();
    });
  }

  /** Every journal writes down what it absorbed; the ring is then empty but for what is not taken yet. */
  persist(): void {
    for (const consumer of this.#consumers) this.#guard(consumer, () => consumer.persist());
    this.#reader.commit();
  }

  async stop(): Promise<void> {
    this.#release();
    this.#isStopped = true;
    await this.#inLine(async () => this.persist());
    this.#reader.stop();
  }

  async #pump(): Promise<void> {
    for (let hasMore = true; hasMore && !this.#isStopped; ) {
      const batch = this.#reader.take(EVENTS_PER_BATCH);
      this.#hasTaken ||= batch.events.length > 0;
      hasMore = batch.hasMore;
      if (batch.reset) for (const consumer of this.#consumers) consumer.forgetNumbers();
      if (batch.overflowed) for (const consumer of this.#consumers) this.#guard(consumer, () => consumer.overflowed());
      if (batch.events.length > 0) this.#give(batch.events);
      await this.#scan();
      if (this.#reader.usage() > FULL_SHARE) this.persist();
    }
  }

  #give(events: readonly FanotifyEvent[]): void {
    let nobodys: Set<number> | null = null;
    for (const consumer of this.#consumers) {
      this.#guard(consumer, () => {
        const foreign = consumer.absorb(events);
        nobodys = nobodys === null ? new Set(foreign) : intersection(nobodys, foreign);
        consumer.onActivity();
      });
    }
    for (const directory of nobodys ?? []) this.#reader.setForeign(directory);
  }

  async #scan(): Promise<void> {
    for (const consumer of this.#consumers) {
      if (!consumer.mustScan) continue;
      try {
        await consumer.scan();
        this.#reader.resetForeign();
      } catch (error) {
        this.#fail(consumer, error);
      }
    }
  }

  #guard(consumer: EventConsumer, work: () => void): void {
    try {
      work();
    } catch (error) {
      this.#fail(consumer, error);
    }
  }

  #fail(consumer: EventConsumer, error: unknown): void {
    this.#consumers.delete(consumer);
    consumer.failed(error);
  }

  #inLine(work: () => Promise<void>): Promise<void> {
    const done = this.#line.then(work);
    this.#line = done.catch(() => {});
    return done;
  }
}

function intersection(left: ReadonlySet<number>, right: ReadonlySet<number>): Set<number> {
  return new Set([...left].filter((value) => right.has(value)));
}
