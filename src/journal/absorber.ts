/**
 * Turns events into what the journal knows: places that have to be looked at, and a tree that follows renames.
 *
 * An event names a directory by its kernel handle and an object by its name in it. The store knows the number of every
 * directory of the tree by that handle, so an event is a place without a look at the disk, and stays right while
 * directories above are renamed. Two rules keep it so. A directory that comes into being gets its number from its very
 * event, before any event of what is in it. And a tree that comes from elsewhere is scanned before later events are
 * taken: what happened in it before the scan is seen by the scan, what happens after it finds the numbers.
 */
import { type BytePath, nameOf, ROOT } from '../platform/core/byte-path.ts';
import { EVENT, type FanotifyEvent } from '../platform/fanotify.ts';
import type { IndexRecord } from './core/index-record.ts';
import { NOTICE } from './core/kinds.ts';
import type { CheckpointProtocol, Key } from './core/protocol.ts';
import { NO_DIRECTORY, type Place, placeBytes, ROOT_DIRECTORY } from './core/tree-key.ts';
import { inodeOfFile, type JournalStore } from './store/journal-store.ts';
import type { TreeNode } from './store/tree-store.ts';

/** What the absorber asks of whoever reads the events. */
export interface EventNames {
  /** The kernel's key of the directory that events call by this number. */
  keyOf(directory: number): string;
}

export interface AbsorberOptions {
  readonly store: JournalStore;
  readonly protocol: CheckpointProtocol;
  readonly names: EventNames;
  /** Name at the root that does not exist for us. */
  readonly hiddenName: string;
  readonly excluded: ReadonlySet<BytePath>;
  /**
   * True: a new directory raises events of its own at once. False: it needs a mark first, and what came into it before
   * that has to be found by looking.
   */
  readonly seesNewDirectories: boolean;
  /** Bits of EVENT that are heeded; all but in tests of what each is good for. */
  readonly heeded: number;
  /** Stat of a file by the kernel's key, to find out whether it has a name in this tree; null where that is gone. */
  readonly statOf: (key: string) => Uint8Array | null;
  /** From now on events of this object have to come also where its directory is not ours. */
  readonly onLinked: (key: string) => void;
  /** An object has been noticed so often that it should be silenced. */
  readonly onHot: (key: Key) => void;
  /** True while some directories raise no events: which, is known by their paths, so what is renamed is looked at. */
  readonly scansRenamed: () => boolean;
}

/** Prefixes remembered: those of the directories at work. */
const KEPT_PREFIXES = 65_536;

/** Events whose meaning lies in their order: they change the tree at once. */
const STRUCTURAL = EVENT.rename | EVENT.directory;

export class Absorber {
  readonly #options: AbsorberOptions;
  /** Directory numbers by the numbers of events; 0: none of ours. */
  readonly #numbers = new Map<number, number>();
  /** The beginning of the key of every place in a directory, by its number. */
  readonly #prefixes = new Map<number, string>();
  /** Last names of what is excluded: few, so that most places need no further look. */
  readonly #excludedNames: ReadonlySet<string>;
  /** Places whose occupant was displaced by a rename that may be one half of an exchange. */
  readonly #displaced = new Map<Key, { readonly parked: Place; readonly arrived: string }>();
  readonly #toScan = new Set<Key>();
  /** Keys of directories from which events come although they are not in the tree. */
  readonly #strangers = new Set<string>();

  constructor(options: AbsorberOptions) {
    this.#options = options;
    this.#excludedNames = new Set([...options.excluded].map(nameOf));
  }

  /** Takes events in order. Returns those directories (by the numbers of events) that are not in this tree. */
  absorb(events: readonly FanotifyEvent[]): ReadonlySet<number> {
    const foreign = new Set<number>();
    const isStructural = events.some(({ mask }) => (mask & STRUCTURAL) !== 0);
    const take = (): void => {
      for (const event of events) this.#take(event, foreign);
    };
    if (isStructural) this.#options.store.transaction(take);
    else take();
    return foreign;
  }

