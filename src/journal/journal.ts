/**
 * The journal of one root: puts together the events, the protocol, the store and the thread that looks at files.
 *
 * Everything a consumer asks for is a *round*: ignore marks off, queue drained, gaps closed by a scan, writers counted,
 * what is unsettled written down, and then each object read under proof. A checkpoint is a round that also ends the
 * period. Rounds of one journal run one after another; events are absorbed all the time.
 */
import { type BytePath, isWithin, ROOT } from '../platform/core/byte-path.ts';
import { TidemarkError } from '../platform/core/errors.ts';
import { EVENT, type FanotifyEvent } from '../platform/fanotify.ts';
import { Thread } from '../platform/threads.ts';
import { Absorber } from './absorber.ts';
import type { Census } from './census.ts';
import {
  type BackendName,
  type ChangesAnswer,
  type CheckpointAnswer,
  type Gap,
  type GapKind,
  type JournalChange,
  type JournalStatus,
  type JournalVerification,
  OLDEST_CURSOR,
} from './core/answers.ts';
import { type CursorParts, formatCursor, parseCursor } from './core/cursor.ts';
import { foldLog, type PresentTree, type WaitingObject } from './core/fold-log.ts';
import { kindsOf, NOTICE } from './core/kinds.ts';
import { CheckpointProtocol, type Key } from './core/protocol.ts';
import { placeAt, placeBytes } from './core/tree-key.ts';
import type { EventConsumer, GroupWatch } from './group-watch.ts';
import type { JournalScanResult } from './journal-scan.ts';
import type { JournalService } from './service.ts';
import type { JournalPlace } from './settle-plan.ts';
import { type SettlerOptions, settle } from './settler.ts';
import { handlePart, inodeKeyOf, type JournalStore } from './store/journal-store.ts';
import { submountsOf } from './submounts.ts';
import { journalThreadEntry } from './thread-entry.ts';

/** Ignore marks on objects that change too often; none in a backend without events. */
export interface Silencer {
  silence(path: BytePath): boolean;
  /** Removes the marks of these objects; null: of all. */
  unsilence(paths: readonly BytePath[] | null): void;
}

export interface JournalOptions {
  readonly store: JournalStore;
  readonly place: JournalPlace;
  readonly backend: BackendName;
  readonly whyNotBetter: string | null;
  /** Who reads the events; null: every round looks at the whole tree. */
  readonly watch: GroupWatch | null;
  readonly silencer: Silencer | null;
  /** Marks what is mounted below the root; returns the mounts of which no events come. */
  readonly markMounts: () => readonly BytePath[];
  /** True where the kernel's key of a directory may change while it is marked: when overlayfs copies it up. */
  readonly keysChange: boolean;
  /** Stat of a file by the kernel's key; null where it is gone or cannot be asked for. */
  readonly statOf: (key: string) => Uint8Array | null;
  /** By which key the kernel names the root now; null while it is not there. */
  readonly rootKey: () => string | null;
  /** Milliseconds since 1970. */
  readonly clock: () => number;
  /** The journal cannot go on. */
  readonly onFailure?: (error: unknown) => void;
}

/** With `follow`: how long after the first event of many it waits for the others. */
const QUIET_MS = 30;

/** Changes of one batch of an answer. */
const BATCH_CHANGES = 1024;

export class Journal implements JournalService, EventConsumer {
  readonly #options: JournalOptions;
  readonly #store: JournalStore;
  readonly #protocol: CheckpointProtocol;
  readonly #absorber: Absorber;
  /** What was written down of each unsettled object. */
  readonly #written = new Map<Key, string>();
  readonly #listeners = new Set<() => void>();
  #thread: Thread | null = null;
  #turn: Promise<unknown> = Promise.resolve();
  #toldEpoch: number;
  #silencedObjects = 0;
  #failure: unknown = null;
  #isClosed = false;
  /** Mounts below the root, and those of them of which no events come. */
  #mounts: ReadonlySet<BytePath> = new Set();
  #blindScopes: readonly BytePath[] = [];
  #isMissing = false;

