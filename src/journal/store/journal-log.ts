/**
 * What a journal told, by sequence number, for as long as a consumer may ask for it.
 *
 * Invariant: for a point p ≥ `floor` the log names everything that changed after p. Rows are purged up to what every
 * registered consumer acknowledged; without consumers the newest {@link KEPT_ROWS} stay. A consumer that was silent for
 * {@link IDLE_MS} is dropped, and finds its cursor below the floor.
 */
import { ByteReader, ByteWriter } from '../../platform/core/bytes.ts';
import {
  decodeGapRow,
  decodeLogRow,
  encodeGapRow,
  encodeLogRow,
  type GapRow,
  type LogRow,
} from '../core/journal-row.ts';
import { factKey, logKey, sequenceAt, sequenceBytes, TABLE } from '../core/tree-key.ts';
import type { Environment } from './environment.ts';
import { damaged } from './store-errors.ts';

/** Thirty days without a word. */
export const IDLE_MS = 30 * 24 * 3600 * 1000;

/** Rows kept for consumers that did not register: some tens of megabytes. */
export const KEPT_ROWS = 1_000_000;

/** Rows purged in one transaction. */
const PURGE_ROWS = 8192;

const LOG_FACT = factKey('journal log');
const CONSUMER_NAME = /^[\w.:@-]{1,100}$/;

/** A registered consumer: it needs nothing up to `sequence`. */
export interface Consumer {
  readonly name: string;
  readonly sequence: number;
  readonly seenMs: number;
}

export class JournalLog {
  readonly #environment: Environment;
  readonly #transaction: <T>(work: () => T) => T;
  #sequence = 0;
  #floor = 0;
  #loadedEpoch = -1;
  #isChanged = false;

  /** `transaction` runs work in one transaction of the store this log is part of. */
  constructor(environment: Environment, transaction: <T>(work: () => T) => T) {
    this.#environment = environment;
    this.#transaction = transaction;
    environment.onRollback(() => {
      this.#loadedEpoch = -1;
      this.#isChanged = false;
    });
  }

  /** Number of the newest row; 0 in a new log. */
  get sequence(): number {
    this.#load();
    return this.#sequence;
  }

  /** The oldest point that can be asked for. */
  get floor(): number {
    this.#load();
    return this.#floor;
  }

  /** Within a transaction. */
  append(row: LogRow): void {
    this.#load();
    this.#sequence++;
    this.#isChanged = true;
    this.#environment.put(logKey(this.#sequence), encodeLogRow(row));
  }

  /** True where the log still names everything after `sequence`. */
  reaches(sequence: number): boolean {
    this.#load();
    return sequence >= this.#floor && sequence <= this.#sequence;
  }

  /** Rows after `sequence`, oldest first. Throws `state-damaged` where one is missing. */
  *since(sequence: number): Generator<LogRow> {
    let expected = sequence + 1;
    const end = this.sequence;
    for (const { key, value } of this.#environment.rows(logKey(expected), logKey(end + 1))) {
      if (sequenceAt(key, 1) !== expected) break;
      expected++;
      yield decodeLogRow(value);
    }
    if (expected !== end + 1) throw damaged(this.#environment.folder, 'rows of the log are missing');
  }

  /** Everything logged is void: no cursor from before means anything. */
  forgetAll(): void {
    this.#load();
    this.#floor = this.#sequence;
    this.#isChanged = true;
  }

  consumers(): Consumer[] {
    return this.#environment.page(TABLE.consumer, `${TABLE.consumer}\xff`, 10_000).map(({ key, value }) => {
      const from = new ByteReader(value);
      return { name: key.slice(TABLE.consumer.length), sequence: from.u53(), seenMs: from.u53() };
    });
  }

  /** Durably: `name` needs nothing up to `sequence`. Never goes back. False where the name cannot be one. */
  acknowledge(name: string, sequence: number, nowMs: number): boolean {
    if (!CONSUMER_NAME.test(name)) return false;
    this.#transaction(() => {
      const known = this.consumers().find((consumer) => consumer.name === name);
      const point = Math.max(Math.min(sequence, this.sequence), known?.sequence ?? 0);
      this.#environment.put(TABLE.consumer + name, new ByteWriter(16).u53(point).u53(nowMs).take());
    });
    this.purge(nowMs);
    return true;
  }

  unregister(name: string, nowMs: number): void {
    this.#transaction(() => {
      if (this.#environment.has(TABLE.consumer + name)) this.#environment.remove(TABLE.consumer + name);
    });
    this.purge(nowMs);
  }

  /** Drops idle consumers and what nobody needs any more. */
  purge(nowMs: number): void {
    const consumers = this.consumers();
    const idle = consumers.filter(({ seenMs }) => nowMs - seenMs > IDLE_MS);
    const heard = consumers.filter((consumer) => !idle.includes(consumer));
    const kept = heard.length === 0 ? this.sequence - KEPT_ROWS : Math.min(...heard.map(({ sequence }) => sequence));
    if (idle.length > 0) {
      this.#transaction(() => {
        for (const { name } of idle) this.#environment.remove(TABLE.consumer + name);
      });
    }
    this.#purgeUpTo(kept);
  }

  /** Gaps by the epoch they began, oldest first. */
  gaps(): { readonly epoch: number; readonly gap: GapRow }[] {
    const rows = [...this.#environment.rows(TABLE.gap, `${TABLE.gap}\xff`)];
    return rows.map(({ key, value }) => ({ epoch: sequenceAt(key, 1), gap: decodeGapRow(value) }));
  }

  /** Within a transaction. */
  putGap(epoch: number, gap: GapRow): void {
    this.#environment.put(gapKey(epoch), encodeGapRow(gap));
  }

  /** Writes the log's facts; to be called before a transaction commits. */
  flush(): void {
    if (!this.#isChanged) return;
    this.#environment.put(LOG_FACT, new ByteWriter(16).u53(this.#sequence).u53(this.#floor).take());
    this.#isChanged = false;
  }

  #purgeUpTo(lowest: number): void {
    this.#load();
    while (this.#floor < lowest) {
      this.#transaction(() => {
        this.#load();
        const rows = this.#environment.page(logKey(0), logKey(lowest + 1), PURGE_ROWS);
        for (const { key } of rows) this.#environment.remove(key);
        const last = rows.at(-1);
        this.#floor = rows.length < PURGE_ROWS || last === undefined ? lowest : sequenceAt(last.key, 1);
        this.#isChanged = true;
        for (const { epoch, gap } of this.gaps()) {
          if (gap.closedAt !== null && gap.closedAt < this.#floor) this.#environment.remove(gapKey(epoch));
        }
      });
    }
  }

  #load(): void {
    if (this.#loadedEpoch === this.#environment.epoch) return;
    const fact = this.#environment.get(LOG_FACT);
    const from = fact === null ? null : new ByteReader(fact);
    this.#sequence = from?.u53() ?? 0;
    this.#floor = from?.u53() ?? 0;
    this.#loadedEpoch = this.#environment.epoch;
  }
}

function gapKey(epoch: number): string {
  return TABLE.gap + sequenceBytes(epoch);
}
