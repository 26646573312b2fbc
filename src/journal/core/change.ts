/** What is told of a path that changed. */
import type { BytePath } from '../../platform/core/byte-path.ts';
import type { Entry } from './entry.ts';

/** One path that changed, or one path of a full listing. Batches come in path order. */
export interface Change {
  readonly path: BytePath;
  /** What is there now; null: nothing. */
  readonly entry: Entry | null;
  /** Inode and birth time as 16 bytes: equal means the same object, wherever it is now. Of the removed object where entry is null. */
  readonly identity: string | null;
}
