/** Every option, from its spelling to where the engine finds it. */
import { expect, test } from 'vitest';
import { OPTIONS } from '../../../src/cli/options/table.ts';
import type { SyncRequest } from '../../../src/cli/request.ts';
import { fromText } from '../../../src/platform/core/byte-path.ts';
import { invoke } from '../harness.ts';

type Row = readonly [argv: readonly string[], pick: (request: SyncRequest) => unknown, value: unknown];

const ROWS: readonly Row[] = [
  [[], (r) => r.alpha, { kind: 'local', path: 'a' }],
  [[], (r) => r.beta.kind, 'ssh'],
  [[], (r) => r.session.mode, 'two-way-safe'],
  ...['two-way-safe', 'two-way-resolved', 'one-way-safe', 'one-way-replica'].map(
    (mode): Row => [['--mode', mode], (r) => r.session.mode, mode],
  ),
  [['--mode=one-way-safe'], (r) => r.session.mode, 'one-way-safe'],
  [[], (r) => r.session.conflict, 'report'],
  ...['report', 'copy', 'newer', 'older', 'larger', 'alpha', 'beta'].map(
    (conflict): Row => [['--conflict', conflict], (r) => r.session.conflict, conflict],
  ),
  [[], (r) => r.session.ignore, { patterns: [], file: '.tidemarkignore', gitignore: false, vcs: false }],
  [['--ignore', '*.tmp', '--ignore', '!keep.tmp'], (r) => r.session.ignore.patterns, ['*.tmp', '!keep.tmp']],
  [['--ignore', 'schön/'], (r) => r.session.ignore.patterns, [fromText('schön/')]],
  [['--ignore-file', '.stignore'], (r) => r.session.ignore.file, '.stignore'],
  [['--gitignore'], (r) => r.session.ignore.gitignore, true],
  [['--ignore-vcs'], (r) => r.session.ignore.vcs, true],
  [[], (r) => r.session.symlinks, 'posix-raw'],
  [['--symlinks', 'portable'], (r) => r.session.symlinks, 'portable'],
  [['--symlinks', 'ignore'], (r) => r.session.symlinks, 'ignore'],
  [['--one-file-system'], (r) => r.session.oneFileSystem, true],
  [
    [],
    (r) => r.session.metadata,
    { perms: true, times: true, setid: false, owner: false, xattrs: false, acls: false, hardLinks: false },
  ],
  [['--no-perms'], (r) => r.session.metadata.perms, false],
  [['--no-perms', '--perms'], (r) => r.session.metadata.perms, true],
  [['--no-times'], (r) => r.session.metadata.times, false],
  [['--setid'], (r) => r.session.metadata.setid, true],
  [['--owner'], (r) => r.session.metadata.owner, true],
  [['--xattrs'], (r) => r.session.metadata.xattrs, true],
  [['--acls'], (r) => r.session.metadata.acls, true],
  [['--hard-links'], (r) => r.session.metadata.hardLinks, true],
  [[], (r) => r.session.maxDelete, { kind: 'percent', percent: 50 }],
  [['--max-delete', '7'], (r) => r.session.maxDelete, { kind: 'count', count: 7 }],
  [['--max-delete', '7%'], (r) => r.session.maxDelete, { kind: 'percent', percent: 7 }],
  [[], (r) => r.run, { dryRun: false, rehash: false, force: false }],
  [['-n'], (r) => r.run.dryRun, true],
  [['--dry-run'], (r) => r.run.dryRun, true],
  [['--checksum'], (r) => r.run.rehash, true],
  [['--force'], (r) => r.run.force, true],
  [[], (r) => r.session.digest, 'xxh64'],
  [['--digest', 'sha256'], (r) => r.session.digest, 'sha256'],
  [[], (r) => r.session.backup, true],
  [['--no-backup'], (r) => r.session.backup, false],
  [[], (r) => r.session.keepVersionsSeconds, 2_592_000],
  [['--keep-versions', '12h'], (r) => r.session.keepVersionsSeconds, 43_200],
  [[], (r) => r.session.durable, true],
  [['--no-fsync'], (r) => r.session.durable, false],
  [
    [],
    (r) => r.connection,
    {
      rsh: null,
      identity: [],
      port: null,
      hostKey: 'strict',
      sshConfig: null,
      agentCommand: null,
      bwlimit: null,
      compress: 'auto',
    },
  ],
  [['--rsh', 'ssh -v'], (r) => r.connection.rsh, 'ssh -v'],
  [['-i', 'one', '--identity', 'two'], (r) => r.connection.identity, ['one', 'two']],
  [['--port', '2222'], (r) => r.connection.port, 2222],
  [['--host-key', 'accept-new'], (r) => r.connection.hostKey, 'accept-new'],
  [['--ssh-config', '/etc/x'], (r) => r.connection.sshConfig, '/etc/x'],
  [['--agent-command', 'tidemark agent serve'], (r) => r.connection.agentCommand, 'tidemark agent serve'],
  [['--bwlimit', '500K'], (r) => r.connection.bwlimit, 512_000],
  [['--compress', 'none'], (r) => r.connection.compress, 'none'],
  [['--compress', 'zstd'], (r) => r.connection.compress, 'zstd'],
];

