/** Commands that only hold others; these are loaded where they are asked for, since every start would pay for them. */
import { Command } from 'commander';
import type { Context, ExitCode } from '../context.ts';

type MakeCommand = (context: Context, done: (code: ExitCode) => void) => Command;

/** The command `name` with those that `below` loads; with null it stands in the help and does nothing. */
export async function groupCommand(
  name: string,
  below: (() => Promise<readonly MakeCommand[]>) | null,
  context: Context,
  done: (code: ExitCode) => void,
): Promise<Command> {
  const command = new Command(name);
  for (const make of (await below?.()) ?? []) command.addCommand(make(context, done));
  return command;
}
