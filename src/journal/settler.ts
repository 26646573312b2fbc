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

/** A call that a scan came in between of is made again with so many times fewer places. */
const SHRINKING = 8;

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
  /** Looks at everything below these places: directories of which no event told, or that could not be listed whole. */
  readonly scan: (keys: readonly Key[]) => Promise<void>;
  /** A file has several names: events of it have to come also where one of them is not ours. */
  readonly onLinked: (key: string) => void;
}

/**
 * Tries everything unsettled at and below `scope` once. A directory whose content is not known stays unsettled, also on
 * the disk, until it was scanned: whatever happens to this process or to the directory meanwhile, it is not forgotten.
 */
export async function settle(options: SettlerOptions, scope: BytePath): Promise<void> {
  const { protocol } = options;
  const unknown = await settleKeys(
    options,
    scope,
    [...protocol.unsettled()].map(([key]) => key),
  );
  if (unknown.length === 0) return;
  await options.scan(unknown);
  await settleKeys(options, scope, unknown);
}

/** Returns the places of directories that have to be scanned before they settle. */
async function settleKeys(options: SettlerOptions, scope: BytePath, keys: readonly Key[]): Promise<Key[]> {
  const { store, protocol } = options;
  const unknown: Key[] = [];
  let queue: readonly Key[] = keys;
  const tried = new Set<Key>();
  let perCall = PLACES_PER_CALL;
  while (queue.length > 0) {
    const batch = queue.slice(0, perCall).filter((key) => !tried.has(key));
    queue = queue.slice(perCall);
    for (const key of batch) tried.add(key);
    const requests = requestsFor(options, batch, scope);
    if (requests.length === 0) continue;
    const generations = new Map(requests.map(({ key }) => [key, protocol.get(key)?.generation ?? -1]));
    const scans = options.scans();
    const answers = await options.look(requests);
    if (options.scans() !== scans || scans % 2 === 1) {
      // Where scans come faster than answers, smaller and smaller calls are tried; what is left then waits on.
      if (perCall === 1) return unknown;
      perCall = Math.max(1, Math.floor(perCall / SHRINKING));
      for (const key of batch) tried.delete(key);
      queue = [...batch, ...queue];
      continue;
    }
    const others: Key[] = [];
    keepingOnFailure(options, batch, () =>
      store.transaction(() => {
        for (const answer of answers) {
          const generation = generations.get(answer.key) ?? -1;
          const settlement = new Settlement(options, answer.key, generation, () => unknown.push(answer.key));
          others.push(...settlement.apply(answer));
        }
      }),
    );
    if (others.length > 0) queue = [...queue, ...others];
  }
  return unknown;
}

/** Where the store takes nothing, what was to leave stays in memory, too. */
function keepingOnFailure({ protocol }: SettlerOptions, keys: readonly Key[], work: () => void): void {
  const before = keys.map((key) => ({ key, noticed: protocol.get(key) }));
  try {
    work();
  } catch (error) {
    for (const { key, noticed } of before) {
      if (noticed !== undefined && protocol.get(key) === undefined)
        protocol.restore(key, noticed.kinds, noticed.isHot, noticed.told);
    }
    protocol.forgetWritten();
    throw error;
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
  readonly #told: number;
  readonly #onUnknownDirectory: () => void;

  constructor(options: SettlerOptions, key: Key, generation: number, onUnknownDirectory: () => void) {
    this.#options = options;
    this.#onUnknownDirectory = onUnknownDirectory;
    this.#key = key;
    this.#generation = generation;
    this.#place = placeAt(key, 0);
    this.#noticed = options.protocol.get(key)?.kinds ?? 0;
    this.#told = options.protocol.get(key)?.told ?? 0;
  }

  /** Within a transaction. Returns other names of the same file that have to be looked at now. */
  apply(answer: LookAnswer): Key[] {
    const { store, protocol } = this.#options;
    // Noticed since it was looked at: something else may have come to the place, of which the answer knows nothing.
    if (protocol.get(this.#key)?.generation !== this.#generation) return [];
    switch (answer.found) {
      case 'nothing':
        if (!store.removeAt(this.#place, true) && this.#told !== 0) {
          store.log.append({ kind: 'removed', place: this.#place });
        }
        this.#leave();
        return [];
      case 'elsewhere':
        return [];
      case 'hot':
        protocol.refused(this.#key);
        if (answer.packedStat !== null) this.#refuseOtherNames(answer.packedStat);
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
        if (isDirectory(modeOf(answer.packedStat))) {
          if (!this.#recordDirectory(answer.packedStat, answer.handle)) return [];
        } else {
          this.#recordOther(answer.packedStat, answer.target);
        }
        this.#leave();
        return [];
    }
  }

  /**
   * A directory that is not the recorded one came here without an event of its own, or with one that the kernel merged
   * into an earlier one: what is recorded below is that of another. False: it has to be scanned before it settles.
   */
  #recordDirectory(packedStat: Uint8Array, handle: string | null): boolean {
    const { store, protocol } = this.#options;
    const node = store.tree.at(this.#place);
    const isSame = node !== null && node.number !== 0 && this.#isDirectory(node, packedStat, handle);
    if (node !== null && node.number !== 0 && !isSame) store.removeAt(this.#place, true);
    const entry = { kind: 'directory' as const, mode: permissionBits(modeOf(packedStat)) };
    this.#record({ entry, packedStat, racy: false }, 'scan');
    if (isSame && (this.#noticed & NOTICE.subtree) === 0) return true;
    protocol.restore(this.#key, NOTICE.entries | NOTICE.subtree, false);
    store.putDirty(this.#key, { kinds: protocol.get(this.#key)?.kinds ?? 0, isHot: false, told: this.#told });
    this.#onUnknownDirectory();
    return false;
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

  /** Writes the record, and a line of the log where it says something new. Returns what changed. */
  #record(found: IndexRecord, proof: Proof): number {
    const old = this.#old();
    const changed = differenceBetween(old, found, this.#noticed);
    const kinds = changed | (this.#told & ~NOTICE.removed);
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

  /** A writer that nobody can see is known by the refused lease alone, and under one name: it writes to all of them. */
  #refuseOtherNames(packedStat: Uint8Array): void {
    const { store, protocol } = this.#options;
    const inode = inodeOfFile(packedStat);
    for (const { parent, name } of inode === null ? [] : store.placesOfInode(inode)) {
      const key = placeBytes(parent, name);
      if (key !== this.#key && protocol.get(key)?.isHot !== true) protocol.foundOpen(key, NOTICE.content);
    }
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
