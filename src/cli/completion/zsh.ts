import type { CompletionCommand, CompletionOption, CompletionTree, CompletionValue } from './tree.ts';

/** A completion function for zsh, for `source` behind compinit as well as for a file `_tidemark` in fpath. */
export function zshScript(tree: CompletionTree): string {
  return `#compdef tidemark
# Completion of tidemark for zsh: source <(tidemark completion zsh)

_tidemark() {
  local context state state_descr line
  typeset -A opt_args
  _arguments -C \\
${tree.options.map((option) => `    ${optionSpec(option)} \\`).join('\n')}
    '1: :->command' \\
    '*:: :->rest'
  case $state in
    command)
      local -a commands
      commands=(
${tree.commands.map(({ name, description }) => `        ${quoted(`${name}:${description}`)}`).join('\n')}
      )
      _describe command commands
      ;;
    rest)
      case $words[1] in
${tree.commands.map(commandCase).join('\n')}
      esac
      ;;
  esac
}

if [[ $zsh_eval_context[-1] == loadautofunc ]]; then _tidemark "$@"; else compdef _tidemark tidemark; fi
`;
}

function commandCase({ name, options, arguments: args }: CompletionCommand): string {
  const specs = [...options.map(optionSpec), ...args.map((value, index) => quoted(`${index + 1}:${action(value)}`))];
  return `        ${name})
          _arguments \\
${specs.map((spec) => `            ${spec}`).join(' \\\n')}
          ;;`;
}

/** `'(-n --dry-run)'{-n,--dry-run}'[description]'` */
function optionSpec({ names, description, value }: CompletionOption): string {
  const text = quoted(
    `[${description.replace(/[[\]\\]/g, '\\$&')}]${value.kind === 'none' ? '' : `:${action(value)}`}`,
  );
  const [only] = names;
  if (names.length === 1) return `${only}${text}`;
  return `'(${names.join(' ')})'{${names.join(',')}}${text}`;
}

function action(value: CompletionValue): string {
  switch (value.kind) {
    case 'choice':
      return `value:(${value.choices.join(' ')})`;
    case 'file':
      return 'path:_files';
    default:
      return 'value: ';
  }
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
