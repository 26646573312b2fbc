/** Messages of one channel on their way to their consumer, in order. Single consumer. */

interface Item {
  /** A promise where it is still being decompressed. */
  readonly message: Buffer | Promise<Buffer>;
  readonly cost: number;
}

interface Waiter {
  resolve(result: IteratorResult<Buffer, undefined>): void;
  reject(error: unknown): void;
}

const DONE: IteratorResult<Buffer, undefined> = { done: true, value: undefined };

export class Inbox implements AsyncIterableIterator<Buffer, undefined> {
  readonly #onTaken: (cost: number) => void;
  #items: Item[] = [];
  #waiter: Waiter | null = null;
  /** Set once nothing more comes: null at a regular end, otherwise what the consumer gets to see after the last message. */
  #ending: { readonly error: Error | null } | null = null;

  /** `onTaken` hears of every message the consumer takes. */
  constructor(onTaken: (cost: number) => void) {
    this.#onTaken = onTaken;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  push(message: Buffer | Promise<Buffer>, cost: number): void {
    // Whoever takes the message sees the rejection; one that is never taken must not end the process.
    if (message instanceof Promise) message.catch(() => {});
    if (this.#ending !== null) return;
    this.#items.push({ message, cost });
    this.#serve();
  }

  /** After the messages already here: the end, or `error`. Only the first ending counts. */
  end(error: Error | null = null): void {
    this.#ending ??= { error };
    this.#serve();
  }

  /** Forgets the messages already here and fails at once. */
  fail(error: Error): void {
    this.#items = [];
    this.#ending = { error };
    this.#serve();
  }

  next(): Promise<IteratorResult<Buffer, undefined>> {
    if (this.#waiter !== null) return Promise.reject(new Error('two consumers of one channel'));
    return new Promise((resolve, reject) => {
      this.#waiter = { resolve, reject };
      this.#serve();
    });
  }

  /** The consumer leaves: what is here and what still comes is dropped. */
  return(): Promise<IteratorResult<Buffer, undefined>> {
    this.drop();
    return Promise.resolve(DONE);
  }

  /** Forgets the messages already here and takes no more. */
  drop(): void {
    this.#items = [];
    this.#ending = { error: null };
    this.#serve();
  }

  #serve(): void {
    const waiter = this.#waiter;
    if (waiter === null) return;
    const item = this.#items.shift();
    if (item !== undefined) {
      this.#waiter = null;
      this.#onTaken(item.cost);
      deliver(item.message, waiter);
    } else if (this.#ending !== null) {
      this.#waiter = null;
      const { error } = this.#ending;
      if (error === null) waiter.resolve(DONE);
      else waiter.reject(error);
    }
  }
}

function deliver(message: Buffer | Promise<Buffer>, waiter: Waiter): void {
  if (message instanceof Promise) {
    message.then((value) => waiter.resolve({ done: false, value }), waiter.reject);
  } else {
    waiter.resolve({ done: false, value: message });
  }
}
