import type { CompletionCommand, CompletionOption, CompletionTree, CompletionValue } from './tree.ts';

/**
 * A completion function for bash 4 and later; needs no bash-completion package.
 *
 * Bash splits words at `=` and `:` (COMP_WORDBREAKS): `--mode=t` arrives as three words, and the function looks past
 * `=`; behind the colon of `host:` nothing is offered, since local files would be wrong there.
 */
export function bashScript(tree: CompletionTree): string {
  return `# Completion of tidemark for bash: source <(tidemark completion bash)
_tidemark_files() {
  compopt -o filenames 2>/dev/null
  mapfile -t COMPREPLY < <(compgen -f -- "$1")
}

_tidemark() {
  local word="\${COMP_WORDS[COMP_CWORD]}" previous="\${COMP_WORDS[COMP_CWORD-1]}" command="" index
  COMPREPLY=()
  if [[ "$word" == "=" ]]; then word=""; elif [[ "$previous" == "=" ]]; then previous="\${COMP_WORDS[COMP_CWORD-2]}"; fi
  for ((index = 1; index < COMP_CWORD; index++)); do
    case "$command/\${COMP_WORDS[index]}" in
      ${pathsOf(tree.commands).join(' | ')}) command="$command/\${COMP_WORDS[index]}" ;;
    esac
  done
  case "$command" in
    "")
      mapfile -t COMPREPLY < <(compgen -W "${words([...tree.commands.map(({ name }) => name), ...namesOf(tree.options)])}" -- "$word")
      ;;
${tree.commands.flatMap((command) => commandCases(command, '')).join('\n')}
  esac
}

complete -F _tidemark tidemark
`;
}

/** `/sync`, `/journal`, `/journal/add`, …: how the script names the command it is in. */
function pathsOf(commands: readonly CompletionCommand[], above = ''): string[] {
  return commands.flatMap(({ name, commands: below }) => [`${above}/${name}`, ...pathsOf(below, `${above}/${name}`)]);
}

function commandCases(command: CompletionCommand, above: string): string[] {
  const path = `${above}/${command.name}`;
  return [commandCase(command, path), ...command.commands.flatMap((below) => commandCases(below, path))];
}

function commandCase({ options, arguments: args, commands }: CompletionCommand, path: string): string {
  const valued = options.filter(({ value }) => value.kind !== 'none');
  const cases = valued.map(({ names, value }) => `        ${names.join(' | ')}) ${reply(value)}; return ;;`);
  const below: CompletionValue = { kind: 'choice', choices: commands.map(({ name }) => name) };
  const word = commands.length > 0 ? below : (args.find(({ kind }) => kind !== 'any') ?? args[0] ?? { kind: 'any' });
  return `    ${path})
      case "$previous" in
${cases.join('\n')}
      esac
      if [[ "$word" == -* ]]; then
        mapfile -t COMPREPLY < <(compgen -W "${words(namesOf(options))}" -- "$word")
      elif [[ "$word" != ":" && "$previous" != ":" ]]; then
        ${reply(word)}
      fi
      ;;`;
}

function reply(value: CompletionValue): string {
  switch (value.kind) {
    case 'choice':
      return `mapfile -t COMPREPLY < <(compgen -W "${words(value.choices)}" -- "$word")`;
    case 'file':
      return '_tidemark_files "$word"';
    default:
      return ':';
  }
}

function namesOf(options: readonly CompletionOption[]): string[] {
  return options.flatMap(({ names }) => names);
}

function words(list: readonly string[]): string {
  return list.join(' ');
}
