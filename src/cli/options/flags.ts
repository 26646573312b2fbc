/** The options as commander knows them, and what it parsed as a source. */
import { type Command, Option } from 'commander';
import type { List, OptionSpec, OptionUser, Switch, Value } from './kinds.ts';
import type { Given, Source } from './resolve.ts';
import { type OptionName, optionNamed, optionsOf } from './table.ts';

/** Gives `command` the options of `user`. Values stay texts here; they are checked when all sources are known. */
export function addOptions(command: Command, user: OptionUser): void {
  for (const [name, spec] of optionsOf(user)) {
    for (const option of flagsOf(name, spec)) command.addOption(option.helpGroup(spec.group));
  }
}

/** What was given on the command line. */
export function sourceFromFlags(command: Command, user: OptionUser): Source {
  const source = new Map<OptionName, Given>();
  for (const [name, spec] of optionsOf(user)) {
    const attribute = new Option(`--${name}`).attributeName();
    if (command.getOptionValueSource(attribute) !== 'cli') continue;
    const value: unknown = command.getOptionValue(attribute);
    const as = typeof value === 'boolean' ? value : Array.isArray(value) ? (value as string[]) : [String(value)];
    source.set(name, { as, where: spec.kind === 'switch' && as === false ? `--no-${name}` : `--${name}` });
  }
  return source;
}

/** How the help writes an option: `--[no-]perms` where both forms are of use. */
export function optionTerm(option: Option): string {
  const spec = optionNamed(option.name());
  const isBoth = spec?.kind === 'switch' && spec.shown === 'both';
  const term = isBoth ? `--[no-]${option.name()}` : option.flags;
  return option.short === undefined ? `    ${term}` : term;
}

function flagsOf(name: OptionName, spec: OptionSpec): Option[] {
  switch (spec.kind) {
    case 'switch':
      return switchFlags(name, spec);
    case 'value':
      return [valueFlag(name, spec)];
    case 'list':
      return [valueFlag(name, spec).argParser(collect)];
  }
}

/** Both forms are always understood, one is in the help. An option for one run only has no counterpart. */
function switchFlags(name: OptionName, spec: Switch): Option[] {
  const on = new Option(flagText(name, spec), spec.description);
  if (spec.notConfigurable !== undefined) return [on];
  const off = new Option(`--no-${name}`, spec.description);
  return [on.hideHelp(spec.shown === 'off'), off.hideHelp(spec.shown !== 'off')];
}

function valueFlag(name: OptionName, spec: Value | List): Option {
  return new Option(`${flagText(name, spec)} <${spec.argument}>`, spec.description);
}

function flagText(name: OptionName, spec: OptionSpec): string {
  return spec.short === undefined ? `--${name}` : `-${spec.short}, --${name}`;
}

function collect(text: string, before: readonly string[] | undefined): string[] {
  return [...(before ?? []), text];
}
