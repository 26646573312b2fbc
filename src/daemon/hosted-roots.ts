/**
 * The roots of the service, each with its journal.
 *
 * Invariants: what is registered is recorded, or its trouble is known and it is tried again; trouble with one root
 * touches no other; what is done to one root (begin, remove) is done one after the other.
 */
import type { BackendName } from '../journal/core/answers.ts';
import type { JournalService } from '../journal/service.ts';
import { type BytePath, toBuffer } from '../platform/core/byte-path.ts';
import { displayPath, displayText } from '../platform/core/display.ts';
import { TidemarkError } from '../platform/core/errors.ts';
import { VERSION } from '../platform/version.ts';
import type { ServiceFacts } from './core/answers.ts';
import { MAX_TEXT_LENGTH } from './core/limits.ts';
import type { HostedRoot, RootPath } from './core/messages.ts';
import type { Hosting } from './hosting.ts';
import type { Registry } from './registry.ts';

/** What is needed of the host of journals; JournalHost fits. */
export interface JournalKeeper {
  add(rootPath: Buffer): Promise<JournalService>;
  remove(rootPath: Buffer, forget: boolean): Promise<void>;
  /** All roots have begun that will: events may be taken. */
  release(): void;
}

export interface HostedRootsOptions {
  readonly keeper: JournalKeeper;
  readonly registry: Pick<Registry, 'list' | 'add' | 'remove' | 'has'>;
  /** Takes the lock of a root for as long as it is recorded here. */
  readonly lock: (root: RootPath) => { release(): void };
  readonly log: (line: string) => void;
  readonly nowMs: () => number;
  /** First pause before a root in trouble is tried again. */
  readonly firstPauseMs?: number;
}

interface Hosted {
  readonly root: RootPath;
  journal: JournalService | null;
  backend: BackendName | null;
  lock: { release(): void } | null;
  trouble: TidemarkError | null;
  pauseMs: number;
  retry: NodeJS.Timeout | null;
  /** The end of the last thing done to this root; the next one waits for it. */
  last: Promise<unknown>;
}

/** A root in trouble is tried again after a second at first, after a minute at last: a disk may be mounted any time. */
const FIRST_PAUSE_MS = 1_000;
const LONGEST_PAUSE_MS = 60_000;

export class HostedRoots implements Hosting {
  readonly #options: HostedRootsOptions;
  readonly #roots = new Map<RootPath, Hosted>();
  readonly #startedMs: number;
  #stopped = false;

  constructor(options: HostedRootsOptions) {
    this.#options = options;
    this.#startedMs = options.nowMs();
  }

