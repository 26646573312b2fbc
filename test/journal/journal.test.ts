/** Journals in this process, on real file systems, by every backend there is. */
import {
  appendFileSync,
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { closeGroups, openGroups } from '../../src/journal/backends.ts';
import type { BackendName, ChangesAnswer, JournalChange } from '../../src/journal/core/answers.ts';
import { JournalHost } from '../../src/journal/host.ts';
import type { JournalService } from '../../src/journal/service.ts';
import { ROOT } from '../../src/platform/core/byte-path.ts';
import type { GroupDescriptors } from '../../src/platform/fanotify.ts';
import { type Mount, type MountType, mountFresh, whyNotMountable } from '../support/mounts.ts';

interface Answer extends Omit<ChangesAnswer, 'changes'> {
  readonly changes: readonly JournalChange[];
}

/** A mounted file system with a root in it, and a home for the journal beside it. */
class Ground {
  readonly mount: Mount;
  readonly root: string;
  readonly home = mkdtempSync(join(tmpdir(), 'tidemark-journal-'));
  readonly #atBest: BackendName;
  groups: readonly GroupDescriptors[] = openGroups().groups;
  runId = 'a'.repeat(32);
  host: JournalHost | null = null;

  constructor(type: MountType, atBest: BackendName) {
    this.mount = mountFresh(type);
    this.#atBest = atBest;
    this.root = join(this.mount.folder, 'root');
    mkdirSync(this.root);
  }

  at(path: string): string {
    return join(this.root, path);
  }

  async begin(): Promise<JournalService> {
    this.host = await JournalHost.open({
      stateFolder: this.home,
      groups: this.groups,
      runId: this.runId,
      excluded: [],
      atBest: this.#atBest,
    });
    return this.host.add(Buffer.from(this.root));
  }

  async end(): Promise<void> {
    await this.host?.stop();
    this.host = null;
  }

  /** As if whoever keeps the groups had gone as well. */
  newRun(): void {
    closeGroups(this.groups);
    this.groups = openGroups().groups;
    this.runId = this.runId.replace(/^./, (first) => String.fromCharCode(first.charCodeAt(0) + 1));
  }

  async dispose(): Promise<void> {
    await this.end();
    closeGroups(this.groups);
    this.mount.unmount();
    rmSync(this.home, { recursive: true, force: true });
  }
}

async function since(journal: JournalService, cursor: string): Promise<Answer> {
  const answer = await journal.changes(cursor, ROOT);
  return { ...answer, changes: [...answer.changes].flat() };
}

/** Directories may be told for their times alone, of which nothing more can be said after a gap. */
const brief = ({ changes }: Answer) =>
  changes
    .filter(({ path }) => path !== '')
    .map(
      ({ path, kinds, renamedFrom }) => `${path} ${kinds.join('+')}${renamedFrom === null ? '' : ` < ${renamedFrom}`}`,
    );
const gapsOf = ({ gaps }: Answer) => gaps.map(({ kind, scope }) => `${kind} ${scope}`);

let ground: Ground;
afterEach(() => ground.dispose());

const TIERS: readonly (readonly [BackendName, MountType])[] = [
  ['fanotify-filesystem', 'ext4'],
  ['fanotify-filesystem', 'tmpfs'],
  ['fanotify-directory', 'ext4'],
  ['fanotify-directory', 'tmpfs'],
  ['scan', 'tmpfs'],
];

for (const [backend, type] of TIERS) {
  const missing = whyNotMountable(type) ?? openGroupsMissing(backend);
  const reason = missing === null ? '' : ` (${missing})`;
  describe.skipIf(missing !== null)(`a journal by ${backend} on ${type}${reason}`, () => onJournal(backend, type));
}

function openGroupsMissing(backend: BackendName): string | null {
  if (backend === 'scan') return null;
  const { groups, missing } = openGroups();
  closeGroups(groups);
  return missing.get(backend === 'fanotify-filesystem' ? 'file-systems' : 'directories') ?? null;
}

function onJournal(backend: BackendName, type: MountType): void {
  const hears = backend !== 'scan';
  beforeEach(() => {
    ground = new Ground(type, backend);
  });

  it('tells what changed after a cursor, each path once, and nothing twice', async () => {
    mkdirSync(ground.at('d'));
    writeFileSync(ground.at('d/f'), 'one');
    writeFileSync(ground.at('same'), 'same');
    const journal = await ground.begin();
    expect((await journal.status()).backend).toBe(backend);
    const { cursor } = await journal.checkpoint(ROOT);
    appendFileSync(ground.at('d/f'), 'two');
    mkdirSync(ground.at('new/deep'), { recursive: true });
    writeFileSync(ground.at('new/deep/g'), 'g');
    await journal.checkpoint(ROOT);
    const answer = await since(journal, cursor);
    const expected = ['d/f content+metadata', 'new entries', 'new/deep entries', 'new/deep/g content'];
    // Where no events come, what was stamped just before a look is read later, and may be told.
    expect(brief(answer).filter((line) => hears || line !== 'same content')).toEqual(expected);
    expect(answer.freshInstance).toBe(false);
    if (hears) expect(brief(await since(journal, answer.cursor))).toEqual([]);
    expect((await journal.verify()).differences).toEqual([]);
  });

  it('tells what is gone', async () => {
    mkdirSync(ground.at('d/e'), { recursive: true });
    writeFileSync(ground.at('d/e/f'), 'f');
    writeFileSync(ground.at('g'), 'g');
    const journal = await ground.begin();
    const { cursor } = await journal.checkpoint(ROOT);
    rmSync(ground.at('d'), { recursive: true });
    rmSync(ground.at('g'));
    const told = brief(await since(journal, cursor));
    expect(told).toContain('d removed');
    expect(told).toContain('g removed');
    expect((await journal.verify()).differences).toEqual([]);
  });

  it.runIf(hears)('tells where what was renamed came from', async () => {
    mkdirSync(ground.at('d'));
    writeFileSync(ground.at('d/f'), 'f');
    writeFileSync(ground.at('g'), 'g');
    const journal = await ground.begin();
    const { cursor } = await journal.checkpoint(ROOT);
    renameSync(ground.at('d'), ground.at('e'));
    renameSync(ground.at('e/f'), ground.at('h'));
    const told = brief(await since(journal, cursor));
    expect(told).toEqual(expect.arrayContaining(['d removed', 'e entries < d', 'h entries < d/f']));
    expect((await journal.verify()).differences).toEqual([]);
  });

  it.runIf(hears)('scans a tree that was moved in and renamed at once', async () => {
    const outside = join(ground.mount.folder, 'outside');
    mkdirSync(join(outside, 'deep/er'), { recursive: true });
    writeFileSync(join(outside, 'deep/er/f'), 'f');
    const journal = await ground.begin();
    const { cursor } = await journal.checkpoint(ROOT);
    renameSync(outside, ground.at('a'));
    renameSync(ground.at('a'), ground.at('b'));
    renameSync(ground.at('b/deep'), ground.at('c'));
    expect(brief(await since(journal, cursor))).toEqual(expect.arrayContaining(['c/er/f content']));
    writeFileSync(ground.at('c/er/g'), 'g');
    expect(brief(await since(journal, cursor))).toEqual(expect.arrayContaining(['c/er/g content']));
    expect((await journal.verify()).differences).toEqual([]);
  });

  it('tells a change under all names of a file', async () => {
    writeFileSync(ground.at('f'), 'f');
    linkSync(ground.at('f'), ground.at('g'));
    const journal = await ground.begin();
    const { cursor } = await journal.checkpoint(ROOT);
    appendFileSync(ground.at('f'), 'more');
    const told = brief(await since(journal, cursor));
    expect(told.map((line) => line.split(' ')[0])).toEqual(['f', 'g']);
  });

  it.runIf(hears)('goes on without a gap with the same groups, and with one without them', async () => {
    mkdirSync(ground.at('d'));
    let journal = await ground.begin();
    let { cursor } = await journal.checkpoint(ROOT);
    await ground.end();
    writeFileSync(ground.at('d/f'), 'while nobody looked, but the queue stood');
    journal = await ground.begin();
    const first = await since(journal, cursor);
    expect(brief(first)).toEqual(['d/f content']);
    expect(gapsOf(first)).toEqual([]);

    cursor = first.cursor;
    await ground.end();
    ground.newRun();
    writeFileSync(ground.at('d/g'), 'while there was no queue');
    rmSync(ground.at('d/f'));
    journal = await ground.begin();
    const second = await since(journal, cursor);
    expect(brief(second)).toEqual(expect.arrayContaining(['d/f removed', 'd/g content']));
    expect(gapsOf(second)).toEqual(['daemon-down ']);
    expect(second.freshInstance).toBe(false);
  });

  it.runIf(hears)('begins with a gap after it was not recorded while others were', async () => {
    const journal = await ground.begin();
    const { cursor } = await journal.checkpoint(ROOT);
    await ground.host?.remove(Buffer.from(ground.root), false);
    writeFileSync(ground.at('f'), 'nobody heard');
    await ground.end();
    const again = await ground.begin();
    const answer = await since(again, cursor);
    expect(gapsOf(answer)).toEqual(['daemon-down ']);
    expect(brief(answer)).toEqual(['f content']);
  });

  it('is a fresh instance where another root is at the same path, or the store is damaged', async () => {
    writeFileSync(ground.at('f'), 'f');
    let journal = await ground.begin();
    let { cursor } = await journal.checkpoint(ROOT);
    await ground.end();
    renameSync(ground.root, join(ground.mount.folder, 'before'));
    mkdirSync(ground.root);
    journal = await ground.begin();
    expect((await since(journal, cursor)).freshInstance).toBe(true);

    ({ cursor } = await journal.checkpoint(ROOT));
    await ground.end();
    const folder = join(ground.home, 'journals', readdirSync(join(ground.home, 'journals'))[0] ?? '');
    const store = readFileSync(join(folder, 'data.mdb'));
    store[store.length >> 1] = (store[store.length >> 1] as number) ^ 1;
    writeFileSync(join(folder, 'data.mdb'), store);
    journal = await ground.begin();
    expect((await since(journal, cursor)).freshInstance).toBe(true);
    expect(existsSync(join(folder, 'damaged-data.mdb'))).toBe(true);
  });

  it('answers while the root is away, and looks at all of it when it is back', async () => {
    writeFileSync(ground.at('f'), 'f');
    const journal = await ground.begin();
    const { cursor } = await journal.checkpoint(ROOT);
    renameSync(ground.root, `${ground.root}-away`);
    await expect(since(journal, cursor)).rejects.toMatchObject({ code: 'root-missing' });
    writeFileSync(`${ground.root}-away/g`, 'g');
    renameSync(`${ground.root}-away`, ground.root);
    const told = brief(await since(journal, cursor));
    expect(told.filter((line) => hears || line !== 'f content')).toEqual(['g content']);
    expect((await journal.verify()).differences).toEqual([]);
  });

  it('tells followers what happens while they are busy with an answer', async () => {
    const journal = await ground.begin();
    if (!hears) return;
    const ended = new AbortController();
    const seen: string[] = [];
    let rounds = 0;
    for await (const batch of journal.follow(ended.signal)) {
      seen.push(...batch.map(({ path }) => path));
      if (rounds++ === 0) writeFileSync(ground.at('f'), 'f');
      if (seen.includes('f') && !seen.includes('g')) {
        writeFileSync(ground.at('g'), 'g');
        // The event is absorbed before the next answer is asked for.
        await journal.changes(null, ROOT);
      }
      if (seen.includes('g')) ended.abort();
    }
    expect(seen).toEqual(expect.arrayContaining(['f', 'g']));
  });

  it('says of a cursor what it is', async () => {
    const journal = await ground.begin();
    const { cursor } = await journal.checkpoint(ROOT);
    for (const bad of ['', 'garbage', cursor.replace(/[0-9a-f]{8}/, '00000000')]) {
      expect((await since(journal, bad)).freshInstance).toBe(true);
      await expect(journal.acknowledge('one', bad)).rejects.toMatchObject({ code: 'bad-cursor' });
    }
  });
}
