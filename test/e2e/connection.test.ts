/** The ways to the other host, and what stands in them. */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { agentCommandWith, BOTH_SSH, Ground, type Pair, shown, TO_SSH } from '../support/situations.ts';
import { freePort, generateKey } from '../support/sshd.ts';
import { type RunResult, tidemark } from '../support/tidemark.ts';
import { itWith } from './skips.ts';

let ground: Ground;
beforeAll(async () => {
  ground = await Ground.open();
});
afterAll(() => ground.close());

describe('both sides over ssh', () => {
  it('changes go through the middle', async () => {
    const pair = ground.pair(BOTH_SSH);
    await pair.start('a=one d/x=two big=*2M:3 l->a');
    pair.alpha.edit('a=more n=new');
    pair.beta.edit('-d big!600');
    await pair.syncWell();
    pair.expectBoth('a=more n=new big=*2M:3!600 l->a');
    await pair.expectIdle();
  });
});

describe('the agent', () => {
  it('is sent once, kept for its owner alone, and reused', async () => {
    const pair = ground.pair(TO_SSH);
    await pair.start('a=one');
    const folder = join(ground.farHome, 'agents');
    const [digest, ...others] = readdirSync(folder);
    expect(others).toEqual([]);
    expect(digest).toMatch(/^[0-9a-f]{64}$/);
    const second = await pair.syncWell();
    expect(second.summary.bytes.sent).toBeLessThan(100_000);
    expect(readdirSync(folder)).toEqual([digest]);
  });

  it('--agent-command starts another one, and installs none', async () => {
    const pair = ground.pair(TO_SSH);
    const home = join(pair.folder, 'their-home');
    pair.alpha.edit('a=one');
    await pair.syncWell('--agent-command', agentCommandWith(home));
    pair.expectEqual();
    expect(existsSync(join(home, 'state'))).toBe(true);
    expect(existsSync(join(home, 'agents'))).toBe(false);
  });

  it('--agent-command that starts nothing of ours', async () => {
    await expectUnavailable(['--agent-command', 'echo hello'], /hello|agent/);
    await expectUnavailable(['--agent-command', '/not/there'], /not\/there|agent/);
  });

  itWith('sshd')('survives a shell that talks before', async () => {
    const noisy = await Ground.open({
      sshd: { configuration: ['ForceCommand echo welcome; date; eval "$SSH_ORIGINAL_COMMAND"'] },
    });
    try {
      const pair = noisy.pair(TO_SSH);
      await pair.start('a=one d/x=two');
      await pair.expectIdle();
    } finally {
      await noisy.close();
    }
  });

  itWith('sshd', 'mount')('needs Node over there, and says so', async () => {
    const script = join(ground.folder, 'without-node.sh');
    const old = join(ground.folder, 'old');
    mkdirSync(old);
    writeFileSync(join(old, 'node'), '#!/bin/sh\necho v12.22.0\n', { mode: 0o755 });
    writeFileSync(script, withoutNode(old), { mode: 0o755 });
    const bare = await Ground.open({ sshd: { configuration: [`ForceCommand unshare -m ${script}`] } });
    try {
      const pair = bare.pair(TO_SSH);
      pair.alpha.edit('a=one');
      const run = await tidemark(['sync', ...pair.addresses, ...bare.sshOptions], pair.settings);
      expect(run.code, shown(run)).toBe(4);
      expect(run.stderr).toMatch(/Node/);
      expect(run.stderr).toMatch(/20\.19/);
      expect(run.stderr).toMatch(/12\.22\.0/);
      expect(existsSync(pair.beta.root)).toBe(false);
    } finally {
      await bare.close();
    }
  });
});

describe('--rsh', () => {
  itWith('ssh')('goes through the program given', async () => {
    const pair = ground.pair(TO_SSH);
    const config = sshd().configFile;
    pair.alpha.edit('a=one d/x=two');
    const words = ['sync', ...pair.addresses, '--json', '--rsh', `ssh -F ${config}`];
    const run = await tidemark(words, pair.settings);
    expect(run.code, shown(run)).toBe(0);
    pair.expectBoth('a=one d/x=two');
    pair.beta.edit('-a big=*3M:4');
    expect((await tidemark(words, pair.settings)).code).toBe(0);
    pair.expectBoth('d/x=two big=*3M:4');
  });

  it('a program that is not there, or fails', async () => {
    await expectUnavailable(['--rsh', 'no-such-program'], /no-such-program/);
    await expectUnavailable(['--rsh', 'false'], /false|ended|agent/);
  });
});

