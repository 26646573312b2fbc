import { Command } from 'commander';
import { displayText } from '../../../platform/core/display.ts';
import type { Context, ExitCode } from '../../context.ts';
import { examples } from '../../help.ts';
import { addOptions } from '../../options/flags.ts';
import { serviceCall } from './call.ts';

/** `tidemark daemon run`: is the service, in the foreground. To be told to stop is its regular end: exit 0. */
export function runCommand(context: Context, done: (code: ExitCode) => void): Command {
  const command = new Command('run').description('be the service, in the foreground').action(async () => {
    const { service } = await serviceCall(command, context);
    await service.run((line) => context.terminal.talk(displayText(line)), context.signal);
    done(0);
  });
  examples(command, [['tidemark daemon run', 'SIGTERM or Ctrl-C ends it cleanly']]);
  addOptions(command, 'daemon');
  return command;
}
