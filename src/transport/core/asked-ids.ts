/** Matches answers to what was asked: every id once, and none that was not asked. */
import { MalformedError } from '../../platform/core/bytes.ts';

export class AskedIds {
  readonly #open = new Set<number>();

  /** `id` was asked; false where it already waits for its answer. */
  ask(id: number): boolean {
    if (this.#open.has(id)) return false;
    this.#open.add(id);
    return true;
  }

  /** `id` was answered. Throws MalformedError where it was not asked, or was answered before. */
  answer(id: number): void {
    if (!this.#open.delete(id))
      throw new MalformedError(`an answer for ${id}, which was not asked or answered already`);
  }

  /** Throws MalformedError where something was left unanswered. */
  finish(): void {
    if (this.#open.size > 0) throw new MalformedError(`${this.#open.size} left unanswered`);
  }
}
