/** Time as the transport sees it; tests bring their own. */
export interface Clock {
  /** Milliseconds, monotonic, with fractions. */
  now(): number;
  /** Runs `action` once after `delayMs`; the returned function calls it off. Does not keep the process alive. */
  after(delayMs: number, action: () => void): () => void;
}

/** The real clock. */
export const systemClock: Clock = {
  now: () => performance.now(),
  after(delayMs, action) {
    const timer = setTimeout(action, delayMs);
    timer.unref();
    return () => clearTimeout(timer);
  },
};
