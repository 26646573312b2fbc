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
  /** Trees to look at before more is absorbed, and places at which there is one. */
  #scopes: BytePath[] = [];
  #places: Key[] = [];
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
      onContradiction: () => this.overflowed(),
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

  /** Throws what ended the recording, if anything did. */
  check(): void {
    if (this.#failure !== null) throw this.#failure.error;
  }

  /** `gap`: what was missed since the journal was last written. `isRenamed`: directories have other keys than then. */
  async begin(gap: GapKind | null, isRenamed: boolean): Promise<void> {
    if (gap !== null) this.#openGap(gap, ROOT);
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
    await this.scanAlso(blind);
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
    return ask();
  }

  /** Scans what is below these places, wherever it is by then. */
  async scanPlaces(keys: readonly Key[]): Promise<void> {
    this.#places.push(...keys);
    await this.#source.hold(() => this.scan());
  }

  /** Scans these, and whatever else has to be. */
  async scanAlso(scopes: readonly BytePath[]): Promise<void> {
    this.#scopes.push(...scopes);
    if (this.mustScan) await this.#source.hold(() => this.scan());
  }

  absorb(events: readonly FanotifyEvent[]): ReadonlySet<number> {
    const foreign = this.#absorber.absorb(events);
    if (this.#source.keysChange && this.#absorber.hasNewStrangers(foreign)) this.#toRepeat = events;
    this.#places.push(...this.#absorber.takeScans());
    return foreign;
  }

  get mustScan(): boolean {
    if (this.#toRepeat !== null || this.#scopes.length + this.#places.length > 0) return true;
    return !this.#store.state().hasBaseline || this.openGaps().length > 0;
  }

  /** Counts beginnings and ends of {@link scan}: odd while one is under way. */
  get scans(): number {
    return this.#scans;
  }

  async scan(): Promise<void> {
    this.#scans++;
    try {
      await this.#scanAll();
    } finally {
      this.#scans++;
    }
  }

  async #scanAll(): Promise<void> {
    if (this.#toRepeat !== null) await this.#repeat(this.#toRepeat);
    const { hasBaseline } = this.#store.state();
    const gaps = this.#store.log.gaps().filter(({ gap }) => gap.closedAt === null);
    const places = this.#places.splice(0);
    const wanted = [...this.#scopes.splice(0), ...this.#pathsOf(places), ...gaps.map(({ gap }) => gap.scope)];
    const scopes = hasBaseline ? wanted : [ROOT];
    // After a crash of the machine an equal stat proves nothing: data may have reached the disk without its stamp.
    const distrusts = gaps.some(({ gap }) => gap.kind === 'unclean-boot');
    const again = new Set<Key>();
    for (const scope of withoutNested(scopes)) {
      const argument = { scope, isBaseline: !hasBaseline, isGap: gaps.length > 0, distrusts };
      const result = await this.#options.call<JournalScanResult>('scan', argument);
      for (const key of result.linked ?? this.#store.followed()) this.#source.follow(key);
      this.#restore(result.waiting);
      for (const key of result.again) {
        this.#protocol.restore(key, NOTICE.entries | NOTICE.subtree, false);
        again.add(key);
      }
    }
    for (const key of places) if (!again.has(key)) this.#protocol.scanned(key);
    this.#absorber.forgetNumbers();
    this.#store.transaction(() => {
      const closedAt = this.#store.log.sequence;
      for (const { epoch, gap } of gaps) this.#store.log.putGap(epoch, { ...gap, closedAt });
      if (!hasBaseline) this.#store.setState({ ...this.#store.state(), hasBaseline: true });
    });
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
    this.#store.transaction(() => {
      // In the order of their keys: neighbours are on one page of the store.
      for (const [key, noticed] of rows.sort(byKey)) this.#store.putDirty(key, noticed);
    });
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
    if (key === null || handlePart(key) !== handlePart(known)) {
      this.#isMissing = true;
      return;
    }
    const wasAway = this.#isMissing || key !== known;
    this.#isMissing = false;
    await this.#source.hold(async () => {
      const mounts = new Set(this.#source.markMounts());
      if (wasAway) {
        this.#store.transaction(() => this.#store.setState({ ...this.#store.state(), rootKey: key }));
        this.#openGap('unmounted', ROOT);
        if (key !== known) await this.#options.call('rename', {});
      }
      for (const scope of symmetricDifference(mounts, this.#mounts)) this.#openGap('unmounted', scope);
      this.#mounts = mounts;
      if (this.mustScan) await this.scan();
    });
  }

  /** Gaps that no look has closed yet. */
  openGaps(): Gap[] {
    const open = this.#store.log.gaps().filter(({ gap }) => gap.closedAt === null);
    return open.map(({ gap: { kind, scope } }) => ({ kind, scope }));
  }

  /** Gaps met after `epoch`, and the places of which no events come at all. */
  gapsSince(epoch: number): Gap[] {
    const met = this.#store.log.gaps().filter((row) => row.epoch > epoch);
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
    const state = this.#store.state();
    // What was never looked at is looked at in any case.
    if (!state.hasBaseline) return;
    this.#store.transaction(() => {
      const epoch = state.epoch + 1;
      this.#store.setState({ ...state, epoch });
      this.#store.log.putGap(epoch, { kind, scope, closedAt: null });
    });
  }

  /** Reads from the store what waits at these places, or at all: an earlier process, or a scan, left it there. */
  #restore(keys: readonly Key[] | null): void {
    const named = keys?.map((key) => ({ key, row: this.#store.dirtyAt(key) }));
    for (const { key, row } of named ?? this.#store.dirty()) {
      if (row !== null) this.#protocol.restore(key, row.kinds, row.isHot);
    }
  }
}

function byKey([left]: readonly [Key, unknown], [right]: readonly [Key, unknown]): number {
  return left < right ? -1 : 1;
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
