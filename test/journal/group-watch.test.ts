import { describe, expect, it } from 'vitest';
import { type EventReader, GroupWatch } from '../../src/journal/group-watch.ts';
import type { EventConsumer } from '../../src/journal/source.ts';
import { EVENT, type FanotifyBatch, type FanotifyEvent } from '../../src/platform/fanotify.ts';

/** A ring of events, and what was done with it. */
class ScriptedReader implements EventReader {
  readonly done: string[] = [];
  queue: FanotifyBatch[] = [];
  used = 0;

  push(events: readonly FanotifyEvent[], more: Partial<FanotifyBatch> = {}): void {
    this.queue.push({ events, overflowed: false, hasMore: false, reset: false, ...more });
  }
  take(): FanotifyBatch {
    const batch = this.queue.shift() ?? { events: [], overflowed: false, hasMore: false, reset: false };
    return { ...batch, hasMore: this.queue.length > 0 };
  }
  commit(): void {
    this.done.push('commit');
  }
  usage(): number {
    return this.used;
  }
  async barrier(): Promise<void> {}
  keyOf = String;
  setForeign(directory: number): void {
    this.done.push(`foreign ${directory}`);
  }
  resetForeign(): void {
    this.done.push('reset');
  }
  follow(): void {}
  counters = () => ({ received: 0, foreign: 0 });
  stop(): void {
    this.done.push('stop');
  }
}

class ScriptedConsumer implements EventConsumer {
  readonly seen: string[] = [];
  readonly foreign: readonly number[];
  mustScan = false;
  breaksAt: string | null = null;
  onScan: () => void | Promise<void> = () => {};

  constructor(...foreign: readonly number[]) {
    this.foreign = foreign;
  }
  absorb(events: readonly FanotifyEvent[]): ReadonlySet<number> {
    for (const { name } of events) {
      if (name === this.breaksAt) throw new Error('broken');
      this.seen.push(name);
      if (name === 'tree') this.mustScan = true;
    }
    return new Set(this.foreign);
  }
  async scan(): Promise<void> {
    this.seen.push('scan');
    await this.onScan();
    this.mustScan = false;
  }
  overflowed(): void {
    this.seen.push('overflow');
  }
  forgetNumbers(): void {
    this.seen.push('forget numbers');
  }
  persist(): void {
    this.seen.push('persist');
  }
  onActivity(): void {}
  failed(error: unknown): void {
    this.seen.push(`failed: ${(error as Error).message}`);
  }
}

const event = (name: string): FanotifyEvent => ({ mask: EVENT.modify, directory: 1, name, target: null, from: null });

async function watching(...consumers: ScriptedConsumer[]): Promise<{ reader: ScriptedReader; watch: GroupWatch }> {
  const reader = new ScriptedReader();
  const watch = new GroupWatch(reader);
  for (const consumer of consumers) await watch.attach(consumer, async () => {});
  reader.done.length = 0;
  return { reader, watch };
}

describe('the line of events', () => {
  it('gives them in order to all, and scans before it takes more', async () => {
    const [one, two] = [new ScriptedConsumer(), new ScriptedConsumer()];
    const { reader, watch } = await watching(one, two);
    reader.push([event('a'), event('tree')]);
    reader.push([event('b')]);
    await watch.drain();
    expect(one.seen).toEqual(['a', 'tree', 'scan', 'b']);
    expect(two.seen).toEqual(one.seen);
  });

  it('takes nothing while a scan, or work in line, is under way', async () => {
    const one = new ScriptedConsumer();
    const { reader, watch } = await watching(one);
    const seen: string[][] = [];
    const held = watch.hold(async () => {
      reader.push([event('a')]);
      watch.onReadable();
      await new Promise((resolve) => setTimeout(resolve, 5));
      seen.push([...one.seen]);
    });
    await held;
    await watch.drain();
    expect(seen).toEqual([[]]);
    expect(one.seen).toEqual(['a']);
  });

  it('commits only after all have written down, once half of the ring is used', async () => {
    const one = new ScriptedConsumer();
    const { reader, watch } = await watching(one);
    reader.push([event('a')]);
    await watch.drain();
    expect(reader.done).toEqual([]);
    reader.used = 0.6;
    reader.push([event('b')]);
    await watch.drain();
    expect(one.seen).toEqual(['a', 'b', 'persist']);
    expect(reader.done).toEqual(['commit']);
  });

  it('passes on that events were dropped, and that numbers are void, before what follows', async () => {
    const one = new ScriptedConsumer();
    const { reader, watch } = await watching(one);
    reader.push([event('a')], { overflowed: true, reset: true });
    await watch.drain();
    expect(one.seen).toEqual(['forget numbers', 'overflow', 'a']);
  });

  it('drops only what is foreign to all', async () => {
    const { reader, watch } = await watching(new ScriptedConsumer(1, 2), new ScriptedConsumer(2, 3));
    reader.push([event('a')]);
    await watch.drain();
    expect(reader.done).toEqual(['foreign 2']);
  });

  it('goes on without a consumer that fails', async () => {
    const [one, two] = [new ScriptedConsumer(), new ScriptedConsumer()];
    const { reader, watch } = await watching(one, two);
    one.breaksAt = 'b';
    reader.push([event('a'), event('b')]);
    reader.push([event('c')]);
    await watch.drain();
    expect(one.seen).toEqual(['a', 'failed: broken']);
    expect(two.seen).toEqual(['a', 'b', 'c']);
  });

  it('and without one whose scan fails', async () => {
    const [one, two] = [new ScriptedConsumer(), new ScriptedConsumer()];
    const { reader, watch } = await watching(one, two);
    one.onScan = () => {
      throw new Error('no scan');
    };
    reader.push([event('tree')]);
    reader.push([event('c')]);
    await watch.drain();
    expect(one.seen).toEqual(['tree', 'scan', 'failed: no scan']);
    expect(two.seen).toEqual(['tree', 'scan', 'c']);
  });

  it('tells who comes late that events were taken before', async () => {
    const { reader, watch } = await watching(new ScriptedConsumer());
    const late: boolean[] = [];
    const note = async (isLate: boolean): Promise<void> => void late.push(isLate);
    await watch.attach(new ScriptedConsumer(), note);
    reader.push([event('a')]);
    await watch.drain();
    await watch.attach(new ScriptedConsumer(), note);
    expect(late).toEqual([false, true]);
  });

  it('takes nothing before it is released, and nothing after it was stopped', async () => {
    const reader = new ScriptedReader();
    const watch = new GroupWatch(reader, true);
    const one = new ScriptedConsumer();
    await watch.attach(one, async () => {});
    reader.push([event('a')]);
    watch.onReadable();
    await new Promise((resolve) => setTimeout(resolve, 5));
    expect(one.seen).toEqual([]);
    watch.release();
    await watch.drain();
    expect(one.seen).toEqual(['a']);
    await watch.stop();
    reader.push([event('b')]);
    watch.onReadable();
    await new Promise((resolve) => setTimeout(resolve, 5));
    expect(one.seen).toEqual(['a', 'persist']);
    expect(reader.done.at(-1)).toBe('stop');
  });
});
