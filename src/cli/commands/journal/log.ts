import { Command } from 'commander';
import type { Context, ExitCode } from '../../context.ts';
import { examples } from '../../help.ts';
import { addOptions } from '../../options/flags.ts';
import { changeJson } from '../../output/journal-json.ts';
import { changeLine } from '../../output/journal-text.ts';
import { journalCall } from './call.ts';

/** `tidemark journal log ROOT`: what the journal still holds; with -f what comes, too, until interrupted. */
export function logCommand(context: Context, done: (code: ExitCode) => void): Command {
  const command = new Command('log')
    .description('list what changed, as far back as the journal goes')
    .argument('<root>', 'a directory')
    .option('-f, --follow', 'go on with what changes from now on, until interrupted')
    .action(async (root: string) => done(await log(root, command, context)));
  examples(command, [
    ['tidemark journal log notes', ''],
    ['tidemark journal log notes -f', 'watch it happen'],
  ]);
  addOptions(command, 'journal');
  return command;
}

async function log(path: string, command: Command, context: Context): Promise<ExitCode> {
  const { journals, printer } = await journalCall(command, context);
  const { signal } = context;
  for await (const round of journals.log(path, command.opts().follow === true, signal)) {
    signal.throwIfAborted();
    for (const change of round) printer.say(changeJson(change), [changeLine(change, printer.style)]);
  }
  signal.throwIfAborted();
  return 0;
}
