/**
 * An ssh server inside the test, for machines without sshd. Lets in one key, runs commands with `sh -c`, knows nothing
 * else: no configuration, no forced commands, no forwarding.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import ssh2, {
  type AuthContext,
  type Connection,
  type PublicKeyAuthContext,
  type ServerChannel,
  type Session,
} from 'ssh2';
import type { TestSshd, TestSshdOptions } from './sshd.ts';

/** The same as a real one for those who only connect and run commands. `configuration` is refused. */
export async function startInProcessServer(options: TestSshdOptions = {}): Promise<TestSshd> {
  if (options.configuration !== undefined) throw new Error('only a real sshd has a configuration');
  const folder = mkdtempSync(join(tmpdir(), 'tidemark-ssh-'));
  chmodSync(folder, 0o700);
  const hostKey = ssh2.utils.generateKeyPairSync('ed25519');
  const userKey = ssh2.utils.generateKeyPairSync('ed25519');
  const children = new Set<ChildProcess>();
  const connections = new Set<Connection>();
  const server = new ssh2.Server({ hostKeys: [hostKey.private] }, (connection) => {
    connections.add(connection);
    connection.on('close', () => connections.delete(connection));
    connection.on('error', () => {});
    connection.on('authentication', (context) => authenticate(context, userKey.public));
    connection.on('session', (accept) => serveSession(accept(), options.environment ?? {}, children));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const files = writeFiles(folder, port, hostKey.public, userKey);
  return {
    host: '127.0.0.1',
    port,
    user: userInfo().username,
    folder,
    ...files,
    hostKeys: [keyWords(hostKey.public)],
    log: () => '',
    stop: async () => {
      for (const child of children) child.kill('SIGTERM');
      for (const connection of connections) connection.end();
      await new Promise<void>((resolve) => server.close(() => resolve()));
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function authenticate(context: AuthContext, allowed: string): void {
  if (context.method === 'publickey' && isLetIn(context, allowed)) context.accept();
  else context.reject(['publickey']);
}

/** Without a signature the client only asks whether the key would do. */
function isLetIn({ key, signature, blob, hashAlgo }: PublicKeyAuthContext, allowed: string): boolean {
  const known = ssh2.utils.parseKey(allowed);
  if (known instanceof Error || !key.data.equals(known.getPublicSSH())) return false;
  return signature === undefined || blob === undefined || known.verify(blob, signature, hashAlgo) === true;
}

function serveSession(
  session: Session,
  environment: Readonly<Record<string, string>>,
  children: Set<ChildProcess>,
): void {
  session.on('exec', (accept, _reject, { command }) => {
    const channel = accept();
    const child = spawn('/bin/sh', ['-c', command], { env: { ...process.env, ...environment } });
    children.add(child);
    connectStreams(channel, child);
    child.on('close', (code, signal) => {
      children.delete(child);
      if (code !== null) channel.exit(code);
      else channel.exit(String(signal).replace(/^SIG/, ''));
      channel.end();
    });
  });
}

function connectStreams(channel: ServerChannel, child: ChildProcess): void {
  if (child.stdin === null || child.stdout === null || child.stderr === null) throw new Error('no streams');
  // What the client still sends to a program that has ended goes nowhere.
  child.stdin.on('error', () => {});
  channel.on('error', () => {});
  channel.pipe(child.stdin);
  child.stdout.pipe(channel, { end: false });
  child.stderr.pipe(channel.stderr, { end: false });
  channel.on('close', () => child.stdin?.end());
}

function writeFiles(
  folder: string,
  port: number,
  hostKey: string,
  userKey: { readonly private: string; readonly public: string },
): Pick<TestSshd, 'identityFile' | 'authorizedKeysFile' | 'knownHostsFile' | 'configFile'> {
  const identityFile = join(folder, 'id_test');
  const authorizedKeysFile = join(folder, 'authorized_keys');
  const knownHostsFile = join(folder, 'known_hosts');
  const configFile = join(folder, 'ssh_config');
  writeFileSync(identityFile, userKey.private, { mode: 0o600 });
  writeFileSync(`${identityFile}.pub`, `${userKey.public}\n`);
  writeFileSync(authorizedKeysFile, `${userKey.public}\n`, { mode: 0o600 });
  writeFileSync(knownHostsFile, `[127.0.0.1]:${port} ${keyWords(hostKey)}\n`);
  const lines = [
    `IdentityFile ${identityFile}`,
    'IdentitiesOnly yes',
    'IdentityAgent none',
    `UserKnownHostsFile ${knownHostsFile}`,
    'GlobalKnownHostsFile none',
  ];
  writeFileSync(configFile, `Host *\n${lines.map((line) => `  ${line}\n`).join('')}`);
  return { identityFile, authorizedKeysFile, knownHostsFile, configFile };
}

/** `type base64` of a public key in OpenSSH's form. */
function keyWords(key: string): string {
  return key.split(' ').slice(0, 2).join(' ').trim();
}
