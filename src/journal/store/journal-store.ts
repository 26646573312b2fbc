/**
 * What one journal keeps: the tree as last settled, the log of what was told, the set of what waits, and the handles by
 * which the kernel names directories.
 *
 * Rows of the tree are those of tree-store.ts with values of index-record.ts. Beside them: kernel handle ↔ directory
 * number, so that an event is a place without looking at the disk; files by inode, so that a write through one name
 * reaches all others; and the tables of journal-log.ts. All of them change in the same transaction.
 */
import { randomBytes } from 'node:crypto';
import { type BytePath, joinPath, ROOT } from '../../platform/core/byte-path.ts';
import { ByteReader, ByteWriter } from '../../platform/core/bytes.ts';
import { isRegularFile, modeOf } from '../../platform/core/stat-codec.ts';
import type { GapKind } from '../core/answers.ts';
import { decodeRecord, encodeRecord, type IndexRecord } from '../core/index-record.ts';
import { type DirtyRow, decodeDirtyRow, encodeDirtyRow, type LogRow, PARKED_PREFIX } from '../core/journal-row.ts';
import {
  factKey,
  NO_DIRECTORY,
  numberAt,
  numberBytes,
  type Place,
  placeAt,
  placeBytes,
  ROOT_DIRECTORY,
  TABLE,
} from '../core/tree-key.ts';
import { Environment } from './environment.ts';
import { JournalLog } from './journal-log.ts';
import { type TreeNode, TreeStore } from './tree-store.ts';

const FORMAT = 1;
const STATE_FACT = factKey('journal state');
/** The table of inodes is all in its keys. */
const NOTHING = Buffer.alloc(1);
/** Parked at one time, at most: what two rounds leave. */
const MAX_PARKED = 1_000_000;
const INODE_BYTES = 8;
const INODE_OFFSET = 24;

/** Bytes of {@link JournalState.runId}, at most. */
export const MAX_RUN_ID = 64;

/** Facts about the journal as a whole. */
export interface JournalState {
  /** Hex; another one, another journal: no cursor is good any more. */
  readonly journal: string;
  readonly period: number;
  /** Counts gaps. */
  readonly epoch: number;
  /** True: stopped in order, everything that was noticed is written down. */
  readonly isClean: boolean;
  /** Whoever held the kernel's queue when this was last written: the same again means that nothing was missed. */
  readonly runId: string;
  readonly bootId: string;
  /** What the root was: file system and handle of its directory. */
  readonly rootKey: string;
  /** True once the whole tree has been looked at. */
  readonly hasBaseline: boolean;
}

export class JournalStore {
  readonly log: JournalLog;
  readonly tree: TreeStore;
  readonly #environment: Environment;

  private constructor(environment: Environment) {
    this.#environment = environment;
    this.tree = new TreeStore(environment);
    this.log = new JournalLog(environment, (work) => this.transaction(work));
  }

  /** Opens the store in `folder`, made if missing; several threads may. Throws `unavailable` where it is damaged. */
  static open(folder: string): JournalStore {
    const environment = Environment.open(folder, { durable: true, kind: 'journal', format: FORMAT, isChecked: true });
    return new JournalStore(environment);
  }

  /** The journal's state; a new one where there is none. */
  state(): JournalState {
    const fact = this.#environment.get(STATE_FACT);
    if (fact === null) return NEW_STATE();
    const from = new ByteReader(fact);
    return {
      journal: from.string(64),
      period: from.u53(),
      epoch: from.u53(),
      isClean: from.u8() === 1,
      hasBaseline: from.u8() === 1,
      runId: from.string(MAX_RUN_ID),
      bootId: from.string(64),
      rootKey: from.string(1024),
    };
  }

  /** Within a transaction. */
  setState(state: JournalState): void {
    const out = new ByteWriter(256).string(state.journal).u53(state.period).u53(state.epoch);
    out.u8(state.isClean ? 1 : 0).u8(state.hasBaseline ? 1 : 0);
    this.#environment.put(STATE_FACT, out.string(state.runId).string(state.bootId).string(state.rootKey).take());
  }

