import { Argument, Command } from 'commander';
import { completionTree } from '../completion/tree.ts';
import type { Context, ExitCode } from '../context.ts';
import { examples } from '../help.ts';

const SHELLS = ['bash', 'zsh', 'fish'] as const;
type Shell = (typeof SHELLS)[number];

/** `tidemark completion <shell>`: a completion script on stdout. */
export function completionCommand({ terminal }: Context, done: (code: ExitCode) => void): Command {
  const command = new Command('completion')
    .description('print a completion script for a shell')
    .addArgument(new Argument('<shell>').choices(SHELLS))
    .action(async (shell: Shell) => {
      const script = await scriptFor(shell, command.parent ?? command);
      terminal.result(script.trimEnd());
      done(0);
    });
  examples(command, [
    ['source <(tidemark completion bash)', 'in ~/.bashrc'],
    ['source <(tidemark completion zsh)', 'in ~/.zshrc, behind compinit'],
    ['tidemark completion fish > ~/.config/fish/completions/tidemark.fish', ''],
  ]);
  return command;
}

async function scriptFor(shell: Shell, program: Command): Promise<string> {
  const tree = completionTree(program);
  switch (shell) {
    case 'bash':
      return (await import('../completion/bash.ts')).bashScript(tree);
    case 'zsh':
      return (await import('../completion/zsh.ts')).zshScript(tree);
    case 'fish':
      return (await import('../completion/fish.ts')).fishScript(tree);
  }
}
