/**
 * The part of a journal that events reach: absorbs them, scans what they leave open, and keeps written down what waits.
 *
 * Two kinds of things have to be scanned before more is absorbed: trees that came from elsewhere, and the scopes of gaps.
 * A gap is a record, not a failure: it is written down when it is met, with the scope of which nothing is known, and
 * closed when a scan has compared that scope with what was recorded.
 */
import { type BytePath, isWithin, ROOT } from '../platform/core/byte-path.ts';
import { TidemarkError } from '../platform/core/errors.ts';
import { EVENT, type FanotifyEvent } from '../platform/fanotify.ts';
import { Absorber } from './absorber.ts';
import type { Gap, GapKind } from './core/answers.ts';
import { NOTICE } from './core/kinds.ts';
import type { CheckpointProtocol, Key } from './core/protocol.ts';
import { placeAt } from './core/tree-key.ts';
import type { JournalScanResult } from './journal-scan.ts';
import type { ChangeSource, EventConsumer } from './source.ts';
import type { JournalStore } from './store/journal-store.ts';
import { handlePart } from './thread-root.ts';

/** How often it is waited for the second half of an exchange: each wait ends those that had begun before it. */
const MAX_TURNS = 1000;

/** Directories without a mark that are named one by one; of more, the whole root is looked at in each round. */
const MAX_LOST_MARKS = 256;

type GapOfEpoch = ReturnType<JournalStore['log']['gaps']>[number];

export interface RecordingOptions {
  readonly store: JournalStore;
  readonly protocol: CheckpointProtocol;
  readonly source: ChangeSource;
  readonly hiddenName: string;
  readonly excluded: readonly BytePath[];
  /** Parts of the protocol left out, for tests. */
  readonly weakened: readonly string[];
  /** Calls a function of the journal's thread. */
  readonly call: <Result>(name: string, argument: object) => Promise<Result>;
  /** By which key the kernel names the root now; null while it is not there. */
  readonly rootKey: () => string | null;
  /** The journal cannot go on: it hears of nothing more. */
  readonly onFailed: (error: unknown) => void;
}

export class Recording implements EventConsumer {
  readonly #options: RecordingOptions;
  readonly #store: JournalStore;
  readonly #protocol: CheckpointProtocol;
  readonly #source: ChangeSource;
  readonly #absorber: Absorber;
  readonly #listeners = new Set<() => void>();
  /** Places at which there is a tree that has to be looked at before more is absorbed. */
  #places: Key[] = [];
  /** Paths of which no events come: to be looked at in every round. */
  #blind: BytePath[] = [];
  #open: readonly GapOfEpoch[] | null = null;
  #toRepeat: readonly FanotifyEvent[] | null = null;
  #mounts: ReadonlySet<BytePath> = new Set();
  #isMissing = false;
  #failure: { readonly error: unknown } | null = null;
  #silencedObjects = 0;
  #mayBeSilenced = false;
  #scans = 0;

