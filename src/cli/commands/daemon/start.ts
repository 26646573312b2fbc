import { Command } from 'commander';
import type { Context, ExitCode } from '../../context.ts';
import { examples } from '../../help.ts';
import { addOptions } from '../../options/flags.ts';
import { serviceCall } from './call.ts';

/** `tidemark daemon start`: starts the service in the background; returns when it serves. Exit 6 where one runs. */
export function startCommand(context: Context, done: (code: ExitCode) => void): Command {
  const command = new Command('start').description('start the service in the background').action(async () => {
    const { service, printer } = await serviceCall(command, context);
    const pid = await service.start();
    printer.say({ type: 'started', pid }, [`started: process ${pid}`]);
    done(0);
  });
  examples(command, [['tidemark daemon start', 'returns when it serves']]);
  addOptions(command, 'daemon');
  return command;
}
