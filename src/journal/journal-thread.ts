/** The thread of one journal: started when it is needed, ended when it was idle for a while, for it costs some megabytes. */
import { Thread } from '../platform/threads.ts';
import type { JournalPlace } from './settle-plan.ts';
import { journalThreadEntry } from './thread-entry.ts';

/** Longer than the pauses between the calls of one round; starting a thread takes some tens of milliseconds. */
const IDLE_MS = 10_000;

export class JournalThread {
  #thread: Thread | null = null;
  #calls = 0;
  #timer: NodeJS.Timeout | null = null;

  /** Calls a function of worker.ts. */
  async call<Result>(name: string, argument: JournalPlace): Promise<Result> {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    this.#thread ??= new Thread(journalThreadEntry());
    this.#calls++;
    try {
      return await this.#thread.call<Result>(name, argument);
    } finally {
      this.#calls--;
      if (this.#calls === 0) this.#endLater();
    }
  }

  async close(): Promise<void> {
    if (this.#timer !== null) clearTimeout(this.#timer);
    const thread = this.#thread;
    this.#thread = null;
    // The store is closed by who opened it, or its slot in the table of readers stays taken.
    await thread?.call('close', null).catch(() => {});
    await thread?.close();
  }

  #endLater(): void {
    if (this.#thread === null) return;
    this.#timer = setTimeout(() => void this.close(), IDLE_MS);
    this.#timer.unref();
  }
}