  /** Places of trees that have to be scanned before anything more is absorbed; each is told once. */
  takeScans(): Key[] {
    const keys = [...this.#toScan];
    this.#toScan.clear();
    return keys;
  }

  /**
   * What is parked now. Once everything that is queued at this moment was absorbed, {@link clear} it: an exchange then
   * has both its halves, and what is still parked was displaced for good.
   */
  parked(): ReadonlySet<string> {
    return new Set(this.#options.store.parked().map(({ name }) => name));
  }

  clear(parked: ReadonlySet<string>): void {
    if (parked.size === 0) return;
    for (const [key, { parked: place }] of this.#displaced) if (parked.has(place.name)) this.#displaced.delete(key);
    this.#options.store.transaction(() => this.#options.store.clearParked(parked));
  }

  /** True where one of these directories is none of ours and was not so before. */
  hasNewStrangers(directories: ReadonlySet<number>): boolean {
    for (const directory of directories) if (!this.#strangers.has(this.#options.names.keyOf(directory))) return true;
    return false;
  }

  /** These directories are none of ours, as far as can be told. */
  acceptStrangers(directories: ReadonlySet<number>): void {
    for (const directory of directories) this.#strangers.add(this.#options.names.keyOf(directory));
  }

  /** Directories were numbered or removed by somebody else. */
  forgetNumbers(): void {
    this.#numbers.clear();
  }

  #take(event: FanotifyEvent, foreign: Set<number>): void {
    if ((event.mask & EVENT.rename) !== 0) this.#rename(event, foreign);
    const number = this.#numberOf(event.directory);
    if (number === 0) {
      if (event.directory !== 0) foreign.add(event.directory);
      if (event.target !== null && (event.mask & STRUCTURAL) === 0) this.#objectEvent(event.target, event.mask);
      return;
    }
    if (event.name === '') {
      this.#noticeDirectory(number);
      return;
    }
    const place = { parent: number, name: event.name };
    if (this.#isHidden(place)) return;
    if ((event.mask & EVENT.directory) === 0) this.#noticeFile(place, event.mask);
    else this.#directoryEvent(place, event);
  }

  #noticeFile(place: Place, told: number): void {
    const mask = told & this.#options.heeded;
    const isWritten = (mask & (EVENT.modify | EVENT.closeWrite | EVENT.create)) !== 0;
    const kinds =
      (isWritten ? NOTICE.content : 0) |
      ((mask & EVENT.attributes) !== 0 ? NOTICE.metadata : 0) |
      ((mask & EVENT.remove) !== 0 ? NOTICE.removed : 0);
    if (kinds === 0) return;
    const key = this.#prefixOf(place.parent) + place.name;
    if (this.#options.protocol.notice(key, kinds)) this.#options.onHot(key);
  }

  /** Something happened to an object through a name that is not ours: perhaps it has others that are. */
  #objectEvent(target: string, mask: number): void {
    const { store, statOf, onLinked } = this.#options;
    let inode = store.followedInode(target);
    if (inode === null) {
      const stat = statOf(target);
      inode = inodeOfFile(stat);
      if (stat === null || inode === null || store.placesOfInode(inode).length === 0) return;
      store.transaction(() => store.follow(target, stat));
      onLinked(target);
    }
    // A new name, or one less: the count of names is part of what is recorded.
    const kinds = mask & (EVENT.create | EVENT.remove) ? EVENT.attributes | EVENT.modify : mask;
    for (const place of store.placesOfInode(inode)) this.#noticeFile(place, kinds);
  }

  #noticeDirectory(number: number): void {
    const place = this.#options.store.tree.placeOfNumber(number);
    if (place !== null) this.#notice(place, NOTICE.metadata);
  }

  #directoryEvent(place: Place, { mask, target }: FanotifyEvent): void {
    if ((mask & EVENT.create) !== 0 && target !== null) this.#arrive(place, target, !this.#options.seesNewDirectories);
    if ((mask & EVENT.remove) !== 0) this.#notice(place, NOTICE.removed | NOTICE.entries);
    if ((mask & EVENT.attributes) !== 0) this.#notice(place, NOTICE.metadata);
  }

  #rename(event: FanotifyEvent, foreign: Set<number>): void {
    const to = this.#placeIn(event.directory, event.name);
    const from = event.from === null ? null : this.#placeIn(event.from.directory, event.from.name);
    // What is hidden lies in a directory of ours.
    if (event.from !== null && this.#numberOf(event.from.directory) === 0) foreign.add(event.from.directory);
    if ((event.mask & EVENT.directory) !== 0 && event.target !== null) this.#renameDirectory(from, to, event.target);
    else this.#renameFile(from, to, event.target ?? '');
  }

  /**
   * A directory went where nothing is heard of it. Recorded elsewhere than where it left from, it came there since: a
   * scan was ahead of this event, in a directory that had no mark yet when the rename came.
   */
  #leaveSight(node: TreeNode | null, from: Place | null): void {
    const { store } = this.#options;
    if (from !== null) this.#notice(from, NOTICE.removed);
    if (node === null) return;
    if (from !== null && node.parent !== NO_DIRECTORY && !isSamePlace(node, from)) {
      this.#notice({ parent: node.parent, name: node.name }, NOTICE.moved);
      return;
    }
    store.removeAt({ parent: node.parent, name: node.name }, true);
    this.#numbers.clear();
  }

