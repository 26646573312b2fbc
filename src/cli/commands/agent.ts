import { Command } from 'commander';
import type { Context, ExitCode } from '../context.ts';

/** `tidemark agent serve`: the remote half, spoken over stdin and stdout. Not for people, and so not in the help. */
export function agentCommand({ dependencies, signal }: Context, done: (code: ExitCode) => void): Command {
  const agent = new Command('agent').description('the remote half, spoken over stdin and stdout; not for people');
  agent
    .command('serve')
    .description('serve one connection on stdin and stdout')
    .action(async () => {
      await Promise.race([dependencies.serveAgent(), rejectedBy(signal)]);
      done(0);
    });
  return agent;
}

/** Everything the agent does survives being cut off, so a signal ends it at once. */
function rejectedBy(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    if (signal.aborted) reject(signal.reason);
    else signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
}
