/** The journal commands, around journals that only pretend. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { asRoot } from '../../../src/daemon/core/messages.ts';
import type { JournalAccess } from '../../../src/daemon/journals.ts';
import type { JournalChange, JournalStatus } from '../../../src/journal/core/answers.ts';
import { type BytePath, fromText } from '../../../src/platform/core/byte-path.ts';
import { TidemarkError } from '../../../src/platform/core/errors.ts';
import { changed, FakeJournal } from '../../daemon/fake-journal.ts';
import { type InvokeOptions, invoke } from '../harness.ts';

const root = asRoot('/srv/data');
const BAD_BYTES = Buffer.from('caf\xe9', 'latin1').toString('base64');

let home: string;
let journal: FakeJournal;
let calls: unknown[];
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'tidemark-journal-cli-'));
  journal = new FakeJournal();
  calls = [];
});
afterEach(() => rmSync(home, { recursive: true, force: true }));

const access: JournalAccess = {
  async open(path) {
    calls.push(['open', path]);
    return { root, by: 'daemon', journal, close: async () => void calls.push(['close']) };
  },
  status: () => journal.status(),
  async *log() {
    yield [changed('old')];
    yield [changed('new')];
  },
  async add(path) {
    calls.push(['add', path]);
    return { root, backend: 'fanotify-filesystem', isNew: true };
  },
  async remove(path, forget) {
    calls.push(['remove', path, forget]);
    return root;
  },
  async record(path, on, signal) {
    calls.push(['record', path]);
    on.begun(root, 'fanotify-directory');
    on.log('a detail');
    await new Promise((resolve) => signal.addEventListener('abort', resolve));
  },
};

function run(line: string, of: Partial<JournalAccess> = {}, options: InvokeOptions = {}) {
  const journals = async () => ({ ...access, ...of });
  return invoke(['journal', ...line.split(' ')], {
    environment: { TIDEMARK_HOME: home },
    dependencies: { journals },
    ...options,
  });
}

function json(stdout: string): unknown[] {
  return stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
}

test('checkpoint: the object that is promised', async () => {
  journal.record(changed('a'));
  journal.hot = [fromText('db/data.ibd')];
  const { code, stdout, stderr } = await run('checkpoint data --json');
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  expect(json(stdout)).toEqual([
    { type: 'checkpoint', cursor: 'c2', period: 1, dirty: 1, hot: ['db/data.ibd'], gaps: [] },
  ]);
  expect(calls).toEqual([['open', 'data'], ['close']]);
});

test('checkpoint: for people', async () => {
  journal.record(changed('a'));
  journal.hot = ['x\x1b[2J' as BytePath];
  const { stdout } = await run('checkpoint data');
  expect(stdout).toBe('checkpoint of period 1: 1 object changed\nopen for writing:\n  x\\x1b[2J\ncursor c2\n');
});

test.each([
  ['db', 'db'],
  ['./db/', 'db'],
  ['.', ''],
  ['a/b', 'a/b'],
])('checkpoint --subtree %s', async (given, asked) => {
  let subtree: string | null = null;
  const checkpoint = journal.checkpoint.bind(journal);
  journal.checkpoint = (path) => {
    subtree = path;
    return checkpoint(path);
  };
  expect((await run(`checkpoint data --subtree ${given}`)).code).toBe(0);
  expect(subtree).toBe(asked);
});

test('since: a line for each path, then the summary', async () => {
  const changes: JournalChange[] = [
    changed('a', { kinds: ['content', 'metadata'] }),
    changed('caf\xe9' as never, { path: 'caf\xe9' as BytePath, renamedFrom: 'caf\xe9-old' as BytePath }),
    changed('gone', { kinds: ['removed'], proof: 'scan' }),
    changed('hot', { hot: true, proof: 'pending' }),
  ];
  journal.record(...changes);
  const { code, stdout } = await run('since c0 data --json');
  expect(code).toBe(0);
  expect(json(stdout)).toEqual([
    { type: 'change', path: 'a', kinds: ['content', 'metadata'], hot: false, proof: 'leased' },
    {
      type: 'change',
      path: 'caf\\xe9',
      pathBytes: BAD_BYTES,
      kinds: ['content'],
      renamedFrom: 'caf\\xe9-old',
      renamedFromBytes: Buffer.from('caf\xe9-old', 'latin1').toString('base64'),
      hot: false,
      proof: 'leased',
    },
    { type: 'change', path: 'gone', kinds: ['removed'], hot: false, proof: 'scan' },
    { type: 'change', path: 'hot', kinds: ['content'], hot: true, proof: 'pending' },
    { type: 'summary', cursor: 'c4', backend: 'fanotify-directory', freshInstance: false, gaps: [] },
  ]);
  const text = await run('since c0 data');
  expect(text.stdout.split('\n')).toEqual([
    'content, metadata a',
    'renamed, content caf\\xe9-old → caf\\xe9',
    'removed    gone',
    'content    hot  (open for writing)',
    '4 changes, by fanotify-directory',
    'cursor c4',
    '',
  ]);
});

test.each(['garbage', '', '\x1b', 'größe', 'c'.repeat(5000), '-1'])(
  'since %j: what is no cursor is a fresh instance, not an error',
  async (cursor) => {
    journal.record(changed('a'));
    const { code, stdout } = await invoke(['journal', 'since', '--json', '--', cursor, 'data'], {
      environment: { TIDEMARK_HOME: home },
      dependencies: { journals: async () => access },
    });
    expect(code).toBe(0);
    expect(json(stdout).at(-1)).toEqual({
      type: 'summary',
      cursor: 'c1',
      backend: 'fanotify-directory',
      freshInstance: true,
      gaps: [{ kind: 'daemon-down', scope: '' }],
    });
  },
);

test('status', async () => {
  const { code, stdout } = await run('status data --json');
  expect(code).toBe(0);
  expect(json(stdout)).toEqual([
    {
      type: 'status',
      recording: true,
      backend: 'fanotify-directory',
      whyNotBetter: 'no CAP_SYS_ADMIN',
      period: 1,
      dirty: 0,
      hot: [],
      gaps: [],
      events: { received: 12, foreign: 3, silencedObjects: 1 },
    },
  ]);
  const status = async (): Promise<JournalStatus> => ({
    ...(await journal.status()),
    recording: false,
    backend: 'scan',
    whyNotBetter: 'nobody records it',
    period: 0,
  });
  const none = await run('status data', { status });
  expect(none).toMatchObject({ code: 0, stdout: 'not recorded\n  nobody records it\n' });
});

test('verify: 0 where equal, 1 and each difference otherwise', async () => {
  expect(await run('verify data')).toMatchObject({
    code: 0,
    stdout: 'equal: 3 entries, 2 files compared, 1 read for the first time\n',
  });
  const differences = [{ path: fromText('a'), recorded: 'file of 3 bytes', found: 'nothing' }];
  journal.verification = { ...journal.verification, differences, hot: ['caf\xe9' as BytePath] };
  const { code, stdout } = await run('verify data --json');
  expect(code).toBe(1);
  expect(json(stdout)).toEqual([
    { type: 'difference', path: 'a', recorded: 'file of 3 bytes', found: 'nothing' },
    {
      type: 'summary',
      result: 'different',
      differences: 1,
      entries: 3,
      compared: 2,
      firstHashed: 1,
      hot: ['caf\\xe9'],
      hotBytes: [BAD_BYTES],
    },
  ]);
});

test('ack', async () => {
  const { code, stdout } = await run('ack backup c1 data --json');
  expect({ code, said: json(stdout) }).toEqual({
    code: 0,
    said: [{ type: 'acknowledged', consumer: 'backup', cursor: 'c1' }],
  });
  expect(journal.acknowledged).toEqual([['backup', 'c1']]);
  expect(await run('ack backup garbage data')).toMatchObject({ code: 2, stdout: '' });
});

test('add and remove', async () => {
  expect(await run('add data')).toMatchObject({ code: 0, stdout: 'recording /srv/data by fanotify-filesystem\n' });
  const add = async () => ({ root, backend: null, isNew: true });
  const registered = await run('add data', { add });
  expect(registered).toMatchObject({ code: 0, stdout: 'registered /srv/data\n' });
  expect(registered.stderr).toContain('tidemark daemon start');
  const { stdout } = await run('add data --json', { add });
  expect(json(stdout)).toEqual([{ type: 'added', root: '/srv/data', recording: false, backend: null, isNew: true }]);
  expect((await run('remove data --forget')).stdout).toBe('forgotten: /srv/data\n');
  expect(calls).toEqual([
    ['add', 'data'],
    ['remove', 'data', true],
  ]);
});

test('log: the rounds as they come', async () => {
  expect((await run('log data')).stdout).toBe('content    old\ncontent    new\n');
  const { stdout } = await run('log data --json');
  expect(json(stdout)).toMatchObject([
    { type: 'change', path: 'old' },
    { type: 'change', path: 'new' },
  ]);
});

/** A signal that comes while the command is at work. */
function interruption(): AbortSignal {
  const controller = new AbortController();
  setTimeout(() => controller.abort(new TidemarkError('interrupted', 'SIGINT', 'interrupted by SIGINT')), 50);
  return controller.signal;
}

