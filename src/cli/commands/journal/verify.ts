import { Command } from 'commander';
import type { Context, ExitCode } from '../../context.ts';
import { examples } from '../../help.ts';
import { addOptions } from '../../options/flags.ts';
import { differenceJson, verificationJson } from '../../output/journal-json.ts';
import { differenceLine, verificationLines } from '../../output/journal-text.ts';
import { withJournal } from './call.ts';

/** `tidemark journal verify ROOT`: reads the whole tree and compares it with what is recorded; exit 1 on any difference. */
export function verifyCommand(context: Context, done: (code: ExitCode) => void): Command {
  const command = new Command('verify')
    .description('read everything and compare it with what is recorded; exit 1 where they differ')
    .argument('<root>', 'a directory')
    .action(async (root: string) => done(await verify(root, command, context)));
  examples(command, [
    ['tidemark journal verify notes', 'where you do not trust it'],
    ['tidemark journal verify notes --json', 'for scripts'],
  ]);
  addOptions(command, 'journal');
  return command;
}

function verify(root: string, command: Command, context: Context): Promise<ExitCode> {
  return withJournal(root, command, context, async ({ journal }, printer) => {
    const verification = await journal.verify();
    for (const difference of verification.differences) {
      printer.say(differenceJson(difference), [differenceLine(difference)]);
    }
    printer.say(verificationJson(verification), verificationLines(verification, printer.style));
    return verification.differences.length === 0 ? 0 : 1;
  });
}
