import type { Command } from 'commander';
import type { Context, ExitCode } from '../context.ts';
import { examples } from '../help.ts';
import { groupCommand } from './group.ts';

/** `tidemark daemon …`: the background service that records journals. */
export async function daemonCommand(
  isAsked: boolean,
  context: Context,
  done: (code: ExitCode) => void,
): Promise<Command> {
  const below = async () => (await import('./daemon/all.ts')).commands;
  const command = await groupCommand('daemon', isAsked ? below : null, context, done);
  examples(command.description('the background service that records journals'), [
    ['tidemark daemon start', 'in the background, until stopped'],
    ['tidemark daemon install', 'or have systemd run it'],
    ['tidemark daemon status', ''],
  ]);
  return command;
}
