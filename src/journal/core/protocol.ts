/**
 * The checkpoint protocol: which objects have changed and are not settled, and what may be done with them when.
 *
 * It answers a question that a stream of events alone cannot: when may an object leave the journal, where writes may be
 * under way through caches, mappings and devices while a period ends? The scheme follows Jan Kara's proposal to
 * linux-fsdevel (3 November 2022, "thoughts about fanotify and HSM"): record an object once for a period and silence it,
 * let events that come while a checkpoint is pending count for both periods, and let nothing go before its write is
 * known to be over. The kernel tells of no end of a write; here a read lease does (see settle.ts): it is refused while
 * anybody can still write.
 *
 * Invariants, of which docs/model/checkpoint.pml proves the sum (at rest, the consumer's view equals the file):
 *   1. An object that was noticed stays until it was settled: read under proof, after the last notice of it.
 *   2. Ignore marks are removed, then writers are counted, then the queue is drained, then contents are read. So a write
 *      that was silenced is either over before the reading, or raises an event after it; and a writer that closes
 *      between the count and the drain has left an event in the queue.
 *   3. While a checkpoint is pending nothing is silenced: an object is read only with its events on.
 *   4. What is noticed while a checkpoint is pending belongs to the period that ends and to the one that begins.
 *   5. An object with an open writer (hot) is carried from period to period until it settles.
 *   6. All of this survives the process: what is not settled is written down with the period that ended, and events
 *      that were not written down are replayed.
 */

import { NOTICE } from './kinds.ts';

/** A place in the tree: directory number and name (see tree-key.ts). Opaque here. */
export type Key = string;

/** Events of one object in one period before it is silenced. Fewer would cost more calls than they save. */
const EVENTS_BEFORE_SILENCE = 8;

export interface Noticed {
  /** Bits of NOTICE. */
  kinds: number;
  /** The first and the last period it belongs to. */
  readonly firstPeriod: number;
  lastPeriod: number;
  /** Events in the running period. */
  events: number;
  /** Counts notices: what was read before the latest one settles nothing. */
  generation: number;
  isSilenced: boolean;
  /** A writer was there when it was last looked at. */
  isHot: boolean;
  /**
   * Kinds that consumers were told while it waited. They may have done nothing about it yet: when it settles, or goes,
   * they are told so with these kinds at least.
   */
  told: number;
  /** Written down as it is. */
  isWritten: boolean;
}

export type Phase = 'recording' | 'pending';

export class CheckpointProtocol {
  #phase: Phase = 'recording';
  #period: number;
  readonly #unsettled = new Map<Key, Noticed>();
  /** What is not written down as it is. */
  readonly #unwritten = new Set<Key>();
  #settledInPeriod = 0;
  #hasLostSilence = false;

  constructor(period: number) {
    this.#period = period;
  }

  get phase(): Phase {
    return this.#phase;
  }

  /** The running period. */
  get period(): number {
    return this.#period;
  }

  /** Objects recorded in the running period: those that wait and those that settled in it. */
  get recorded(): number {
    return this.#unsettled.size + this.#settledInPeriod;
  }

  get(key: Key): Noticed | undefined {
    return this.#unsettled.get(key);
  }

  unsettled(): IterableIterator<[Key, Noticed]> {
    return this.#unsettled.entries();
  }

  /** Takes over what an earlier process, or a scan, wrote down. */
  restore(key: Key, kinds: number, isHot: boolean, told = 0): void {
    const isNew = !this.#unsettled.has(key);
    const noticed = this.#enter(key, kinds);
    noticed.isHot ||= isHot;
    noticed.told |= told;
    if (!isNew) return;
    noticed.isWritten = true;
    this.#unwritten.delete(key);
  }

  /** What has to be written down; it counts as written then. */
  takeUnwritten(): [Key, Noticed][] {
    const rows: [Key, Noticed][] = [];
    for (const key of this.#unwritten) {
      const noticed = this.#unsettled.get(key);
      if (noticed === undefined) continue;
      noticed.isWritten = true;
      rows.push([key, noticed]);
    }
    this.#unwritten.clear();
    return rows;
  }

