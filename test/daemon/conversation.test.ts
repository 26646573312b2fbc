/** Client and server over a real socket, around a journal that only pretends. */
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { ask, askForEnd } from '../../src/daemon/client.ts';
import { readFacts } from '../../src/daemon/core/answers.ts';
import { FRAME, type Frame, FrameSplitter, frameBytes } from '../../src/daemon/core/frames.ts';
import { asRoot, decodeRoots, encodeDone, encodeHello, encodeRequest } from '../../src/daemon/core/messages.ts';
import { unknownJournal } from '../../src/daemon/hosted-roots.ts';
import type { Hosting } from '../../src/daemon/hosting.ts';
import { RemoteJournal } from '../../src/daemon/remote-journal.ts';
import { ControlServer, type ControlServerOptions } from '../../src/daemon/server.ts';
import type { JournalChange } from '../../src/journal/core/answers.ts';
import { type BytePath, fromText, ROOT } from '../../src/platform/core/byte-path.ts';
import { TidemarkError } from '../../src/platform/core/errors.ts';
import { decodeError } from '../../src/transport/core/wire-error.ts';
import { changed, FakeJournal } from './fake-journal.ts';

const root = asRoot('/srv/caf\xe9');

let folder: string;
let socketPath: string;
let journal: FakeJournal;
let remote: RemoteJournal;
let server: ControlServer | null;
let log: string[];
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'tidemark-control-'));
  socketPath = join(folder, 'control.sock');
  journal = new FakeJournal();
  remote = new RemoteJournal(socketPath, root);
  log = [];
  server = null;
});
afterEach(async () => {
  await remote.close();
  await server?.close();
  rmSync(folder, { recursive: true, force: true });
});

async function serve(of: Partial<Hosting> = {}, options: Partial<ControlServerOptions> = {}): Promise<void> {
  const hosting: Hosting = {
    facts: () => ({ workerPid: 42, program: '0.1.0', uptimeMs: 7 }),
    roots: () => [{ root, backend: 'fanotify-directory', trouble: null }],
    async journal(asked) {
      if (asked !== root) throw unknownJournal(asked);
      return journal;
    },
    add: async () => 'fanotify-directory',
    remove: async () => {},
    ...of,
  };
  const log_ = (line: string) => log.push(line);
  server = await ControlServer.listen(
    { path: socketPath },
    { program: '0.1.0', hosting, peerUser: () => null, log: log_, ...options },
  );
}

async function collected(answer: { changes: Iterable<readonly JournalChange[]> }): Promise<JournalChange[]> {
  return [...answer.changes].flat();
}

