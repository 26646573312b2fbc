/** Notices a peer that fell silent: asks it for a sign of life, then gives it up. */
import type { Clock } from './clock.ts';
import { DEAD_AFTER_MS, PING_AFTER_MS } from './core/limits.ts';

/** A timer this late means that we were stopped or busy ourselves, and what the peer said may still lie unread. */
const LATE_MS = 5_000;

export class Liveness {
  readonly #clock: Clock;
  readonly #onSilent: () => void;
  readonly #onDead: () => void;
  #aliveAtMs: number;
  #dueAtMs = 0;
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
    const wholeMs = Math.max(1, Math.ceil(delayMs));
    this.#dueAtMs = this.#clock.now() + wholeMs;
    this.#cancelTimer = this.#clock.after(wholeMs, () => this.#look());
  }

  #look(): void {
    if (this.#clock.now() - this.#dueAtMs >= LATE_MS) this.alive();
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
