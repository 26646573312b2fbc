import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { fromText } from '../../../src/platform/core/byte-path.ts';
import { type Invoked, invoke } from '../harness.ts';

let home: string;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'tidemark-config-'));
});
afterEach(() => rmSync(home, { recursive: true, force: true }));

async function withConfig(text: string | Buffer, argv: readonly string[] = []): Promise<Invoked> {
  writeFileSync(join(home, 'config.toml'), text);
  return invoke(['sync', 'a', 'b', ...argv], { environment: { TIDEMARK_HOME: home }, homeDirectory: '/home/me' });
}

test('every kind of value is read', async () => {
  const { syncs, stderr } = await withConfig(`
# a comment
mode = "one-way-safe"
ignore = ["*.tmp", "größe/"]
perms = false
fsync = false
max-delete = 10
port = 2222
bwlimit = 100
keep-versions = "2w"
identity = ["~/.ssh/id", "/keys/two"]
ssh-config = "~/cfg"
"host-key" = "accept-new"
`);
  expect(stderr).toBe('');
  const [request] = syncs;
  expect(request?.session).toMatchObject({
    mode: 'one-way-safe',
    durable: false,
    maxDelete: { kind: 'count', count: 10 },
    keepVersionsSeconds: 1_209_600,
    ignore: { patterns: ['*.tmp', fromText('größe/')] },
    metadata: { perms: false, times: true },
  });
  expect(request?.connection).toMatchObject({
    port: 2222,
    bwlimit: 102_400,
    identity: ['/home/me/.ssh/id', '/keys/two'],
    sshConfig: '/home/me/cfg',
    hostKey: 'accept-new',
  });
});

test('flags come first; ignore patterns add up, identities are replaced', async () => {
  const config = 'mode = "one-way-safe"\nignore = "*.tmp"\nidentity = "/one"\nperms = false\ngitignore = true\n';
  const flags = ['--mode', 'two-way-safe', '--ignore', '!x.tmp', '-i', '/two', '--perms', '--no-gitignore'];
  const { syncs } = await withConfig(config, flags);
  expect(syncs[0]?.session).toMatchObject({ mode: 'two-way-safe', metadata: { perms: true } });
  expect(syncs[0]?.session.ignore).toMatchObject({ patterns: ['*.tmp', '!x.tmp'], gitignore: false });
  expect(syncs[0]?.connection.identity).toEqual(['/two']);
});

test('the environment stands between flags and file', async () => {
  writeFileSync(join(home, 'config.toml'), `log-file = "${home}/from-file"\n`);
  const environment = { TIDEMARK_HOME: home, TIDEMARK_LOG: join(home, 'missing', 'from-environment') };
  const { code, stderr } = await invoke(['sync', 'a', 'b'], { environment });
  expect(code).toBe(2);
  expect(stderr).toContain('from-environment');
});

test('-q on the command line undoes verbose in the file', async () => {
  expect((await withConfig('verbose = true\n', ['-q'])).stdout).toBe('');
  expect((await withConfig('quiet = true\n', ['-v'])).stdout).toContain('nothing to do');
});

test('an option the command does not have is fine in the file', async () => {
  writeFileSync(join(home, 'config.toml'), 'mode = "one-way-safe"\n');
  const { code } = await invoke(['verify', 'a', 'b'], { environment: { TIDEMARK_HOME: home } });
  expect(code).toBe(0);
});

test.each([
  ['unknown key', 'mode = "one-way-safe"\nconflit = "newer"\n', 'line 2: conflit is not an option', '"conflict"'],
  ['underscore', 'max_delete = 3\n', 'line 1: max_delete is not an option', '"max-delete"'],
  ['far from all', 'zzzzzzzz = 3\n', 'zzzzzzzz is not an option', 'Known keys: mode, conflict'],
  ['table', '[session.work]\nmode = "one-way-safe"\n', 'line 1: session is not an option', 'Known keys'],
  ['wrong choice', '\n\nmode = "both"\n', 'line 3: mode "both": not one of the choices', 'one-way-replica'],
  ['wrong type', 'mode = true\n', 'line 1: mode: true does not fit', 'Give one of two-way-safe'],
  ['no boolean', 'perms = "yes"\n', 'line 1: perms: a string does not fit', 'Give true or false.'],
  ['no list', 'ignore = [1]\n', 'line 1: ignore: a list does not fit', 'list of strings'],
  ['date', 'port = 2020-01-01\n', 'port: a date does not fit', '65535'],
  ['bad number', 'port = 70000\n', 'port "70000": not a port number', '65535'],
  ['syntax', 'mode = "one-way\n', 'line 1', ''],
  ['twice', 'port = 1\nport = 2\n', 'line 2', ''],
  ['force', 'force = true\n', 'force cannot be set here', ''],
  ['prototype', '__proto__ = 1\n', '__proto__ is not an option', ''],
  ['q and v', 'quiet = true\nverbose = true\n', 'exclude each other', ''],
])('refused: %s', async (_what, config, message, remedy) => {
  const { code, stderr, syncs } = await withConfig(config);
  expect({ code, syncs }).toEqual({ code: 2, syncs: [] });
  expect(stderr).toContain(join(home, 'config.toml'));
  expect(stderr).toContain(message);
  expect(stderr).toContain(remedy);
});

test('a configuration that is no file is refused, one that is missing is not', async () => {
  expect((await invoke(['sync', 'a', 'b'], { environment: { TIDEMARK_HOME: home } })).code).toBe(0);
  mkdirSync(join(home, 'config.toml'));
  const { code, stderr } = await invoke(['sync', 'a', 'b'], { environment: { TIDEMARK_HOME: home } });
  expect(code).toBe(2);
  expect(stderr).toContain('cannot read');
});

test('an endless configuration is refused', async () => {
  expect((await withConfig(Buffer.alloc(1024 * 1024 + 1, '#'))).stderr).toContain('larger than 1 MiB');
});

test('XDG_CONFIG_HOME is followed', async () => {
  mkdirSync(join(home, 'tidemark'));
  writeFileSync(join(home, 'tidemark', 'config.toml'), 'mode = "one-way-safe"\n');
  chmodSync(join(home, 'tidemark'), 0o700);
  const { syncs } = await invoke(['sync', 'a', 'b'], { environment: { XDG_CONFIG_HOME: home } });
  expect(syncs[0]?.session.mode).toBe('one-way-safe');
});
