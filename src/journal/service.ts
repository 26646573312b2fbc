/**
 * The journal of one root as its consumers see it, whoever hosts it: this process, the daemon behind its socket, or a
 * foreground recorder.
 */
import type { BytePath } from '../platform/core/byte-path.ts';
import type {
  ChangesAnswer,
  CheckpointAnswer,
  JournalChange,
  JournalStatus,
  JournalVerification,
} from './core/answers.ts';

export interface JournalService {
  /**
   * Ends the running period and begins the next; with `subtree`, for what lies at and below that path only. Everything
   * that returned before the call is in the period that ended. Settles what can be settled, durably.
   */
  checkpoint(subtree: BytePath): Promise<CheckpointAnswer>;
  /**
   * What changed after `cursor` (or OLDEST_CURSOR), at and below `subtree`. Waits for its own barrier: everything that returned before the
   * call is in the answer.
   */
  changes(cursor: string | null, subtree: BytePath): Promise<ChangesAnswer>;
  /**
   * Like {@link changes}, again and again as changes come, until `signal` aborts. Each round's changes once. The first
   * round is empty: it says that from now on nothing is missed.
   */
  follow(signal: AbortSignal): AsyncIterable<readonly JournalChange[]>;
  /** `consumer` needs nothing up to `cursor` any more. Registers it where it is new. Throws `usage` for a bad cursor. */
  acknowledge(consumer: string, cursor: string): Promise<void>;
  /** Holds back what `consumer` has not acknowledged, from now on. Returns the cursor it begins with. */
  register(consumer: string): Promise<string>;
  unregister(consumer: string): Promise<void>;
  status(): Promise<JournalStatus>;
  /** Takes a checkpoint, then reads the whole tree and compares it with what is recorded. */
  verify(): Promise<JournalVerification>;
  close(): Promise<void>;
}
