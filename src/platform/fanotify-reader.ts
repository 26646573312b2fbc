/** Reads the events of a group: a native thread fills the ring, this class hands out what is in it. */
import { type Addon, type ReaderHandle, requireAddon } from './addon.ts';
import { batchMemory, decodeBatch } from './core/event-codec.ts';
import type { FanotifyBatch, GroupDescriptors } from './fanotify.ts';
import { systemError } from './system-error.ts';

/** Bits of news from the thread, as in `native/reader.h`. */
const READABLE = 1;
const MOUNTS = 2;
const BARRIER = 4;
const FAILED = 8;

/** Memory of one batch; where a batch does not fit, the rest comes with the next. */
const BATCH_BYTES = 1 << 20;
/** Directories that have numbers at the same time, at most: some 64 MiB. */
const DIRECTORY_LIMIT = 1 << 20;

/** What a reader tells on its own. */
export interface ReaderListener {
  /**
   * There is something to take (or the reader failed, which the next take throws). Called again only after something
   * was taken; whoever is called takes until `hasMore` is false.
   */
  onReadable(): void;
  /** The mount table of this process changed. */
  onMountsChanged(): void;
}

export interface ReaderOptions {
  /** For tests: directories that have numbers at the same time, at most. */
  readonly directoryLimit?: number;
}

interface Waiter {
  readonly number: number;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

/**
 * One process at a time reads a group, by one reader. Events that were in the ring and not committed come first. It
 * keeps the event loop alive unless told otherwise.
 */
export class FanotifyReader {
  readonly #addon: Addon = requireAddon();
  readonly #handle: ReaderHandle;
  readonly #listener: ReaderListener;
  readonly #memory = batchMemory(BATCH_BYTES);
  #waiters: Waiter[] = [];
  #isStopped = false;

  /** Throws EBUSY where another process reads this group, EPROTO where `ring` is none of this version. */
  constructor({ group, ring }: GroupDescriptors, listener: ReaderListener, options: ReaderOptions = {}) {
    const limit = options.directoryLimit ?? DIRECTORY_LIMIT;
    this.#listener = listener;
    this.#handle = this.#addon.startReader(group, ring, limit, (news) => this.#receive(news));
  }

  /**
   * At most `limit` events, oldest first; one of several for the same name of a directory. No event is merged into one
   * that came before a rename of its name. Events in foreign directories are left out. Throws what ended the thread,
   * once everything before it was taken.
   */
  take(limit: number): FanotifyBatch {
    this.#addon.takeEvents(this.#handle, this.#memory.bytes, limit);
    return decodeBatch(this.#memory);
  }

  /** What was taken so far is not needed again: frees its room, a successor starts after it. */
  commit(): void {
    this.#addon.commitEvents(this.#handle);
  }

  /** Share of the ring that is not committed, 0 to 1. A full ring stops the reading, not the kernel's queue. */
  usage(): number {
    return this.#addon.ringUsage(this.#handle);
  }

  /**
   * Resolves once every event that was queued when it was called can be taken: all of what returned before the call.
   * Waits for commits while the ring is full. Rejects with ECANCELED where the reader is stopped, or fails.
   */
  barrier(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiters.push({ number: this.#addon.askBarrier(this.#handle), resolve, reject });
    });
  }

  /** Events in `directory` are dropped and only counted from now on, until something there is renamed into sight. */
  setForeign(directory: number): void {
    this.#addon.setForeign(this.#handle, directory);
  }

  /**
   * No directory is foreign any more. Happens by itself when a directory is renamed into one that is not foreign: what
   * lies below it may have been.
   */
  resetForeign(): void {
    this.#addon.resetForeign(this.#handle);
  }

  /** Key of a directory's number. Throws EINVAL for a number that is void. */
  keyOf(directory: number): string {
    const key = this.#addon.keyOf(this.#handle, directory);
    if (key === null) throw systemError('EINVAL', 'keyOf');
    return key;
  }

  /** The number of a directory's key. It is not foreign from now on. */
  intern(key: string): number {
    return this.#addon.internKey(this.#handle, key);
  }

  /**
   * Events of the object of `key` pass also where their directory is foreign, or where they have none, with the key as
   * `target`: for files with several names, of which one may lie elsewhere. Where a name in a foreign directory may be a
   * new link to an object that existed, its `create` passes, with the object as `target`, whether followed or not.
   */
  follow(key: string): void {
    this.#addon.followObject(this.#handle, key, true);
  }

  /** The opposite of {@link follow}. */
  unfollow(key: string): void {
    this.#addon.followObject(this.#handle, key, false);
  }

  /** Events that came from the kernel, and how many of them were dropped as foreign. */
  counters(): { readonly received: number; readonly foreign: number } {
    const [received, foreign] = this.#addon.eventCounts(this.#handle);
    return { received, foreign };
  }

  /** The event loop may end while this reader runs. */
  unref(): void {
    this.#addon.holdLoop(this.#handle, false);
  }

  /** The opposite of {@link unref}. */
  ref(): void {
    this.#addon.holdLoop(this.#handle, true);
  }

  /** Ends the thread; nothing is called after it returns. The group's descriptors stay open. Again: nothing. */
  stop(): void {
    if (this.#isStopped) return;
    this.#isStopped = true;
    this.#addon.stopReader(this.#handle);
    this.#cancelBarriers();
  }

  /** What a listener throws is to be an uncaught error; thrown out of a native callback it would be a mere warning. */
  #receive(news: number): void {
    try {
      if (!this.#isStopped) this.#hear(news);
    } catch (error) {
      setImmediate(() => {
        throw error;
      });
    }
  }

  #hear(news: number): void {
    if (news & BARRIER) this.#passBarriers();
    if (news & FAILED) this.#cancelBarriers();
    if (news & MOUNTS) this.#listener.onMountsChanged();
    if (!this.#isStopped && news & (READABLE | FAILED)) this.#listener.onReadable();
  }

  #passBarriers(): void {
    const passed = this.#addon.passedBarriers(this.#handle);
    const waiters = this.#waiters;
    this.#waiters = waiters.filter(({ number }) => number > passed);
    for (const { number, resolve } of waiters) if (number <= passed) resolve();
  }

  #cancelBarriers(): void {
    for (const { reject } of this.#waiters.splice(0)) reject(systemError('ECANCELED', 'fanotify'));
  }
}
