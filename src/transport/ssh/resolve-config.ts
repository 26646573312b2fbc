/**
 * The user's ssh configuration for one host, resolved.
 *
 * Where an `ssh` program exists, `ssh -G` is asked: nothing knows the configuration better. It takes the home
 * directory from the password database, though; where HOME says otherwise, and where there is no ssh, our own parser
 * does it.
 */
import { spawn } from 'node:child_process';
import { homedir, userInfo } from 'node:os';
import { join } from 'node:path';
import { TidemarkError } from '../../platform/core/errors.ts';
import { hostFault, userFault } from '../core/endpoint-address.ts';
import { evaluateSshConfig, expandTokens, type SshConfigValues } from '../core/ssh-config.ts';
import { includeFiles, readConfigFile } from './config-files.ts';

/** A host to connect to, as the user named it. */
export interface SshTarget {
  readonly host: string;
  readonly user: string | null;
  readonly port: number | null;
}

/** Everything the connection needs to know, defaults filled in and tokens expanded. */
export interface SshSettings {
  /** As typed. */
  readonly host: string;
  readonly hostName: string;
  readonly user: string;
  readonly port: number;
  readonly identityFiles: readonly string[];
  /** False where the identity files are only ssh's defaults. */
  readonly identitiesChosen: boolean;
  readonly identitiesOnly: boolean;
  /** Socket of the agent, or null for none. */
  readonly agentSocket: string | null;
  /** Comma list of hops, or null. */
  readonly proxyJump: string | null;
  readonly proxyCommand: string | null;
  readonly userKnownHostsFiles: readonly string[];
  readonly globalKnownHostsFiles: readonly string[];
  readonly hostKeyAlias: string | null;
  /** What the configuration says about unknown keys; a changed key is refused whatever it says. */
  readonly acceptNew: boolean;
  readonly hashKnownHosts: boolean;
  readonly keepaliveIntervalMs: number;
  readonly keepaliveCount: number;
  readonly connectTimeoutMs: number | null;
  /** AddressFamily; 0 for any. */
  readonly addressFamily: 0 | 4 | 6;
  /** BatchMode: nobody is to be asked. */
  readonly batchMode: boolean;
  readonly warnings: readonly string[];
}

/** Where the configuration comes from; everything but the target may be left out. */
export interface ResolveOptions {
  /** `--ssh-config`: this file instead of the user's and the system's; `none` for no file at all, as with ssh. */
  readonly configFile?: string | null;
  /** `--identity`: tried first. */
  readonly identityFiles?: readonly string[];
  /** Home directory; HOME by default. */
  readonly home?: string;
  /** The program asked for the configuration; null to use our own parser. */
  readonly sshProgram?: string | null;
  readonly environment?: NodeJS.ProcessEnv;
}

/** Resolves `target`; refuses names that could be read as options. */
export async function resolveSshSettings(target: SshTarget, options: ResolveOptions = {}): Promise<SshSettings> {
  checkTarget(target);
  const environment = options.environment ?? process.env;
  const home = options.home ?? homedir();
  const program = options.sshProgram === undefined ? defaultProgram(home) : options.sshProgram;
  const values =
    (program === null ? null : await askSsh(program, target, options, environment)) ??
    parseConfiguration(target, home, options);
  return settingsFrom(target, values, { home, environment, identityFiles: options.identityFiles ?? [] });
}

/** Keepalive where the configuration sets none: a dead peer is noticed within a minute. */
const KEEPALIVE_INTERVAL_MS = 15_000;
const KEEPALIVE_COUNT = 3;

/** `ssh -G` prints about 6 KB. */
const MAX_ANSWER_BYTES = 1024 * 1024;

/** Those of ssh's default identities that ssh2 can read, newest kind first. */
const DEFAULT_IDENTITIES = ['id_ed25519', 'id_ecdsa', 'id_rsa'];

/** ssh -G lists its defaults like chosen files; exactly these mean that nothing was chosen. */
const SSH_DEFAULT_IDENTITY = /^~\/\.ssh\/id_(rsa|dsa|ecdsa|ecdsa_sk|ed25519|ed25519_sk|xmss|mldsa\w*)$/;

function checkTarget(target: SshTarget): void {
  const fault = hostFault(target.host) ?? (target.user === null ? null : userFault(target.user));
  if (fault !== null) throw new TidemarkError('usage', 'endpoint-address', `${JSON.stringify(target.host)}: ${fault}`);
}

