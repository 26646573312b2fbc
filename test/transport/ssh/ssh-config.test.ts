// biome-ignore-all lint/suspicious/noTemplateCurlyInString: these are placeholders of ssh_config
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { evaluateSshConfig, expandTokens, splitConfigWords } from '../../../src/transport/core/ssh-config.ts';
import { splitCommandLine } from '../../../src/transport/rsh-channel.ts';
import { hopsOf } from '../../../src/transport/ssh/proxy.ts';
import { resolveSshSettings } from '../../../src/transport/ssh/resolve-config.ts';

function evaluate(text: string, host = 'host', user: string | null = null, files: Record<string, string> = {}) {
  return evaluateSshConfig([{ file: 'config', text }], {
    host,
    user,
    localUser: 'local',
    include: (pattern) => (files[pattern] === undefined ? [] : [{ file: pattern, text: files[pattern] }]),
  });
}

describe('evaluating', () => {
  it.each<[string, string, string, string | undefined]>([
    ['the first value wins', 'Port 1\nPort 2', 'port', '1'],
    ['a block for the host', 'Host host\n Port 1\nHost *\n Port 2', 'port', '1'],
    ['a block for another', 'Host other\n Port 1\nHost *\n Port 2', 'port', '2'],
    ['several patterns', 'Host a b h*t\n Port 1', 'port', '1'],
    ['a negated pattern', 'Host * !host\n Port 1', 'port', undefined],
    ['only a negated pattern', 'Host !other\n Port 1', 'port', undefined],
    ['an equals sign', 'Port=1', 'port', '1'],
    ['spaces around it', 'Port = 1', 'port', '1'],
    ['keywords in any case', 'pOrT 1', 'port', '1'],
    ['quotes', 'User "a b"', 'user', 'a b'],
    ['a comment behind', 'Port 1 # why', 'port', '1'],
    ['a comment line', '# Port 1', 'port', undefined],
    ['CRLF', 'Port 1\r\nUser me\r\n', 'user', 'me'],
    ['the rest of a line', 'ProxyCommand nc -x "a  b" %h %p # x', 'proxycommand', 'nc -x "a  b" %h %p # x'],
    ['ProxyJump before ProxyCommand', 'ProxyJump a\nProxyCommand b', 'proxycommand', undefined],
    ['ProxyCommand before ProxyJump', 'ProxyCommand b\nProxyJump a', 'proxyjump', undefined],
    ['match all', 'Match all\n Port 1', 'port', '1'],
    ['match host', 'Match host h*\n Port 1', 'port', '1'],
    ['match host after HostName', 'HostName real\nMatch host real\n Port 1', 'port', '1'],
    ['match originalhost', 'HostName real\nMatch originalhost host\n Port 1', 'port', '1'],
    ['match user', 'User me\nMatch user me\n Port 1', 'port', '1'],
    ['match local user as default', 'Match user local\n Port 1', 'port', '1'],
    ['match localuser', 'Match localuser local\n Port 1', 'port', '1'],
    ['match both', 'Match host host user nobody\n Port 1', 'port', undefined],
    ['match negated', 'Match !host other\n Port 1', 'port', '1'],
    ['match exec never', 'Match exec true\n Port 1', 'port', undefined],
    ['match negated exec never', 'Match !exec false\n Port 1', 'port', undefined],
    ['match canonical never', 'Match canonical\n Port 1', 'port', undefined],
    ['match final', 'Match final\n Port 1', 'port', '1'],
    ['match final comes last', 'Match final\n Port 1\nMatch all\n Port 2', 'port', '2'],
    ['final sees the real name', 'HostName real\nMatch final host real\n Port 1', 'port', '1'],
    ['an open quote', 'User "a\nPort 1', 'user', undefined],
    ['several known_hosts files', 'UserKnownHostsFile a "b c"', 'userknownhostsfile', 'a\nb c'],
  ])('%s', (_name, text, keyword, expected) => {
    expect(evaluate(text).single.get(keyword)).toBe(expected);
  });

  it('collects identity files, each once', () => {
    const text = 'IdentityFile a\nHost host\nIdentityFile b\nMatch final\nIdentityFile c\nIdentityFile a';
    expect(evaluate(text).multiple.get('identityfile')).toEqual(['a', 'b', 'c']);
  });

  it('warns about what it skips', () => {
    expect(evaluate('Host host\nMatch exec "test -f x"\n Port 1').warnings).toEqual([
      expect.stringContaining('config:2'),
    ]);
  });

  it('follows Include, inside the block it stands in', () => {
    const files = { one: 'User me\nHost host\n Port 1', two: 'Host *\n HostName wrong' };
    const { single } = evaluate('Include one\nHost other\n Include two\nHost *\n Port 2', 'host', null, files);
    expect(Object.fromEntries(single)).toEqual({ user: 'me', port: '1' });
  });

  it('stops where files include each other', () => {
    expect(evaluate('Include one', 'host', null, { one: 'Include one' }).warnings).toEqual([
      expect.stringContaining('too deeply'),
    ]);
  });
});