  #renameDirectory(from: Place | null, to: Place | null, target: string): void {
    const { store } = this.#options;
    const number = store.numberOfHandle(target);
    // The root itself: where it is, is asked whenever something is looked at.
    if (number === ROOT_DIRECTORY) return;
    const node = number === 0 ? null : store.directory(number);
    if (to === null) {
      this.#leaveSight(node, from);
      return;
    }
    if (node === null) {
      this.#arrive(to, target, true);
      if (from !== null) this.#notice(from, NOTICE.removed);
      return;
    }
    this.#carryNotices(from ?? node, to);
    if (isSamePlace(node, to)) return;
    if (store.isBelow(to.parent, number)) {
      // Below itself: renames were merged, and nothing was missed, but only a look at all of it tells the outcome.
      this.#scanLater(ROOT_PLACE);
      return;
    }
    this.#makeRoom(to, target);
    // Read again: making room may have taken it along, where it was recorded below what it replaces.
    const moving = store.directory(number);
    if (moving === null) this.#arrive(to, target, true);
    else store.moveTo(moving, to);
    if (this.#options.scansRenamed()) this.#scanLater(to);
  }

  /**
   * What is not known of the directory that was renamed goes with it, above all that it has to be scanned. Whatever was
   * found at either place before this is void.
   */
  #carryNotices(from: Place, to: Place): void {
    const { protocol } = this.#options;
    const key = placeBytes(to.parent, to.name);
    if (!isSamePlace(from, to)) protocol.alsoAt(placeBytes(from.parent, from.name), key);
    this.#notice(to, NOTICE.moved);
    if (from.parent !== NO_DIRECTORY) this.#notice(from, NOTICE.removed);
    if (((protocol.get(key)?.kinds ?? 0) & NOTICE.subtree) !== 0) this.#scanLater(to);
  }

  #renameFile(from: Place | null, to: Place | null, target: string): void {
    const { store, protocol } = this.#options;
    if (from !== null && to !== null) {
      const node = this.#leaving(from, target);
      if (node !== null) {
        this.#makeRoom(to, target);
        const moving = store.tree.at(node);
        if (moving !== null) store.moveTo(moving, to);
      }
      protocol.alsoAt(placeBytes(from.parent, from.name), placeBytes(to.parent, to.name));
      this.#notice(to, node === null ? NOTICE.content : NOTICE.moved);
    } else if (to !== null) {
      this.#notice(to, NOTICE.content);
    }
    if (from !== null) this.#notice(from, NOTICE.removed);
  }

  /** Where the file that leaves `from` is recorded: there, or, displaced a moment ago, where it was parked. */
  #leaving(from: Place, target: string): Place | null {
    const { store } = this.#options;
    const key = placeBytes(from.parent, from.name);
    const displaced = this.#displaced.get(key);
    if (displaced !== undefined && displaced.arrived !== target) {
      this.#displaced.delete(key);
      return displaced.parked;
    }
    const node = store.tree.at(from);
    return node === null || node.number !== 0 ? null : from;
  }

  /** A directory is new at a place: it is numbered now and, where it may hold something already, scanned soon. */
  #arrive(place: Place, target: string, isScanned: boolean): void {
    const { store } = this.#options;
    if (this.#isHidden(place)) return;
    this.#notice(place, NOTICE.entries);
    const number = store.numberOfHandle(target);
    const known = number === 0 ? null : store.directory(number);
    if (known !== null && isSamePlace(known, place)) {
      // Numbered by an earlier process that got no further, or by a scan that was ahead of this event.
      if (isScanned && store.record(known).packedStat === null) this.#scanLater(place);
      return;
    }
    // Recorded elsewhere, it was moved by an event that is still to come or was lost: the scan sorts that out.
    this.#makeRoom(place, target);
    if (known !== null) store.removeAt(known, true);
    const row = { kind: 'written' as const, place, kinds: NOTICE.entries, proof: 'scan' as const, isNew: true };
    store.setHandle(store.putAt(place, UNSEEN_DIRECTORY, row), target);
    this.#numbers.clear();
    if (isScanned || known !== null) this.#scanLater(place);
  }

  /** Written down at once: a successor of this process finds the directory, but not the event that says what it lacks. */
  #scanLater(place: Place): void {
    const key = placeBytes(place.parent, place.name);
    const kinds = NOTICE.entries | NOTICE.subtree;
    this.#options.protocol.notice(key, kinds);
    const told = this.#options.protocol.get(key)?.told ?? 0;
    this.#options.store.putDirty(key, { kinds, isHot: false, told });
    this.#toScan.add(key);
  }

  /** Parks whatever is recorded at a place that something else comes to. */
  #makeRoom(place: Place, arriving: string): void {
    const { store } = this.#options;
    const occupant = store.tree.at(place);
    if (occupant === null) return;
    const parked = store.park(occupant);
    this.#displaced.set(placeBytes(place.parent, place.name), { parked, arrived: arriving });
    if (occupant.number !== 0) this.#numbers.clear();
  }

  #notice(place: Place, kinds: number): void {
    if (!this.#isHidden(place)) this.#options.protocol.notice(placeBytes(place.parent, place.name), kinds);
  }

  #placeIn(directory: number, name: string): Place | null {
    const number = this.#numberOf(directory);
    const place = { parent: number, name };
    return number === 0 || name === '' || this.#isHidden(place) ? null : place;
  }

  #isHidden(place: Place): boolean {
    const { hiddenName, excluded, store } = this.#options;
    if (place.parent === ROOT_DIRECTORY && place.name === hiddenName) return true;
    return this.#excludedNames.has(place.name) && excluded.has(store.pathOf(place) ?? ROOT);
  }

  #prefixOf(number: number): string {
    let prefix = this.#prefixes.get(number);
    if (prefix === undefined) {
      if (this.#prefixes.size > KEPT_PREFIXES) this.#prefixes.clear();
      prefix = placeBytes(number, '');
      this.#prefixes.set(number, prefix);
    }
    return prefix;
  }

  #numberOf(directory: number): number {
    if (directory === 0) return 0;
    let number = this.#numbers.get(directory);
    if (number === undefined) {
      number = this.#options.store.numberOfHandle(this.#options.names.keyOf(directory));
      // What is not ours is not remembered here: it is dropped where events are read.
      if (number !== 0) this.#numbers.set(directory, number);
    }
    return number;
  }
}

const ROOT_PLACE: Place = { parent: NO_DIRECTORY, name: '' };

/** A directory of which only its event is known. */
const UNSEEN_DIRECTORY: IndexRecord = { entry: { kind: 'directory', mode: 0 }, packedStat: null, racy: false };

function isSamePlace(left: Place, right: Place): boolean {
  return left.parent === right.parent && left.name === right.name;
}
