import { Command } from 'commander';
import type { Context, ExitCode } from '../../context.ts';
import { examples } from '../../help.ts';
import { addOptions } from '../../options/flags.ts';
import { serviceCall } from './call.ts';

/** `tidemark daemon stop`: ends the service and waits for it. Where none runs there is nothing to do: exit 0. */
export function stopCommand(context: Context, done: (code: ExitCode) => void): Command {
  const command = new Command('stop').description('end the service cleanly, and wait for it').action(async () => {
    const { service, printer } = await serviceCall(command, context);
    const stopped = await service.stop(context.signal);
    printer.say({ type: 'stopped', wasRunning: stopped }, [stopped ? 'stopped' : 'was not running']);
    done(0);
  });
  examples(command, [['tidemark daemon stop', 'everything is drained and recorded first']]);
  addOptions(command, 'daemon');
  return command;
}
