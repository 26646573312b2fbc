/**
 * Where the knowledge comes from that something changed: one interface for every backend.
 *
 * A source says *where to look*, never what is there. Its promise: whatever was changed before {@link ChangeSource.drain}
 * was called, by anyone, has been absorbed by the consumer when that resolves, or lies within a scope that it returned.
 */
import type { BytePath } from '../platform/core/byte-path.ts';
import type { FanotifyEvent } from '../platform/fanotify.ts';
import type { BackendName } from './core/answers.ts';

/** A journal, as the source of its events sees it. */
export interface EventConsumer {
  /** Takes events in order. Returns those of the directories named that are not in this journal's tree. */
  absorb(events: readonly FanotifyEvent[]): ReadonlySet<number>;
  /** True: something has to be scanned before more is absorbed. */
  readonly mustScan: boolean;
  scan(): Promise<void>;
  /** The kernel dropped events. */
  overflowed(): void;
  /** The numbers by which events called directories are void. */
  forgetNumbers(): void;
  /** Writes down, durably, what followed from everything absorbed. */
  persist(): void;
  /** Something was absorbed, or there is a hint that something changed. */
  onActivity(): void;
  /** This journal cannot go on; others can. */
  failed(error: unknown): void;
}

export interface ChangeSource {
  readonly backend: BackendName;
  /** Why no better backend is at work, one line for people; null for the best. */
  readonly whyNotBetter: string | null;
  /** True: a new directory raises events of its own at once. False: it needs a mark first, and then a look. */
  readonly seesNewDirectories: boolean;
  /** True where the kernel's key of a directory may change while it is watched: when overlayfs copies it up. */
  readonly keysChange: boolean;
  /** Begins; `prepare` runs with all events held back. `isLate`: some were let go before, for want of this consumer. */
  attach(consumer: EventConsumer, prepare: (isLate: boolean) => Promise<void>): Promise<void>;
  detach(): Promise<void>;
  /** Resolves when everything that returned before the call was absorbed, but for what lies in the scopes returned. */
  drain(): Promise<readonly BytePath[]>;
  /** Runs `work` while no events are absorbed. */
  hold(work: () => Promise<void>): Promise<void>;
  /** Has all consumers write down what they absorbed, and lets go of those events. */
  persist(): void;
  /** Scopes of which no events come. */
  blindScopes(): readonly BytePath[];
  /** Finds out anew what is mounted below the root, and marks it. Returns all paths on which something is mounted. */
  markMounts(): readonly BytePath[];
  /** The kernel's key of the directory that events call by this number. */
  keyOf(directory: number): string;
  /** Stat of a file by the kernel's key; null where it is gone or cannot be asked for. */
  statOf(key: string): Uint8Array | null;
  /** From now on events of this object come also where its directory is not in the tree. */
  follow(key: string): void;
  /** No events of the content of this file any more; false where that cannot be. */
  silence(path: BytePath): boolean;
  /** Events of these files again; null: of all. */
  unsilence(paths: readonly BytePath[] | null): void;
  counters(): { readonly received: number; readonly foreign: number };
}