describe('keys and hosts', () => {
  itWith('keygen')('a key that is not let in', async () => {
    const key = generateKey(join(ground.folder, 'wrong-key'));
    const config = writeConfig('wrong', [`IdentityFile ${key}`, `UserKnownHostsFile ${sshd().knownHostsFile}`]);
    await expectUnavailable(['--ssh-config', config], /auth|denied|key/i);
  });

  it('a key file that is not there', async () => {
    const config = writeConfig('none', [`UserKnownHostsFile ${sshd().knownHostsFile}`]);
    await expectUnavailable(['--ssh-config', config, '-i', join(ground.folder, 'missing-key')], /missing-key|auth/);
  });

  it('a host never seen: refused, or learned with accept-new', async () => {
    const known = join(ground.folder, 'known-new');
    const config = writeConfig('new', [`IdentityFile ${sshd().identityFile}`, `UserKnownHostsFile ${known}`]);
    await expectUnavailable(['--ssh-config', config], /host key|known/i, /accept-new|ssh/);
    expect(existsSync(known)).toBe(false);
    const pair = ground.pair(TO_SSH);
    pair.alpha.edit('a=one');
    const run = await tidemark(
      ['sync', ...pair.addresses, '--ssh-config', config, '--host-key', 'accept-new'],
      pair.settings,
    );
    expect(run.code, shown(run)).toBe(0);
    expect(readFileSync(known, 'utf8')).toContain(sshd().hostKeys[0]?.split(' ')[1] ?? 'a key');
  });

  itWith('keygen')('a host whose key has changed, also with accept-new', async () => {
    const other = generateKey(join(ground.folder, 'other-host-key'));
    const known = join(ground.folder, 'known-other');
    const { port } = sshd();
    writeFileSync(known, `[127.0.0.1]:${port} ${readFileSync(`${other}.pub`, 'utf8')}`);
    const before = readFileSync(known, 'utf8');
    const config = writeConfig('changed', [`IdentityFile ${sshd().identityFile}`, `UserKnownHostsFile ${known}`]);
    for (const policy of ['strict', 'accept-new']) {
      await expectUnavailable(['--ssh-config', config, '--host-key', policy], /changed|another key|differ/i);
    }
    expect(readFileSync(known, 'utf8')).toBe(before);
  });

  it('a host that cannot be found', async () => {
    await expectUnavailable([], /not found|no-such-host/, /\S/, 'ssh://no-such-host.invalid/tmp/x');
  });

  it('a port where nobody listens', async () => {
    await expectUnavailable([], /refuse/, /\S/, `ssh://127.0.0.1:${await freePort()}/tmp/x`);
  });

  it('--port and -i instead of the configuration', async () => {
    const pair = ground.pair(TO_SSH);
    pair.alpha.edit('a=one');
    const { port, identityFile, knownHostsFile, user } = sshd();
    const config = writeConfig('plain', [`UserKnownHostsFile ${knownHostsFile}`]);
    const beta = `${user}@127.0.0.1:${pair.beta.root}`;
    const run = await tidemark(
      ['sync', pair.alpha.root, beta, '--port', String(port), '-i', identityFile, '--ssh-config', config],
      pair.settings,
    );
    expect(run.code, shown(run)).toBe(0);
    pair.expectBoth('a=one');
  });

  it('a path relative to the home directory', async () => {
    const home = join(ground.folder, 'a-home');
    mkdirSync(home);
    const pair = ground.pair(TO_SSH);
    pair.alpha.edit('a=one');
    const beta = ground.address('/~/below/home');
    mkdirSync(join(home, 'below'));
    const agent = `env HOME=${home} ${agentCommandWith(join(home, 'state'))}`;
    const run = await tidemark(
      ['sync', pair.alpha.root, beta, ...ground.sshOptions, '--agent-command', agent],
      pair.settings,
    );
    expect(run.code, shown(run)).toBe(0);
    expect(readFileSync(join(home, 'below/home/a'), 'utf8')).toBe('one');
  });
});

/** Hides every Node of this machine in a mount namespace of its own; the only one on the PATH is an old one. */
function withoutNode(old: string): string {
  return `#!/bin/sh
for node in "$(command -v node)" ${process.execPath} /usr/local/bin/node /usr/bin/node /opt/*/bin/node /snap/bin/node /usr/local/lib/nodejs/*/bin/node; do
  if [ -f "$node" ]; then mount --bind /dev/null "$node" || exit 9; fi
done
export PATH=${old}:/usr/bin:/bin HOME=/nonexistent
eval "$SSH_ORIGINAL_COMMAND"
`;
}

function sshd(): NonNullable<Ground['sshd']> {
  if (ground.sshd === null) throw new Error('no server');
  return ground.sshd;
}

function writeConfig(name: string, lines: readonly string[]): string {
  const file = join(ground.folder, `config-${name}`);
  const fixed = ['IdentitiesOnly yes', 'IdentityAgent none', 'GlobalKnownHostsFile none'];
  writeFileSync(file, `Host *\n${[...lines, ...fixed].map((line) => `  ${line}\n`).join('')}`);
  return file;
}

/** Exit 4, a cause and a remedy, nothing touched on either side. */
async function expectUnavailable(
  options: readonly string[],
  message: RegExp,
  remedy: RegExp = /\S/,
  beta?: string,
): Promise<RunResult> {
  const pair: Pair = ground.pair(TO_SSH);
  pair.alpha.edit('a=one');
  const before = pair.alpha.snapshot();
  const given = options.includes('--ssh-config') || options.includes('--rsh') ? [] : ground.sshOptions;
  const run = await tidemark(['sync', pair.alpha.root, beta ?? pair.addresses[1], ...options, ...given], pair.settings);
  expect(run.code, shown(run)).toBe(4);
  const [first = '', ...rest] = run.stderr.trimEnd().split('\n');
  expect(first).toMatch(/^tidemark: /);
  expect(run.stderr).toMatch(message);
  expect(rest.join('\n'), `a remedy\n${run.stderr}`).toMatch(remedy);
  expect(run.stderr).not.toMatch(/bug in tidemark/);
  expect(existsSync(pair.beta.root)).toBe(false);
  expect(pair.alpha.snapshot()).toEqual(before);
  pair.remove();
  return run;
}
