/**
 * The journal of one root: puts together what notices, the protocol, the store, and the thread that looks at files.
 *
 * Everything a consumer asks for is a *round*: ignore marks off, writers counted, queue drained, gaps closed by a scan,
 * what is unsettled written down, and then each object read under proof. A checkpoint is a round that also ends the
 * period. Rounds of one journal run one after another; events are absorbed all the time (recording.ts).
 */
import { type BytePath, isWithin, ROOT } from '../platform/core/byte-path.ts';
import { TidemarkError } from '../platform/core/errors.ts';
import { Activity } from './activity.ts';
import { Answering } from './answering.ts';
import type { Census } from './census.ts';
import type {
  BackendName,
  ChangesAnswer,
  CheckpointAnswer,
  GapKind,
  JournalChange,
  JournalStatus,
  JournalVerification,
} from './core/answers.ts';
import { NOTICE } from './core/kinds.ts';
import { CheckpointProtocol } from './core/protocol.ts';
import { placeBytes } from './core/tree-key.ts';
import { JournalThread } from './journal-thread.ts';
import { Recording } from './recording.ts';
import type { JournalService } from './service.ts';
import type { JournalPlace } from './settle-plan.ts';
import { settle } from './settler.ts';
import type { ChangeSource } from './source.ts';
import { inodeKeyOf, type JournalStore } from './store/journal-store.ts';

export interface JournalOptions {
  readonly store: JournalStore;
  /** Where the thread finds everything; the root's key is added with each call. */
  readonly place: Omit<JournalPlace, 'rootKey'>;
  readonly source: ChangeSource;
  /** By which key the kernel names the root now; null while it is not there. */
  readonly rootKey: () => string | null;
  /** Milliseconds since 1970. */
  readonly clock: () => number;
  /** The journal cannot go on: it hears of nothing more, and answers with what went wrong. */
  readonly onFailed: (error: unknown) => void;
}

export class Journal implements JournalService {
  readonly #options: JournalOptions;
  readonly #store: JournalStore;
  readonly #protocol: CheckpointProtocol;
  readonly #recording: Recording;
  readonly #answering: Answering;
  readonly #thread = new JournalThread();
  #turn: Promise<unknown> = Promise.resolve();
  /** Gaps up to this epoch were told by a checkpoint. */
  #toldEpoch: number;
  #isClosed = false;

