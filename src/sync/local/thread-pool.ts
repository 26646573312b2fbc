/**
 * The threads of a local endpoint: one for applying, which keeps state, the others for reading and hashing. They start
 * when first needed. The scan comes before both and runs alone; its thread becomes whichever of them is needed first,
 * since a thread that only scanned would keep its memory for nothing.
 */
import { existsSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { Thread } from '../../platform/threads.ts';

/** More readers than this gain nothing: the other side's single writer is slower. */
const MAX_READERS = 4;

/** A pool whose calls go to the thread with the fewest calls under way. */
export class ThreadPool {
  readonly #size: number;
  readonly #threads: { readonly thread: Thread; busy: number }[] = [];
  #writer: Thread | null = null;
  #scanner: Thread | null = null;
  /** True while the scanner has no other role. */
  #isScannerFree = false;

  constructor(size = Math.max(1, Math.min(MAX_READERS, availableParallelism()))) {
    this.#size = size;
  }

  /** Number of calls that can run at once. */
  get size(): number {
    return this.#size;
  }

  /** The thread for a scan: the writer where there is one, for its state ends with a new look at the tree. */
  scanner(): Thread {
    if (this.#writer !== null) return this.#writer;
    if (this.#scanner === null) {
      this.#scanner = new Thread(threadEntry());
      this.#isScannerFree = true;
    }
    return this.#scanner;
  }

  /** Ends the thread that scanned, where it has no other role yet: what it made garbage of goes with it. */
  async endScanner(): Promise<void> {
    if (this.#scanner === null || !this.#isScannerFree) return;
    const scanner = this.#scanner;
    this.#scanner = null;
    await scanner.close();
  }

  /** The thread that owns the state of applying. */
  writer(): Thread {
    this.#writer ??= this.#freeThread();
    return this.#writer;
  }

  /** Calls `name` in the least busy reader. */
  async read<Result>(
    name: string,
    argument: unknown,
    onPiece?: (piece: Buffer) => Promise<void> | void,
  ): Promise<Result> {
    const slot = this.#leastBusy();
    slot.busy++;
    try {
      return await slot.thread.call<Result>(name, argument, onPiece === undefined ? {} : { onPiece });
    } finally {
      slot.busy--;
    }
  }

  /** Calls `name` in every reader that was started. */
  async readAll(name: string): Promise<void> {
    await Promise.all(this.#threads.map(({ thread }) => thread.call<void>(name, null)));
  }

  async close(): Promise<void> {
    const others = [this.#writer, this.#scanner].filter((thread) => thread !== null);
    const threads = new Set([...this.#threads.map(({ thread }) => thread), ...others]);
    await Promise.all([...threads].map((thread) => thread.close()));
  }

  /** The scanner where it has nothing else to do, else a new thread. */
  #freeThread(): Thread {
    if (this.#scanner === null || !this.#isScannerFree) return new Thread(threadEntry());
    this.#isScannerFree = false;
    return this.#scanner;
  }

  #leastBusy(): { readonly thread: Thread; busy: number } {
    const idle = this.#threads.find(({ busy }) => busy === 0);
    if (idle !== undefined) return idle;
    if (this.#threads.length < this.#size) {
      const slot = { thread: this.#freeThread(), busy: 0 };
      this.#threads.push(slot);
      return slot;
    }
    return this.#threads.reduce((least, slot) => (slot.busy < least.busy ? slot : least));
  }
}

/**
 * The module a thread runs. The one-file agent is its own; the bundled program has worker.js beside it; from sources
 * (tests) the built one is taken, since Node 20 cannot run TypeScript.
 */
function threadEntry(): URL {
  const agent = (globalThis as { tidemarkAgent?: { readonly file: string } }).tidemarkAgent;
  if (agent !== undefined) return new URL(agent.file);
  const beside = new URL('./worker.js', import.meta.url);
  if (!import.meta.url.endsWith('.ts') && existsSync(beside)) return beside;
  return new URL('../../../dist/worker.js', import.meta.url);
}
