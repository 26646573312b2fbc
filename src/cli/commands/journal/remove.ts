import { Command } from 'commander';
import type { BytePath } from '../../../platform/core/byte-path.ts';
import type { Context, ExitCode } from '../../context.ts';
import { examples } from '../../help.ts';
import { addOptions } from '../../options/flags.ts';
import { named } from '../../output/journal-json.ts';
import { name } from '../../output/journal-text.ts';
import { journalCall, unlessInterrupted } from './call.ts';

/** `tidemark journal remove ROOT`: the service records it no more. */
export function removeCommand(context: Context, done: (code: ExitCode) => void): Command {
  const command = new Command('remove')
    .description('have the service record a directory no more')
    .argument('<root>', 'a directory; it need not be there any more')
    .option('--forget', 'delete what was recorded, too')
    .action(async (root: string) => done(await remove(root, command, context)));
  examples(command, [
    ['tidemark journal remove notes', 'added again, it goes on from a look at the tree'],
    ['tidemark journal remove notes --forget', 'every cursor becomes unknown'],
  ]);
  addOptions(command, 'journal');
  return command;
}

async function remove(path: string, command: Command, context: Context): Promise<ExitCode> {
  const { journals, printer } = await journalCall(command, context);
  const forget = command.opts().forget === true;
  const root = await unlessInterrupted(journals.remove(path, forget), context.signal);
  const shown = name(root as string as BytePath);
  const line = forget ? `forgotten: ${shown}` : `no longer recorded: ${shown}`;
  printer.say({ type: 'removed', ...named('root', root), forgotten: forget }, [line]);
  return 0;
}
