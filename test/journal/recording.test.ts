import { afterEach, describe, expect, it } from 'vitest';
import type { Gap } from '../../src/journal/core/answers.ts';
import { NOTICE } from '../../src/journal/core/kinds.ts';
import { placeBytes } from '../../src/journal/core/tree-key.ts';
import type { JournalScanResult } from '../../src/journal/journal-scan.ts';
import { Recording } from '../../src/journal/recording.ts';
import type { ChangeSource } from '../../src/journal/source.ts';
import { type BytePath, ROOT } from '../../src/platform/core/byte-path.ts';
import { TidemarkError } from '../../src/platform/core/errors.ts';
import { EVENT } from '../../src/platform/fanotify.ts';
import { Ground } from './absorbing.ts';

const ROOT_KEY = 'fsidfsidroot';
const NOTHING_FOUND: JournalScanResult = { scanned: 0, linked: [], waiting: [], again: [], unmarked: [] };

let ground: Ground;
afterEach(() => ground.dispose());

/** A recording with a scripted thread: what is scanned, and what that finds. */
class Scripted {
  readonly scanned: string[] = [];
  readonly failures: unknown[] = [];
  found: (scope: string) => Partial<JournalScanResult> = () => ({});
  rootKey: string | null = ROOT_KEY;
  recording: Recording;

  constructor() {
    ground = new Ground();
    ground.store.transaction(() => {
      ground.store.setState({ ...ground.store.state(), hasBaseline: true, rootKey: ROOT_KEY });
    });
    this.recording = this.#begin();
  }

  /** Another process goes on. */
  crash(): void {
    ground.crash();
    this.recording = this.#begin();
  }

  gaps(): string[] {
    return this.recording.openGaps().map(({ kind, scope }: Gap) => `${kind} ${scope}`);
  }

  #begin(): Recording {
    const source: ChangeSource = {
      backend: 'fanotify-directory',
      whyNotBetter: null,
      seesNewDirectories: false,
      keysChange: false,
      attach: (_consumer, prepare) => prepare(false),
      detach: async () => {},
      drain: async () => [],
      hold: (work) => work(),
      persist() {},
      blindScopes: () => [],
      markMounts: () => [],
      keyOf: (number) => ground.keyOf(number),
      statOf: () => null,
      follow() {},
      silence: () => false,
      unsilence() {},
      counters: () => ({ received: 0, foreign: 0 }),
    };
    return new Recording({
      store: ground.store,
      protocol: ground.protocol,
      source,
      hiddenName: '.tidemark',
      excluded: [],
      weakened: [],
      call: async <Result>(name: string, argument: object) => this.#call(name, argument) as Result,
      rootKey: () => this.rootKey,
      onFailed: (error) => this.failures.push(error),
    });
  }

  #call(name: string, argument: object): JournalScanResult | undefined {
    if (name !== 'scan') return undefined;
    const { scope } = argument as { scope: BytePath };
    this.scanned.push(scope);
    return { ...NOTHING_FOUND, ...this.found(scope) };
  }
}

describe('what has to be scanned', () => {
  it('is scanned before more is absorbed, and only once', async () => {
    const scripted = new Scripted();
    scripted.recording.absorb([ground.event(EVENT.create | EVENT.directory, 'root', 'd', 'D')]);
    expect(scripted.recording.mustScan).toBe(true);
    await scripted.recording.scan();
    expect(scripted.scanned).toEqual(['d']);
    expect(scripted.recording.mustScan).toBe(false);
    expect(ground.noticed('d') & NOTICE.subtree).toBe(0);
  });

  it('is still to be scanned where it could not be listed for certain', async () => {
    const scripted = new Scripted();
    scripted.recording.absorb([ground.event(EVENT.create | EVENT.directory, 'root', 'd', 'D')]);
    scripted.found = () => ({ again: [placeBytes(1, 'd')], waiting: [placeBytes(1, 'd')] });
    await scripted.recording.scan();
    expect(ground.noticed('d') & NOTICE.subtree).toBe(NOTICE.subtree);
  });

  it('is scanned by the process that comes after one that was killed', async () => {
    const scripted = new Scripted();
    scripted.recording.absorb([ground.event(EVENT.create | EVENT.directory, 'root', 'd', 'D')]);
    scripted.crash();
    await scripted.recording.begin(null, false);
    expect(scripted.scanned).toEqual(['d']);
  });
});