describe('a journal behind the socket', () => {
  beforeEach(() => serve());

  test('the socket is for us only', () => {
    expect(statSync(socketPath).mode & 0o777).toBe(0o600);
  });

  test('checkpoint', async () => {
    journal.record(changed('a'), changed('sub/b'));
    journal.hot = [fromText('db'), 'x\xff' as BytePath];
    const taken = await remote.checkpoint(fromText('sub'));
    expect(taken).toEqual({ cursor: 'c3', period: 1, dirty: 1, hot: journal.hot, gaps: [] });
  });

  test('changes, with everything that is said of them', async () => {
    const changes: JournalChange[] = [
      changed('a', { renamedFrom: 'b\xff' as BytePath, kinds: ['metadata', 'entries'] }),
      changed('hot', { hot: true, proof: 'pending' }),
      changed('gone', { kinds: ['removed'], proof: 'scan' }),
    ];
    journal.record(...changes);
    const answer = await remote.changes('c0', ROOT);
    expect(answer).toMatchObject({ cursor: 'c3', backend: 'fanotify-directory', freshInstance: false, gaps: [] });
    expect(await collected(answer)).toEqual(changes);
    const fresh = await remote.changes('garbage', ROOT);
    expect(fresh).toMatchObject({ freshInstance: true, gaps: [{ kind: 'daemon-down', scope: '' }] });
    expect(await collected(await remote.changes(null, fromText('hot')))).toEqual([changes[1]]);
  });

  test('a hundred thousand changes', async () => {
    const count = 100_000;
    journal.batchSize = 1000;
    for (let n = 0; n < count; n++) journal.recorded.push(changed(`directory-${n % 100}/file-${n}`));
    const answer = await remote.changes('c0', ROOT);
    let seen = 0;
    for (const batch of answer.changes) {
      for (const { path } of batch) if (path === `directory-${seen % 100}/file-${seen}`) seen++;
      expect(batch.length).toBeLessThanOrEqual(512);
    }
    expect(seen).toBe(count);
  });

  test('status, verify, register, acknowledge', async () => {
    expect(await remote.status()).toEqual(await journal.status());
    journal.verification = {
      differences: [{ path: fromText('a'), recorded: 'file of 3 bytes', found: 'nothing' }],
      entries: 7,
      compared: 3,
      firstHashed: 2,
      hot: [fromText('db')],
    };
    expect(await remote.verify()).toEqual(journal.verification);
    expect(await remote.register('me')).toBe('c0');
    await remote.acknowledge('me', 'c0');
    expect(journal.acknowledged).toEqual([['me', 'c0']]);
    await remote.unregister('me');
  });

  test('an error arrives with fault, code, message and remedy', async () => {
    await expect(remote.acknowledge('me', 'zzz')).rejects.toMatchObject({ fault: 'usage', code: 'bad-cursor' });
    const other = new RemoteJournal(socketPath, asRoot('/other'));
    await expect(other.status()).rejects.toMatchObject({
      fault: 'unavailable',
      code: 'journal-unknown',
      message: '/other is not recorded',
      remedy: 'Have it recorded with tidemark journal add.',
    });
  });

  test('following: an empty round first, then each round once, until the signal', async () => {
    journal.record(changed('before'));
    const controller = new AbortController();
    const rounds: string[][] = [];
    for await (const round of remote.follow(controller.signal)) {
      rounds.push(round.map(({ path }) => path));
      if (rounds.length === 1) journal.record(changed('one'), changed('two'));
      if (rounds.length === 2) journal.record(changed('three'));
      if (rounds.length === 3) controller.abort();
    }
    expect(rounds).toEqual([[], ['one', 'two'], ['three']]);
  });

  test('a follower that goes away ends the following, and nothing else', async () => {
    const ended = vi.fn();
    const follow = journal.follow.bind(journal);
    journal.follow = async function* (signal) {
      try {
        yield* follow(signal);
      } finally {
        ended();
      }
    };
    for await (const _round of remote.follow(new AbortController().signal)) break;
    await vi.waitFor(() => expect(ended).toHaveBeenCalled());
    expect((await remote.status()).recording).toBe(true);
  });

  test('many at once', async () => {
    journal.record(changed('a'));
    const answers = await Promise.all(Array.from({ length: 40 }, () => remote.changes('c0', ROOT)));
    expect(answers.map(({ cursor }) => cursor)).toEqual(answers.map(() => 'c1'));
  });

  test('the service itself', async () => {
    const roots: unknown[] = [];
    const take = ({ payload }: Frame) => roots.push(...decodeRoots(payload));
    const end = await askForEnd(socketPath, { method: 'describe' }, take, readFacts);
    expect(end).toEqual({ workerPid: 42, program: '0.1.0', uptimeMs: 7 });
    expect(roots).toEqual([{ root, backend: 'fanotify-directory', trouble: null }]);
  });
});

describe('who and what is refused', () => {
  /** Sends raw bytes and returns what comes back until the connection ends. */
  async function raw(...sent: readonly Buffer[]): Promise<{ types: number[]; error: TidemarkError | null }> {
    const socket = connect(socketPath);
    socket.on('error', () => {});
    for (const bytes of sent) socket.write(bytes);
    const splitter = new FrameSplitter(1 << 20);
    const types: number[] = [];
    let error: TidemarkError | null = null;
    try {
      for await (const chunk of socket) {
        for (const { type, payload } of splitter.push(chunk)) {
          types.push(type);
          if (type === FRAME.error) error = decodeError(payload);
        }
      }
    } catch {
      // Hung up before everything was sent.
    }
    return { types, error };
  }

  const hello = frameBytes(FRAME.hello, encodeHello({ protocol: 1, program: '0.1.0' }));

  test('another user', async () => {
    await serve({}, { peerUser: () => (process.geteuid?.() ?? 0) + 1 });
    expect(await raw(hello, frameBytes(FRAME.request, encodeRequest({ method: 'describe' })))).toEqual({
      types: [],
      error: null,
    });
    expect(log[0]).toMatch(/^a process of user \d+ was refused/);
    await expect(remote.status()).rejects.toMatchObject({ code: 'daemon-gone' });
  });

  test.each([
    ['no hello', [frameBytes(FRAME.request, encodeRequest({ method: 'describe' }))], 'malformed'],
    ['another protocol', [frameBytes(FRAME.hello, encodeHello({ protocol: 2, program: '9.9' }))], 'daemon-version'],
    ['a request that is none', [hello, frameBytes(FRAME.request, Buffer.from('{}'))], 'malformed'],
    ['an answer as a request', [hello, frameBytes(FRAME.done, Buffer.from('{}'))], 'malformed'],
    ['noise', [Buffer.from('GET / HTTP/1.1\r\n\r\n')], 'malformed'],
    ['a frame without end', [Buffer.from([0xff, 0xff, 0xff, 0x7f, 1])], 'malformed'],
  ])('%s', async (_what, sent, code) => {
    await serve();
    expect((await raw(...sent)).error).toMatchObject({ code });
    expect((await remote.status()).recording).toBe(true);
  });

  test('a client that sends more than its request ends its own answer', async () => {
    journal.checkpoint = () => new Promise(() => {});
    await serve();
    const request = frameBytes(FRAME.request, encodeRequest({ method: 'checkpoint', root, subtree: ROOT }));
    expect((await raw(hello, request, request)).error).toBeNull();
  });

  test('an error nobody foresaw is told, logged with its stack, and touches nobody else', async () => {
    journal.verify = async () => {
      throw new RangeError('out of range');
    };
    await serve();
    await expect(remote.verify()).rejects.toMatchObject({ fault: 'internal', message: 'out of range' });
    expect(log.join()).toContain('RangeError: out of range\n    at');
    expect((await remote.status()).recording).toBe(true);
  });
});

