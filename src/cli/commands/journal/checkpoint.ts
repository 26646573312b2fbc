import { Command } from 'commander';
import type { Context, ExitCode } from '../../context.ts';
import { examples } from '../../help.ts';
import { addOptions } from '../../options/flags.ts';
import { checkpointJson } from '../../output/journal-json.ts';
import { checkpointLines } from '../../output/journal-text.ts';
import { subtreeArgument, withJournal } from './call.ts';

/** `tidemark journal checkpoint ROOT`: ends the running period, durably, and prints the cursor of this moment. */
export function checkpointCommand(context: Context, done: (code: ExitCode) => void): Command {
  const command = new Command('checkpoint')
    .description('name this moment, durably: prints a cursor for since')
    .argument('<root>', 'a directory')
    .option('--subtree <path>', 'only what lies at and below this path (relative to the root)')
    .action(async (root: string) => done(await checkpoint(root, command, context)));
  examples(command, [
    ['tidemark journal checkpoint notes', ''],
    ['tidemark journal checkpoint /srv --subtree www/static', 'the rest of the tree is left in peace'],
  ]);
  addOptions(command, 'journal');
  return command;
}

function checkpoint(root: string, command: Command, context: Context): Promise<ExitCode> {
  const subtree = subtreeArgument(String(command.opts().subtree ?? ''));
  return withJournal(root, command, context, async ({ journal }, printer) => {
    const taken = await journal.checkpoint(subtree);
    printer.say(checkpointJson(taken), checkpointLines(taken, printer.style));
    return 0;
  });
}