  /**
   * Begins with every registered root; does not wait for them. Events wait for the first try of each: one that begins
   * later would miss those that others have taken by then.
   */
  start(): void {
    const { roots, damaged } = this.#options.registry.list();
    for (const { file, reason } of damaged) this.#options.log(`registered root not understood: ${file}: ${reason}`);
    const tries = roots.map((root) => this.#beginLoudly(this.#hosted(root)));
    void Promise.all(tries).then(() => this.#options.keeper.release());
  }

  /** A journal could not go on: its root is begun anew. */
  failed(rootPath: Buffer, error: unknown): void {
    const hosted = this.#roots.get(rootPath.toString('latin1') as RootPath);
    if (hosted === undefined || this.#stopped) return;
    this.#options.log(`${displayPath(hosted.root as string as BytePath)} cannot go on: ${displayText(String(error))}`);
    hosted.journal = null;
    hosted.trouble = asTrouble(error);
    hosted.retry = setTimeout(() => void this.#beginLoudly(hosted), hosted.pauseMs);
  }

  /** Begins with nothing new; what was begun is left to the host of journals. */
  async stop(): Promise<void> {
    this.#stopped = true;
    for (const { retry } of this.#roots.values()) if (retry !== null) clearTimeout(retry);
    await Promise.allSettled([...this.#roots.values()].map(({ last }) => last));
  }

  /** After the journals have ended. */
  releaseLocks(): void {
    for (const { lock } of this.#roots.values()) lock?.release();
  }

  facts(): ServiceFacts {
    const uptimeMs = Math.round(this.#options.nowMs() - this.#startedMs);
    return { workerPid: process.pid, program: VERSION, uptimeMs };
  }

  roots(): HostedRoot[] {
    return [...this.#roots.values()].map(({ root, backend, trouble }) => {
      return { root, backend, trouble: trouble === null ? null : trouble.message.slice(0, MAX_TEXT_LENGTH) };
    });
  }

  async journal(root: RootPath): Promise<JournalService> {
    const hosted = this.#roots.get(root);
    if (hosted === undefined) throw unknownJournal(root);
    return this.#begun(hosted);
  }

  /** Where it does not begin and was not registered before, it is not registered either. */
  async add(root: RootPath): Promise<BackendName> {
    const isNew = this.#options.registry.add(root);
    const hosted = this.#hosted(root);
    try {
      await this.#begun(hosted);
    } catch (error) {
      if (isNew) await this.remove(root, false);
      throw error;
    }
    return hosted.backend ?? 'scan';
  }

  /** What is to be forgotten is begun first where it is not: a journal forgets what it holds itself. */
  async remove(root: RootPath, forget: boolean): Promise<void> {
    const isRegistered = this.#options.registry.remove(root);
    if (!isRegistered && !forget && !this.#roots.has(root)) throw unknownJournal(root);
    const hosted = this.#hosted(root);
    if (hosted.retry !== null) clearTimeout(hosted.retry);
    await this.#inTurn(hosted, async () => {
      try {
        if (forget && hosted.journal === null) await this.#begin(hosted);
        if (hosted.journal !== null) await this.#options.keeper.remove(toBuffer(root), forget);
      } finally {
        hosted.lock?.release();
        this.#roots.delete(root);
      }
    });
  }

  #hosted(root: RootPath): Hosted {
    let hosted = this.#roots.get(root);
    if (hosted === undefined) {
      hosted = {
        root,
        journal: null,
        backend: null,
        lock: null,
        trouble: null,
        pauseMs: this.#options.firstPauseMs ?? FIRST_PAUSE_MS,
        retry: null,
        last: Promise.resolve(),
      };
      this.#roots.set(root, hosted);
    }
    return hosted;
  }

  #begun(hosted: Hosted): Promise<JournalService> {
    return this.#inTurn(hosted, async () => hosted.journal ?? (await this.#begin(hosted)));
  }

  async #begin(hosted: Hosted): Promise<JournalService> {
    if (this.#stopped) throw new TidemarkError('unavailable', 'daemon-stopping', 'the service is being stopped');
    try {
      hosted.lock ??= this.#options.lock(hosted.root);
      const journal = await this.#options.keeper.add(toBuffer(hosted.root));
      hosted.backend = (await journal.status()).backend;
      hosted.journal = journal;
      hosted.trouble = null;
      return journal;
    } catch (error) {
      hosted.trouble = asTrouble(error);
      hosted.lock?.release();
      hosted.lock = null;
      throw hosted.trouble;
    }
  }

  /** Nobody waits for the outcome: trouble is logged when it is new, and tried again. */
  async #beginLoudly(hosted: Hosted): Promise<void> {
    const before = hosted.trouble?.message;
    const name = displayPath(hosted.root as string as BytePath);
    try {
      await this.#begun(hosted);
      this.#options.log(`recording ${name} by ${hosted.backend}`);
    } catch (error) {
      const { message } = error as Error;
      if (message !== before) this.#options.log(`not recording ${name}: ${displayText(message)}`);
      if (this.#stopped || this.#roots.get(hosted.root) !== hosted) return;
      hosted.retry = setTimeout(() => void this.#beginLoudly(hosted), hosted.pauseMs);
      hosted.pauseMs = Math.min(LONGEST_PAUSE_MS, hosted.pauseMs * 2);
    }
  }

  #inTurn<T>(hosted: Hosted, work: () => Promise<T>): Promise<T> {
    const turn = hosted.last.then(work, work);
    hosted.last = turn.catch(() => {});
    return turn;
  }
}

export function unknownJournal(root: RootPath): TidemarkError {
  const name = displayPath(root as string as BytePath);
  return new TidemarkError('unavailable', 'journal-unknown', `${name} is not recorded`, {
    remedy: 'Have it recorded with tidemark journal add.',
  });
}

function asTrouble(error: unknown): TidemarkError {
  if (error instanceof TidemarkError) return error;
  const message = error instanceof Error ? error.message : String(error);
  return new TidemarkError('unavailable', 'journal-trouble', message, { cause: error });
}
