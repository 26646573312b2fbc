/**
 * Lets what was noticed leave: looks at each place and records what is found there, until everything in scope has
 * settled or was tried once.
 */
import { type BytePath, isWithin } from '../platform/core/byte-path.ts';
import {
  identityOf,
  isDirectory,
  isRegularFile,
  isSymlink,
  modeOf,
  mtimeNsOf,
  permissionBits,
  sameStat,
  specialTypeOf,
} from '../platform/core/stat-codec.ts';
import type { Proof } from './core/answers.ts';
import { differenceBetween } from './core/difference.ts';
import { entryFromStat, type IndexRecord } from './core/index-record.ts';
import { NOTICE } from './core/kinds.ts';
import type { CheckpointProtocol, Key } from './core/protocol.ts';
import { type Place, placeAt, placeBytes } from './core/tree-key.ts';
import type { LookAnswer, LookRequest } from './settle-plan.ts';
import { inodeOfFile, type JournalStore } from './store/journal-store.ts';
import type { TreeNode } from './store/tree-store.ts';

/** Places looked at in one call: one transaction, with its fsync, for all of them. */
const PLACES_PER_CALL = 2048;

/** Content was not read because nothing says that it changed. */
const CONTENT_BITS = NOTICE.content | NOTICE.direct | NOTICE.subtree;

export interface SettlerOptions {
  readonly store: JournalStore;
  readonly protocol: CheckpointProtocol;
  /** Looks at places in the journal's thread. */
  readonly look: (requests: readonly LookRequest[]) => Promise<readonly LookAnswer[]>;
  /**
   * Counts beginnings and ends of scans, which change the store as well: an answer from before one knows nothing of what
   * it found, and while one is under way (odd) nothing may be changed beside it.
   */
  readonly scans: () => number;
  /** A directory was found of which no event told, or that could not be listed whole: it has to be scanned. */
  readonly onUnknownDirectory: (path: BytePath) => void;
  /** A file has several names: events of it have to come also where one of them is not ours. */
  readonly onLinked: (key: string) => void;
}

/** Tries everything unsettled at and below `scope` once. */
export async function settle(options: SettlerOptions, scope: BytePath): Promise<void> {
  const { store, protocol } = options;
  let queue: Key[] = [...protocol.unsettled()].map(([key]) => key);
  const tried = new Set<Key>();
  while (queue.length > 0) {
    const keys = queue.slice(0, PLACES_PER_CALL).filter((key) => !tried.has(key));
    queue = queue.slice(PLACES_PER_CALL);
    for (const key of keys) tried.add(key);
    const requests = requestsFor(options, keys, scope);
    if (requests.length === 0) continue;
    const generations = new Map(requests.map(({ key }) => [key, protocol.get(key)?.generation ?? -1]));
    const scans = options.scans();
    const answers = await options.look(requests);
    if (options.scans() !== scans || scans % 2 === 1) {
      for (const key of keys) tried.delete(key);
      queue.unshift(...keys);
      continue;
    }
    store.transaction(() => {
      for (const answer of answers) {
        const others = new Settlement(options, answer.key, generations.get(answer.key) ?? -1).apply(answer);
        queue.push(...others);
      }
    });
  }
}

function requestsFor({ store, protocol }: SettlerOptions, keys: readonly Key[], scope: BytePath): LookRequest[] {
  const known = new Map<number, BytePath | null>();
  const requests: LookRequest[] = [];
  const lost: Key[] = [];
  for (const key of keys) {
    const noticed = protocol.get(key);
    if (noticed === undefined) continue;
    const place = placeAt(key, 0);
    const path = store.pathOf(place, known);
    // Parked, it has no path for the moment.
    if (path === null) lost.push(...(store.isGone(place) ? [key] : []));
    else if (isWithin(path, scope)) {
      const provenBy = (noticed.kinds & CONTENT_BITS) === 0 ? statOfKnownContent(store, place) : null;
      const isDirect = (noticed.kinds & NOTICE.direct) !== 0;
      const isSuspect = isProblem(store, place);
      requests.push({ key, path, parentKey: store.handleOf(place.parent), provenBy, isDirect, isSuspect });
    }
  }
  if (lost.length > 0) {
    // The directory is gone, and was told to be.
    store.transaction(() => {
      for (const key of lost) {
        protocol.dropped(key);
        store.removeDirty(key);
      }
    });
  }
  return requests;
}

function isProblem(store: JournalStore, place: Place): boolean {
  const node = store.tree.at(place);
  return node !== null && store.record(node).entry.kind === 'problem';
}

function statOfKnownContent(store: JournalStore, place: Place): Uint8Array | null {
  const node = store.tree.at(place);
  if (node === null) return null;
  const { entry, packedStat } = store.record(node);
  return entry.kind === 'file' && entry.digests.fast !== null ? packedStat : null;
}

/** What one answer does to the store. */
class Settlement {
  readonly #options: SettlerOptions;
  readonly #key: Key;
  readonly #generation: number;
  readonly #place: Place;
  readonly #noticed: number;

  constructor(options: SettlerOptions, key: Key, generation: number) {
    this.#options = options;
    this.#key = key;
    this.#generation = generation;
    this.#place = placeAt(key, 0);
    this.#noticed = options.protocol.get(key)?.kinds ?? 0;
  }

