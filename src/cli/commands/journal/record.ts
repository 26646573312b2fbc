import { Command } from 'commander';
import type { BytePath } from '../../../platform/core/byte-path.ts';
import { displayText } from '../../../platform/core/display.ts';
import type { Context, ExitCode } from '../../context.ts';
import { examples } from '../../help.ts';
import { addOptions } from '../../options/flags.ts';
import { named } from '../../output/journal-json.ts';
import { name } from '../../output/journal-text.ts';
import { journalCall } from './call.ts';

/** `tidemark journal record ROOT`: records in the foreground until interrupted, without the service. */
export function recordCommand(context: Context, done: (code: ExitCode) => void): Command {
  const command = new Command('record')
    .description('record a directory in the foreground, until interrupted')
    .argument('<root>', 'a directory')
    .action(async (root: string) => done(await record(root, command, context)));
  examples(command, [
    ['tidemark journal record notes', 'checkpoint, since and log work from another terminal'],
    ['tidemark journal record notes --json', 'one line when recording has begun'],
  ]);
  addOptions(command, 'journal');
  return command;
}

async function record(path: string, command: Command, context: Context): Promise<ExitCode> {
  const { journals, printer } = await journalCall(command, context);
  const isVerbose = command.opts().verbose === true;
  await journals.record(
    path,
    {
      begun(root, backend) {
        const line = `recording ${name(root as string as BytePath)} by ${backend}; interrupt to end`;
        printer.say({ type: 'recording', ...named('root', root), backend }, [line]);
      },
      log(line) {
        if (isVerbose) printer.talk(displayText(line));
      },
    },
    context.signal,
  );
  throw context.signal.reason;
}
