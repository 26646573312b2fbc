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
    case "\${COMP_WORDS[index]}" in
      ${tree.commands.map(({ name }) => name).join(' | ')}) command="\${COMP_WORDS[index]}"; break ;;
    esac
  done
  case "$command" in
    "")
      mapfile -t COMPREPLY < <(compgen -W "${words([...tree.commands.map(({ name }) => name), ...namesOf(tree.options)])}" -- "$word")
      ;;
${tree.commands.map(commandCase).join('\n')}
  esac
}

complete -F _tidemark tidemark
`;
}

function commandCase({ name, options, arguments: args }: CompletionCommand): string {
  const valued = options.filter(({ value }) => value.kind !== 'none');
  const cases = valued.map(({ names, value }) => `        ${names.join(' | ')}) ${reply(value)}; return ;;`);
  return `    ${name})
      case "$previous" in
${cases.join('\n')}
      esac
      if [[ "$word" == -* ]]; then
        mapfile -t COMPREPLY < <(compgen -W "${words(namesOf(options))}" -- "$word")
      elif [[ "$word" != ":" && "$previous" != ":" ]]; then
        ${reply(args[0] ?? { kind: 'any' })}
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