describe('a gap', () => {
  it('is told with its epoch, and closed by a look at its scope', async () => {
    const scripted = new Scripted();
    scripted.recording.overflowed();
    expect(scripted.gaps()).toEqual(['overflow ']);
    await scripted.recording.scan();
    expect(scripted.scanned).toEqual([ROOT]);
    expect(scripted.gaps()).toEqual([]);
    expect(scripted.recording.gapsSince(0)).toEqual([{ kind: 'overflow', scope: ROOT }]);
    expect(scripted.recording.gapsSince(1)).toEqual([]);
  });

  it('is still open after a crash in the middle of that look', async () => {
    const scripted = new Scripted();
    scripted.recording.overflowed();
    scripted.found = () => {
      throw new Error('killed');
    };
    await expect(scripted.recording.scan()).rejects.toThrow('killed');
    scripted.crash();
    expect(scripted.gaps()).toEqual(['overflow ']);
  });

  it('begins where a journal fails: who comes after has not heard what came meanwhile', () => {
    const scripted = new Scripted();
    scripted.recording.failed(new Error('full'));
    expect(scripted.failures.length).toBe(1);
    expect(() => scripted.recording.check()).toThrow('full');
    scripted.crash();
    expect(scripted.gaps()).toEqual(['daemon-down ']);
  });
});

describe('the root', () => {
  it('away, is a gap that outlives the process; back, it is looked at', async () => {
    const scripted = new Scripted();
    scripted.rootKey = null;
    await scripted.recording.mountsChanged();
    expect(() => scripted.recording.check()).toThrow(expect.objectContaining({ code: 'root-missing' }));
    expect(scripted.recording.mustScan).toBe(false);
    scripted.crash();
    expect(scripted.gaps()).toEqual(['unmounted ']);
    scripted.rootKey = ROOT_KEY;
    await scripted.recording.begin(null, false);
    expect(scripted.scanned).toEqual([ROOT]);
    expect(scripted.gaps()).toEqual([]);
  });

  it('found missing by a scan, is no failure of the journal', async () => {
    const scripted = new Scripted();
    scripted.recording.overflowed();
    scripted.found = () => {
      throw new TidemarkError('unavailable', 'root-missing', 'not there');
    };
    await scripted.recording.scan();
    expect(scripted.failures).toEqual([]);
    expect(scripted.recording.isAlive).toBe(false);
    scripted.found = () => ({});
    await scripted.recording.lookForRoot();
    expect(scripted.recording.isAlive).toBe(true);
    expect(scripted.gaps()).toEqual([]);
  });

  it('mounted anew, has other keys from then on', async () => {
    const scripted = new Scripted();
    scripted.rootKey = 'FSIDFSIDroot';
    await scripted.recording.mountsChanged();
    expect(ground.store.state().rootKey).toBe('FSIDFSIDroot');
    expect(scripted.scanned).toEqual([ROOT]);
  });
});

describe('directories without a mark', () => {
  it('are a gap that stays, and are looked at in each round until there is a mark', async () => {
    const scripted = new Scripted();
    ground.record('d/');
    scripted.recording.overflowed();
    scripted.found = () => ({ unmarked: ['d' as BytePath] });
    await scripted.recording.scan();
    expect(scripted.gaps()).toEqual(['mark-lost d']);
    expect(scripted.recording.mustScan).toBe(false);
    expect(scripted.recording.gapsSince(99)).toEqual([{ kind: 'mark-lost', scope: 'd' }]);

    scripted.crash();
    scripted.scanned.length = 0;
    await scripted.recording.catchUp();
    expect(scripted.scanned).toEqual(['d']);
    expect(scripted.gaps()).toEqual(['mark-lost d']);

    scripted.found = () => ({});
    await scripted.recording.catchUp();
    expect(scripted.gaps()).toEqual([]);
    scripted.scanned.length = 0;
    await scripted.recording.catchUp();
    expect(scripted.scanned).toEqual([]);
  });

  it('are found again where they are renamed', async () => {
    const scripted = new Scripted();
    ground.record('d/');
    scripted.recording.overflowed();
    scripted.found = (scope) => ({ unmarked: [scope === ROOT ? ('d' as BytePath) : (scope as BytePath)] });
    await scripted.recording.scan();
    scripted.recording.absorb([ground.rename('root/d', 'root/e', 'd', true)]);
    await scripted.recording.scan();
    expect(scripted.gaps()).toContain('mark-lost e');
  });

  it('are the whole root where there are many', async () => {
    const scripted = new Scripted();
    scripted.recording.overflowed();
    scripted.found = () => ({ unmarked: Array.from({ length: 300 }, (_, index) => `d${index}` as BytePath) });
    await scripted.recording.scan();
    expect(scripted.gaps()).toEqual(['mark-lost ']);
  });
});

describe('what was absorbed', () => {
  it('is written down once, and again where the store did not take it', () => {
    const scripted = new Scripted();
    scripted.recording.absorb([ground.event(EVENT.modify, 'root', 'f')]);
    const rows = () => [...ground.store.dirty()].length;
    expect(() =>
      scripted.recording.writing(() => {
        scripted.recording.persist();
        throw new Error('full');
      }),
    ).toThrow('full');
    expect(rows()).toBe(0);
    scripted.recording.persist();
    expect(rows()).toBe(1);
  });
});
