import { Command } from 'commander';
import type { Context, ExitCode } from '../../context.ts';
import { examples } from '../../help.ts';
import { addOptions } from '../../options/flags.ts';
import { changeJson, changesJson } from '../../output/journal-json.ts';
import { changeLine, changesLines } from '../../output/journal-text.ts';
import { cursorArgument, subtreeArgument, withJournal } from './call.ts';

/** `tidemark journal since CURSOR ROOT`: each path that changed after the cursor, once; then the cursor to ask with next. */
export function sinceCommand(context: Context, done: (code: ExitCode) => void): Command {
  const command = new Command('since')
    .description('list what changed after a cursor')
    .argument('<cursor>', 'as checkpoint or since printed it; one that is not known lists everything')
    .argument('<root>', 'a directory')
    .option('--subtree <path>', 'only what lies at and below this path (relative to the root)')
    .action(async (cursor: string, root: string) => done(await since(cursor, root, command, context)));
  examples(command, [
    ['tidemark journal since CURSOR notes', ''],
    ['tidemark journal since CURSOR notes --json', 'one line a path, the next cursor last'],
  ]);
  addOptions(command, 'journal');
  return command;
}

function since(cursor: string, root: string, command: Command, context: Context): Promise<ExitCode> {
  const subtree = subtreeArgument(String(command.opts().subtree ?? ''));
  return withJournal(root, command, context, async ({ journal }, printer) => {
    const answer = await journal.changes(cursorArgument(cursor), subtree);
    let count = 0;
    for (const batch of answer.changes) {
      context.signal.throwIfAborted();
      for (const change of batch) printer.say(changeJson(change), [changeLine(change, printer.style)]);
      count += batch.length;
    }
    printer.say(changesJson(answer), changesLines(answer, count, printer.style));
    return 0;
  });
}
