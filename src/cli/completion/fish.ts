import type { CompletionCommand, CompletionOption, CompletionTree, CompletionValue } from './tree.ts';

/** Completions for fish; commands first, then the options of the command that was typed. */
export function fishScript(tree: CompletionTree): string {
  const lines = [
    '# Completion of tidemark for fish: tidemark completion fish > ~/.config/fish/completions/tidemark.fish',
    'complete -c tidemark -f',
    ...tree.options.map((option) => `complete -c tidemark -n __fish_use_subcommand ${optionArguments(option)}`),
    ...tree.commands.map(({ name, description }) => {
      return `complete -c tidemark -n __fish_use_subcommand -a ${name} -d ${quoted(description)}`;
    }),
    ...tree.commands.flatMap(commandLines),
  ];
  return `${lines.join('\n')}\n`;
}

function commandLines({ name, options, arguments: args }: CompletionCommand): string[] {
  const start = `complete -c tidemark -n ${quoted(`__fish_seen_subcommand_from ${name}`)}`;
  const [first] = args;
  return [
    ...(first === undefined ? [] : [`${start} ${argument(first)}`]),
    ...options.map((option) => `${start} ${optionArguments(option)}`),
  ];
}

function optionArguments({ names, description, value }: CompletionOption): string {
  const forms = names.map((name) => (name.startsWith('--') ? `-l ${name.slice(2)}` : `-s ${name.slice(1)}`));
  const behind = value.kind === 'none' ? [] : [value.kind === 'any' ? '-x' : `-r ${argument(value)}`];
  return [...forms, ...behind, `-d ${quoted(description)}`].join(' ');
}

function argument(value: CompletionValue): string {
  switch (value.kind) {
    case 'choice':
      return `-f -a ${quoted(value.choices.join(' '))}`;
    case 'file':
      return '-F';
    default:
      return '-f';
  }
}

function quoted(text: string): string {
  return `'${text.replace(/[\\']/g, '\\$&')}'`;
}
