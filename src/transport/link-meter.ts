/** How fast the link takes bytes while somebody waits for it. */

/** Waiting gathered before a rate counts: below it only the granularity of timers would be measured. */
const ENOUGH_MS = 20;

/** Bytes after which a rate counts even though hardly anybody waited. */
const ENOUGH_BYTES = 4 * 1024 * 1024;

export class LinkMeter {
  #bytes = 0;
  #elapsedMs = 0;
  #bytesPerMs = Number.POSITIVE_INFINITY;

  /** Bytes a millisecond of waiting; infinite while no write has waited. */
  get bytesPerMs(): number {
    return this.#bytesPerMs;
  }

  /** A write of `bytes` that took `elapsedMs` until the channel could take more. */
  record(bytes: number, elapsedMs: number): void {
    this.#bytes += bytes;
    this.#elapsedMs += elapsedMs;
    if (this.#elapsedMs < ENOUGH_MS && this.#bytes < ENOUGH_BYTES) return;
    const measured = this.#bytes / Math.max(this.#elapsedMs, 0.001);
    // Half of the old value: follows a link that changes within a few measurements.
    this.#bytesPerMs = Number.isFinite(this.#bytesPerMs) ? (this.#bytesPerMs + measured) / 2 : measured;
    this.#bytes = 0;
    this.#elapsedMs = 0;
  }
}
