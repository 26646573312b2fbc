/** How help looks: what it is, examples, then the reference. */
import type { Command } from 'commander';

/** A command line and what it does. */
export type Example = readonly [line: string, meaning: string];

/** Puts examples at the top of the command's help, where people look first. */
export function examples(command: Command, lines: readonly Example[]): void {
  const width = Math.max(...lines.map(([line]) => line.length));
  const text = lines.map(([line, meaning]) => {
    if (meaning === '') return `  ${line}`;
    return width > 70 ? `  # ${meaning}\n  ${line}` : `  ${line.padEnd(width)}  # ${meaning}`;
  });
  command.addHelpText('before', `Examples:\n${text.join('\n')}\n`);
}

/** What stands behind the program's own help. */
export const EXIT_CODES_HELP = `
Exit codes:
  0  both sides equal            4  could not run (connection, keys, state)
  1  conflicts or deferred paths 5  safety halt, nothing touched
  2  wrong use                   6  another run holds this pair
  3  some paths failed           130, 143  interrupted`;
