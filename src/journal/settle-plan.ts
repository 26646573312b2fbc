/** What the thread that looks at files is asked, and what it answers. Plain, so that it passes between threads. */
import type { BytePath } from '../platform/core/byte-path.ts';
import type { Problem } from '../platform/core/errors.ts';
import type { GroupDescriptors } from '../platform/fanotify.ts';
import type { Digests } from './core/entry.ts';
import type { RootPlace } from './thread-root.ts';

/** One place to look at. */
export interface LookRequest {
  /** Key of the place, given back with the answer. */
  readonly key: string;
  readonly path: BytePath;
  /** Key of the directory that must be the parent, or nothing found there means anything; null: not known. */
  readonly parentKey: string | null;
  /** The stat with which a digest is known and which, but for its ctime, proves the content the same; else null. */
  readonly provenBy: Uint8Array | null;
  readonly isDirect: boolean;
  /** It could not be read before: the kernel tells of a failed write once only. */
  readonly isSuspect: boolean;
}

export type LookAnswer =
  | { readonly key: string; readonly found: 'nothing' }
  /** The directory it is in is not there any more under this path: look again under its new one. */
  | { readonly key: string; readonly found: 'elsewhere' }
  /** `target` of a symlink; `handle`: by which key the kernel names a directory. Else null. */
  | {
      readonly key: string;
      readonly found: 'other';
      readonly packedStat: Uint8Array;
      readonly target: string | null;
      readonly handle: string | null;
    }
  /** A file whose content is the known one. */
  | { readonly key: string; readonly found: 'same'; readonly packedStat: Uint8Array }
  | {
      readonly key: string;
      readonly found: 'file';
      readonly packedStat: Uint8Array;
      readonly digests: Digests;
      readonly proof: 'leased' | 'closed' | 'unproven';
      /** The kernel's key of a file with several names; else null. */
      readonly linkedKey: string | null;
    }
  /** `packedStat` of a file with several names, since somebody may be writing through any of them; else null. */
  | { readonly key: string; readonly found: 'hot'; readonly reason: string; readonly packedStat: Uint8Array | null }
  | { readonly key: string; readonly found: 'problem'; readonly problem: Problem };

/** Where a thread finds the tree and the journal's store. */
export interface JournalPlace extends RootPlace {
  readonly storeFolder: string;
  readonly hiddenName: string;
  readonly excluded: readonly BytePath[];
  /** The group whose marks new directories need; null where none do. */
  readonly markGroup: GroupDescriptors | null;
  /** Parts of the protocol left out, to prove that the tests notice. */
  readonly weakened: readonly string[];
}