describe('words', () => {
  it.each([
    ['a b', ['a', 'b']],
    ['"a b" c', ['a b', 'c']],
    ["'a b'", ['a b']],
    ['a\\ b', ['a b']],
    ['"a\\"b"', ['a"b']],
    ['C:\\x', ['C:\\x']],
    ['""', ['']],
    ['a #b', ['a']],
    ['a#b', ['a#b']],
    ['"a', null],
  ])('%j', (line, words) => {
    expect(splitConfigWords(line)).toEqual(words);
  });

  it.each([
    ['%h:%p', 'real:22'],
    ['%%h', '%h'],
    ['%z', '%z'],
  ])('tokens in %j', (text, expanded) => {
    expect(
      expandTokens(
        text,
        new Map([
          ['h', 'real'],
          ['p', '22'],
        ]),
      ),
    ).toBe(expanded);
  });

  it.each([
    ['ssh', ['ssh']],
    ['  ssh  -x ', ['ssh', '-x']],
    ["ssh -o 'a b'", ['ssh', '-o', 'a b']],
    ['ssh -o "a \\"b\\" $x"', ['ssh', '-o', 'a "b" $x']],
    ['a\\ b c""d \'\'', ['a b', 'cd', '']],
    ['', []],
  ])('of --rsh %j', (line, words) => {
    expect(splitCommandLine(line)).toEqual(words);
  });

  it.each(['ssh "a', "ssh 'a", 'ssh \\'])('of --rsh %j are refused', (line) => {
    expect(() => splitCommandLine(line)).toThrow(expect.objectContaining({ fault: 'usage' }));
  });

  it.each([
    ['a', [['a', null, null]]],
    [
      'me@a:22,b , ssh://c:1/',
      [
        ['a', 'me', 22],
        ['b', null, null],
        ['c', null, 1],
      ],
    ],
    ['[::1]:22', [['::1', null, 22]]],
  ])('of ProxyJump %j', (text, hops) => {
    expect(hopsOf(text).map(({ target }) => [target.host, target.user, target.port])).toEqual(hops);
  });

  it.each(['-oProxyCommand=x', 'a,,b', '-x@a', 'a:b'])('of ProxyJump %j are refused', (text) => {
    expect(() => hopsOf(text)).toThrow();
  });
});

const noSsh = spawnSync('ssh', ['-V']).error === undefined ? null : 'no ssh';

