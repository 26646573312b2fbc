/** Stand-in for the host of journals until it is there: the interface the service is written against. */
import { TidemarkError } from '../platform/core/errors.ts';
import type { GroupDescriptors } from '../platform/fanotify.ts';
import type { JournalService } from './service.ts';

export interface JournalHostOptions {
  /** Journals live in `<stateFolder>/journals/<id>`. */
  readonly stateFolder: string;
  /** Held by the supervisor, or opened by this process. */
  readonly groups: readonly GroupDescriptors[];
  /** Random hex of the supervisor's life: the same after a worker crash, so no gap. */
  readonly runId: string;
  /** Absolute folders never recorded (own state). */
  readonly excluded: readonly string[];
}

export class JournalHost {
  static async open(_options: JournalHostOptions): Promise<JournalHost> {
    return new JournalHost();
  }

  /** Begins recording (idempotent). */
  async add(_rootPath: Buffer): Promise<JournalService> {
    throw new TidemarkError('unavailable', 'not-built', 'this build records no journals yet');
  }

  find(_rootPath: Buffer): JournalService | null {
    return null;
  }

  async remove(_rootPath: Buffer, _forget: boolean): Promise<void> {}

  /** Clean: drains, commits, marks clean. */
  async stop(): Promise<void> {}
}
