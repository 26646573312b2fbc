import { Command } from 'commander';
import type { Context, ExitCode } from '../context.ts';
import { endpointArgument } from '../endpoint-argument.ts';
import { examples } from '../help.ts';
import { invocationOf, withReporter } from '../invocation.ts';
import { addOptions } from '../options/flags.ts';
import { connectionOptions, outputOptions, sessionOptions } from '../options/groups.ts';
import type { VerifyRequest } from '../request.ts';

/** `tidemark verify <alpha> <beta>`: read both sides in full and compare; exit 1 on any difference. */
export function verifyCommand(context: Context, done: (code: ExitCode) => void): Command {
  const command = new Command('verify')
    .description('read both sides in full and compare; exit 1 where they differ')
    .argument('<alpha>', 'a path, user@host:path or ssh://[user@]host[:port]/path')
    .argument('<beta>', 'the other side, likewise')
    .action(async (alpha: string, beta: string) => done(await verify(alpha, beta, command, context)));
  examples(command, [
    ['tidemark verify notes server:notes', 'give the options the sync was run with'],
    ['tidemark verify photos /media/disk/photos --json', 'for scripts'],
  ]);
  addOptions(command, 'verify');
  return command;
}

async function verify(alpha: string, beta: string, command: Command, context: Context): Promise<ExitCode> {
  const { values, folders } = await invocationOf(command, 'verify', context);
  const request: VerifyRequest = {
    alpha: endpointArgument(alpha),
    beta: endpointArgument(beta),
    session: sessionOptions(values),
    connection: connectionOptions(values),
    folders,
    prompter: context.prompter,
  };
  return withReporter(outputOptions(values), false, context, async (reporter) => {
    const result = await context.dependencies.runVerify(request, reporter, context.signal);
    reporter.verified(result);
    return result.differences.length === 0 ? 0 : 1;
  });
}
