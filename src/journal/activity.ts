/** For who follows a journal: when it is worth while to ask again. */
import type { Recording } from './recording.ts';

/** How long after the first event of many it is waited for the others. */
const QUIET_MS = 30;

/** Remembers that something was noticed, also while nobody waits: what comes during an answer makes for another one. */
export class Activity {
  readonly #signal: AbortSignal;
  readonly #endListening: () => void;
  readonly #onAbort = (): void => this.#wake();
  #hasNews = false;
  #wake: () => void = () => {};

  /** Until `signal` aborts. */
  constructor(recording: Pick<Recording, 'listen'>, signal: AbortSignal) {
    this.#signal = signal;
    this.#endListening = recording.listen(() => {
      this.#hasNews = true;
      this.#wake();
    });
    signal.addEventListener('abort', this.#onAbort);
  }

  /** True some milliseconds after something was noticed; false once it was aborted. */
  async next(): Promise<boolean> {
    while (!this.#hasNews && !this.#signal.aborted) await this.#sleep(null);
    if (!this.#signal.aborted) await this.#sleep(QUIET_MS);
    this.#hasNews = false;
    return !this.#signal.aborted;
  }

  close(): void {
    this.#endListening();
    this.#signal.removeEventListener('abort', this.#onAbort);
  }

  /** For so long, or until something happens; null: only until then. */
  async #sleep(timeMs: number | null): Promise<void> {
    await new Promise<void>((resolve) => {
      if (timeMs === null) this.#wake = resolve;
      else setTimeout(resolve, timeMs);
    });
    this.#wake = () => {};
  }
}
