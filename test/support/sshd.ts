/**
 * A real sshd on loopback, with keys and configuration of its own, for tests.
 *
 * It runs as the user of the test and lets that user in with the generated key. `HOME` stays the user's; what a login
 * shell would read is up to the test through `environment` and `configuration`.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';

export interface TestSshd {
  readonly host: '127.0.0.1';
  readonly port: number;
  readonly user: string;
  /** Folder of this server: keys, configuration, log. */
  readonly folder: string;
  /** Private key that is let in, without passphrase. */
  readonly identityFile: string;
  readonly authorizedKeysFile: string;
  /** Knows the server under `[127.0.0.1]:port`. */
  readonly knownHostsFile: string;
  /** `type base64` of each host key. */
  readonly hostKeys: readonly string[];
  /** ssh configuration for this server: key, known hosts, nothing else from the machine. */
  readonly configFile: string;
  log(): string;
  stop(): Promise<void>;
}

export interface TestSshdOptions {
  /** Further lines of sshd_config. */
  readonly configuration?: readonly string[];
  /** For SetEnv, beside SHLVL=1 (which keeps bash from reading slow start-up files). */
  readonly environment?: Readonly<Record<string, string>>;
  readonly hostKeyTypes?: readonly ('ed25519' | 'ecdsa' | 'rsa')[];
}

const SSHD = '/usr/sbin/sshd';

/** Why tests with a real sshd cannot run here, or null where they can. */
export function whyNoSshd(): string | null {
  if (process.platform === 'win32') return 'no sshd on Windows';
  if (!existsSync(SSHD)) return `${SSHD} is not installed`;
  if (spawnSync('ssh-keygen', ['-?']).error !== undefined) return 'ssh-keygen is not installed';
  return null;
}

/** Starts a server; resolves once it answers. Only where {@link whyNoSshd} is null. */
export async function startSshd(options: TestSshdOptions = {}): Promise<TestSshd> {
  const folder = mkdtempSync(join(tmpdir(), 'tidemark-sshd-'));
  chmodSync(folder, 0o700);
  const user = userInfo().username;
  const types = options.hostKeyTypes ?? ['ed25519'];
  const hostKeyFiles = types.map((type) => generateKey(join(folder, `host_${type}`), type));
  const identityFile = generateKey(join(folder, 'id_test'), 'ed25519');
  const authorizedKeysFile = join(folder, 'authorized_keys');
  writeFileSync(authorizedKeysFile, readFileSync(`${identityFile}.pub`), { mode: 0o600 });
  // sshd refuses to start as root without its empty directory.
  if (process.getuid?.() === 0) mkdirSync('/run/sshd', { recursive: true, mode: 0o755 });
  for (let attempt = 0; ; attempt++) {
    const port = await freePort();
    const configuration = [
      `Port ${port}`,
      'ListenAddress 127.0.0.1',
      ...hostKeyFiles.map((file) => `HostKey ${file}`),
      `AuthorizedKeysFile ${authorizedKeysFile}`,
      `PidFile ${join(folder, 'pid')}`,
      'StrictModes no',
      'UsePAM no',
      'PasswordAuthentication no',
      'KbdInteractiveAuthentication no',
      'PermitRootLogin yes',
      'MaxStartups 100:30:200',
      'LogLevel VERBOSE',
      'PrintMotd no',
      `SetEnv ${environmentWords({ SHLVL: '1', ...options.environment })}`,
      ...(options.configuration ?? []),
    ];
    writeFileSync(join(folder, 'sshd_config'), `${configuration.join('\n')}\n`);
    const started = await launch(folder, port);
    if (started === null && attempt < 3) continue;
    if (started === null) throw new Error(`sshd does not start: ${readFileSync(join(folder, 'log'), 'utf8')}`);
    return describe(folder, port, user, identityFile, authorizedKeysFile, hostKeyFiles, started);
  }
}

/** Makes a key pair; returns the private key's file. */
export function generateKey(file: string, type = 'ed25519', passphrase = '', extra: readonly string[] = []): string {
  const bits = type === 'rsa' ? ['-b', '2048'] : [];
  const words = ['-q', '-t', type, ...bits, '-N', passphrase, '-C', 'test', '-f', file, ...extra];
  const made = spawnSync('ssh-keygen', words, { encoding: 'utf8' });
  if (made.status !== 0) throw new Error(`ssh-keygen: ${made.stderr}`);
  return file;
}

function describe(
  folder: string,
  port: number,
  user: string,
  identityFile: string,
  authorizedKeysFile: string,
  hostKeyFiles: readonly string[],
  child: ChildProcess,
): TestSshd {
  const hostKeys = hostKeyFiles.map((file) =>
    readFileSync(`${file}.pub`, 'utf8').split(' ').slice(0, 2).join(' ').trim(),
  );
  const knownHostsFile = join(folder, 'known_hosts');
  writeFileSync(knownHostsFile, hostKeys.map((key) => `[127.0.0.1]:${port} ${key}\n`).join(''));
  const configFile = join(folder, 'ssh_config');
  const lines = [
    `IdentityFile ${identityFile}`,
    'IdentitiesOnly yes',
    'IdentityAgent none',
    `UserKnownHostsFile ${knownHostsFile}`,
    'GlobalKnownHostsFile none',
  ];
  writeFileSync(configFile, `Host *\n${lines.map((line) => `  ${line}\n`).join('')}`);
  return {
    host: '127.0.0.1',
    port,
    user,
    folder,
    identityFile,
    authorizedKeysFile,
    knownHostsFile,
    hostKeys,
    configFile,
    log: () => readFileSync(join(folder, 'log'), 'utf8'),
    stop: async () => {
      await stopChild(child);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function environmentWords(environment: Readonly<Record<string, string>>): string {
  return Object.entries(environment)
    .map(([name, value]) => `"${name}=${value}"`)
    .join(' ');
}

/** The running server, or null where it ended before it answered (its port was taken meanwhile). */
function launch(folder: string, port: number): Promise<ChildProcess | null> {
  const child = spawn(SSHD, ['-D', '-f', join(folder, 'sshd_config'), '-E', join(folder, 'log')], { stdio: 'ignore' });
  return new Promise((resolve) => {
    child.once('exit', () => resolve(null));
    child.once('error', () => resolve(null));
    const tryOnce = () => {
      if (child.exitCode !== null) return;
      const socket = connect(port, '127.0.0.1');
      socket.once('data', () => {
        socket.destroy();
        resolve(child);
      });
      socket.once('error', () => setTimeout(tryOnce, 20));
    };
    tryOnce();
  });
}

function stopChild(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null) return resolve();
    child.once('exit', () => resolve());
    child.kill('SIGTERM');
  });
}

export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() =>
        address !== null && typeof address === 'object' ? resolve(address.port) : reject(new Error('no port')),
      );
    });
  });
}