  /** Takes over what an earlier process left; {@link begin} then begins recording. */
  constructor(options: JournalOptions) {
    const { store, place, source, rootKey } = options;
    const { period, epoch } = store.state();
    this.#options = options;
    this.#store = store;
    this.#toldEpoch = epoch;
    this.#protocol = new CheckpointProtocol(period);
    this.#recording = new Recording({
      store,
      protocol: this.#protocol,
      source,
      rootKey,
      onFailed: options.onFailed,
      hiddenName: place.hiddenName,
      excluded: place.excluded,
      weakened: place.weakened,
      call: (name, argument) => this.#call(name, argument),
    });
    this.#answering = new Answering(store, this.#protocol, this.#recording);
  }

  get backend(): BackendName {
    return this.#options.source.backend;
  }

  /**
   * Begins recording. `gap`: what was missed since the journal was last written, null where nothing was. `isRenamed`:
   * the kernel calls directories by other keys than then, since their file system was mounted anew.
   */
  begin(gap: GapKind | null, isRenamed: boolean): Promise<void> {
    return this.#recording.begin(gap, isRenamed);
  }

  /** The journal cannot go on. */
  fail(error: unknown): void {
    this.#recording.failed(error);
  }

  /** Something was mounted or unmounted on this machine. */
  mountsChanged(): Promise<void> {
    return this.#recording.mountsChanged();
  }

  checkpoint(subtree: BytePath): Promise<CheckpointAnswer> {
    return this.#inTurn(async () => {
      const { period, recorded } = await this.#round(subtree, true);
      return this.#recording.whole(() => {
        const gaps = this.#recording.gapsSince(this.#toldEpoch);
        this.#toldEpoch = this.#store.state().epoch;
        const hot = this.#answering.hotPaths(subtree);
        return { cursor: this.#answering.cursor(), period, dirty: recorded, hot, gaps };
      });
    });
  }

  changes(cursor: string | null, subtree: BytePath): Promise<ChangesAnswer> {
    return this.#inTurn(async () => {
      await this.#round(subtree, false);
      return this.#recording.whole(() => this.#answering.changesSince(cursor, subtree, this.backend));
    });
  }

  async *follow(signal: AbortSignal): AsyncGenerator<readonly JournalChange[]> {
    let { cursor } = await this.changes(null, ROOT);
    let known = new Set<BytePath>();
    const activity = new Activity(this.#recording, signal);
    try {
      yield [];
      while (await activity.next()) {
        const answer = await this.changes(cursor, ROOT);
        cursor = answer.cursor;
        const waiting = new Set<BytePath>();
        for (const batch of answer.changes) {
          for (const { path, proof } of batch) if (proof === 'pending') waiting.add(path);
          const news = batch.filter(({ path, proof }) => proof !== 'pending' || !known.has(path));
          if (news.length > 0) yield news;
        }
        known = waiting;
      }
    } finally {
      activity.close();
    }
  }

  async acknowledge(consumer: string, cursor: string): Promise<void> {
    const sequence = this.#answering.sequenceOf(cursor);
    if (this.#store.log.acknowledge(consumer, sequence, this.#options.clock())) return;
    throw new TidemarkError('usage', 'bad-consumer', `"${consumer}" cannot name a consumer`, {
      remedy: 'Use up to 100 letters, digits and . : @ _ -',
    });
  }

  async register(consumer: string): Promise<string> {
    // Before the first look there is no point that changes could be told since.
    if (!this.#store.state().hasBaseline) await this.#inTurn(() => this.#round(ROOT, false));
    const cursor = this.#answering.cursor();
    await this.acknowledge(consumer, cursor);
    return cursor;
  }

  async unregister(consumer: string): Promise<void> {
    this.#store.log.unregister(consumer, this.#options.clock());
  }

  async status(): Promise<JournalStatus> {
    const { source } = this.#options;
    return {
      recording: source.backend !== 'scan' && this.#recording.isAlive,
      backend: source.backend,
      whyNotBetter: source.whyNotBetter,
      period: this.#protocol.period,
      dirty: this.#protocol.recorded,
      hot: this.#answering.hotPaths(ROOT),
      gaps: [...this.#recording.openGaps(), ...this.#recording.blindGaps()],
      events: { ...source.counters(), silencedObjects: this.#recording.silencedObjects },
    };
  }

  verify(): Promise<JournalVerification> {
    return this.#inTurn(async () => {
      await this.#round(ROOT, true);
      const { before, waiting } = await this.#recording.whole(() => ({
        before: this.#store.log.sequence,
        waiting: [...this.#answering.waiting(ROOT)].map(({ path }) => path),
      }));
      const found = await this.#call<JournalVerification>('verify', { waiting });
      if (found.differences.length === 0) return found;
      // What changed while it was compared is no difference: it has been noticed.
      await this.#round(ROOT, false);
      const noticed = await this.#recording.whole(() => this.#answering.foldSince(before, ROOT));
      const differences = found.differences.filter(({ path }) => !noticed.some((one) => isWithin(path, one.path)));
      return { ...found, differences };
    });
  }

  /**
   * Ends recording; everything noticed is written down, and the journal marked as cleanly ended. `isContinued`: no more
   * events are taken by anybody before a successor goes on with this journal; else what comes now is missed.
   */
  async close(isContinued = false): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    await this.#options.source.detach();
    await this.#turn.catch(() => {});
    if (this.#recording.isAlive) {
      this.#recording.persist();
      this.#store.transaction(() => {
        const state = this.#store.state();
        this.#store.setState({ ...state, isClean: true, runId: isContinued ? state.runId : '' });
      });
    }
    await this.#thread.close();
    this.#store.close();
  }

  async #round(scope: BytePath, endsPeriod: boolean): Promise<{ period: number; recorded: number }> {
    await this.#recording.lookForRoot();
    this.#recording.check();
    this.#protocol.begin();
    try {
      this.#recording.unsilence(scope);
      // Before the queue is drained: whoever closes a file after the census has left an event by then.
      const census = await this.#call<Census>('census', {});
      await this.#recording.catchUp();
      this.#note(census);
      const ended = this.#commit(endsPeriod);
      await settle(
        {
          store: this.#store,
          protocol: this.#protocol,
          look: (requests) => this.#call('look', { requests, census }),
          scans: () => this.#recording.scans,
          scan: (keys) => this.#recording.scanPlaces(keys),
          onLinked: (key) => this.#options.source.follow(key),
        },
        scope,
      );
      return ended;
    } finally {
      this.#protocol.end();
    }
  }

  /** Every file with an open writer is hot, under all its names. */
  #note({ writers }: Census): void {
    for (const { path, inode, isDirect } of writers) {
      const kinds = NOTICE.content | (isDirect ? NOTICE.direct : 0);
      const named = path === null ? null : this.#store.tree.placeOf(path);
      const places = this.#store.placesOfInode(inodeKeyOf(inode.ino));
      for (const place of named === null ? places : [named, ...places]) {
        this.#protocol.foundOpen(placeBytes(place.parent, place.name), kinds);
      }
    }
  }

  /** Writes down everything unsettled and, where the period ends, the number of the next: one durable transaction. */
  #commit(endsPeriod: boolean): { period: number; recorded: number } {
    const { period, recorded } = endsPeriod ? this.#protocol.commit() : this.#protocol;
    this.#recording.writing(() => {
      if (endsPeriod) this.#store.setState({ ...this.#store.state(), period: this.#protocol.period });
      this.#recording.persist();
    });
    this.#options.source.persist();
    this.#store.log.purge(this.#options.clock());
    return { period, recorded };
  }

  #call<Result>(name: string, argument: object): Promise<Result> {
    const { rootKey } = this.#store.state();
    return this.#thread.call<Result>(name, { ...this.#options.place, rootKey, ...argument });
  }

  #inTurn<Result>(work: () => Promise<Result>): Promise<Result> {
    const done = this.#turn.then(work, work);
    this.#turn = done.catch(() => {});
    return done;
  }
}
