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
  /** Commands below this one; where there are any, one of them stands in place of arguments. */
  readonly commands: readonly CompletionCommand[];
}

export interface CompletionTree {
  readonly options: readonly CompletionOption[];
  readonly commands: readonly CompletionCommand[];
}

/** Reads the visible commands and options of `program`. */
export function completionTree(program: Command): CompletionTree {
  const help = program.createHelp();
  const commands = commandsOf(program);
  const choices = commands.map(({ name }) => name);
  const last = help.visibleCommands(program).find((command) => !program.commands.includes(command));
  if (last !== undefined) {
    const { name, description } = { name: last.name(), description: last.description() };
    commands.push({ name, description, options: [], arguments: [{ kind: 'choice', choices }], commands: [] });
  }
  return { options: help.visibleOptions(program).map(asOption), commands };
}

/** Commands directly below `parent`, without the help that every one has. */
function commandsOf(parent: Command): CompletionCommand[] {
  const help = parent.createHelp();
  const visible = help.visibleCommands(parent).filter((command) => parent.commands.includes(command));
  return visible.map((command) => ({
    name: command.name(),
    description: command.description(),
    options: help.visibleOptions(command).map(asOption),
    arguments: argumentsOf(command),
    commands: commandsOf(command),
  }));
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

/** Arguments that name a directory or an endpoint; the others (cursors, names of consumers) cannot be guessed. */
const FILES = ['alpha', 'beta', 'endpoint', 'root'];

function argumentsOf(command: Command): CompletionValue[] {
  return command.registeredArguments.map((argument): CompletionValue => {
    if (argument.argChoices !== undefined) return { kind: 'choice', choices: argument.argChoices };
    return { kind: FILES.includes(argument.name()) ? 'file' : 'any' };
  });
}
