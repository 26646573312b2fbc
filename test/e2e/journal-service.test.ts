/** The service that records journals: who may die when, and what is known afterwards. */
import { once } from 'node:events';
import {
  appendFileSync,
  mkdirSync,
  openSync,
  readdirSync,
  readSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { JournalGround, sinceOf } from '../support/journals.ts';
import { AS_NOBODY, itWith } from './skips.ts';

let ground: JournalGround;
beforeEach(() => {
  ground = new JournalGround();
});
afterEach(() => ground.close());

const at = (...names: readonly string[]) => join(ground.root, ...names);

describe('start and stop', () => {
  it('start returns when it serves; stop when it has ended; status tells', async () => {
    expect(await ground.run('daemon', 'status')).toMatchObject({ code: 4 });
    await ground.recordInService();
    const status = await ground.run('daemon', 'status', '--json');
    expect(status.code).toBe(0);
    expect(status.events.at(-1)).toMatchObject({
      type: 'status',
      running: true,
      pid: expect.any(Number),
      workerPid: expect.any(Number),
      uptimeMs: expect.any(Number),
      roots: [{ root: ground.root, backend: expect.stringMatching(/^(fanotify|chokidar|scan)/) }],
    });
    await ground.well('daemon', 'stop');
    expect(await ground.run('daemon', 'status')).toMatchObject({ code: 4 });
    expect(await ground.run('daemon', 'stop')).toMatchObject({ code: 0 });
  });

  it('never two: 6, and who runs', async () => {
    await ground.well('daemon', 'start');
    const { pid } = await ground.service();
    for (const command of ['start', 'run']) {
      const second = await ground.run('daemon', command);
      expect(second.code, command).toBe(6);
      expect(second.stderr).toContain(`process ${pid}`);
    }
    expect((await ground.service()).pid).toBe(pid);
  });

  it('run ends with 0 when it is told to', async () => {
    const service = ground.start('daemon', 'run');
    let said = '';
    service.stderr?.on('data', (chunk: Buffer) => {
      said += chunk.toString();
    });
    while (!said.includes('serves')) await once(service.stderr as NonNullable<typeof service.stderr>, 'data');
    const ended = once(service, 'close');
    service.kill('SIGTERM');
    expect(await ended).toEqual([0, null]);
    expect(said).toContain('everything is drained and recorded');
  });

  it('the socket is for its user only', async () => {
    await ground.well('daemon', 'start');
    const folder = join(ground.home, 'run');
    expect(statSync(folder).mode & 0o777).toBe(0o700);
    expect(statSync(join(folder, 'daemon.sock')).mode & 0o777).toBe(0o600);
  });
});

describe('the worker is killed', () => {
  itWith('addon')('no gap, and nothing that happened meanwhile is missed', async () => {
    await ground.recordInService();
    const { cursor } = await ground.checkpoint();
    const { workerPid } = await ground.service();
    writeFileSync(at('before'), 'x');
    await ground.killWorker();
    writeFileSync(at('meanwhile'), 'x');
    const answer = await ground.since(cursor);
    expect(answer).toMatchObject({ freshInstance: false, gaps: [] });
    expect(answer.paths).toEqual(expect.arrayContaining(['before', 'meanwhile']));
    expect((await ground.service()).workerPid).not.toBe(workerPid);
    await ground.verifyWell();
  });

  itWith('addon')('again and again, while files change', async () => {
    await ground.recordInService();
    let { cursor } = await ground.checkpoint();
    for (let round = 0; round < 4; round++) {
      writeFileSync(at(`a${round}`), 'x');
      await ground.killWorker();
      writeFileSync(at(`b${round}`), 'x');
      const answer = await ground.since(cursor);
      expect(answer).toMatchObject({ freshInstance: false, gaps: [] });
      expect(answer.paths).toEqual(expect.arrayContaining([`a${round}`, `b${round}`]));
      cursor = answer.cursor;
    }
  });
});

describe('everything ends', () => {
  it('killed: one gap, closed by a look at the tree, nothing missed', async () => {
    mkdirSync(at('d'));
    writeFileSync(at('d/a'), 'one');
    await ground.recordInService();
    const { cursor } = await ground.checkpoint();
    const { backend } = await ground.since(cursor);
    writeFileSync(at('before'), 'x');
    await ground.killService();
    appendFileSync(at('d/a'), ' two');
    writeFileSync(at('meanwhile'), 'x');
    await ground.well('daemon', 'start');
    const answer = await ground.since(cursor);
    expect(answer.freshInstance).toBe(false);
    expect(answer.paths).toEqual(expect.arrayContaining(['before', 'd/a', 'meanwhile']));
    if (backend.startsWith('fanotify')) expect(answer.gaps).toEqual([{ kind: 'daemon-down', scope: '' }]);
    await ground.verifyWell();
  });

  it('only the supervisor is killed: the worker ends by itself, and a new service takes over', async () => {
    await ground.recordInService();
    const { cursor } = await ground.checkpoint();
    const { pid } = await ground.service();
    writeFileSync(at('before'), 'x');
    process.kill(pid, 'SIGKILL');
    await ground.well('daemon', 'start');
    writeFileSync(at('after'), 'x');
    expect((await ground.since(cursor)).paths).toEqual(expect.arrayContaining(['before', 'after']));
  });

  it('a clean stop and start: a gap that a look at the tree closes, and the answer is complete', async () => {
    await ground.recordInService();
    const { cursor } = await ground.checkpoint();
    writeFileSync(at('before'), 'x');
    await ground.well('daemon', 'stop');
    writeFileSync(at('meanwhile'), 'x');
    await ground.well('daemon', 'start');
    writeFileSync(at('after'), 'x');
    const answer = await ground.since(cursor);
    expect(answer.freshInstance).toBe(false);
    expect(answer.paths).toEqual(expect.arrayContaining(['before', 'meanwhile', 'after']));
    const { gaps } = await ground.since(answer.cursor);
    expect(gaps).toEqual([]);
    await ground.verifyWell();
  });
});

describe('the store is damaged', () => {
  /** Data files of every journal of this home. */
  function stores(): string[] {
    const folder = join(ground.home, 'state/journals');
    return readdirSync(folder).map((name) => join(folder, name, 'data.mdb'));
  }

  async function prepared(): Promise<string> {
    for (let n = 0; n < 200; n++) writeFileSync(at(`file-${n}`), `${n}`);
    const { cursor } = await ground.checkpoint();
    writeFileSync(at('file-7'), 'changed');
    writeFileSync(at('new'), 'new');
    return cursor;
  }

  /** A clear error, a fresh instance, or the whole truth. */
  async function expectNoLie(cursor: string, what: string): Promise<void> {
    const result = await ground.run('journal', 'since', cursor, ground.root, '--json');
    if (result.code !== 0) {
      expect(result.code, what).toBe(4);
      expect(result.stderr, what).not.toContain('This is a bug');
      return;
    }
    const answer = sinceOf(result);
    expect(answer.paths, what).toEqual(expect.arrayContaining(['file-7', 'new']));
    if (answer.freshInstance)
      expect(
        answer.paths.filter((path) => path.startsWith('file-')),
        what,
      ).toHaveLength(200);
  }

  it.each([0, 1, 4096, 20_000])('cut to %i bytes', async (length) => {
    const cursor = await prepared();
    for (const file of stores()) truncateSync(file, length);
    await expectNoLie(cursor, `cut to ${length}`);
  });

  it('bits are flipped, anywhere', async () => {
    const cursor = await prepared();
    const [file = ''] = stores();
    const { size } = statSync(file);
    for (let page = 0; page * 4096 < size; page += Math.max(1, Math.floor(size / 4096 / 12))) {
      flip(file, page * 4096 + 24);
      await expectNoLie(cursor, `page ${page}`);
      flip(file, page * 4096 + 24);
    }
  });

  it('is not there any more', async () => {
    const cursor = await prepared();
    for (const file of stores()) truncateSync(file, 0);
    await ground.recordInService();
    await expectNoLie(cursor, 'recorded again');
  });
});

/** One byte's bits turned over, where the file still has it. */
function flip(file: string, offset: number): void {
  const fd = openSync(file, 'r+');
  const byte = Buffer.alloc(1);
  if (readSync(fd, byte, 0, 1, offset) === 1) writeSync(fd, Buffer.from([(byte[0] ?? 0) ^ 0xff]), 0, 1, offset);
}

itWith('otherUser', 'addon')("somebody else's service does not listen to us", async () => {
  const theirs = new JournalGround(AS_NOBODY);
  try {
    await theirs.recordInService();
    const socket = connect(join(theirs.home, 'run/daemon.sock'));
    let heard = 0;
    socket.on('data', (chunk: Buffer) => {
      heard += chunk.length;
    });
    socket.on('error', () => {});
    socket.write(Buffer.from([2, 0, 0, 0, 1, 0x7b, 0x7d]));
    await new Promise((resolve) => socket.once('close', resolve));
    expect(heard).toBe(0);
    expect(theirs.log()).toContain('a process of user 0 was refused');
  } finally {
    await theirs.close();
  }
});
