import { Command } from 'commander';
import type { Context, ExitCode } from '../context.ts';
import { examples } from '../help.ts';
import { ackCommand } from './journal/ack.ts';
import { addCommand } from './journal/add.ts';
import { checkpointCommand } from './journal/checkpoint.ts';
import { logCommand } from './journal/log.ts';
import { recordCommand } from './journal/record.ts';
import { removeCommand } from './journal/remove.ts';
import { sinceCommand } from './journal/since.ts';
import { statusCommand } from './journal/status.ts';
import { verifyCommand } from './journal/verify.ts';

/** `tidemark journal …`: what changed in a directory, at which point in time, and how surely it is known. */
export function journalCommand(context: Context, done: (code: ExitCode) => void): Command {
  const command = new Command('journal').description('record what changes in a directory, and ask about it');
  examples(command, [
    ['tidemark journal add notes', 'record it from now on (tidemark daemon start)'],
    ['tidemark journal checkpoint notes', 'name this moment: prints a cursor'],
    ['tidemark journal since CURSOR notes', 'what changed after it'],
    ['tidemark journal log notes -f', 'watch changes as they come'],
  ]);
  for (const make of [
    addCommand,
    removeCommand,
    recordCommand,
    statusCommand,
    checkpointCommand,
    sinceCommand,
    logCommand,
    ackCommand,
    verifyCommand,
  ]) {
    command.addCommand(make(context, done));
  }
  return command;
}
