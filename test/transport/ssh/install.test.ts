import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { deflateRawSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { agentCommand, parseBootstrapStatus } from '../../../src/transport/bootstrap.ts';
import { BOOTSTRAP_SCRIPT } from '../../../src/transport/bootstrap-script.ts';
import { MAGIC } from '../../../src/transport/core/hello.ts';
import { type OpenAgentOptions, openAgent } from '../../../src/transport/install.ts';
import {
  type AgentBundle,
  digestOf,
  encodeUpload,
  fitsHost,
  readAgentBundle,
} from '../../../src/transport/install-bundle.ts';
import { openRshChannel } from '../../../src/transport/rsh-channel.ts';
import { openSshChannel } from '../../../src/transport/ssh/client.ts';
import { startSshd, type TestSshd, whyNoSshd } from '../../support/sshd.ts';

const missing = whyNoSshd();

/** Says the magic, then sends back whatever comes. */
const ECHO_AGENT = `process.stdout.write(Buffer.from('${MAGIC.toString('hex')}', 'hex'));process.stdin.pipe(process.stdout);\n`;

describe('the start command', () => {
  const command = agentCommand('a'.repeat(64));

  it('is one line that every login shell passes on unchanged', () => {
    expect(command).toMatch(/^exec sh -c '[^'\\!\n]*'$/);
  });

  it('is constant but for the digest', () => {
    expect(agentCommand('b'.repeat(64))).toBe(command.replaceAll('a'.repeat(64), 'b'.repeat(64)));
  });

  it('stays far below the 128 KiB one argument may have', () => {
    expect(command.length).toBeLessThan(8 * 1024);
  });

  it.each(['', 'a'.repeat(63), `${'a'.repeat(63)};`, 'A'.repeat(64), '$(reboot)'])(
    'refuses the digest %j',
    (digest) => {
      expect(() => agentCommand(digest)).toThrow('not a digest');
    },
  );
});

describe('status lines', () => {
  it.each([
    [
      'need v20.19.0 linux x64 glibc',
      { kind: 'need', nodeVersion: 'v20.19.0', platform: 'linux', arch: 'x64', libc: 'glibc' },
    ],
    ['no-node', { kind: 'no-node', found: '' }],
    ['no-node /usr/bin/node v18.1.0', { kind: 'no-node', found: '/usr/bin/node v18.1.0' }],
    ['failed no space', { kind: 'failed', reason: 'no space' }],
    ['need v20.19.0 linux', null],
    ['something else', null],
  ])('%s', (line, status) => {
    expect(parseBootstrapStatus(line)).toEqual(status);
  });
});

describe('bundles', () => {
  const builtFor = { platform: 'linux', arch: 'x64', libc: 'glibc' };
  const bundle = (names: string[]): AgentBundle => {
    const files = names.map((name) => ({ name, bytes: Buffer.alloc(0), sha256: '0'.repeat(64) }));
    return { files, digest: digestOf(files), builtFor };
  };

  it.each([
    [['agent.js'], 'win32', 'x64', 'none', true],
    [['agent.js', 'lmdb.node'], 'linux', 'x64', 'glibc', true],
    [['agent.js', 'lmdb.node'], 'linux', 'x64', 'musl', false],
    [['agent.js', 'lmdb.node'], 'linux', 'arm64', 'glibc', false],
    [['agent.js', 'lmdb.node'], 'darwin', 'x64', 'none', false],
  ])('%j on %s %s %s: %s', (names, platform, arch, libc, fits) => {
    expect(fitsHost(bundle(names), { platform, arch, libc }) === null).toBe(fits);
  });

  it('has a digest that depends on names and contents', () => {
    const one = { name: 'agent.js', sha256: '0'.repeat(64) };
    const other = { name: 'lmdb.node', sha256: '1'.repeat(64) };
    expect(digestOf([one, other])).toBe(digestOf([other, one]));
    expect(digestOf([one])).not.toBe(digestOf([{ ...one, name: 'agent.mjs' }]));
    expect(digestOf([one])).not.toBe(digestOf([{ ...one, sha256: '2'.repeat(64) }]));
  });
});

describe.skipIf(missing !== null)(
  `installing the agent over a real sshd${missing === null ? '' : ` (${missing})`}`,
  () => {
    let folder: string;
    let home: string;
    let sshd: TestSshd;
    let noisy: TestSshd;
    let bare: TestSshd;

    beforeAll(async () => {
      folder = mkdtempSync(join(tmpdir(), 'tidemark-install-'));
      home = join(folder, 'state with space');
      const binaries = join(folder, 'bin');
      mkdirSync(binaries);
      symlinkSync('/bin/sh', join(binaries, 'sh'));
      writeFileSync(join(binaries, 'node'), '#!/bin/sh\necho v18.20.1\n', { mode: 0o755 });
      const environment = { TIDEMARK_HOME: home };
      const forced = 'ForceCommand echo Welcome; printf tide; eval "$SSH_ORIGINAL_COMMAND"';
      [sshd, noisy, bare] = await Promise.all([
        startSshd({ environment }),
        startSshd({ environment, configuration: [forced] }),
        startSshd({ environment: { ...environment, PATH: binaries } }),
      ]);
    });

    afterAll(async () => {
      await Promise.all([sshd, noisy, bare].map((server) => server?.stop()));
      rmSync(folder, { recursive: true, force: true });
    });

    const factory = (server: TestSshd) => (command: string) =>
      openSshChannel({ host: server.host, user: null, port: server.port }, command, { configFile: server.configFile });

    /** A bundle of one small script, different for every `salt`. */
    async function bundleOf(salt: string, script = ECHO_AGENT): Promise<AgentBundle> {
      const dist = mkdtempSync(join(folder, 'dist-'));
      writeFileSync(join(dist, 'agent.js'), `// ${salt}\n${script}`);
      return await readAgentBundle(dist);
    }

    function options(bundle: AgentBundle, extra: Partial<OpenAgentOptions> = {}): OpenAgentOptions {
      return { host: 'testhost', magic: MAGIC, bundle: async () => bundle, ...extra };
    }

    /** Opens, sends `text`, reads the magic and the echo, closes. */
    async function echo(server: TestSshd, settings: OpenAgentOptions, text = 'hello'): Promise<string> {
      const channel = await openAgent(factory(server), settings);
      await channel.write(Buffer.from(text));
      let got = Buffer.alloc(0);
      for await (const chunk of channel.incoming) {
        got = Buffer.concat([got, chunk]);
        if (got.length >= MAGIC.length + text.length) break;
      }
      await channel.close();
      expect(got.subarray(0, MAGIC.length).equals(MAGIC)).toBe(true);
      return got.subarray(MAGIC.length).toString();
    }

    const agents = () => join(home, 'agents');
    const installed = () => (existsSync(agents()) ? readdirSync(agents()).sort() : []);

    it('sends the agent the first time and finds it the second', async () => {
      const bundle = await bundleOf('first');
      const uploads: number[] = [];
      const settings = options(bundle, { onUpload: (bytes) => uploads.push(bytes) });
      expect(await echo(sshd, settings)).toBe('hello');
      expect(uploads.length).toBe(1);
      expect(readFileSync(join(agents(), bundle.digest, 'agent.js'))).toEqual(bundle.files[0]?.bytes);
      expect(await echo(sshd, settings, 'again')).toBe('again');
      expect(uploads.length).toBe(1);
      expect(existsSync(join(agents(), bundle.digest, 'used'))).toBe(true);
    });

    it('gets past a shell that prints before, even without a line end', async () => {
      const bundle = await bundleOf('noisy');
      expect(await echo(noisy, options(bundle))).toBe('hello');
      expect(await echo(noisy, options(bundle))).toBe('hello');
    });

    it('leaves every byte after the upload to the agent', async () => {
      const bundle = await bundleOf('follow', `${ECHO_AGENT}// ${'x'.repeat(1024 * 1024)}\n`);
      const text = 'y'.repeat(300_000);
      // Everything at once, without waiting for a word from the other side: a bootstrap that reads ahead would keep some.
      const channel = await factory(sshd)(agentCommand(bundle.digest));
      await channel.write(Buffer.concat([...(await encodeUpload(bundle)), Buffer.from(text)]));
      let got = Buffer.alloc(0);
      for await (const chunk of channel.incoming) {
        got = Buffer.concat([got, chunk]);
        const at = got.indexOf(MAGIC);
        if (at >= 0 && got.length - at - MAGIC.length >= text.length) break;
      }
      await channel.close();
      expect(got.subarray(got.indexOf(MAGIC) + MAGIC.length).toString() === text).toBe(true);
    });

    it('would lose bytes with a bootstrap that reads ahead (control)', async () => {
      const bundle = await bundleOf('ahead');
      const exact = 'return fs.readSync(0, bytes, at, Math.min(bytes.length - at, 1 << 20), null);';
      const ahead =
        'const more = Buffer.alloc(bytes.length - at + 65536); const got = fs.readSync(0, more, 0, more.length, null);' +
        'more.copy(bytes, at); return Math.min(got, bytes.length - at);';
      const channel = await factory(sshd)(changedCommand(bundle.digest, exact, ahead));
      await channel.write(Buffer.concat([...(await encodeUpload(bundle)), Buffer.from('lost')]));
      channel.endInput();
      let got = Buffer.alloc(0);
      for await (const chunk of channel.incoming) got = Buffer.concat([got, chunk]);
      await channel.close();
      expect(got.toString('latin1').endsWith('lost')).toBe(false);
    });

    it('keeps the three versions used last', async () => {
      rmSync(agents(), { recursive: true, force: true });
      const digests: string[] = [];
      for (let version = 0; version < 4; version++) {
        const bundle = await bundleOf(`version ${version}`);
        await echo(sshd, options(bundle));
        // Times as if a minute had passed between them; the oldest was used again most recently.
        const time = Date.now() / 1000 - 600 + (version === 0 ? 500 : version * 60);
        utimesSync(join(agents(), bundle.digest), time, time);
        digests.push(bundle.digest);
      }
      const [oldest = '', second = '', third = '', newest = ''] = digests;
      expect(installed()).toEqual([oldest, third, newest].sort());
      expect(installed()).not.toContain(second);
    });

    it('lets a fresh agent start threads of its own file, like an installed one', async () => {
      const script = `import { Worker, isMainThread, parentPort } from 'node:worker_threads';
      if (isMainThread) {
        process.stdout.write(Buffer.from('${MAGIC.toString('hex')}', 'hex'));
        new Worker(new URL(import.meta.url)).once('message', (text) => {
          process.stdout.write(text + process.argv.length + process.execArgv.length);
          process.stdin.resume();
        });
      } else parentPort.postMessage('from a thread ');`;
      const bundle = await bundleOf('threads', script);
      const expected = 'from a thread 20';
      for (let round = 0; round < 2; round++)
        expect(await echo(sshd, options(bundle), ' '.repeat(expected.length))).toBe(expected);
    });

    it('survives several installations at once', async () => {
      const bundle = await bundleOf('race');
      const answers = await Promise.all([1, 2, 3, 4].map((number) => echo(sshd, options(bundle), `n${number}`)));
      expect(answers).toEqual(['n1', 'n2', 'n3', 'n4']);
      expect(installed().filter((name) => name.startsWith('.'))).toEqual([]);
      expect(installed()).toContain(bundle.digest);
    });

    it.each([
      ['cut short', (bytes: Buffer) => bytes.subarray(0, bytes.length / 2)],
      ['empty', () => Buffer.alloc(0)],
      ['another program', () => Buffer.from('process.exit(3);')],
    ])('sends an agent again that is %s', async (what, spoil) => {
      const bundle = await bundleOf(`spoiled: ${what}`);
      expect(await echo(sshd, options(bundle))).toBe('hello');
      const file = join(agents(), bundle.digest, 'agent.js');
      writeFileSync(file, spoil(readFileSync(file)));
      expect(await echo(sshd, options(bundle))).toBe('hello');
      expect(readFileSync(file)).toEqual(bundle.files[0]?.bytes);
    });

    it('replaces a broken installation', async () => {
      const bundle = await bundleOf('broken');
      mkdirSync(join(agents(), bundle.digest), { recursive: true });
      writeFileSync(join(agents(), bundle.digest, 'litter'), 'x');
      expect(await echo(sshd, options(bundle))).toBe('hello');
      expect(existsSync(join(agents(), bundle.digest, 'litter'))).toBe(false);
    });

    it.each([
      ['a file damaged on its way', (bundle: AgentBundle) => tamper(bundle, Buffer.from('// evil\n')), 'damaged'],
      ['files that are not the announced agent', (bundle: AgentBundle) => rename(bundle), 'do not make up the agent'],
    ])('refuses %s and leaves nothing', async (_name, change, reason) => {
      const bundle = change(await bundleOf('tampered'));
      const before = installed();
      await expect(openAgent(factory(sshd), options(bundle))).rejects.toMatchObject({
        fault: 'unavailable',
        code: 'agent-install',
        message: expect.stringContaining(reason),
      });
      expect(installed()).toEqual(before);
    });

    it('would install a damaged file with a bootstrap that does not check it (control)', async () => {
      const bundle = await bundleOf('unchecked');
      const command = (digest: string) =>
        changedCommand(digest, /if \(sha256\(bytes\) !== file\.sha256\)/, 'if (false)');
      expect(await echo(sshd, options(tamper(bundle, Buffer.from(`//\n${ECHO_AGENT}`)), { command }))).toBe('hello');
    });

    it('refuses a folder of agents that others can write to', async () => {
      const bundle = await bundleOf('open folder');
      const open = join(folder, 'open');
      mkdirSync(join(open, 'agents'), { recursive: true });
      chmodSync(join(open, 'agents'), 0o777);
      const settings = options(bundle, {
        command: (digest) => `TIDEMARK_HOME='${open}'; export TIDEMARK_HOME; ${agentCommand(digest)}`,
      });
      await expect(openAgent(factory(sshd), settings)).rejects.toMatchObject({ code: 'agent-install' });
    });

    it('says what was found where no Node.js fits', async () => {
      const bundle = await bundleOf('no node');
      const settings = options(bundle, { command: (digest) => agentCommand(digest, ['/nowhere/*/node']) });
      await expect(openAgent(factory(bare), settings)).rejects.toMatchObject({
        fault: 'unavailable',
        code: 'no-node',
        message: expect.stringMatching(/^testhost has no .*20\.19.* only found \S*\/bin\/node v18\.20\.1$/),
      });
    });

    it('finds a Node.js that is not on the PATH', async () => {
      const bundle = await bundleOf('other place');
      const settings = options(bundle, {
        command: (digest) => agentCommand(digest, ['/nowhere/*/node', process.execPath]),
      });
      expect(await echo(bare, settings)).toBe('hello');
    });

    it('refuses to send native files to another kind of host', async () => {
      const bundle = await bundleOf('platform');
      const files = [...bundle.files, { name: 'lmdb.node', bytes: Buffer.from('x'), sha256: '0'.repeat(64) }];
      const strange = { files, digest: digestOf(files), builtFor: { platform: 'linux', arch: 'mips', libc: 'musl' } };
      await expect(openAgent(factory(sshd), options(strange))).rejects.toMatchObject({ code: 'agent-platform' });
    });

    it('runs exactly the given agent command', async () => {
      const bundle = () => Promise.reject(new Error('not asked for'));
      const given = `echo tidemark-bootstrap need v20.19.0 linux x64 glibc; printf '\\212TIDE\\r\\n\\000'; cat`;
      expect(await echo(sshd, options(await bundleOf('unused'), { bundle, agentCommand: given }))).toBe('hello');
    });

    it.each([
      ['ends at once', 'echo oh no >&2; exit 7', 'agent-start', /status 7.*oh no/s],
      ['is no command', 'tidemark-no-such-command', 'agent-start', /status 127/],
      ['never stops talking', 'yes', 'agent-noise', /y\\ny\\n/],
      ['never says anything', 'sleep 60', 'timeout', /in time/],
    ])('explains an agent that %s', async (_name, command, code, message) => {
      const settings = options(await bundleOf('unused'), { agentCommand: command, answerTimeoutMs: 1500 });
      const failure = await openAgent(factory(sshd), settings).catch((error: unknown) => error);
      expect(failure).toMatchObject({ fault: 'unavailable', code });
      expect((failure as Error).message).toMatch(message);
    });

    it('stops when interrupted', async () => {
      const abort = new AbortController();
      const settings = options(await bundleOf('unused'), { agentCommand: 'sleep 60', signal: abort.signal });
      const opening = openAgent(factory(sshd), settings);
      setTimeout(() => abort.abort(), 300);
      await expect(opening).rejects.toMatchObject({ fault: 'interrupted' });
    });

    it('works through the system ssh as well', async () => {
      const bundle = await bundleOf('rsh');
      const program = `ssh -F '${sshd.configFile}' -o BatchMode=yes`;
      const open = (command: string) =>
        openRshChannel(program, { host: sshd.host, user: null, port: sshd.port }, command);
      for (let round = 0; round < 2; round++) {
        const channel = await openAgent(open, options(bundle));
        const first = await channel.incoming[Symbol.asyncIterator]().next();
        expect(first.value?.subarray(0, MAGIC.length).equals(MAGIC)).toBe(true);
        await channel.close();
      }
    });
  },
);

function tamper(bundle: AgentBundle, bytes: Buffer): AgentBundle {
  return { ...bundle, files: bundle.files.map((file) => ({ ...file, bytes })) };
}

function rename(bundle: AgentBundle): AgentBundle {
  return { ...bundle, digest: 'f'.repeat(64) };
}

/** The start command with a deliberately broken bootstrap. */
function changedCommand(digest: string, from: string | RegExp, to: string): string {
  const script = BOOTSTRAP_SCRIPT.replace(from, to);
  expect(script).not.toBe(BOOTSTRAP_SCRIPT);
  const pack = (text: string) => deflateRawSync(text, { level: 9 }).toString('base64');
  return agentCommand(digest).replace(pack(BOOTSTRAP_SCRIPT), pack(script));
}
