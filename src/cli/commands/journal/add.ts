import { Command } from 'commander';
import type { BytePath } from '../../../platform/core/byte-path.ts';
import type { Context, ExitCode } from '../../context.ts';
import { examples } from '../../help.ts';
import { addOptions } from '../../options/flags.ts';
import { named } from '../../output/journal-json.ts';
import { name } from '../../output/journal-text.ts';
import { journalCall, unlessInterrupted } from './call.ts';

/** `tidemark journal add ROOT`: the service records it from now on; waits until that has begun where the service runs. */
export function addCommand(context: Context, done: (code: ExitCode) => void): Command {
  const command = new Command('add')
    .description('have the service record a directory from now on')
    .argument('<root>', 'a directory')
    .action(async (root: string) => done(await add(root, command, context)));
  examples(command, [
    ['tidemark journal add notes', ''],
    ['tidemark journal add / --json', 'for scripts'],
  ]);
  addOptions(command, 'journal');
  return command;
}

async function add(path: string, command: Command, context: Context): Promise<ExitCode> {
  const { journals, printer } = await journalCall(command, context);
  const { root, backend, isNew } = await unlessInterrupted(journals.add(path), context.signal);
  const recording = backend !== null;
  const shown = name(root as string as BytePath);
  const head = recording
    ? `recording ${shown} by ${backend}`
    : `${isNew ? 'registered' : 'registered before:'} ${shown}`;
  printer.say({ type: 'added', ...named('root', root), recording, backend, isNew }, [head]);
  if (!recording) printer.talk('The service does not run: recording begins with tidemark daemon start.');
  return 0;
}
