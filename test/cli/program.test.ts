import { expect, test } from 'vitest';
import packageJson from '../../package.json' with { type: 'json' };
import type { Dependencies } from '../../src/cli/request.ts';
import { fromText } from '../../src/platform/core/byte-path.ts';
import { TidemarkError } from '../../src/platform/core/errors.ts';
import type { Summary } from '../../src/sync/report.ts';
import { invoke, summary } from './harness.ts';

const PATH = fromText('x');

test('the version', async () => {
  for (const flag of ['--version', '-V']) {
    expect(await invoke([flag])).toMatchObject({ code: 0, stdout: `${packageJson.version}\n`, stderr: '' });
  }
});

test('help shows examples first, then commands and exit codes; the agent is not for people', async () => {
  const { code, stdout, stderr } = await invoke(['--help']);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  const order = [
    'Examples:',
    'Usage: tidemark <command>',
    'Commands:',
    '  sync [',
    '  verify [',
    '  journal',
    '  daemon',
    '  doctor [',
    'Exit codes:',
  ];
  const places = order.map((text) => stdout.indexOf(text));
  expect(places).toEqual([...places].sort((a, b) => a - b));
  expect(places).not.toContain(-1);
  expect(stdout).not.toContain('agent ');
});

const JOURNAL = ['add', 'remove', 'record', 'status', 'checkpoint', 'since', 'log', 'ack', 'verify'];
const DAEMON = ['run', 'start', 'stop', 'status', 'install', 'uninstall'];

test.each([
  'sync',
  'verify',
  'journal',
  ...JOURNAL.map((name) => `journal ${name}`),
  'daemon',
  ...DAEMON.map((name) => `daemon ${name}`),
  'doctor',
  'completion',
])('%s --help', async (command) => {
  const { code, stdout } = await invoke([...command.split(' '), '--help']);
  expect(code).toBe(0);
  expect(stdout.startsWith('Examples:\n')).toBe(true);
  expect(stdout).toContain(`Usage: tidemark ${command}`);
  expect(stdout.split('\n').filter((line) => line.length > 82 && !line.includes('tidemark '))).toEqual([]);
});

test.each([
  [[], 'which command?'],
  [['watch', 'a', 'b'], "unknown command 'watch'"],
  [['snyc', 'a', 'b'], 'Did you mean sync?'],
  [['--jsno'], "unknown option '--jsno'"],
  [['sync'], "missing required argument 'alpha'"],
  [['sync', 'a'], "missing required argument 'beta'"],
  [['verify', 'a', 'b', 'c'], 'too many arguments'],
  [['sync', '', 'b'], 'an endpoint is empty'],
  [['sync', 'ftp://host/x', 'b'], 'only ssh:// URLs'],
  [['sync', '-oProxyCommand=x', 'b'], "unknown option '-oProxyCommand=x'"],
  [['completion', 'tcsh'], "'tcsh' is invalid"],
  [['agent'], 'which command?'],
  [['help', 'watch'], ''],
  [['größe'], "unknown command 'größe'"],
])('wrong use: %j', async (argv, message) => {
  const { code, stdout, stderr } = await invoke(argv);
  expect(code).toBe(2);
  expect(stdout).toBe('');
  expect(stderr).toContain(message);
});

test('bare tidemark prints the help and exits with 2', async () => {
  const { code, stderr } = await invoke([]);
  expect(code).toBe(2);
  expect(stderr).toContain('Usage: tidemark <command>');
});

test.each<[string, Partial<Summary>, number]>([
  ['in sync', {}, 0],
  ['dry run', { result: 'dry-run' }, 0],
  ['conflicts', { result: 'conflicts', conflicts: [{ path: PATH, alpha: 'a', beta: 'b' }] }, 1],
  ['deferred', { result: 'deferred', deferred: [{ path: PATH, reason: 'open for writing' }] }, 1],
  ['failed', { result: 'failed', failed: [{ path: PATH, side: 'beta', error: 'EIO', message: 'm' }] }, 3],
  ['halted', { result: 'halted', halt: { reason: 'root-emptied', side: 'alpha', detail: 'd' } }, 5],
])('exit code of a run: %s', async (_what, of, code) => {
  const runSync = async () => summary(of);
  const plain = await invoke(['sync', 'a', 'b'], { dependencies: { runSync } });
  expect(plain.code).toBe(code);
  const json = await invoke(['sync', 'a', 'b', '--json'], { dependencies: { runSync } });
  expect(json.code).toBe(code);
  expect(json.stderr).toBe('');
  expect(JSON.parse(json.stdout.trimEnd().split('\n').at(-1) ?? '')).toMatchObject({ type: 'summary' });
});

