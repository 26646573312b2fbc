/** A command on another host, through the built-in ssh client. */
import type { ClientChannel } from 'ssh2';
import { type CommandChannel, type CommandStreams, type ExitStatus, StreamChannel } from './command-channel.ts';
import { connectSsh, type SshConnection, type SshOptions } from './connection.ts';
import { connectionError, RUN_AGAIN, unavailable } from './errors.ts';
import type { SshSettings, SshTarget } from './resolve-config.ts';

export type { Prompter } from './authentication.ts';
export type { CommandChannel, ExitStatus } from './command-channel.ts';
export type { SshOptions } from './connection.ts';
export type { HostKeyPolicy } from './host-key.ts';
export type { SshSettings, SshTarget } from './resolve-config.ts';

/** A command's channel that also knows what it is connected to. */
export interface SshChannel extends CommandChannel {
  readonly settings: SshSettings;
}

/**
 * Connects to `target` and runs `command` there; the channel owns the connection.
 *
 * `command` reaches a shell on the other side and so must be a constant of ours: nothing a user or peer gave.
 * The host key is always checked; an unknown or changed one is refused. Throws TidemarkError of the kind `unavailable`
 * with one of the codes host-unknown, host-key-changed, host-key-revoked, host-ca-unsupported, known-hosts-unwritable,
 * auth-failed, key-encrypted, key-unreadable, connect-refused, connect-failed, host-not-found, timeout,
 * no-common-algorithm, proxy-command, proxy-jump, connection-lost.
 */
export async function openSshChannel(
  target: SshTarget,
  command: string,
  options: SshOptions = {},
): Promise<SshChannel> {
  const connection = await connectSsh(target, options);
  try {
    return await execute(connection, command);
  } catch (error) {
    await connection.close();
    throw connectionError(error, connection.settings);
  }
}

/** Unread bytes a peer may make us hold: window, stream buffer and queue come to 5 MiB when it keeps to the rules. */
const MAX_UNREAD_BYTES = 8 * 1024 * 1024;

/** The listeners are set within the call back: what a short command says and how it ends come in the same packet as it. */
function execute(connection: SshConnection, command: string): Promise<SshStreamChannel> {
  return new Promise((resolve, reject) => {
    const refused = (reason: string) =>
      unavailable('exec-refused', `${connection.settings.host} runs no command for us: ${reason}`);
    connection.gone.then(() => reject(connection.failure() ?? refused('it closed the connection')));
    connection.client.exec(command, (error, channel) => {
      if (error) reject(refused(error.message));
      else resolve(streamChannel(connection, channel));
    });
  });
}

class SshStreamChannel extends StreamChannel implements SshChannel {
  readonly settings: SshSettings;

  constructor(streams: CommandStreams, settings: SshSettings) {
    super(streams);
    this.settings = settings;
  }
}

function streamChannel(connection: SshConnection, channel: ClientChannel): SshStreamChannel {
  const streams: CommandStreams = {
    input: channel,
    output: channel,
    errors: channel.stderr,
    // ssh2 writes to the socket without looking whether it has room; a jump's channel counts as one too.
    carrier: connection.socket,
    exited: exitOf(connection, channel),
    close: async () => {
      channel.end();
      await connection.close();
    },
  };
  const stream = new SshStreamChannel(streams, connection.settings);
  // Synchronously: right after this event ssh2 makes a lost channel look like one that ended in order.
  connection.client.once('close', () => {
    const cut = connection.failure() ?? (incomingState(channel) === 'open' ? lostConnection(connection) : null);
    if (cut !== null) stream.fail(cut);
  });
  refuseOverrun(connection, channel, stream);
  return stream;
}

/** The status comes before "close", and "close" only once stdout and stderr are read to their ends. */
function exitOf(connection: SshConnection, channel: ClientChannel): Promise<ExitStatus | null> {
  return new Promise((resolve) => {
    let status: ExitStatus | null = null;
    channel.on('exit', (code: number | null, signal?: string) => {
      status = { code, signal: signal ?? null };
    });
    channel.on('close', () => resolve(status));
    connection.gone.then(() => resolve(status));
  });
}

interface ChannelInternals {
  readonly incoming?: { readonly window?: number; readonly state?: string };
}

function incomingState(channel: ClientChannel): string | undefined {
  return (channel as unknown as ChannelInternals).incoming?.state;
}

/**
 * ssh2 lets a peer send beyond the window it was given (its issue 1505); such a peer is cut off.
 * The window is ssh2's own figure; the cap on unread bytes holds even if that field should change.
 */
function refuseOverrun(connection: SshConnection, channel: ClientChannel, stream: StreamChannel): void {
  const push = channel.push.bind(channel);
  channel.push = (chunk: Buffer | null): boolean => {
    if (chunk !== null && (windowOf(channel) < 0 || channel.readableLength + chunk.length > MAX_UNREAD_BYTES)) {
      stream.fail(unavailable('peer-overrun', `${connection.settings.host} sends more than it was allowed to`));
      connection.socket.destroy();
      return false;
    }
    return push(chunk);
  };
}

function windowOf(channel: ClientChannel): number {
  return (channel as unknown as ChannelInternals).incoming?.window ?? 0;
}

function lostConnection(connection: SshConnection) {
  return unavailable('connection-lost', `the connection to ${connection.settings.host} was lost`, RUN_AGAIN);
}