  /** The store did not take what was to be written down, or to leave: all of it has to be written again. */
  forgetWritten(): void {
    for (const [key, noticed] of this.#unsettled) this.#changed(key, noticed);
  }

  /** Something happened to an object. True: it is hot enough to be silenced; {@link silenced} says that it was. */
  notice(key: Key, kinds: number): boolean {
    const noticed = this.#enter(key, kinds);
    noticed.events++;
    return this.#phase === 'recording' && !noticed.isSilenced && noticed.events >= EVENTS_BEFORE_SILENCE;
  }

  silenced(key: Key): void {
    const noticed = this.#unsettled.get(key);
    if (noticed !== undefined && this.#phase === 'recording') noticed.isSilenced = true;
  }

  /** The object at `from` was renamed to `to`: whatever is not known of the one is not known of the other. */
  alsoAt(from: Key, to: Key): void {
    const noticed = this.#unsettled.get(from);
    if (noticed === undefined) return;
    const there = this.#enter(to, noticed.kinds);
    if (noticed.isHot) this.#heat(to, there);
    there.told |= noticed.told;
    there.isSilenced ||= noticed.isSilenced;
  }

  /** Everything below this object was looked at. */
  scanned(key: Key): void {
    const noticed = this.#unsettled.get(key);
    if (noticed === undefined) return;
    noticed.kinds &= ~NOTICE.subtree;
    this.#changed(key, noticed);
  }

  /** Consumers were told of this object, as waiting, with these kinds. */
  told(key: Key, kinds: number): void {
    const noticed = this.#unsettled.get(key);
    if (noticed === undefined || (noticed.told & kinds) === kinds) return;
    noticed.told |= kinds;
    this.#changed(key, noticed);
  }

  /** Nothing can be at this place any more: its directory is gone. */
  dropped(key: Key): void {
    this.#hasLostSilence ||= this.#unsettled.get(key)?.isSilenced === true;
    this.#unsettled.delete(key);
  }

  /** True, once, where an object went out of sight while it was silenced: all ignore marks have to go. */
  takeLostSilence(): boolean {
    const hasLost = this.#hasLostSilence;
    this.#hasLostSilence = false;
    return hasLost;
  }

  /** A look at the tree begins. Now the ignore marks have to go, then the queue has to be drained, then census. */
  begin(): void {
    this.#phase = 'pending';
  }

  /** The ignore marks of these objects are gone. */
  unsilenced(isInScope: (key: Key) => boolean): void {
    for (const [key, noticed] of this.#unsettled) {
      if (!noticed.isSilenced || !isInScope(key)) continue;
      noticed.isSilenced = false;
      noticed.events = 0;
    }
  }

  /** The census found an open writer. */
  foundOpen(key: Key, kinds: number): void {
    this.#heat(key, this.#enter(key, kinds));
  }

  /**
   * Ends the period: the caller writes down what is unsettled together with the new period's number. Everything
   * unsettled belongs to both. Returns the period that ended and how many objects were recorded in it.
   */
  commit(): { readonly period: number; readonly recorded: number } {
    const ended = { period: this.#period, recorded: this.recorded };
    this.#period++;
    this.#settledInPeriod = 0;
    for (const noticed of this.#unsettled.values()) {
      noticed.lastPeriod = this.#period;
      noticed.events = 0;
    }
    return ended;
  }

  /** Objects may be silenced again; to be called when the reading that {@link begin} was for is over. */
  end(): void {
    this.#phase = 'recording';
  }

  /** An object was read under proof, beginning at `generation`. True: it left; false: it was noticed since, and stays. */
  settled(key: Key, generation: number): boolean {
    const noticed = this.#unsettled.get(key);
    if (noticed === undefined || noticed.generation !== generation || noticed.isSilenced) return false;
    this.#unsettled.delete(key);
    this.#settledInPeriod++;
    return true;
  }

  /** An object could not be read under proof: it is hot and stays. */
  refused(key: Key): void {
    const noticed = this.#unsettled.get(key);
    if (noticed !== undefined) this.#heat(key, noticed);
  }

  #enter(key: Key, kinds: number): Noticed {
    const known = this.#unsettled.get(key);
    if (known !== undefined) {
      if ((known.kinds & kinds) !== kinds) this.#changed(key, known);
      known.kinds |= kinds;
      known.generation++;
      return known;
    }
    const period = this.#period;
    // What is noticed while the period is ending is carried into the next by commit, like everything unsettled.
    const fresh: Noticed = {
      kinds,
      firstPeriod: period,
      lastPeriod: period,
      events: 0,
      generation: 0,
      isSilenced: false,
      isHot: false,
      told: 0,
      isWritten: false,
    };
    this.#unsettled.set(key, fresh);
    this.#unwritten.add(key);
    return fresh;
  }

  #changed(key: Key, noticed: Noticed): void {
    noticed.isWritten = false;
    this.#unwritten.add(key);
  }

  #heat(key: Key, noticed: Noticed): void {
    if (!noticed.isHot) this.#changed(key, noticed);
    noticed.isHot = true;
  }
}