test.each(ROWS)('sync a h:b %j', async (argv, pick, value) => {
  const { code, syncs, stderr } = await invoke(['sync', 'a', 'h:b', ...argv]);
  expect(stderr).toBe('');
  expect(code).toBe(0);
  expect(syncs.map(pick)).toEqual([value]);
});

test('every option of the table has a row above, or is about output', () => {
  const seen = ROWS.flatMap(([argv]) => argv.filter((word) => word.startsWith('-')));
  const names = new Set(seen.map((word) => word.replace(/^--(no-)?/, '').replace(/=.*/, '')));
  const output = ['json', 'progress', 'quiet', 'verbose', 'log-file'];
  expect(Object.keys(OPTIONS).filter((name) => !names.has(name) && !output.includes(name))).toEqual([]);
});

test('options may stand before, between and behind the endpoints; -- ends them', async () => {
  const { syncs } = await invoke(['sync', '-n', 'a', '--mode', 'one-way-safe', '--', '-odd']);
  expect(syncs[0]?.beta).toEqual({ kind: 'local', path: '-odd' });
  expect(syncs[0]?.run.dryRun).toBe(true);
});

test.each([
  [['--mode', 'both'], '--mode "both": not one of the choices', 'Give one of two-way-safe'],
  [['--conflict', ''], '--conflict "": not one of the choices', 'Give one of report'],
  [['--max-delete', '50x'], '--max-delete "50x": neither a number nor a percentage', 'such as 50%'],
  [['--keep-versions', '30'], '--keep-versions "30": a duration without a unit', '30d'],
  [['--bwlimit', 'fast'], '--bwlimit "fast": not a rate', '500K'],
  [['--port', '0'], '--port "0": not a port number', '1 to 65535'],
  [['--rsh', ''], '--rsh "": empty', "such as 'ssh -v'"],
  [['--ignore-file', 'a/b'], '--ignore-file "a/b": name with a slash', 'bare file name'],
  [['--ignore', 'x', '--ignore', 'a\nb'], '--ignore "a\\nb": more than one line', 'one pattern'],
  [['-q', '-v'], '--quiet and --verbose exclude each other', 'Give one of them'],
  [['--conflit', 'newer'], "unknown option '--conflit'", 'Did you mean --conflict?'],
  [['--mode'], "option '--mode <choice>' argument missing", 'See tidemark sync --help.'],
  [['third'], 'too many arguments', 'See tidemark sync --help.'],
  [['--force=yes'], "unknown option '--force=yes'", ''],
  [['--no-force'], "unknown option '--no-force'", ''],
])('refused: %j', async (argv, message, remedy) => {
  const { code, stdout, stderr, syncs } = await invoke(['sync', 'a', 'b', ...argv]);
  expect(code).toBe(2);
  expect(syncs).toEqual([]);
  expect(stdout).toBe('');
  expect(stderr.startsWith('tidemark: ')).toBe(true);
  expect(stderr).toContain(message);
  expect(stderr).toContain(remedy);
});
