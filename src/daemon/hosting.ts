/** What stands behind a control socket: the service with its roots, or a recorder with one. */
import type { BackendName } from '../journal/core/answers.ts';
import type { JournalService } from '../journal/service.ts';
import type { ServiceFacts } from './core/answers.ts';
import type { HostedRoot, RootPath } from './core/messages.ts';

export interface Hosting {
  facts(): ServiceFacts;
  roots(): readonly HostedRoot[];
  /** Waits until the recording of `root` has begun. Throws `unavailable`: `journal-unknown`, or why it does not begin. */
  journal(root: RootPath): Promise<JournalService>;
  /** Records `root` from now on, across restarts; resolves when recording has begun. */
  add(root: RootPath): Promise<BackendName>;
  /** Ends the recording of `root` for good; with `forget` what was recorded goes, too. */
  remove(root: RootPath, forget: boolean): Promise<void>;
}
