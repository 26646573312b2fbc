import { Command } from 'commander';
import type { Context, ExitCode } from '../../context.ts';
import { examples } from '../../help.ts';
import { addOptions } from '../../options/flags.ts';
import { journalStatusJson } from '../../output/journal-json.ts';
import { statusLines } from '../../output/journal-text.ts';
import { journalCall, unlessInterrupted } from './call.ts';

/** `tidemark journal status ROOT`: is it recorded, by what, and what has the running period seen. */
export function statusCommand(context: Context, done: (code: ExitCode) => void): Command {
  const command = new Command('status')
    .description('tell whether a directory is recorded, and how')
    .argument('<root>', 'a directory')
    .action(async (root: string) => done(await status(root, command, context)));
  examples(command, [
    ['tidemark journal status notes', ''],
    ['tidemark journal status notes --json', 'for scripts'],
  ]);
  addOptions(command, 'journal');
  return command;
}

async function status(path: string, command: Command, context: Context): Promise<ExitCode> {
  const { journals, printer } = await journalCall(command, context);
  const found = await unlessInterrupted(journals.status(path), context.signal);
  printer.say(journalStatusJson(found), statusLines(found, printer.style));
  return 0;
}