test('record and log -f end with 130 when interrupted', async () => {
  const recorded = await run('record data -v', {}, { signal: interruption() });
  expect(recorded.code).toBe(130);
  expect(recorded.stdout).toBe('recording /srv/data by fanotify-directory; interrupt to end\n');
  expect(recorded.stderr).toContain('a detail');
  const log: JournalAccess['log'] = async function* (_path, follow, signal) {
    yield [changed(`follow-${follow}`)];
    await new Promise((resolve) => signal.addEventListener('abort', resolve));
  };
  const followed = await run('log -f data', { log }, { signal: interruption() });
  expect(followed).toMatchObject({ code: 130, stdout: 'content    follow-true\n' });
});

test('an interruption does not wait for the journal', async () => {
  journal.checkpoint = () => new Promise(() => {});
  expect((await run('checkpoint data', {}, { signal: interruption() })).code).toBe(130);
  expect(calls).toEqual([['open', 'data'], ['close']]);
});

test.each([
  ['', 'which command?'],
  ['checkpont data', "unknown command 'checkpont'"],
  ['checkpoint', "missing required argument 'root'"],
  ['since c1', "missing required argument 'root'"],
  ['checkpoint data --subtree ../x', '--subtree "../x": name ".."'],
  ['checkpoint data --subtree /etc', '--subtree "/etc": empty name'],
  ['ack a\tb c1 data', 'consumer "a\\tb"'],
  ['verify data --force', "unknown option '--force'"],
])('wrong use: %j', async (line, message) => {
  const { code, stdout, stderr } = await invoke(['journal', ...line.split(' ').filter((word) => word !== '')], {
    environment: { TIDEMARK_HOME: home },
    dependencies: { journals: async () => access },
  });
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
  expect(stderr).toContain(message);
});

test('errors of the journal keep their exit codes and remedies', async () => {
  const open = async () => {
    throw new TidemarkError('unavailable', 'root-missing', 'no such directory: x', { remedy: 'Check the path.' });
  };
  const { code, stderr } = await run('checkpoint x', { open });
  expect({ code, stderr }).toEqual({ code: 4, stderr: 'tidemark: no such directory: x\n  Check the path.\n' });
});
