/**
 * The two kinds of failure.
 *
 * An expected failure of one path is a value, a {@link Problem}: it is reported and the run goes on. A run that cannot
 * go on throws a {@link TidemarkError}; the command line turns its `fault` into an exit code and its `remedy` into the
 * second line of the message.
 */

/** What went wrong with one path. `code` is an errno name (`ENOSPC`) or one of tidemark's own words (`changed`). */
export interface Problem {
  readonly code: string;
  /** One line for people, without the path. */
  readonly message: string;
}

/**
 * Why a run cannot go on:
 * `usage` wrong arguments or configuration · `unavailable` connection, authentication, version, damaged state ·
 * `halted` a safety halt · `locked` another run holds the session · `interrupted` a signal · `internal` a broken promise of ours.
 */
export type Fault = 'usage' | 'unavailable' | 'halted' | 'locked' | 'interrupted' | 'internal';

/** A failure that ends the run. */
export class TidemarkError extends Error {
  readonly fault: Fault;
  /** Stable word for scripts and tests, such as `host-key-changed`. */
  readonly code: string;
  /** What the user can do about it, one or two lines. */
  readonly remedy: string | undefined;

  constructor(fault: Fault, code: string, message: string, options: { remedy?: string; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? {} : { cause: options.cause });
    this.name = 'TidemarkError';
    this.fault = fault;
    this.code = code;
    this.remedy = options.remedy;
  }
}

/** The errno name of a thrown system error, or `EIO` where it carries none. */
export function errnoOf(error: unknown): string {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === 'string' ? code : 'EIO';
}

/** A system error as the {@link Problem} of a path. */
export function problemFrom(error: unknown): Problem {
  return { code: errnoOf(error), message: error instanceof Error ? error.message : String(error) };
}
