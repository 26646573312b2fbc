/** An absolute deadline that stands still while a person is asked something. */
export class Deadline {
  readonly #onExpire: () => void;
  #remainingMs: number;
  #startedMs = 0;
  #timer: NodeJS.Timeout | null = null;
  #suspensions = 0;
  #closed = false;

  constructor(remainingMs: number, onExpire: () => void) {
    this.#remainingMs = remainingMs;
    this.#onExpire = onExpire;
    this.#start();
  }

  /** Runs `work` off the clock. */
  async suspendedFor<Result>(work: () => Promise<Result>): Promise<Result> {
    this.#stop();
    this.#suspensions++;
    try {
      return await work();
    } finally {
      this.#suspensions--;
      this.#start();
    }
  }

  close(): void {
    this.#closed = true;
    this.#stop();
  }

  #start(): void {
    if (this.#closed || this.#suspensions > 0 || this.#timer !== null) return;
    this.#startedMs = performance.now();
    this.#timer = setTimeout(this.#onExpire, Math.max(0, this.#remainingMs));
  }

  #stop(): void {
    if (this.#timer === null) return;
    clearTimeout(this.#timer);
    this.#timer = null;
    this.#remainingMs -= performance.now() - this.#startedMs;
  }
}
