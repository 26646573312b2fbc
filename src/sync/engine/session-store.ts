/**
 * What a session remembers between runs, as the engine uses it: the archive, the cursors of both sides, and the paths
 * to look at again.
 *
 * The three belong together. An archive is an ancestor only of the two indexes it was made with: if either index is
 * another one, or the archive is gone, the run is a first sync. That never deletes: equal files match, different files
 * conflict, one-sided files propagate.
 */

import type { Side } from '../../journal/core/entry.ts';
import type { BytePath } from '../../platform/core/byte-path.ts';
import { rulesKeyOf } from '../core/rules-key.ts';
import type { Checkpoint } from '../endpoint.ts';
import type { SessionOptions } from '../options.ts';
import type { Archive, SessionFacts } from '../store/archive.ts';
import type { Ledger } from './ledger.ts';

/** Points in both journals up to which the archive speaks. */
export type Cursors = Readonly<Record<Side, string | null>>;

/** A root as the session knows it. */
export interface SessionRoot {
  readonly address: string;
  readonly identity: string;
  readonly kind: 'directory' | 'file';
}

/** Nothing is known: a first sync. */
export const NO_CURSORS: Cursors = { alpha: null, beta: null };

export class SessionStore {
  readonly archive: Archive;
  readonly #session: string;
  readonly #roots: Readonly<Record<Side, SessionRoot>>;
  readonly #rulesKey: string;

  constructor(
    archive: Archive,
    session: string,
    roots: Readonly<Record<Side, SessionRoot>>,
    options: Pick<SessionOptions, 'mode' | 'metadata'>,
  ) {
    this.archive = archive;
    this.#session = session;
    this.#roots = roots;
    this.#rulesKey = rulesKeyOf(options);
  }

  /** The cursors to ask for changes since, or {@link NO_CURSORS} where the archive does not belong to these indexes. */
  cursorsFor(checkpoints: Readonly<Record<Side, Checkpoint>>): Cursors {
    const facts = this.archive.readSession();
    if (facts === null) return NO_CURSORS;
    const belongs = (side: Side) => instanceOf(facts[side].cursor) === instanceOf(checkpoints[side].cursor);
    return belongs('alpha') && belongs('beta') ? { alpha: facts.alpha.cursor, beta: facts.beta.cursor } : NO_CURSORS;
  }

  /** False where the last settled run wanted other things of the entries: then also those that did not change matter. */
  get isUnderSameRules(): boolean {
    return this.archive.readSession()?.rulesKey === this.#rulesKey;
  }

  pendingPaths(): Iterable<BytePath> {
    return [...this.archive.pending()].map(({ path }) => path);
  }

  /** Drops an archive that speaks of other trees. */
  forgetArchive(): void {
    this.archive.clear();
  }

  /** Ends a round: everything up to `checkpoints` is dealt with but for the pending paths. One durable transaction. */
  settle(
    checkpoints: Readonly<Record<Side, Checkpoint>>,
    { pending, growth }: Pick<Ledger, 'pending' | 'growth'>,
  ): void {
    this.archive.transaction(() => {
      this.archive.replacePending(pending);
      this.archive.writeSession(this.#facts(checkpoints, growth));
    });
  }

  #facts(checkpoints: Readonly<Record<Side, Checkpoint>>, growth: Ledger['growth']): SessionFacts {
    const side = (name: Side) => ({
      ...this.#roots[name],
      cursor: checkpoints[name].cursor,
      entries: Math.max(0, checkpoints[name].entries + growth[name]),
    });
    return { session: this.#session, alpha: side('alpha'), beta: side('beta'), rulesKey: this.#rulesKey };
  }
}

/** A cursor is `instance.sequence`; the instance names the index. */
function instanceOf(cursor: string | null): string {
  return cursor?.split('.')[0] ?? '';
}