describe('a slow reader holds the journal back', () => {
  test('no more batches are taken than fit in between', async () => {
    journal.batchSize = 100;
    for (let n = 0; n < 100_000; n++) journal.recorded.push(changed(`a-rather-long-directory-name/file-${n}`));
    await serve();
    const socket = connect(socketPath);
    socket.write(frameBytes(FRAME.hello, encodeHello({ protocol: 1, program: '0.1.0' })));
    const request = { method: 'changes', root, cursor: 'c0', subtree: ROOT } as const;
    socket.write(frameBytes(FRAME.request, encodeRequest(request)));
    let taken = -1;
    await vi.waitFor(
      async () => {
        const before = journal.batchesTaken;
        await pause(100);
        expect(before).toBeGreaterThan(0);
        expect(journal.batchesTaken).toBe(before);
        taken = before;
      },
      { timeout: 5000 },
    );
    expect(taken).toBeLessThan(500);
    socket.destroy();
  });
});

describe('the other end is not what it should be', () => {
  let fake: Server;
  afterEach(() => new Promise((resolve) => fake.close(resolve)));

  async function pretend(answer: (socket: Socket) => void): Promise<void> {
    fake = createServer((socket) => {
      socket.on('error', () => {});
      socket.resume();
      answer(socket);
    });
    await new Promise<void>((resolve) => fake.listen(socketPath, resolve));
  }

  const hello = (protocol: number, program: string) => frameBytes(FRAME.hello, encodeHello({ protocol, program }));

  test.each<[string, string, (socket: Socket) => void]>([
    ['a newer version', 'daemon-version', (socket) => socket.write(hello(2, '9.9'))],
    ['noise', 'daemon-protocol', (socket) => socket.write('220 smtp.example.org ESMTP\r\n')],
    ['a frame that is too long', 'daemon-protocol', (socket) => socket.write(Buffer.from([0, 0, 0, 0x7f, 8]))],
    ['an end within a frame', 'daemon-protocol', (socket) => socket.end(hello(1, '0.1.0').subarray(0, 4))],
    [
      'an answer to something else',
      'daemon-protocol',
      (socket) => socket.write(Buffer.concat([hello(1, '0.1.0'), frameBytes(FRAME.done, encodeDone({ cursor: 7 }))])),
    ],
    ['hangs up', 'daemon-gone', (socket) => socket.end(hello(1, '0.1.0'))],
  ])('%s: %s', async (_what, code, answer) => {
    await pretend(answer);
    await expect(remote.checkpoint(ROOT)).rejects.toMatchObject({ fault: 'unavailable', code });
  });

  test('silence ends the waiting; signs of life do not', async () => {
    await pretend((socket) => socket.write(hello(1, '0.1.0')));
    const silent = askForEnd(socketPath, { method: 'describe' }, () => {}, readFacts, { silenceMs: 100 });
    await expect(silent).rejects.toMatchObject({ code: 'daemon-silent' });
    await new Promise((resolve) => fake.close(resolve));
    await pretend(async (socket) => {
      socket.write(hello(1, '0.1.0'));
      for (let n = 0; n < 5; n++) {
        await pause(60);
        socket.write(frameBytes(FRAME.alive, Buffer.alloc(0)));
      }
      socket.write(frameBytes(FRAME.done, encodeDone({ slow: true })));
    });
    const slow = askForEnd(
      socketPath,
      { method: 'describe' },
      () => {},
      (end) => end,
      { silenceMs: 200 },
    );
    expect(await slow).toEqual({ slow: true });
  });

  test('who dies in the middle of an answer is asked again when there is a successor', async () => {
    let asked = 0;
    await pretend((socket) => {
      asked++;
      socket.write(hello(1, '0.1.0'));
      if (asked === 1) socket.end();
      else socket.write(frameBytes(FRAME.done, encodeDone({ cursor: 'c9' })));
    });
    expect(await remote.register('me')).toBe('c9');
    expect(asked).toBe(2);
  });

  test('an interruption ends the waiting', async () => {
    await pretend((socket) => socket.write(hello(1, '0.1.0')));
    const controller = new AbortController();
    const waiting = ask(socketPath, { method: 'describe' }, { signal: controller.signal }).next();
    setImmediate(() => controller.abort(new TidemarkError('interrupted', 'SIGINT', 'interrupted')));
    await expect(waiting).rejects.toMatchObject({ code: 'SIGINT' });
  });
});

test('nobody there', async () => {
  await expect(remote.status()).rejects.toMatchObject({ code: 'daemon-not-running' });
});
