import { Command } from 'commander';
import type { Context, ExitCode } from '../context.ts';
import { examples } from '../help.ts';
import { installCommand, uninstallCommand } from './daemon/install.ts';
import { runCommand } from './daemon/run.ts';
import { startCommand } from './daemon/start.ts';
import { statusCommand } from './daemon/status.ts';
import { stopCommand } from './daemon/stop.ts';

/** `tidemark daemon …`: the background service that records journals. */
export function daemonCommand(context: Context, done: (code: ExitCode) => void): Command {
  const command = new Command('daemon').description('the background service that records journals');
  examples(command, [
    ['tidemark daemon start', 'in the background, until stopped'],
    ['tidemark daemon install', 'or have systemd run it'],
    ['tidemark daemon status', ''],
  ]);
  for (const make of [runCommand, startCommand, stopCommand, statusCommand, installCommand, uninstallCommand]) {
    command.addCommand(make(context, done));
  }
  return command;
}