  /** Runs `work` in one write transaction, rolled back where it throws; nested calls join. Durable at return. */
  transaction<T>(work: () => T): T {
    if (this.#environment.isWriting) return work();
    return this.#environment.transaction(() => {
      const result = work();
      this.tree.flush();
      this.log.flush();
      return result;
    });
  }

  /** Within a transaction: from now on nothing is known of a time at and below `scope`, until a scan closes the gap. */
  openGap(kind: GapKind, scope: BytePath): void {
    const state = this.state();
    // What was never looked at is looked at in any case.
    if (!state.hasBaseline) return;
    this.setState({ ...state, epoch: state.epoch + 1 });
    this.log.putGap(state.epoch + 1, { kind, scope, closedAt: null });
  }

  record(node: TreeNode): IndexRecord {
    return decodeRecord(node.value, node.end);
  }

  /** Writes what is at a place, and a row of the log where `row` is given. Replaces whatever was there. */
  putAt(place: Place, record: IndexRecord, row: LogRow | null): number {
    const old = this.tree.at(place);
    const isDirectory =
      record.entry.kind === 'directory' || (record.entry.kind === 'problem' && (old?.number ?? 0) > 0);
    if (old !== null && old.number !== 0 && !isDirectory) this.#clear(old);
    this.#indexInode(place, old === null ? null : this.record(old).packedStat, record.packedStat);
    const number = this.tree.write(place, encodeRecord(record), isDirectory, old?.number ?? 0);
    if (row !== null) this.log.append(row);
    return number;
  }

  /** Removes what is at a place with everything below, and logs it once where `isTold`. False where nothing is. */
  removeAt(place: Place, isTold: boolean): boolean {
    const node = this.tree.at(place);
    if (node === null) return false;
    this.#clear(node);
    this.#forgetNode(node);
    if (isTold) this.log.append({ kind: 'removed', place });
    return true;
  }

  /** Moves a node to a place where nothing is, and logs that. */
  moveTo(node: TreeNode, to: Place): void {
    const from: Place = { parent: node.parent, name: node.name };
    const fromPath = this.#tracedPath(from);
    const stat = node.number === 0 ? this.record(node).packedStat : null;
    this.#indexInode(node, stat, null);
    this.tree.move(node, to);
    if (to.parent !== NO_DIRECTORY) this.#indexInode(to, null, stat);
    this.log.append({
      kind: 'moved',
      isDirectory: node.number !== 0,
      place: to,
      from,
      fromPath,
      toPath: this.#tracedPath(to),
    });
  }

  /** Takes a node out of the tree for a moment, where no path leads: something else comes to its place. */
  park(node: TreeNode): Place {
    const place = { parent: NO_DIRECTORY, name: `parked ${randomBytes(6).toString('hex')}` };
    this.moveTo(node, place);
    return place;
  }

  /** A path for the log, where what is parked, and what is below that, has names that nothing else has. */
  #tracedPath({ parent, name }: Place): BytePath {
    const names = [name];
    let number = parent;
    while (number !== ROOT_DIRECTORY && number !== NO_DIRECTORY) {
      const place = this.tree.placeOfNumber(number);
      if (place === null) break;
      names.push(place.name);
      number = place.parent;
    }
    const path = names.reverse().join('/');
    return (number === ROOT_DIRECTORY ? path : `${PARKED_PREFIX}${path}`) as BytePath;
  }

  /** What is parked. */
  parked(): TreeNode[] {
    return this.tree.pageOf(NO_DIRECTORY, 'parked ', MAX_PARKED).filter(({ name }) => name.startsWith('parked '));
  }

  /** Removes these parked nodes, where they still are: nothing came to fetch them. */
  clearParked(names: ReadonlySet<string>): void {
    for (const node of this.parked()) {
      if (!names.has(node.name)) continue;
      this.#clear(node);
      this.#forgetNode(node);
    }
  }

  /** The path of a place; null where its directory is not in the tree. */
  pathOf({ parent, name }: Place, known: Map<number, BytePath | null> = new Map()): BytePath | null {
    if (parent === NO_DIRECTORY) return name === '' ? ROOT : null;
    const directory = this.tree.pathOf(parent, known);
    return directory === null ? null : joinPath(directory, name);
  }

  /** True where the directory of a place is not recorded any more; false also where it is parked. */
  isGone({ parent }: Place): boolean {
    for (let number = parent; number !== NO_DIRECTORY; ) {
      const place = this.tree.placeOfNumber(number);
      if (place === null) return true;
      number = place.parent;
    }
    return false;
  }

  /** True where directory `number` is `top` or recorded below it. */
  isBelow(number: number, top: number): boolean {
    for (let at = number; at !== NO_DIRECTORY; at = this.tree.placeOfNumber(at)?.parent ?? NO_DIRECTORY) {
      if (at === top) return true;
    }
    return false;
  }

  /** The node of directory `number`; null where there is none. */
  directory(number: number): TreeNode | null {
    const place = this.tree.placeOfNumber(number);
    return place === null ? null : this.tree.at(place);
  }

  /** Every directory with its path, parents first. */
  *directories(): Generator<{ readonly path: BytePath; readonly node: TreeNode }> {
    const root = this.tree.get(ROOT);
    if (root === null || root.number === 0) return;
    yield { path: ROOT, node: root };
    for (const { path, node } of this.tree.below(ROOT)) if (node.number !== 0) yield { path, node };
  }

  /** Remembers by which key the kernel names directory `number`. */
  setHandle(number: number, key: string): void {
    const old = this.handleOf(number);
    if (old === key) return;
    if (old !== null) this.#environment.remove(TABLE.handle + old);
    this.#environment.put(TABLE.handle + key, Buffer.from(numberBytes(number), 'latin1'));
    this.#environment.put(TABLE.numberHandle + numberBytes(number), Buffer.from(key, 'latin1'));
  }

  /** Number of the directory the kernel names so; 0 where it is none of ours. */
  numberOfHandle(key: string): number {
    const value = this.#environment.get(TABLE.handle + key);
    return value === null ? 0 : numberAt(value.toString('latin1'), 0);
  }

  handleOf(number: number): string | null {
    return this.#environment.get(TABLE.numberHandle + numberBytes(number))?.toString('latin1') ?? null;
  }

  /** Places of all files with this inode number (8 bytes as in a packed stat). */
  placesOfInode(inode: string): Place[] {
    const start = inodeKey(inode);
    const rows = [...this.#environment.rows(start, `${start}\xff\xff`)];
    return rows.map(({ key }) => placeAt(key, start.length));
  }

  /**
   * Remembers a file with several names by the kernel's key, so that a write through a name outside the tree is seen.
   * True where it is new.
   */
  follow(key: string, packedStat: Uint8Array): boolean {
    const inode = inodeOfFile(packedStat);
    if (inode === null || this.#environment.has(TABLE.followed + key)) return false;
    this.#environment.put(TABLE.followed + key, Buffer.from(inode, 'latin1'));
    return true;
  }

  /** Inode of a followed object; null where it is none. */
  followedInode(key: string): string | null {
    return this.#environment.get(TABLE.followed + key)?.toString('latin1') ?? null;
  }

  *followed(): Generator<string> {
    const end = `${TABLE.followed}${'\xff'.repeat(16)}`;
    for (const { key } of this.#environment.rows(TABLE.followed, end)) yield key.slice(TABLE.followed.length);
  }

  /** Writes down what waits at a place. */
  putDirty(key: string, row: DirtyRow): void {
    this.#environment.put(TABLE.dirty + key, encodeDirtyRow(row));
  }

  removeDirty(key: string): void {
    if (this.#environment.has(TABLE.dirty + key)) this.#environment.remove(TABLE.dirty + key);
  }

  /** What is written down of a place; null where nothing is. */
  dirtyAt(key: string): DirtyRow | null {
    const row = this.#environment.get(TABLE.dirty + key);
    return row === null ? null : decodeDirtyRow(row);
  }

  *dirty(): Generator<{ readonly key: string; readonly row: DirtyRow }> {
    for (const { key, value } of this.#environment.rows(TABLE.dirty, `${TABLE.dirty}\xff\xff\xff\xff\xff\xff\xff`)) {
      yield { key: key.slice(TABLE.dirty.length), row: decodeDirtyRow(value) };
    }
  }

  /** Starts over: nothing is known, no cursor is good. */
  reset(): JournalState {
    return this.transaction(() => {
      this.#environment.clear();
      this.tree.reset();
      const state = NEW_STATE();
      this.setState(state);
      return state;
    });
  }

  sizeBytes(): number {
    return this.#environment.sizeBytes();
  }

  close(): void {
    this.#environment.close();
  }

  /** Removes everything below a node. */
  #clear(top: TreeNode): void {
    const stack = [{ node: top, page: this.#children(top) }];
    for (let level = stack.at(-1); level !== undefined; level = stack.at(-1)) {
      if (level.page.length === 0) level.page = this.#children(level.node);
      const child = level.page.pop();
      if (child !== undefined && child.number !== 0) {
        stack.push({ node: child, page: this.#children(child) });
        continue;
      }
      if (child !== undefined) {
        this.#forgetNode(child);
        continue;
      }
      stack.pop();
      if (level.node !== top) this.#forgetNode(level.node);
    }
  }

  #children(node: TreeNode): TreeNode[] {
    return node.number === 0 ? [] : this.tree.pageOf(node.number, '', 512).reverse();
  }

  #forgetNode(node: TreeNode): void {
    if (node.number === 0) this.#indexInode(node, this.record(node).packedStat, null);
    else this.#forgetHandle(node.number);
    this.tree.remove(node);
  }

  #forgetHandle(number: number): void {
    const key = this.handleOf(number);
    if (key === null) return;
    if (this.numberOfHandle(key) === number) this.#environment.remove(TABLE.handle + key);
    this.#environment.remove(TABLE.numberHandle + numberBytes(number));
  }

  #indexInode(place: Place, before: Uint8Array | null, after: Uint8Array | null): void {
    const [old, fresh] = [inodeOfFile(before), inodeOfFile(after)];
    if (old === fresh) return;
    const suffix = placeBytes(place.parent, place.name);
    if (old !== null) {
      const key = inodeKey(old) + suffix;
      if (this.#environment.has(key)) this.#environment.remove(key);
    }
    if (fresh !== null) this.#environment.put(inodeKey(fresh) + suffix, NOTHING);
  }
}

function NEW_STATE(): JournalState {
  return {
    journal: randomBytes(12).toString('hex'),
    period: 1,
    epoch: 0,
    isClean: true,
    hasBaseline: false,
    runId: '',
    bootId: '',
    rootKey: '',
  };
}

/** Inode number of a regular file as 8 bytes; null for anything else. */
export function inodeOfFile(packedStat: Uint8Array | null): string | null {
  if (packedStat === null || !isRegularFile(modeOf(packedStat))) return null;
  return Buffer.from(packedStat.buffer, packedStat.byteOffset + INODE_OFFSET, INODE_BYTES).toString('latin1');
}

/** An inode number in the form {@link JournalStore.placesOfInode} takes. */
export function inodeKeyOf(ino: bigint): string {
  const bytes = Buffer.alloc(INODE_BYTES);
  bytes.writeBigUInt64LE(ino);
  return bytes.toString('latin1');
}

/** Big-endian, so that neighbours on the disk are neighbours here. */
function inodeKey(inode: string): string {
  return TABLE.inode + [...inode].reverse().join('');
}