  /** Within a transaction. Returns other names of the same file that have to be looked at now. */
  apply(answer: LookAnswer): Key[] {
    const { store, protocol } = this.#options;
    // Noticed since it was looked at: something else may have come to the place, of which the answer knows nothing.
    if (protocol.get(this.#key)?.generation !== this.#generation) return [];
    switch (answer.found) {
      case 'nothing':
        if (!store.removeAt(this.#place, true) && (this.#noticed & NOTICE.told) !== 0) {
          store.log.append({ kind: 'removed', place: this.#place });
        }
        this.#leave();
        return [];
      case 'elsewhere':
        return [];
      case 'hot':
        protocol.refused(this.#key);
        return [];
      case 'problem': {
        const { code, message } = answer.problem;
        this.#record({ entry: { kind: 'problem', code, message }, packedStat: null, racy: false }, 'unproven');
        this.#leave();
        return [];
      }
      case 'same': {
        const old = this.#old();
        if (old?.entry.kind !== 'file') return [];
        const entry = entryFromStat(answer.packedStat, old.entry.digests);
        if (entry === null) return [];
        const kinds = this.#record({ entry, packedStat: answer.packedStat, racy: false }, 'closed');
        this.#leave();
        return kinds === 0 ? [] : this.#otherNames(answer.packedStat, NOTICE.metadata);
      }
      case 'file': {
        const entry = entryFromStat(answer.packedStat, answer.digests);
        if (entry === null) return [];
        const kinds = this.#record({ entry, packedStat: answer.packedStat, racy: false }, answer.proof);
        const { linkedKey } = answer;
        if (linkedKey !== null && store.follow(linkedKey, answer.packedStat)) this.#options.onLinked(linkedKey);
        this.#leave();
        return kinds === 0 ? [] : this.#otherNames(answer.packedStat, kinds);
      }
      case 'other':
        if (isDirectory(modeOf(answer.packedStat))) this.#recordDirectory(answer.packedStat, answer.handle);
        else this.#recordOther(answer.packedStat, answer.target);
        this.#leave();
        return [];
    }
  }

  /**
   * A directory that is not the recorded one came here without an event of its own, or with one that the kernel merged
   * into an earlier one: what is recorded below is that of another.
   */
  #recordDirectory(packedStat: Uint8Array, handle: string | null): void {
    const { store } = this.#options;
    const node = store.tree.at(this.#place);
    const isSame = node !== null && node.number !== 0 && this.#isDirectory(node, packedStat, handle);
    if (node !== null && node.number !== 0 && !isSame) store.removeAt(this.#place, true);
    const entry = { kind: 'directory' as const, mode: permissionBits(modeOf(packedStat)) };
    this.#record({ entry, packedStat, racy: false }, 'scan');
    if (!isSame || (this.#noticed & NOTICE.subtree) !== 0) this.#unknownDirectory();
  }

  /** By its key or, where that changes or is not to be had, by inode and birth. */
  #isDirectory(node: TreeNode, packedStat: Uint8Array, handle: string | null): boolean {
    const { store } = this.#options;
    const known = store.handleOf(node.number);
    if (known !== null && known === handle) return true;
    const recorded = store.record(node).packedStat;
    if (recorded === null || identityOf(recorded) !== identityOf(packedStat)) return false;
    if (handle !== null) store.setHandle(node.number, handle);
    return true;
  }

  #recordOther(packedStat: Uint8Array, target: string | null): void {
    const mode = modeOf(packedStat);
    if (isSymlink(mode) && target !== null) {
      const entry = { kind: 'symlink' as const, target, mtimeNs: mtimeNsOf(packedStat) };
      this.#record({ entry, packedStat, racy: false }, 'closed');
    } else if (!isRegularFile(mode) && !isSymlink(mode)) {
      this.#record({ entry: { kind: 'untracked', what: specialTypeOf(mode) }, packedStat: null, racy: false }, 'scan');
    }
  }

  #unknownDirectory(): void {
    const path = this.#options.store.pathOf(this.#place);
    if (path !== null) this.#options.onUnknownDirectory(path);
  }

  /** Writes the record, and a line of the log where it says something new. Returns what changed. */
  #record(found: IndexRecord, proof: Proof): number {
    const old = this.#old();
    const kinds = differenceBetween(old, found, this.#noticed);
    const row = { kind: 'written' as const, place: this.#place, kinds, proof, isNew: old === null };
    this.#options.store.putAt(this.#place, found, kinds === 0 ? null : row);
    return kinds;
  }

  #old(): IndexRecord | null {
    const node = this.#options.store.tree.at(this.#place);
    return node === null ? null : this.#options.store.record(node);
  }

  #leave(): void {
    const { store, protocol } = this.#options;
    if (!protocol.settled(this.#key, this.#generation)) return;
    store.removeDirty(this.#key);
  }

  /** A file was changed: so it was under each of its names, of which events named only one. */
  #otherNames(packedStat: Uint8Array, kinds: number): Key[] {
    const inode = inodeOfFile(packedStat);
    if (inode === null || linkCount(packedStat) < 2) return [];
    const { store, protocol } = this.#options;
    const others = store
      .placesOfInode(inode)
      .filter((place) => !holdsStat(store, place, packedStat))
      .map(({ parent, name }) => placeBytes(parent, name));
    for (const key of others) protocol.notice(key, kinds);
    return others;
  }
}

function holdsStat(store: JournalStore, place: Place, packedStat: Uint8Array): boolean {
  const node = store.tree.at(place);
  const recorded = node === null ? null : store.record(node).packedStat;
  return recorded !== null && sameStat(recorded, packedStat);
}

function linkCount(packedStat: Uint8Array): number {
  return new DataView(packedStat.buffer, packedStat.byteOffset, packedStat.byteLength).getUint32(8, true);
}
