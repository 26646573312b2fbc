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
${dispatch(tree.commands, '  ')}
}

if [[ $zsh_eval_context[-1] == loadautofunc ]]; then _tidemark "$@"; else compdef _tidemark tidemark; fi
`;
}

/** The first word is one of `commands`; the rest belongs to it. Ends a call of _arguments that was begun before. */
function dispatch(commands: readonly CompletionCommand[], indent: string): string {
  return `${indent}  '1: :->command' \\
${indent}  '*:: :->rest'
${indent}case $state in
${indent}  command)
${indent}    local -a commands
${indent}    commands=(
${commands.map(({ name, description }) => `${indent}      ${quoted(`${name}:${description}`)}`).join('\n')}
${indent}    )
${indent}    _describe command commands
${indent}    ;;
${indent}  rest)
${indent}    case $words[1] in
${commands.map((command) => commandCase(command, `${indent}      `)).join('\n')}
${indent}    esac
${indent}    ;;
${indent}esac`;
}

function commandCase({ name, options, arguments: args, commands }: CompletionCommand, indent: string): string {
  if (commands.length > 0) {
    return `${indent}${name})
${indent}  _arguments -C \\
${dispatch(commands, `${indent}  `)}
${indent}  ;;`;
  }
  const specs = [...options.map(optionSpec), ...args.map((value, index) => quoted(`${index + 1}:${action(value)}`))];
  return `${indent}${name})
${indent}  _arguments \\
${specs.map((spec) => `${indent}    ${spec}`).join(' \\\n')}
${indent}  ;;`;
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
