import { Command } from 'commander';
import type { Context, ExitCode } from '../../context.ts';
import { examples } from '../../help.ts';
import { addOptions } from '../../options/flags.ts';
import { consumerArgument, cursorArgument, withJournal } from './call.ts';

/** `tidemark journal ack CONSUMER CURSOR ROOT`: that consumer needs nothing up to the cursor any more. */
export function ackCommand(context: Context, done: (code: ExitCode) => void): Command {
  const command = new Command('ack')
    .description('tell that a consumer has taken everything up to a cursor')
    .argument('<consumer>', 'a name of your choice; one that is new is registered')
    .argument('<cursor>', 'as checkpoint or since printed it')
    .argument('<root>', 'a directory')
    .action(async (consumer: string, cursor: string, root: string) =>
      done(await ack({ consumer, cursor, root }, command, context)),
    );
  examples(command, [['tidemark journal ack backup CURSOR notes', 'what came after it is kept for backup']]);
  addOptions(command, 'journal');
  return command;
}

interface Acknowledgement {
  readonly consumer: string;
  readonly cursor: string;
  readonly root: string;
}

function ack(given: Acknowledgement, command: Command, context: Context): Promise<ExitCode> {
  const consumer = consumerArgument(given.consumer);
  const cursor = cursorArgument(given.cursor);
  return withJournal(given.root, command, context, async ({ journal }, printer) => {
    await journal.acknowledge(consumer, cursor);
    printer.say({ type: 'acknowledged', consumer, cursor }, [`acknowledged by ${consumer} up to ${cursor}`]);
    return 0;
  });
}