function defaultProgram(home: string): string | null {
  try {
    return userInfo().homedir === home ? 'ssh' : null;
  } catch {
    return null;
  }
}

/** The answer of `ssh -G`, or null where there is no such program. */
async function askSsh(
  program: string,
  target: SshTarget,
  options: ResolveOptions,
  environment: NodeJS.ProcessEnv,
): Promise<SshConfigValues | null> {
  const words = ['-G'];
  if (options.configFile) words.push('-F', options.configFile);
  if (target.user !== null) words.push('-l', target.user);
  if (target.port !== null) words.push('-p', String(target.port));
  words.push('--', target.host);
  const answer = await runProgram(program, words, environment);
  if (answer === null) return null;
  // Clients other than OpenSSH's, and very old ones, do not know -G.
  if (answer.status !== 0 && /usage|(unknown|illegal|invalid) option/i.test(answer.stderr)) return null;
  if (answer.status !== 0) throw badConfiguration(answer.stderr.trim() || `${program} -G failed`);
  return valuesFromSsh(answer.stdout);
}

interface ProgramAnswer {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function runProgram(program: string, words: string[], env: NodeJS.ProcessEnv): Promise<ProgramAnswer | null> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, words, { env, stdio: ['ignore', 'pipe', 'pipe'], timeout: 20_000 });
    const texts = { stdout: '', stderr: '' };
    for (const name of ['stdout', 'stderr'] as const) {
      child[name].setEncoding('utf8').on('data', (text: string) => {
        if (texts[name].length < MAX_ANSWER_BYTES) texts[name] += text;
      });
    }
    child.on('error', (error) => {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') resolve(null);
      else reject(badConfiguration(`${program} cannot be run: ${error.message}`));
    });
    child.on('close', (status) => resolve({ status, ...texts }));
  });
}

function valuesFromSsh(answer: string): SshConfigValues {
  const single = new Map<string, string>();
  const files: string[] = [];
  for (const line of answer.split('\n')) {
    const space = line.indexOf(' ');
    if (space < 0) continue;
    const keyword = line.slice(0, space);
    const value = line.slice(space + 1);
    if (keyword === 'identityfile') files.push(value);
    else if (keyword.endsWith('knownhostsfile')) single.set(keyword, value.split(' ').join('\n'));
    else if (!single.has(keyword)) single.set(keyword, value);
  }
  const chosen = files.some((file) => !SSH_DEFAULT_IDENTITY.test(file));
  return { single, multiple: new Map(chosen ? [['identityfile', files]] : []), warnings: [] };
}

function parseConfiguration(target: SshTarget, home: string, options: ResolveOptions): SshConfigValues {
  const own = options.configFile ?? null;
  if (own !== null && own !== 'none' && readConfigFile(own) === null) throw badConfiguration(`${own} cannot be read`);
  const names = own === null ? [join(home, '.ssh/config'), '/etc/ssh/ssh_config'] : own === 'none' ? [] : [own];
  const files = names.map(readConfigFile).filter((file) => file !== null);
  const localUser = safeUserName();
  return evaluateSshConfig(files, {
    host: target.host,
    user: target.user,
    localUser,
    include: (pattern, from) => includeFiles(pattern, from, home),
  });
}

interface Surroundings {
  readonly home: string;
  readonly environment: NodeJS.ProcessEnv;
  readonly identityFiles: readonly string[];
}

