import { Command } from 'commander';
import { exitCodeFor } from '../../sync/report.ts';
import type { Context, ExitCode } from '../context.ts';
import { endpointArgument } from '../endpoint-argument.ts';
import { examples } from '../help.ts';
import { invocationOf, withReporter } from '../invocation.ts';
import { addOptions } from '../options/flags.ts';
import { connectionOptions, outputOptions, runOptions, sessionOptions } from '../options/groups.ts';
import type { SyncRequest } from '../request.ts';

/** `tidemark sync <alpha> <beta>`: bring both sides together once, then exit. */
export function syncCommand(context: Context, done: (code: ExitCode) => void): Command {
  const command = new Command('sync')
    .description('bring two trees together, once')
    .argument('<alpha>', 'a path, user@host:path or ssh://[user@]host[:port]/path')
    .argument('<beta>', 'the other side, likewise')
    .action(async (alpha: string, beta: string) => done(await sync(alpha, beta, command, context)));
  examples(command, [
    ['tidemark sync notes server:notes', 'both ways; a folder that is missing is made'],
    ['tidemark sync -n photos /media/disk/photos', 'only say what would be done'],
    ['tidemark sync src build-host:src --mode one-way-replica --ignore node_modules/', 'make beta equal to alpha'],
    ['tidemark sync docs ssh://me@host:2222/srv/docs --conflict newer --json', 'for scripts'],
  ]);
  addOptions(command, 'sync');
  return command;
}

async function sync(alpha: string, beta: string, command: Command, context: Context): Promise<ExitCode> {
  const { values, folders } = await invocationOf(command, 'sync', context);
  const request: SyncRequest = {
    alpha: endpointArgument(alpha),
    beta: endpointArgument(beta),
    session: sessionOptions(values),
    run: runOptions(values),
    connection: connectionOptions(values),
    folders,
    prompter: context.prompter,
  };
  return withReporter(outputOptions(values), request.run.dryRun, context, async (reporter) => {
    const summary = await context.dependencies.runSync(request, reporter, context.signal);
    reporter.summary(summary);
    return exitCodeFor(summary);
  });
}
