/** The journal's commands on a root that is recorded: by the service, in the foreground, by nobody. */
import { once } from 'node:events';
import {
  appendFileSync,
  chmodSync,
  closeSync,
  mkdirSync,
  openSync,
  renameSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { JournalGround, lineOf, sinceOf } from '../support/journals.ts';
import { AS_NOBODY, itWith } from './skips.ts';

let ground: JournalGround;
beforeEach(() => {
  ground = new JournalGround();
});
afterEach(() => ground.close());

const at = (...names: readonly string[]) => join(ground.root, ...names);

/** What must hold whoever records the root. */
const WAYS = ['the service', 'the foreground', 'nobody'] as const;
type Way = (typeof WAYS)[number];

async function begin(way: Way): Promise<void> {
  if (way === 'the service') await ground.recordInService();
  if (way === 'the foreground') {
    await lineOf(ground.start('journal', 'record', ground.root, '--json'), ({ type }) => type === 'recording');
  }
}

describe.each(WAYS)('recorded by %s', (way) => {
  it('what changes after a checkpoint is told once, with its kinds, and nothing else', async () => {
    mkdirSync(at('deep/er'), { recursive: true });
    for (const name of ['same', 'edited', 'gone', 'moved', 'mode', 'deep/er/x']) writeFileSync(at(name), name);
    await begin(way);
    const { cursor } = await ground.checkpoint();
    expect((await ground.since(cursor)).paths).toEqual([]);
    appendFileSync(at('edited'), ' more');
    rmSync(at('gone'));
    renameSync(at('moved'), at('deep/moved-here'));
    chmodSync(at('mode'), 0o600);
    writeFileSync(at('new'), 'new');
    for (let n = 0; n < 50; n++) writeFileSync(at('deep/er/x'), `${n}`.padEnd(n));
    const { changes, freshInstance } = await ground.since(cursor);
    expect(freshInstance).toBe(false);
    const kinds = new Map(changes.map((change) => [change.path, change]));
    expect(kinds.size).toBe(changes.length);
    const told = changes.map(({ path }) => path).filter((path) => !['', 'deep', 'deep/er', 'moved'].includes(path));
    expect(told.sort()).toEqual(['deep/er/x', 'deep/moved-here', 'edited', 'gone', 'mode', 'new']);
    expect(kinds.get('edited')?.kinds).toContain('content');
    expect(kinds.get('gone')?.kinds).toContain('removed');
    expect(kinds.get('mode')?.kinds).toContain('metadata');
    if (way !== 'nobody') expect(kinds.get('deep/moved-here')?.renamedFrom).toBe('moved');
    await ground.verifyWell();
  });

  it('cursors follow one another; an old one still knows everything after it', async () => {
    await begin(way);
    const { cursor: first } = await ground.checkpoint();
    writeFileSync(at('one'), '1');
    const second = await ground.since(first);
    writeFileSync(at('two'), '2');
    const third = await ground.since(second.cursor);
    expect(second.paths).toContain('one');
    expect(third.paths).toContain('two');
    expect(third.paths).not.toContain('one');
    expect((await ground.since(first)).paths).toEqual(expect.arrayContaining(['one', 'two']));
    expect((await ground.since(third.cursor)).paths.filter((path) => path !== '')).toEqual([]);
  });

  it('garbage, and the cursor of another root, are a fresh instance that lists everything', async () => {
    writeFileSync(at('a'), 'a');
    mkdirSync(at('d'));
    writeFileSync(at('d/b'), 'b');
    await begin(way);
    const { cursor } = await ground.checkpoint();
    const other = join(ground.folder, 'other');
    mkdirSync(other);
    const foreign = (await ground.well('journal', 'checkpoint', other, '--json')).events.at(-1)?.cursor as string;
    for (const unknown of ['garbage', '0', `${cursor}1`, cursor.toUpperCase(), foreign, '\x1b[2J', 'é'.repeat(900)]) {
      const answer = await ground.since(unknown);
      expect(answer.freshInstance, unknown).toBe(true);
      expect(answer.paths, unknown).toEqual(expect.arrayContaining(['a', 'd', 'd/b']));
    }
    expect((await ground.since(cursor)).freshInstance).toBe(false);
  });

  it('a file that is open for writing is hot, is told again, and settles when it is closed', async () => {
    writeFileSync(at('calm'), 'x');
    await begin(way);
    const { cursor } = await ground.checkpoint();
    const file = openSync(at('database'), 'w');
    writeSync(file, 'page');
    const taken = await ground.checkpoint();
    expect(taken.hot).toEqual(['database']);
    expect((await ground.since(cursor)).changes.find(({ path }) => path === 'database')).toMatchObject({ hot: true });
    const again = await ground.since(taken.cursor);
    expect(again.changes.find(({ path }) => path === 'database')).toMatchObject({ hot: true });
    closeSync(file);
    const settled = await ground.since(again.cursor);
    expect(settled.changes.find(({ path }) => path === 'database')).toMatchObject({ hot: false });
    expect((await ground.checkpoint()).hot).toEqual([]);
  });

  it('a subtree has its own checkpoints', async () => {
    for (const name of ['in', 'out']) mkdirSync(at(name));
    await begin(way);
    const { cursor } = await ground.checkpoint();
    writeFileSync(at('in/a'), 'a');
    writeFileSync(at('out/b'), 'b');
    await ground.checkpoint('--subtree', 'in');
    const inside = await ground.since(cursor, '--subtree', 'in');
    expect(inside.paths).toContain('in/a');
    expect(inside.paths).not.toContain('out/b');
    expect((await ground.since(cursor)).paths).toEqual(expect.arrayContaining(['in/a', 'out/b']));
  });

  it('acknowledgements', async () => {
    await begin(way);
    const { cursor } = await ground.checkpoint();
    await ground.well('journal', 'ack', 'backup', cursor, ground.root);
    writeFileSync(at('a'), 'a');
    expect((await ground.since(cursor)).paths).toContain('a');
    const refused = await ground.run('journal', 'ack', 'backup', 'garbage', ground.root);
    expect(refused.code).toBe(2);
  });

  it('names of any bytes', async () => {
    await begin(way);
    const { cursor } = await ground.checkpoint();
    const odd = Buffer.concat([Buffer.from(`${ground.root}/caf`), Buffer.from([0xe9, 0x0a])]);
    writeFileSync(odd, 'x');
    const { changes } = await ground.since(cursor);
    expect(changes.find(({ path }) => path === 'caf\\xe9\\n')).toMatchObject({
      pathBytes: Buffer.from([0x63, 0x61, 0x66, 0xe9, 0x0a]).toString('base64'),
    });
    const text = await ground.well('journal', 'since', cursor, ground.root);
    expect(text.stdout).toContain('caf\\xe9\\n');
  });

  it('status', async () => {
    await begin(way);
    const { events } = await ground.well('journal', 'status', ground.root, '--json');
    expect(events.at(-1)).toMatchObject({ type: 'status', recording: way !== 'nobody', gaps: expect.any(Array) });
    if (way === 'nobody') expect(events.at(-1)).toMatchObject({ backend: 'scan' });
  });
});

it('verify reads everything, and what it hashed for the first time is compared the next time', async () => {
  for (const name of ['a', 'b', 'c']) writeFileSync(at(name), name);
  await ground.recordInService();
  const counts = async () => (await ground.well('journal', 'verify', ground.root, '--json')).events.at(-1);
  expect(await counts()).toMatchObject({ type: 'summary', result: 'equal', differences: 0 });
  expect(await counts()).toMatchObject({ result: 'equal', compared: 3, firstHashed: 0 });
});

describe('log', () => {
  it('lists what the journal holds, and ends', async () => {
    await ground.recordInService();
    await ground.checkpoint();
    writeFileSync(at('logged'), 'x');
    await ground.checkpoint();
    const { events } = await ground.well('journal', 'log', ground.root, '--json');
    expect(events.map(({ path }) => path)).toContain('logged');
  });

  it('-f goes on with what comes, until interrupted: 130', async () => {
    await ground.recordInService();
    writeFileSync(at('before'), 'x');
    await ground.checkpoint();
    const log = ground.start('journal', 'log', ground.root, '-f', '--json');
    await lineOf(log, ({ path }) => path === 'before');
    const seen = lineOf(log, ({ path }) => path === 'after');
    writeFileSync(at('after'), 'x');
    await seen;
    const ended = once(log, 'close');
    log.kill('SIGINT');
    expect(await ended).toEqual([130, null]);
  });

  it('-f where nobody records: 4, and what to do', async () => {
    const { code, stderr } = await ground.run('journal', 'log', ground.root, '-f');
    expect(code).toBe(4);
    expect(stderr).toContain('tidemark journal add');
  });
});

describe('roots', () => {
  it('one that is not there, or no directory: 4 and a remedy', async () => {
    writeFileSync(join(ground.folder, 'file'), '');
    for (const name of ['missing', 'file']) {
      for (const command of ['add', 'checkpoint', 'status', 'record']) {
        const { code, stdout, stderr } = await ground.run('journal', command, join(ground.folder, name));
        expect({ code, stdout }, `${command} ${name}`).toEqual({ code: 4, stdout: '' });
        expect(stderr.trimEnd().split('\n')).toHaveLength(2);
      }
    }
    const removed = await ground.run('journal', 'remove', ground.root);
    expect(removed.code).toBe(4);
  });

  it('added while no service runs, it is recorded by the next one; removed, no more', async () => {
    const added = await ground.well('journal', 'add', ground.root, '--json');
    expect(added.events.at(-1)).toMatchObject({ recording: false });
    await ground.well('daemon', 'start');
    const { events } = await ground.well('journal', 'status', ground.root, '--json');
    expect(events.at(-1)).toMatchObject({ recording: true });
    expect((await ground.service()).roots).toHaveLength(1);
    await ground.well('journal', 'remove', ground.root);
    expect((await ground.service()).roots).toEqual([]);
    const after = await ground.well('journal', 'status', ground.root, '--json');
    expect(after.events.at(-1)).toMatchObject({ recording: false });
  });

  it.each(['with a service', 'without one'])('forgotten %s, every cursor of it is unknown', async (how) => {
    if (how === 'with a service') await ground.recordInService();
    else await ground.well('journal', 'add', ground.root);
    const { cursor } = await ground.checkpoint();
    await ground.well('journal', 'remove', ground.root);
    expect((await ground.since(cursor)).freshInstance).toBe(false);
    await ground.well('journal', 'remove', '--forget', ground.root);
    expect((await ground.since(cursor)).freshInstance).toBe(true);
  });

  it('one that went away does not keep the others from being recorded, and comes back', async () => {
    const other = join(ground.folder, 'other');
    mkdirSync(other);
    await ground.well('journal', 'add', other);
    await ground.well('journal', 'add', ground.root);
    renameSync(other, `${other}.away`);
    await ground.well('daemon', 'start');
    const { cursor } = await ground.checkpoint();
    writeFileSync(at('a'), 'a');
    expect((await ground.since(cursor)).paths).toContain('a');
    const status = await ground.run('journal', 'status', other);
    expect(status.code).toBe(4);
    renameSync(`${other}.away`, other);
    const back = await ground.well('journal', 'status', other, '--json');
    expect(back.events.at(-1)).toMatchObject({ recording: true });
  });

  it('two recorders of one root: 6, and who has it', async () => {
    const recorder = ground.start('journal', 'record', ground.root, '--json');
    await lineOf(recorder, ({ type }) => type === 'recording');
    const second = await ground.run('journal', 'record', ground.root);
    expect(second.code).toBe(6);
    expect(second.stderr).toContain(`process ${recorder.pid}`);
    const ended = once(recorder, 'close');
    recorder.kill('SIGTERM');
    expect(await ended).toEqual([143, null]);
  });
});

itWith('otherUser', 'addon')('another user records his own directory, one directory after the other', async () => {
  const theirs = new JournalGround(AS_NOBODY);
  try {
    mkdirSync(join(theirs.root, 'd'), { mode: 0o777 });
    chmodSync(join(theirs.root, 'd'), 0o777);
    await theirs.recordInService();
    const { cursor } = await theirs.checkpoint();
    writeFileSync(join(theirs.root, 'd/mine'), 'x');
    mkdirSync(join(theirs.root, 'new'));
    writeFileSync(join(theirs.root, 'new/deep'), 'x');
    const { paths, backend } = await theirs.since(cursor);
    expect(backend).toBe('fanotify-directory');
    expect(paths).toEqual(expect.arrayContaining(['d/mine', 'new/deep']));
    const asked = await theirs.run('journal', 'status', theirs.root, '--json');
    expect(asked.events.at(-1)).toMatchObject({ whyNotBetter: expect.stringContaining('CAP_SYS_ADMIN') });
    // Root, with the same home, is somebody else.
    const { tidemark } = await import('../support/tidemark.ts');
    const foreign = await tidemark(['journal', 'status', theirs.root], { home: theirs.home });
    expect(foreign.code).toBe(4);
  } finally {
    await theirs.close();
  }
});

it('the answer of a root without changes is empty, and quick to read', async () => {
  await ground.recordInService();
  const { cursor } = await ground.checkpoint();
  const quiet = sinceOf(await ground.well('journal', 'since', cursor, ground.root, '--json'));
  expect(quiet).toMatchObject({ freshInstance: false, gaps: [], changes: [] });
});
