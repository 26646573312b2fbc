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
    ...tree.commands.flatMap((command) => topLines(command, tree)),
  ];
  return `${lines.join('\n')}\n`;
}

/** A command of the first level. One whose name also stands below another must not be taken for that one. */
function topLines(command: CompletionCommand, tree: CompletionTree): string[] {
  const { name, commands } = command;
  const namesakes = tree.commands.filter(({ commands: below }) => below.some((other) => other.name === name));
  const parents = namesakes.map((parent) => parent.name).join(' ');
  const seen = `__fish_seen_subcommand_from ${name}`;
  const condition = parents === '' ? seen : `${seen}; and not __fish_seen_subcommand_from ${parents}`;
  if (commands.length === 0) return commandLines(command, condition);
  const none = `${condition}; and not __fish_seen_subcommand_from ${commands.map((below) => below.name).join(' ')}`;
  const start = `complete -c tidemark -n ${quoted(none)}`;
  return [
    ...commands.map((below) => `${start} -f -a ${below.name} -d ${quoted(below.description)}`),
    ...commands.flatMap((below) => commandLines(below, `${condition}; and __fish_seen_subcommand_from ${below.name}`)),
  ];
}

function commandLines({ options, arguments: args }: CompletionCommand, condition: string): string[] {
  const start = `complete -c tidemark -n ${quoted(condition)}`;
  const first = args.find(({ kind }) => kind !== 'any') ?? args[0];
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
