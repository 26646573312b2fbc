/** Notices a peer that fell silent: asks it for a sign of life, then gives it up. */
import type { Clock } from './clock.ts';
import { DEAD_AFTER_MS, PING_AFTER_MS } from './core/limits.ts';

export class Liveness {
  readonly #clock: Clock;
  readonly #onSilent: () => void;
  readonly #onDead: () => void;
  #aliveAtMs: number;
  #cancelTimer: (() => void) | null = null;

  /** `onSilent` is called every PING_AFTER_MS of silence, `onDead` once after DEAD_AFTER_MS. */
  constructor(clock: Clock, onSilent: () => void, onDead: () => void) {
    this.#clock = clock;
    this.#onSilent = onSilent;
    this.#onDead = onDead;
    this.#aliveAtMs = clock.now();
  }

  start(): void {
    this.alive();
    this.#waitFor(PING_AFTER_MS);
  }

  /** The peer gave a sign of life. Cheap: called for every chunk. */
  alive(): void {
    this.#aliveAtMs = this.#clock.now();
  }

  stop(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = null;
  }

  #waitFor(delayMs: number): void {
    this.#cancelTimer = this.#clock.after(Math.max(1, Math.ceil(delayMs)), () => this.#look());
  }

  #look(): void {
    const silentMs = this.#clock.now() - this.#aliveAtMs;
    if (silentMs >= DEAD_AFTER_MS) {
      this.stop();
      this.#onDead();
    } else if (silentMs >= PING_AFTER_MS) {
      this.#waitFor(Math.min(PING_AFTER_MS, DEAD_AFTER_MS - silentMs));
      this.#onSilent();
    } else {
      this.#waitFor(PING_AFTER_MS - silentMs);
    }
  }
}