describe('resolving', () => {
  let home: string;
  let configFile: string;
  const environment = { PATH: process.env.PATH, SSH_AUTH_SOCK: '/run/agent', KEYS: '/keys' };

  beforeAll(() => {
    home = mkdtempSync(join(tmpdir(), 'tidemark-config-'));
    configFile = join(home, 'config');
    mkdirSync(join(home, 'parts'));
    writeFileSync(join(home, 'parts/b.conf'), 'Host included\n  Port 2002\n');
    writeFileSync(join(home, 'parts/a.conf'), 'Host included\n  Port 2001\n');
    writeFileSync(
      configFile,
      [
        `Include ${home}/parts/*.conf`,
        'Host alias',
        '  HostName %h.example.org',
        '  User someone',
        '  Port 2222',
        '  IdentityFile /keys/%r-%h',
        '  IdentitiesOnly yes',
        '  IdentityAgent none',
        '  ProxyJump me@jump:2200,second',
        '  UserKnownHostsFile /known/%h /known/two',
        '  GlobalKnownHostsFile none',
        '  HostKeyAlias other',
        '  StrictHostKeyChecking accept-new',
        '  HashKnownHosts yes',
        '  ServerAliveInterval 7',
        '  ServerAliveCountMax 5',
        '  ConnectTimeout 9',
        'Host command',
        '  ProxyCommand nc %h %p',
        'Match originalhost matched user special',
        '  Port 2020',
        'Host *',
        '  User fallback',
      ].join('\n'),
    );
  });
  afterAll(() => rmSync(home, { recursive: true, force: true }));

  const programs: [string, string | null][] = [['our parser', null]];
  if (noSsh === null) programs.push(['ssh -G', 'ssh']);

  describe.each(programs)('with %s', (_name, sshProgram) => {
    const resolve = (host: string, user: string | null = null, port: number | null = null) =>
      resolveSshSettings({ host, user, port }, { configFile, home, sshProgram, environment });

    it('everything a configuration can say', async () => {
      expect(await resolve('alias')).toMatchObject({
        host: 'alias',
        hostName: 'alias.example.org',
        user: 'someone',
        port: 2222,
        identityFiles: ['/keys/someone-alias.example.org'],
        identitiesChosen: true,
        identitiesOnly: true,
        agentSocket: null,
        proxyJump: 'me@jump:2200,second',
        proxyCommand: null,
        userKnownHostsFiles: ['/known/alias.example.org', '/known/two'],
        globalKnownHostsFiles: [],
        hostKeyAlias: 'other',
        acceptNew: true,
        hashKnownHosts: true,
        keepaliveIntervalMs: 7000,
        keepaliveCount: 5,
        connectTimeoutMs: 9000,
      });
    });

    it('what the address says wins', async () => {
      expect(await resolve('alias', 'me', 22)).toMatchObject({
        user: 'me',
        port: 22,
        identityFiles: ['/keys/me-alias.example.org'],
      });
    });

    it('defaults', async () => {
      const settings = await resolve('elsewhere');
      expect(settings).toMatchObject({
        hostName: 'elsewhere',
        user: 'fallback',
        port: 22,
        identitiesChosen: false,
        identitiesOnly: false,
        agentSocket: '/run/agent',
        proxyJump: null,
        proxyCommand: null,
        hostKeyAlias: null,
        acceptNew: false,
        keepaliveIntervalMs: 15_000,
        keepaliveCount: 3,
        connectTimeoutMs: null,
      });
      expect(settings.identityFiles).toContain(join(home, '.ssh/id_ed25519'));
    });

    it('Include, Match and ProxyCommand', async () => {
      expect((await resolve('included')).port).toBe(2001);
      expect((await resolve('matched', 'special')).port).toBe(2020);
      expect((await resolve('matched')).port).toBe(22);
      expect((await resolve('command')).proxyCommand).toBe('nc %h %p');
    });

    it('a missing file is an error', async () => {
      const missing = { configFile: join(home, 'missing'), home, sshProgram, environment };
      await expect(resolveSshSettings({ host: 'a', user: null, port: null }, missing)).rejects.toMatchObject({
        fault: 'usage',
      });
    });

    it.each([
      ['-oProxyCommand=touch x', null],
      ['a', '-x'],
      ['a b', null],
    ])('refuses the host %j and user %j', async (host, user) => {
      await expect(resolve(host, user)).rejects.toMatchObject({ fault: 'usage' });
    });
  });

  it('expands home, tokens and variables in our parser', async () => {
    const own = join(home, 'own');
    const text =
      'IdentityFile ~/a\nIdentityFile %d/b-%u\nIdentityFile ${KEYS}/c\nIdentityAgent $OTHER\nUserKnownHostsFile ~/k';
    writeFileSync(own, text);
    const target = { host: 'h', user: null, port: null };
    const settings = await resolveSshSettings(target, {
      configFile: own,
      home,
      sshProgram: null,
      environment: { ...environment, OTHER: '/other' },
      identityFiles: ['/chosen'],
    });
    const { username } = userInfo();
    expect(settings.identityFiles).toEqual(['/chosen', `${home}/a`, `${home}/b-${username}`, '/keys/c']);
    expect(settings.agentSocket).toBe('/other');
    expect(settings.userKnownHostsFiles).toEqual([`${home}/k`]);
  });
});
