import { Command } from 'commander';
import type { Context, ExitCode } from '../context.ts';

/** `tidemark agent serve`: the remote half, spoken over stdin and stdout. Not for people, and so not in the help. */
export function agentCommand({ dependencies }: Context, done: (code: ExitCode) => void): Command {
  const agent = new Command('agent').description('the remote half, spoken over stdin and stdout; not for people');
  agent
    .command('serve')
    .description('serve one connection on stdin and stdout')
    .action(async () => {
      await dependencies.serveAgent();
      done(0);
    });
  return agent;
}