function settingsFrom(target: SshTarget, values: SshConfigValues, around: Surroundings): SshSettings {
  const get = (keyword: string) => values.single.get(keyword);
  const named = (keyword: string) => (noneToNull(get(keyword)) === null ? null : (get(keyword) ?? null));
  const hostName = expandTokens(get('hostname') ?? target.host, new Map([['h', target.host]]));
  const user = target.user ?? get('user') ?? safeUserName();
  const port = target.port ?? wholeNumber(get('port'), 1, 65535) ?? 22;
  const expand = pathExpander(target.host, { hostName, user, port }, around);
  const configured = (values.multiple.get('identityfile') ?? []).filter((file) => file !== 'none');
  const chosen = [...around.identityFiles, ...configured.map(expand)];
  const fault = hostFault(hostName) ?? userFault(user);
  if (fault !== null) throw badConfiguration(`${JSON.stringify(hostName)}: ${fault}`);
  const none = values.multiple.get('identityfile')?.includes('none') === true;
  const defaults = none ? [] : DEFAULT_IDENTITIES.map((name) => join(around.home, '.ssh', name));
  const fileList = (keyword: string, fallback: string[]) => {
    const files = (get(keyword)?.split('\n') ?? fallback).filter((file) => file !== 'none' && file !== '');
    return files.map(expand);
  };
  const interval = wholeNumber(get('serveraliveinterval'), 1, 86_400);
  const timeout = wholeNumber(get('connecttimeout'), 1, 86_400);
  return {
    host: target.host,
    hostName,
    user,
    port,
    identityFiles: [...new Set(chosen.length > 0 ? chosen : defaults)],
    identitiesChosen: chosen.length > 0,
    identitiesOnly: get('identitiesonly') === 'yes',
    agentSocket: agentSocket(get('identityagent'), expand, around.environment),
    proxyJump: named('proxyjump'),
    proxyCommand: named('proxycommand'),
    userKnownHostsFiles: fileList('userknownhostsfile', ['~/.ssh/known_hosts', '~/.ssh/known_hosts2']),
    globalKnownHostsFiles: fileList('globalknownhostsfile', ['/etc/ssh/ssh_known_hosts', '/etc/ssh/ssh_known_hosts2']),
    hostKeyAlias: named('hostkeyalias'),
    acceptNew: ['accept-new', 'no', 'off', 'false'].includes(get('stricthostkeychecking') ?? ''),
    hashKnownHosts: get('hashknownhosts') === 'yes' || get('hashknownhosts') === 'true',
    keepaliveIntervalMs: interval === null ? KEEPALIVE_INTERVAL_MS : interval * 1000,
    keepaliveCount: (interval === null ? null : wholeNumber(get('serveralivecountmax'), 1, 1000)) ?? KEEPALIVE_COUNT,
    connectTimeoutMs: timeout === null ? null : timeout * 1000,
    addressFamily: get('addressfamily') === 'inet' ? 4 : get('addressfamily') === 'inet6' ? 6 : 0,
    batchMode: get('batchmode') === 'yes' || get('batchmode') === 'true',
    warnings: values.warnings,
  };
}

/** Expands `~`, `%` tokens and `${VARIABLE}` of ssh_config(5) in a file name. */
function pathExpander(
  typedHost: string,
  real: { readonly hostName: string; readonly user: string; readonly port: number },
  around: Surroundings,
): (file: string) => string {
  const tokens = new Map([
    ['d', around.home],
    ['h', real.hostName],
    ['n', typedHost],
    ['k', typedHost],
    ['p', String(real.port)],
    ['r', real.user],
    ['u', safeUserName()],
    ['i', String(process.getuid?.() ?? 0)],
  ]);
  return (file) => {
    const text = expandTokens(file, tokens).replace(
      /\$\{([A-Za-z_][A-Za-z0-9_]*)\}/g,
      (whole, name: string) => around.environment[name] ?? whole,
    );
    return text === '~' || text.startsWith('~/') ? join(around.home, text.slice(1)) : text;
  };
}

function agentSocket(
  value: string | undefined,
  expand: (file: string) => string,
  environment: NodeJS.ProcessEnv,
): string | null {
  const inherited = environment.SSH_AUTH_SOCK || null;
  if (value === undefined || value === 'SSH_AUTH_SOCK') return inherited;
  if (value === 'none') return null;
  return value.startsWith('$') && !value.startsWith('${') ? (environment[value.slice(1)] ?? null) : expand(value);
}

function noneToNull(value: string | undefined): string | null {
  return value === undefined || value === 'none' ? null : value;
}

function wholeNumber(text: string | undefined, min: number, max: number): number | null {
  if (text === undefined || !/^[0-9]{1,9}$/.test(text)) return null;
  const value = Number(text);
  return value >= min && value <= max ? value : null;
}

function safeUserName(): string {
  try {
    return userInfo().username;
  } catch {
    return process.env.USER ?? process.env.LOGNAME ?? 'root';
  }
}

function badConfiguration(message: string): TidemarkError {
  return new TidemarkError('usage', 'ssh-config', `ssh configuration: ${message}`);
}