  constructor(options: RecordingOptions) {
    const { store, protocol, source } = options;
    this.#options = options;
    this.#store = store;
    this.#protocol = protocol;
    this.#source = source;
    this.#absorber = new Absorber({
      store,
      protocol,
      names: source,
      hiddenName: options.hiddenName,
      excluded: new Set(options.excluded),
      seesNewDirectories: source.seesNewDirectories,
      heeded: options.weakened.includes('modify-only') ? ~EVENT.closeWrite : ~0,
      statOf: (key) => source.statOf(key),
      onLinked: (key) => source.follow(key),
      onHot: (key) => this.#silence(key),
      scansRenamed: () => this.#openRows().some(isMarkLost),
    });
    this.#restore(null);
    // Trees that an earlier process did not come to look at, or not to the end.
    for (const [key, { kinds }] of this.#protocol.unsettled()) if (kinds & NOTICE.subtree) this.#places.push(key);
  }

  /** True while the root is there and events of it are heard. */
  get isAlive(): boolean {
    return this.#failure === null && !this.#isMissing;
  }

  get silencedObjects(): number {
    return this.#silencedObjects;
  }

  /** Throws what ended the recording, if anything did, or `unavailable` (`root-missing`) while the root is away. */
  check(): void {
    if (this.#failure !== null) throw this.#failure.error;
    if (!this.#isMissing) return;
    throw new TidemarkError('unavailable', 'root-missing', 'the recorded directory is not there', {
      remedy: 'Mount or restore it; the journal then looks at all of it.',
    });
  }

  /**
   * `gap`: what was missed since the journal was last written, itself written down already. `isRenamed`: directories
   * have other keys than then.
   */
  async begin(gap: GapKind | null, isRenamed: boolean): Promise<void> {
    await this.#source.attach(this, async (isLate) => {
      if (isLate && gap === null) this.#openGap('daemon-down', ROOT);
      this.#mounts = new Set(this.#source.markMounts());
      if (isRenamed) await this.#options.call('rename', {});
      for (const key of this.#store.followed()) this.#source.follow(key);
      if (this.mustScan) await this.scan();
    });
  }

  /** Everything that returned before the call has been absorbed or looked at when this resolves. */
  async catchUp(): Promise<void> {
    const parked = this.#absorber.parked();
    const blind = await this.#source.drain();
    this.#absorber.clear(parked);
    this.#blind.push(...blind, ...this.#openRows().flatMap((row) => (isMarkLost(row) ? [row.gap.scope] : [])));
    if (this.mustScan) await this.#source.hold(() => this.scan());
    this.check();
  }

  /**
   * What `ask` returns at a moment when nothing is parked: every rename has both its ends, and every place its path. It
   * must not wait for anything: events that come in between may park something again.
   */
  async whole<Answer>(ask: () => Answer): Promise<Answer> {
    for (let turn = 0; this.#store.parked().length > 0; turn++) {
      if (turn === MAX_TURNS)
        throw new TidemarkError('internal', 'journal-parked', 'directories are exchanged without end');
      await this.catchUp();
    }
    this.check();
    return ask();
  }

  /** Scans what is below these places, wherever it is by then. */
  async scanPlaces(keys: readonly Key[]): Promise<void> {
    this.#places.push(...keys);
    await this.#source.hold(() => this.scan());
  }

  absorb(events: readonly FanotifyEvent[]): ReadonlySet<number> {
    const foreign = this.#absorber.absorb(events);
    if (this.#source.keysChange && this.#absorber.hasNewStrangers(foreign)) this.#toRepeat = events;
    this.#places.push(...this.#absorber.takeScans());
    return foreign;
  }

  get mustScan(): boolean {
    if (this.#isMissing) return false;
    if (this.#toRepeat !== null || this.#blind.length + this.#places.length > 0) return true;
    return !this.#store.state().hasBaseline || !this.#openRows().every(isMarkLost);
  }

  /** Counts beginnings and ends of {@link scan}: odd while one is under way. */
  get scans(): number {
    return this.#scans;
  }

  async scan(): Promise<void> {
    this.#scans++;
    try {
      await this.#scanAll();
    } catch (error) {
      // What was to be scanned lies in the gap that this begins.
      if (!(error instanceof TidemarkError) || error.code !== 'root-missing') throw error;
      this.#goMissing();
    } finally {
      this.#scans++;
    }
  }

  async #scanAll(): Promise<void> {
    if (this.#toRepeat !== null) await this.#repeat(this.#toRepeat);
    const { hasBaseline } = this.#store.state();
    const gaps = this.#openRows().filter((row) => !isMarkLost(row));
    const places = this.#places.splice(0);
    const blind = this.#blind.splice(0);
    const wanted = [...blind, ...this.#pathsOf(places), ...gaps.map(({ gap }) => gap.scope)];
    const scopes = withoutNested(hasBaseline ? wanted : [ROOT]);
    const isGap = gaps.length + blind.length > 0;
    // After a crash of the machine an equal stat proves nothing: data may have reached the disk without its stamp.
    const distrusts = gaps.some(({ gap }) => gap.kind === 'unclean-boot');
    const again = new Set<Key>();
    const unmarked: BytePath[] = [];
    for (const scope of scopes) {
      const argument = { scope, isBaseline: !hasBaseline, isGap, distrusts };
      const result = await this.#options.call<JournalScanResult>('scan', argument);
      for (const key of result.linked ?? this.#store.followed()) this.#source.follow(key);
      this.#restore(result.waiting);
      unmarked.push(...result.unmarked);
      for (const key of result.again) {
        this.#protocol.restore(key, NOTICE.entries | NOTICE.subtree, false);
        again.add(key);
      }
    }
    for (const key of places) if (!again.has(key)) this.#protocol.scanned(key);
    this.#absorber.forgetNumbers();
    if (!hasBaseline) {
      this.#store.transaction(() => this.#store.setState({ ...this.#store.state(), hasBaseline: true }));
    }
    this.#noteMarks(scopes, unmarked);
    this.#closeGaps(gaps);
  }

  overflowed(): void {
    this.#openGap('overflow', ROOT);
  }

  forgetNumbers(): void {
    this.#absorber.forgetNumbers();
  }

  persist(): void {
    const rows = this.#protocol.takeUnwritten();
    if (rows.length === 0) return;
    this.writing(() => {
      // In the order of their keys: neighbours are on one page of the store.
      for (const [key, noticed] of rows.sort(byKey)) this.#store.putDirty(key, noticed);
    });
  }

  /** Runs `work` in a transaction. Where the store does not take it, nothing counts as written down. */
  writing(work: () => void): void {
    try {
      this.#store.transaction(work);
    } catch (error) {
      this.#protocol.forgetWritten();
      throw error;
    }
  }

  onActivity(): void {
    for (const listener of this.#listeners) listener();
  }

  /** Calls `listener` whenever something was noticed, until the function returned is called. */
  listen(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  failed(error: unknown): void {
    if (this.#failure !== null) return;
    this.#failure = { error };
    // Whoever goes on, be it another process to which the same events are given, has not heard these.
    try {
      this.#openGap('daemon-down', ROOT);
    } catch {
      // It may be the store that fails.
    }
    this.onActivity();
    this.#options.onFailed(error);
  }

  /**
   * Something was mounted or unmounted on this machine. Whatever happened to the root while it was away is a gap; what
   * came or went below it is looked at.
   */
  async mountsChanged(): Promise<void> {
    const key = this.#options.rootKey();
    const known = this.#store.state().rootKey;
    const isThere = key !== null && handlePart(key) === handlePart(known);
    if (!isThere || key !== known) this.#goMissing();
    if (!isThere) return;
    await this.#source.hold(async () => {
      const mounts = new Set(this.#source.markMounts());
      this.#isMissing = false;
      if (key !== known) {
        this.#store.transaction(() => this.#store.setState({ ...this.#store.state(), rootKey: key }));
        await this.#options.call('rename', {});
      }
      for (const scope of symmetricDifference(mounts, this.#mounts)) this.#openGap('unmounted', scope);
      this.#mounts = mounts;
      if (this.mustScan) await this.scan();
    });
  }

  /** The root went away and may have come back since. */
  async lookForRoot(): Promise<void> {
    if (this.#isMissing) await this.mountsChanged();
  }

  /** Gaps that no look has closed yet. */
  openGaps(): Gap[] {
    return this.#openRows().map(({ gap: { kind, scope } }) => ({ kind, scope }));
  }

  /** Gaps met after `epoch`, and the places of which no events come at all. */
  gapsSince(epoch: number): Gap[] {
    const rows = this.#store.log.gaps();
    const met = rows.filter((row) => row.epoch > epoch || (isMarkLost(row) && row.gap.closedAt === null));
    return [...met.map(({ gap: { kind, scope } }) => ({ kind, scope })), ...this.blindGaps()];
  }

  blindGaps(): Gap[] {
    return this.#source.blindScopes().map((scope) => ({ kind: 'backend-blind', scope }));
  }

  unsilence(scope: BytePath): void {
    const silenced: { readonly key: Key; readonly path: BytePath }[] = [];
    for (const [key, { isSilenced }] of this.#protocol.unsettled()) {
      const path = isSilenced ? this.#store.pathOf(placeAt(key, 0)) : null;
      if (path !== null && isWithin(path, scope)) silenced.push({ key, path });
    }
    const isWhole = scope === ROOT ? this.#mayBeSilenced : this.#protocol.takeLostSilence();
    if (silenced.length === 0 && !isWhole) return;
    this.#source.unsilence(scope === ROOT || isWhole ? null : silenced.map(({ path }) => path));
    if (scope === ROOT) this.#mayBeSilenced = false;
    const keys = new Set(silenced.map(({ key }) => key));
    this.#protocol.unsilenced((key) => keys.has(key));
  }

  #silence(key: Key): void {
    const path = this.#store.pathOf(placeAt(key, 0));
    if (path === null || !this.#source.silence(path)) return;
    this.#protocol.silenced(key);
    this.#mayBeSilenced = true;
    this.#silencedObjects++;
  }

  /** Events came of directories that nobody knows: names all known ones anew, and takes the events once more. */
  async #repeat(events: readonly FanotifyEvent[]): Promise<void> {
    this.#toRepeat = null;
    await this.#options.call('rename', {});
    this.#absorber.forgetNumbers();
    this.#absorber.acceptStrangers(this.#absorber.absorb(events));
    this.#places.push(...this.#absorber.takeScans());
  }

  #pathsOf(keys: readonly Key[]): BytePath[] {
    return keys.flatMap((key) => this.#store.pathOf(placeAt(key, 0)) ?? []);
  }

  #openGap(kind: GapKind, scope: BytePath): void {
    this.#open = null;
    this.#store.transaction(() => this.#store.openGap(kind, scope));
  }

  /** Rows of the gaps that are open. Only this class writes them, so they are read once after each change. */
  #openRows(): readonly GapOfEpoch[] {
    this.#open ??= this.#store.log.gaps().filter(({ gap }) => gap.closedAt === null);
    return this.#open;
  }

  /** Written down at once: whatever becomes of this process, nothing is known of the time until it is back. */
  #goMissing(): void {
    if (this.#isMissing) return;
    this.#isMissing = true;
    this.#openGap('unmounted', ROOT);
  }

  /**
   * Directories for which there was no mark left: no events come of what is in them, and each round looks there, trying
   * again. `scanned`: what was looked at just now; `unmarked`: what of it is without a mark.
   */
  #noteMarks(scanned: readonly BytePath[], unmarked: readonly BytePath[]): void {
    const scopes = withoutNested(unmarked);
    const lost = new Set<BytePath>(scopes.length > MAX_LOST_MARKS ? [ROOT] : scopes);
    const known = this.#openRows().filter(isMarkLost);
    const over = known.filter(({ gap }) => !lost.delete(gap.scope) && scanned.some((top) => isWithin(gap.scope, top)));
    const kept = known.filter((row) => !over.includes(row));
    this.#closeGaps(over);
    for (const scope of lost) {
      if (!kept.some(({ gap }) => isWithin(scope, gap.scope))) this.#openGap('mark-lost', scope);
    }
  }

  #closeGaps(rows: readonly GapOfEpoch[]): void {
    if (rows.length === 0) return;
    this.#open = null;
    this.#store.transaction(() => {
      const closedAt = this.#store.log.sequence;
      for (const { epoch, gap } of rows) this.#store.log.putGap(epoch, { ...gap, closedAt });
    });
  }

  /** Reads from the store what waits at these places, or at all: an earlier process, or a scan, left it there. */
  #restore(keys: readonly Key[] | null): void {
    const named = keys?.map((key) => ({ key, row: this.#store.dirtyAt(key) }));
    for (const { key, row } of named ?? this.#store.dirty()) {
      if (row !== null) this.#protocol.restore(key, row.kinds, row.isHot, row.told);
    }
  }
}

function byKey([left]: readonly [Key, unknown], [right]: readonly [Key, unknown]): number {
  return left < right ? -1 : 1;
}

/** No scan closes it: only a mark does. */
function isMarkLost({ gap }: GapOfEpoch): boolean {
  return gap.kind === 'mark-lost';
}

/** Leaves out what lies within another of the scopes. */
function withoutNested(scopes: readonly BytePath[]): BytePath[] {
  const unique = [...new Set(scopes)].sort();
  if (unique.includes(ROOT)) return [ROOT];
  const kept = new Set<string>();
  return unique.filter((scope) => {
    if (ancestorsOf(scope).some((ancestor) => kept.has(ancestor))) return false;
    kept.add(scope);
    return true;
  });
}

function ancestorsOf(path: string): string[] {
  const ancestors: string[] = [];
  for (let slash = path.lastIndexOf('/'); slash > 0; slash = path.lastIndexOf('/', slash - 1)) {
    ancestors.push(path.slice(0, slash));
  }
  return ancestors;
}

function* symmetricDifference<Value>(left: ReadonlySet<Value>, right: ReadonlySet<Value>): Generator<Value> {
  for (const value of left) if (!right.has(value)) yield value;
  for (const value of right) if (!left.has(value)) yield value;
}
