/** What there is to complete, as plain data read off the commands. */
import type { Command, Option } from 'commander';
import { optionNamed } from '../options/table.ts';

export interface CompletionOption {
  /** As typed, dashes included: `--mode`, `-n`. */
  readonly names: readonly string[];
  readonly description: string;
  readonly value: CompletionValue;
}

/** What comes behind an option or stands as an argument: nothing, one of a set, a file, or anything. */
export type CompletionValue =
  | { readonly kind: 'none' }
  | { readonly kind: 'choice'; readonly choices: readonly string[] }
  | { readonly kind: 'file' }
  | { readonly kind: 'any' };

export interface CompletionCommand {
  readonly name: string;
  readonly description: string;
  readonly options: readonly CompletionOption[];
  /** In order; endpoints complete as files. */
  readonly arguments: readonly CompletionValue[];
}

export interface CompletionTree {
  readonly options: readonly CompletionOption[];
  readonly commands: readonly CompletionCommand[];
}

/** Reads the visible commands and options of `program`. */
export function completionTree(program: Command): CompletionTree {
  const help = program.createHelp();
  const visible = help.visibleCommands(program);
  const choices = visible.map((command) => command.name()).filter((name) => name !== 'help');
  const commands = visible.map((command): CompletionCommand => {
    const isHelp = !program.commands.includes(command);
    return {
      name: command.name(),
      description: command.description(),
      options: isHelp ? [] : help.visibleOptions(command).map(asOption),
      arguments: isHelp ? [{ kind: 'choice', choices }] : argumentsOf(command),
    };
  });
  return { options: help.visibleOptions(program).map(asOption), commands };
}

function asOption(option: Option): CompletionOption {
  const spec = optionNamed(option.name());
  const isBoth = spec?.kind === 'switch' && spec.shown === 'both';
  const names = [option.short, option.long, isBoth ? `--no-${option.name()}` : undefined].filter(
    (name) => name !== undefined,
  );
  return { names, description: option.description, value: optionValue(option) };
}

function optionValue(option: Option): CompletionValue {
  if (!option.required && !option.optional) return { kind: 'none' };
  const spec = optionNamed(option.name());
  if (spec === undefined || spec.kind === 'switch') return { kind: 'any' };
  if (spec.kind === 'value' && spec.choices !== undefined) return { kind: 'choice', choices: spec.choices };
  return { kind: spec.isFile === true ? 'file' : 'any' };
}

function argumentsOf(command: Command): CompletionValue[] {
  return command.registeredArguments.map(({ argChoices }) =>
    argChoices === undefined ? { kind: 'file' } : { kind: 'choice', choices: argChoices },
  );
}
