/** Makes the endpoint an address stands for: local, or an agent over ssh. */
import { resolve } from 'node:path';
import { toBuffer } from '../platform/core/byte-path.ts';
import { VERSION } from '../platform/version.ts';
import type { Endpoint } from '../sync/endpoint.ts';
import { LocalEndpoint } from '../sync/local/local-endpoint.ts';
import type { ByteChannel } from '../transport/byte-channel.ts';
import type { EndpointAddress, SshAddress } from '../transport/core/endpoint-address.ts';
import type { Prompter as SshPrompter, SshTarget } from '../transport/ssh/client.ts';
import type { CommandChannel } from '../transport/ssh/command-channel.ts';
import type { Prompter } from './prompt.ts';
import type { ConnectionOptions, DoctorRow, RequestContext } from './request.ts';

/** An endpoint ready to be opened. `note` hears of the way there, for `doctor`. The connection is made by `open`. */
export async function makeEndpoint(
  address: EndpointAddress,
  context: RequestContext,
  signal: AbortSignal,
  note: (row: DoctorRow) => void = () => {},
): Promise<Endpoint> {
  if (address.kind === 'local') {
    return new LocalEndpoint({
      path: absolutePath(address.path),
      stateFolder: context.folders.state,
      version: VERSION,
    });
  }
  const [{ RemoteEndpoint }, { openConnection }, { METHODS }] = await Promise.all([
    import('../transport/remote-endpoint.ts'),
    import('../transport/connection.ts'),
    import('../transport/core/methods.ts'),
  ]);
  const { compress, bwlimit } = context.connection;
  return new RemoteEndpoint({
    root: address.path,
    connect: async () => {
      const channel = await openAgentChannel(address, context, signal, note);
      return openConnection(channel, {
        role: 'client',
        program: VERSION,
        methods: METHODS,
        compress,
        bytesPerSecond: bwlimit,
        signal,
      });
    },
  });
}

/** A local path as the file system wants it: absolute, symlinks left for the kernel. */
export function absolutePath(path: string): Buffer {
  if (path.startsWith('/')) return toBuffer(path);
  return Buffer.concat([Buffer.from(`${resolve('.')}/`), toBuffer(path)]);
}

/** The way to the agent: the built-in client or the user's ssh program, then the agent itself, sent there if missing. */
async function openAgentChannel(
  address: SshAddress,
  context: RequestContext,
  signal: AbortSignal,
  note: (row: DoctorRow) => void,
): Promise<ByteChannel> {
  const { connection, prompter } = context;
  const target = { host: address.host, user: address.user, port: address.port ?? connection.port };
  const [{ openAgent }, { readAgentBundle }, { MAGIC }] = await Promise.all([
    import('../transport/install.ts'),
    import('../transport/install-bundle.ts'),
    import('../transport/core/hello.ts'),
  ]);
  const open = await shellOpener(target, connection, prompter, signal, note);
  let uploadedBytes = 0;
  const channel = await openAgent(open, {
    host: address.host,
    magic: MAGIC,
    bundle: () => readAgentBundle(bundleFolder()),
    agentCommand: connection.agentCommand,
    signal,
    onUpload: (wireBytes) => {
      uploadedBytes = wireBytes;
    },
  });
  const how = connection.agentCommand ?? (uploadedBytes > 0 ? `sent there now (${uploadedBytes} bytes)` : 'installed');
  note({ topic: 'agent', state: 'ok', text: how });
  return channel;
}

async function shellOpener(
  target: SshTarget,
  connection: ConnectionOptions,
  prompter: Prompter,
  signal: AbortSignal,
  note: (row: DoctorRow) => void,
): Promise<(command: string) => Promise<CommandChannel>> {
  const { rsh } = connection;
  if (rsh !== null) {
    const { openRshChannel } = await import('../transport/rsh-channel.ts');
    return async (command) => {
      const channel = await openRshChannel(rsh, target, command, { signal });
      note({ topic: 'connection', state: 'ok', text: `through ${rsh}` });
      return channel;
    };
  }
  const { openSshChannel } = await import('../transport/ssh/client.ts');
  return async (command) => {
    const channel = await openSshChannel(target, command, {
      identityFiles: connection.identity,
      configFile: connection.sshConfig,
      hostKey: connection.hostKey,
      prompter: sshPrompter(prompter),
      signal,
    });
    const { user, hostName, port } = channel.settings;
    note({ topic: 'connection', state: 'ok', text: `ssh to ${user}@${hostName} port ${port}, host key known` });
    return channel;
  };
}

/** A person who gives up answers null; what else goes wrong at the terminal is an error. */
function sshPrompter(prompter: Prompter): SshPrompter {
  return { isInteractive: prompter.isInteractive(), askSecret: (text) => prompter.askSecret(text) };
}

/** Where the agent's files lie: beside the running bundle. */
function bundleFolder(): string {
  const folder = import.meta.dirname;
  return import.meta.url.endsWith('.ts') ? resolve(folder, '../../dist') : folder;
}