  /** Takes over what an earlier process left; {@link begin} then begins recording. */
  constructor(options: JournalOptions) {
    const { store, place, watch } = options;
    this.#options = options;
    this.#store = store;
    const { period, epoch } = store.state();
    this.#protocol = new CheckpointProtocol(period);
    this.#toldEpoch = epoch;
    this.#absorber = new Absorber({
      store,
      protocol: this.#protocol,
      names: { keyOf: (directory) => watch?.reader.keyOf(directory) ?? '' },
      hiddenName: place.hiddenName,
      excluded: new Set(place.excluded),
      seesNewDirectories: place.markGroup === null,
      heeded: place.weakened.includes('modify-only') ? ~EVENT.closeWrite : ~0,
      statOf: options.statOf,
      onLinked: (key) => watch?.reader.follow(key),
      onHot: (key) => this.#silence(key),
    });
    this.#restore();
  }

  get backend(): BackendName {
    return this.#options.backend;
  }

  /**
   * Begins recording. `gap`: what was missed since the journal was last written, null where nothing was. `isRemounted`:
   * the kernel calls the file system by another id than when directories were named.
   */
  async begin(gap: GapKind | null, isRemounted: boolean): Promise<void> {
    if (gap !== null) this.#openGap(gap, ROOT);
    const { watch } = this.#options;
    if (watch === null) return;
    await watch.attach(this, async () => {
      this.#mounts = new Set(submountsOf(this.#options.place.rootPath));
      this.#blindScopes = this.#options.markMounts();
      if (isRemounted) await this.#called('rename', {});
      for (const key of this.#store.followed()) watch.reader.follow(key);
      if (this.mustScan) await this.scan();
    });
  }

  checkpoint(subtree: BytePath): Promise<CheckpointAnswer> {
    return this.#inTurn(async () => {
      const ended = await this.#round(subtree, true);
      const gaps = this.#gapsSince(this.#toldEpoch);
      this.#toldEpoch = this.#store.state().epoch;
      return {
        cursor: this.#cursor(),
        period: ended.period,
        dirty: ended.recorded,
        hot: this.#hotPaths(subtree),
        gaps,
      };
    });
  }

  changes(cursor: string | null, subtree: BytePath): Promise<ChangesAnswer> {
    return this.#inTurn(async () => {
      await this.#round(subtree, false);
      return this.#answer(cursor, subtree);
    });
  }

  async *follow(signal: AbortSignal): AsyncGenerator<readonly JournalChange[]> {
    let { cursor } = await this.changes(null, ROOT);
    let known = new Set<BytePath>();
    yield [];
    while (!signal.aborted) {
      await this.#activity(signal);
      if (signal.aborted) return;
      const answer = await this.changes(cursor, ROOT);
      cursor = answer.cursor;
      const waiting = new Set<BytePath>();
      for (const batch of answer.changes) {
        const news = batch.filter(({ path, proof }) => {
          if (proof === 'pending') waiting.add(path);
          return proof !== 'pending' || !known.has(path);
        });
        if (news.length > 0) yield news;
      }
      known = waiting;
    }
  }

  async acknowledge(consumer: string, cursor: string): Promise<void> {
    const parts = parseCursor(cursor);
    const { journal, epoch } = this.#store.state();
    const isOurs = parts !== null && parts.journal === journal && parts.epoch <= epoch;
    if (!isOurs || parts.sequence > this.#store.log.sequence) {
      throw new TidemarkError('usage', 'bad-cursor', `"${cursor}" is no cursor of this journal`, {
        remedy: 'Give a cursor that journal checkpoint or journal since printed for this root.',
      });
    }
    if (!this.#store.log.acknowledge(consumer, parts.sequence, this.#options.clock())) {
      throw new TidemarkError('usage', 'bad-consumer', `"${consumer}" cannot name a consumer`, {
        remedy: 'Use up to 100 letters, digits and . : @ _ -',
      });
    }
  }

  async register(consumer: string): Promise<string> {
    const cursor = this.#cursor();
    await this.acknowledge(consumer, cursor);
    return cursor;
  }

  async unregister(consumer: string): Promise<void> {
    this.#store.log.unregister(consumer, this.#options.clock());
  }

  async status(): Promise<JournalStatus> {
    const { watch, backend, whyNotBetter } = this.#options;
    const counters = watch?.reader.counters() ?? { received: 0, foreign: 0 };
    return {
      recording: backend !== 'scan' && this.#failure === null && !this.#isMissing,
      backend,
      whyNotBetter,
      period: this.#protocol.period,
      dirty: this.#protocol.recorded,
      hot: this.#hotPaths(ROOT),
      gaps: [...this.#openGaps().map(({ gap: { kind, scope } }) => ({ kind, scope })), ...this.#blindGaps()],
      events: { ...counters, silencedObjects: this.#silencedObjects },
    };
  }

  verify(): Promise<JournalVerification> {
    return this.#inTurn(async () => {
      await this.#round(ROOT, true);
      const before = this.#store.log.sequence;
      const waiting = [...this.#waiting(ROOT)].map(({ path }) => path);
      const found = await this.#called<JournalVerification>('verify', { waiting });
      if (found.differences.length === 0) return found;
      // What changed while it was compared is no difference: it has been noticed.
      await this.#round(ROOT, false);
      const noticed = foldLog(this.#store.log.since(before), this.#waiting(ROOT), this.#present());
      const differences = found.differences.filter(
        ({ path }) => !noticed.some((change) => isWithin(path, change.path)),
      );
      return { ...found, differences };
    });
  }

  /** Ends recording. With `isClean` everything noticed is written down first. */
  async close(isClean = true): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    await this.#options.watch?.detach(this);
    await this.#turn.catch(() => {});
    if (isClean && this.#failure === null) {
      this.persist();
      this.#store.transaction(() => this.#store.setState({ ...this.#store.state(), isClean: true }));
    }
    await this.#thread?.call('close', null).catch(() => {});
    await this.#thread?.close();
    this.#store.close();
  }

  absorb(events: readonly FanotifyEvent[]): ReadonlySet<number> {
    const foreign = this.#absorber.absorb(events);
    if (this.#options.keysChange && this.#absorber.hasNewStrangers(foreign)) this.#toRepeat = events;
    return foreign;
  }

  get mustScan(): boolean {
    if (this.#toRepeat !== null) return true;
    return this.#scopes.length > 0 || this.#openGaps().length > 0 || !this.#store.state().hasBaseline;
  }

  /** Looks at what came from elsewhere, and at the scopes of all gaps, which closes them. */
  async scan(): Promise<void> {
    if (this.#toRepeat !== null) await this.#repeat(this.#toRepeat);
    const { hasBaseline } = this.#store.state();
    const gaps = this.#openGaps();
    const scopes = hasBaseline ? [...this.#scopes, ...gaps.map(({ gap }) => gap.scope)] : [ROOT];
    this.#scopes = [];
    for (const scope of withoutNested(scopes)) {
      const { linked } = await this.#called<JournalScanResult>('scan', { scope, isBaseline: !hasBaseline });
      for (const key of linked) this.#options.watch?.reader.follow(key);
    }
    this.#absorber.forgetNumbers();
    this.#restore();
    this.#store.transaction(() => {
      const closedAt = this.#store.log.sequence;
      for (const { epoch, gap } of gaps) this.#store.log.putGap(epoch, { ...gap, closedAt });
      this.#store.setState({ ...this.#store.state(), hasBaseline: true });
    });
  }

  /**
   * Something was mounted or unmounted on this machine. Whatever happened to the root while it was away is a gap; what
   * came or went below it is looked at.
   */
  async mountsChanged(): Promise<void> {
    const { watch, rootKey, markMounts } = this.#options;
    const key = rootKey();
    const known = this.#store.state().rootKey;
    if (watch === null || key === null || handlePart(key) !== handlePart(known)) {
      this.#isMissing = watch !== null;
      return;
    }
    const wasAway = this.#isMissing || key !== known;
    this.#isMissing = false;
    await watch.hold(async () => {
      this.#blindScopes = markMounts();
      if (wasAway) {
        this.#openGap('unmounted', ROOT);
        this.#store.transaction(() => this.#store.setState({ ...this.#store.state(), rootKey: key }));
        if (key !== known) await this.#called('rename', {});
      }
      const mounts = new Set(submountsOf(this.#options.place.rootPath));
      for (const scope of symmetricDifference(mounts, this.#mounts)) this.#openGap('unmounted', scope);
      this.#mounts = mounts;
      if (this.mustScan) await this.scan();
    });
  }

  forgetNumbers(): void {
    this.#absorber.forgetNumbers();
  }

  overflowed(): void {
    this.#openGap('overflow', ROOT);
  }

  persist(): void {
    this.#store.transaction(() => {
      for (const [key, { kinds, isHot }] of this.#protocol.unsettled()) {
        const row = `${kinds} ${isHot}`;
        if (this.#written.get(key) === row) continue;
        this.#store.putDirty(key, { kinds, isHot });
        this.#written.set(key, row);
      }
    });
  }

  onActivity(): void {
    for (const listener of this.#listeners) listener();
    this.#scopes.push(...this.#absorber.takeScans().flatMap((place) => this.#store.pathOf(place) ?? []));
  }

  failed(error: unknown): void {
    this.#failure ??= error;
    this.#options.onFailure?.(error);
  }

  #scopes: BytePath[] = [];
  #toRepeat: readonly FanotifyEvent[] | null = null;

  /** Events came of directories that nobody knows: names all known ones anew, and takes the events once more. */
  async #repeat(events: readonly FanotifyEvent[]): Promise<void> {
    this.#toRepeat = null;
    await this.#called('rename', {});
    this.#absorber.forgetNumbers();
    this.#absorber.acceptStrangers(this.#absorber.absorb(events));
    this.#scopes.push(...this.#absorber.takeScans().flatMap((place) => this.#store.pathOf(place) ?? []));
  }

  /** Ignore marks off → drained → gaps closed → census → written down → read under proof. */
  async #round(scope: BytePath, endsPeriod: boolean): Promise<{ period: number; recorded: number }> {
    if (this.#failure !== null) throw this.#failure;
    const { watch } = this.#options;
    this.#protocol.begin();
    try {
      this.#unsilence(scope);
      await this.#catchUp();
      const census = await this.#called<Census>('census', {});
      this.#takeCensus(census);
      const ended = this.#commit(endsPeriod);
      if (watch === null) this.persist();
      else watch.persist();
      await settle(this.#settlerOptions(), scope, census);
      this.onActivity();
      if (this.mustScan && watch !== null) await watch.hold(() => this.scan());
      return ended;
    } finally {
      this.#protocol.end();
    }
  }

  async #catchUp(): Promise<void> {
    const { watch } = this.#options;
    if (watch === null) {
      this.#scopes = [ROOT];
      await this.scan();
      return;
    }
    const parked = this.#absorber.parked();
    await watch.drain();
    this.#absorber.clear(parked);
    if (this.#blindScopes.length > 0 || this.mustScan) {
      this.#scopes.push(...this.#blindScopes);
      await watch.hold(() => this.scan());
    }
  }

  #takeCensus({ writers }: Census): void {
    for (const { path, inode, isDirect } of writers) {
      const kinds = NOTICE.content | (isDirect ? NOTICE.direct : 0);
      const named = path === null ? null : this.#store.tree.placeOf(path);
      const places = this.#store.placesOfInode(inodeKeyOf(inode.ino));
      for (const place of named === null ? places : [named, ...places]) {
        this.#protocol.foundOpen(placeBytes(place.parent, place.name), kinds);
      }
    }
  }

  #commit(endsPeriod: boolean): { period: number; recorded: number } {
    if (!endsPeriod) return { period: this.#protocol.period, recorded: this.#protocol.recorded };
    const ended = this.#protocol.commit();
    this.#store.transaction(() => {
      this.#store.setState({ ...this.#store.state(), period: this.#protocol.period });
      this.persist();
    });
    return ended;
  }

  #settlerOptions(): SettlerOptions {
    return {
      store: this.#store,
      protocol: this.#protocol,
      place: this.#options.place,
      thread: () => this.#worker(),
      onUnknownDirectory: (place) => this.#scopes.push(...[this.#store.pathOf(place) ?? []].flat()),
      onLinked: (key) => this.#options.watch?.reader.follow(key),
      onLeft: (key) => this.#written.delete(key),
    };
  }

  #answer(cursor: string | null, subtree: BytePath): ChangesAnswer {
    const { journal, epoch } = this.#store.state();
    const parts = cursor === OLDEST_CURSOR ? this.#oldest() : parseCursor(cursor ?? '');
    const isKnown =
      parts !== null && parts.journal === journal && parts.epoch <= epoch && this.#store.log.reaches(parts.sequence);
    this.#markTold(subtree);
    const base = { cursor: this.#cursor(), backend: this.#options.backend, freshInstance: !isKnown };
    if (!isKnown) return { ...base, gaps: [], changes: this.#everything(subtree) };
    const changes = foldLog(this.#store.log.since(parts.sequence), this.#waiting(subtree), this.#present());
    const wanted = changes.filter(({ path }) => isWithin(path, subtree));
    return { ...base, gaps: this.#gapsSince(parts.epoch), changes: inBatches(wanted) };
  }

  /** Remembers, durably, that what waits has been told of. */
  #markTold(subtree: BytePath): void {
    for (const { key } of this.#waiting(subtree)) this.#protocol.told(key);
    this.persist();
  }

  /** The whole tree at and below `subtree`. */
  *#everything(subtree: BytePath): Generator<readonly JournalChange[]> {
    const waiting = new Map([...this.#waiting(subtree)].map((object) => [object.path, object]));
    let batch: JournalChange[] = [];
    for (const { path, node } of this.#store.tree.below(subtree)) {
      const object = waiting.get(path);
      waiting.delete(path);
      const isFile = this.#store.record(node).entry.kind !== 'directory';
      const kinds = kindsOf(isFile ? NOTICE.content : NOTICE.entries);
      const proof = object === undefined ? ('scan' as const) : ('pending' as const);
      batch.push({ path, kinds, renamedFrom: null, hot: object?.isHot ?? false, proof });
      if (batch.length < BATCH_CHANGES) continue;
      yield batch;
      batch = [];
    }
    for (const { path, kinds, isHot } of waiting.values()) {
      batch.push({ path, kinds: kindsOf(kinds), renamedFrom: null, hot: isHot, proof: 'pending' });
    }
    if (batch.length > 0) yield batch;
  }

  #present(): PresentTree {
    const known = new Map<number, BytePath | null>();
    return {
      pathOf: (place) => this.#store.pathOf(place, known),
      kindAt: (path) => {
        const node = this.#store.tree.get(path);
        if (node === null) return 'nothing';
        return node.number === 0 ? 'other' : 'directory';
      },
    };
  }

  *#waiting(subtree: BytePath): Generator<WaitingObject & { readonly key: Key }> {
    const known = new Map<number, BytePath | null>();
    for (const [key, { kinds, isHot }] of this.#protocol.unsettled()) {
      const path = this.#store.pathOf(placeAt(key, 0), known);
      if (path !== null && isWithin(path, subtree)) yield { key, path, kinds, isHot };
    }
  }

  #hotPaths(subtree: BytePath): BytePath[] {
    return [...this.#waiting(subtree)].filter(({ isHot }) => isHot).map(({ path }) => path);
  }

  #oldest(): CursorParts {
    const { journal, epoch } = this.#store.state();
    return { journal, epoch, sequence: this.#store.log.floor };
  }

  #cursor(): string {
    const { journal, epoch } = this.#store.state();
    return formatCursor({ journal, epoch, sequence: this.#store.log.sequence });
  }

  #openGap(kind: GapKind, scope: BytePath): void {
    this.#store.transaction(() => {
      const state = this.#store.state();
      if (!state.hasBaseline) return;
      const epoch = state.epoch + 1;
      this.#store.setState({ ...state, epoch });
      this.#store.log.putGap(epoch, { kind, scope, closedAt: null });
    });
  }

  #openGaps() {
    return this.#store.log.gaps().filter(({ gap }) => gap.closedAt === null);
  }

  #gapsSince(epoch: number): Gap[] {
    const met = this.#store.log.gaps().filter((row) => row.epoch > epoch);
    return [...met.map(({ gap: { kind, scope } }) => ({ kind, scope })), ...this.#blindGaps()];
  }

  #blindGaps(): Gap[] {
    return (this.#options.watch === null ? [ROOT] : this.#blindScopes).map((scope) => ({
      kind: 'backend-blind',
      scope,
    }));
  }

  /** Reads what waits from the store: an earlier process, or a scan, left it there. */
  #restore(): void {
    for (const { key, row } of this.#store.dirty()) {
      if (this.#protocol.get(key) !== undefined && this.#written.has(key)) continue;
      this.#protocol.restore(key, row.kinds, row.isHot);
      this.#written.set(key, `${row.kinds} ${row.isHot}`);
    }
  }

  #silence(key: Key): void {
    const path = this.#store.pathOf(placeAt(key, 0));
    if (path === null || this.#options.silencer?.silence(path) !== true) return;
    this.#protocol.silenced(key);
    this.#silencedObjects++;
  }

  #unsilence(scope: BytePath): void {
    const isInScope = (key: Key): boolean => {
      const path = this.#store.pathOf(placeAt(key, 0));
      return path === null || isWithin(path, scope);
    };
    const silenced = [...this.#protocol.unsettled()].filter(([key, noticed]) => noticed.isSilenced && isInScope(key));
    if (silenced.length === 0) return;
    const paths = silenced.flatMap(([key]) => this.#store.pathOf(placeAt(key, 0)) ?? []);
    this.#options.silencer?.unsilence(scope === ROOT ? null : paths);
    const keys = new Set(silenced.map(([key]) => key));
    this.#protocol.unsilenced((key) => keys.has(key));
  }

  /** Resolves some milliseconds after something was noticed. */
  #activity(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const listener = (): void => {
        this.#listeners.delete(listener);
        setTimeout(resolve, QUIET_MS);
      };
      this.#listeners.add(listener);
      signal.addEventListener('abort', () => {
        this.#listeners.delete(listener);
        resolve();
      });
    });
  }

  #worker(): Thread {
    this.#thread ??= new Thread(journalThreadEntry());
    return this.#thread;
  }

  #called<Result>(name: string, argument: object): Promise<Result> {
    return this.#worker().call<Result>(name, { ...this.#options.place, ...argument });
  }

  #inTurn<Result>(work: () => Promise<Result>): Promise<Result> {
    const done = this.#turn.then(work, work);
    this.#turn = done.catch(() => {});
    return done;
  }
}

function* inBatches(changes: readonly JournalChange[]): Generator<readonly JournalChange[]> {
  for (let start = 0; start < changes.length; start += BATCH_CHANGES) yield changes.slice(start, start + BATCH_CHANGES);
}

/** Leaves out what lies within another of the scopes. */
function withoutNested(scopes: readonly BytePath[]): BytePath[] {
  const unique = [...new Set(scopes)];
  return unique.filter((scope) => !unique.some((other) => other !== scope && isWithin(scope, other)));
}

function* symmetricDifference<Value>(left: ReadonlySet<Value>, right: ReadonlySet<Value>): Generator<Value> {
  for (const value of left) if (!right.has(value)) yield value;
  for (const value of right) if (!left.has(value)) yield value;
}
