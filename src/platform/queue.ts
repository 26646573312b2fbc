/**
 * A bounded queue between a producer and one consumer: `push` waits while it is full, iteration waits while it is empty.
 *
 * This is where back-pressure is made: everything that flows passes through a few of these, so nothing grows without
 * bound when one side is slow.
 */
export class BoundedQueue<Item> implements AsyncIterable<Item> {
  readonly #items: { readonly item: Item; readonly weight: number }[] = [];
  readonly #capacity: number;
  #weight = 0;
  #ended = false;
  #error: unknown;
  #wakeConsumer: (() => void) | null = null;
  #wakeProducers: (() => void)[] = [];

  /** `capacity` in whatever unit the weights have: items, bytes. */
  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  /** Adds an item; resolves once the queue is below its capacity again. After `fail` it rejects, after `close` it does nothing. */
  async push(item: Item, weight = 1): Promise<void> {
    if (this.#error !== undefined) throw this.#error;
    if (this.#ended) return;
    this.#items.push({ item, weight });
    this.#weight += weight;
    this.#wakeConsumer?.();
    while (this.#weight >= this.#capacity && !this.#ended) {
      await new Promise<void>((resolve) => this.#wakeProducers.push(resolve));
    }
    if (this.#error !== undefined) throw this.#error;
  }

  /** No more items; what is queued is still delivered. */
  end(): void {
    this.#ended = true;
    this.#wakeAll();
  }

  /** The consumer gets `error` after what is queued; producers get it at once. */
  fail(error: unknown): void {
    this.#error ??= error ?? new Error('failed');
    this.#ended = true;
    this.#wakeAll();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Item> {
    try {
      for (;;) {
        const next = this.#items.shift();
        if (next !== undefined) {
          this.#weight -= next.weight;
          if (this.#weight < this.#capacity) this.#releaseProducers();
          yield next.item;
        } else if (this.#ended) {
          if (this.#error !== undefined) throw this.#error;
          return;
        } else {
          await new Promise<void>((resolve) => {
            this.#wakeConsumer = resolve;
          });
          this.#wakeConsumer = null;
        }
      }
    } finally {
      // A consumer that stops early must not leave producers waiting for room.
      this.#items.length = 0;
      this.#weight = 0;
      this.#ended = true;
      this.#releaseProducers();
    }
  }

  #wakeAll(): void {
    this.#wakeConsumer?.();
    this.#releaseProducers();
  }

  #releaseProducers(): void {
    const waiting = this.#wakeProducers;
    this.#wakeProducers = [];
    for (const wake of waiting) wake();
  }
}
