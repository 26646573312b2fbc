import type { Command } from 'commander';
import type { Context, ExitCode } from '../context.ts';
import { examples } from '../help.ts';
import { groupCommand } from './group.ts';

/** `tidemark journal …`: what changed in a directory, at which point in time, and how surely it is known. */
export async function journalCommand(
  isAsked: boolean,
  context: Context,
  done: (code: ExitCode) => void,
): Promise<Command> {
  const below = async () => (await import('./journal/all.ts')).commands;
  const command = await groupCommand('journal', isAsked ? below : null, context, done);
  examples(command.description('record what changes in a directory, and ask about it'), [
    ['tidemark journal add notes', 'record it from now on (tidemark daemon start)'],
    ['tidemark journal checkpoint notes', 'name this moment: prints a cursor'],
    ['tidemark journal since CURSOR notes', 'what changed after it'],
    ['tidemark journal log notes -f', 'watch changes as they come'],
  ]);
  return command;
}