test('an error ends the run with its exit code; with --json stdout stays empty and stderr holds an object', async () => {
  const runSync = async () => {
    throw new TidemarkError('locked', 'locked', 'another run holds this pair', { remedy: 'Wait for it.' });
  };
  const plain = await invoke(['sync', 'a', 'b'], { dependencies: { runSync } });
  expect(plain).toMatchObject({ code: 6, stdout: '' });
  expect(plain.stderr).toBe('tidemark: another run holds this pair\n  Wait for it.\n');
  const json = await invoke(['sync', 'a', 'b', '--json'], { dependencies: { runSync } });
  expect(json).toMatchObject({ code: 6, stdout: '' });
  expect(JSON.parse(json.stderr)).toMatchObject({ type: 'error', code: 'locked', exitCode: 6 });
});

test('an unforeseen error is a bug of ours, with a stack where TIDEMARK_LOG or -v asks', async () => {
  const runSync = async () => {
    throw new RangeError('out of range');
  };
  const plain = await invoke(['sync', 'a', 'b'], { dependencies: { runSync } });
  expect(plain.code).toBe(4);
  expect(plain.stderr).not.toContain('program.test.ts');
  const detailed = await invoke(['sync', '-v', 'a', 'b'], { dependencies: { runSync } });
  expect(detailed.stderr).toContain('program.test.ts');
});

test('with --json notes go to stderr, and stdout stays JSON', async () => {
  const runSync: Dependencies['runSync'] = async (_request, reporter) => {
    reporter.event({ type: 'note', level: 'warning', message: 'clocks differ' });
    return summary();
  };
  const { stdout, stderr } = await invoke(['sync', 'a', 'b', '--json'], { dependencies: { runSync } });
  expect(stderr).toBe('note: clocks differ\n');
  expect(stdout.split('\n')).toHaveLength(2);
});

test('facts arrive while the run goes on', async () => {
  const { stdout, stderr } = await invoke(['sync', 'a', 'b'], {
    dependencies: {
      async runSync(_request, reporter) {
        reporter.event({ type: 'action', side: 'beta', operation: 'create', kind: 'file', path: PATH, bytes: 5 });
        return summary({ beta: { ...summary().beta, created: 1 } });
      },
    },
  });
  expect(stdout).toBe('→ beta   created   x (5 B)\nin sync: 1 created in 0.9 s\n');
  expect(stderr).toBe('');
});

test('colours only on a terminal, and not where NO_COLOR is set', async () => {
  expect((await invoke(['sync', 'a', 'b'], { isTTY: true })).stdout).toContain('\x1b[32m');
  expect((await invoke(['sync', 'a', 'b'], { isTTY: true, environment: { NO_COLOR: '1' } })).stdout).not.toContain(
    '\x1b',
  );
});

test.each([
  ['a terminal', true, [], {}, true],
  ['no terminal', false, [], {}, false],
  ['a terminal and --no-progress', true, ['--no-progress'], {}, false],
  ['a terminal and -q', true, ['-q'], {}, false],
  ['a terminal and --json', true, ['--json'], {}, false],
  ['a dumb terminal', true, [], { TERM: 'dumb' }, false],
  ['no terminal and --progress', false, ['--progress'], {}, true],
])('progress on %s', async (_what, isTTY, argv, environment, shown) => {
  const { stderr } = await invoke(['sync', 'a', 'b', ...argv], {
    isTTY,
    environment,
    dependencies: {
      async runSync(_request, reporter) {
        const numbers = { filesDone: 1, filesTotal: 2, bytesDone: 0, bytesTotal: 0 };
        reporter.event({ type: 'progress', phase: 'hashing', ...numbers });
        await new Promise((resolve) => setImmediate(resolve));
        return summary();
      },
    },
  });
  expect(stderr.includes('hashing')).toBe(shown);
});

test('verify: 0 where equal, 1 where not', async () => {
  const equal = await invoke(['verify', 'a', 'b']);
  expect(equal).toMatchObject({ code: 0, stdout: 'equal: 3 entries, 2.0 KB read, 0.0 s\n' });
  const differences = [{ path: PATH, alpha: 'file of 3 bytes', beta: 'nothing' }];
  const runVerify = async () => ({ differences, entries: 3, hashedBytes: 0, elapsedMs: 0 });
  const different = await invoke(['verify', 'a', 'b'], { dependencies: { runVerify } });
  expect(different.code).toBe(1);
  expect(different.stdout).toBe('x  alpha: file of 3 bytes  beta: nothing\n1 difference: 3 entries, 0 B read, 0.0 s\n');
});

test('verify takes what decides the comparison, and nothing that does not', async () => {
  const { verifications } = await invoke([
    'verify',
    'a',
    'b',
    '--ignore',
    '*.o',
    '--no-times',
    '--symlinks',
    'portable',
  ]);
  expect(verifications[0]?.session).toMatchObject({
    ignore: { patterns: ['*.o'] },
    metadata: { times: false },
    symlinks: 'portable',
  });
  expect((await invoke(['verify', 'a', 'b', '--force'])).code).toBe(2);
});

test('agent serve', async () => {
  let served = 0;
  const serveAgent = async () => {
    served++;
  };
  const { code, stdout } = await invoke(['agent', 'serve'], { dependencies: { serveAgent } });
  expect([code, stdout, served]).toEqual([0, '', 1]);
});
