/**
 * From what was given where to one checked value for every option: flags before environment before configuration file.
 */
import type { BytePath } from '../../platform/core/byte-path.ts';
import { displayPath } from '../../platform/core/display.ts';
import { usageError } from '../usage.ts';
import type { List, OptionSpec, Switch, Value } from './kinds.ts';
import { OPTIONS, type OptionName, type OptionValues, optionEntries } from './table.ts';

/** One option as one source gives it. */
export interface Given {
  /** On or off; or byte strings as typed, several where the option was repeated. */
  readonly as: boolean | readonly string[];
  /** Names the place in a message: `--port`, `config.toml, line 3, port`. */
  readonly where: string;
}

/** All options one source gives. */
export type Source = ReadonlyMap<OptionName, Given>;

/**
 * A checked value for every option.
 * @param sources Strongest first.
 * @throws TidemarkError `usage` naming what, where and what to do instead.
 */
export function resolveOptions(sources: readonly Source[]): OptionValues {
  const values: Partial<Record<OptionName, unknown>> = {};
  for (const [name, spec] of optionEntries()) {
    const given = sources.flatMap((source) => source.get(name) ?? []);
    values[name] = resolveOne(spec, given);
  }
  const loudness = resolveLoudness(sources);
  return { ...values, ...loudness } as OptionValues;
}

function resolveOne(spec: OptionSpec, given: readonly Given[]): unknown {
  switch (spec.kind) {
    case 'switch':
      return resolveSwitch(spec, given);
    case 'value':
      return resolveValue(spec, given);
    case 'list':
      return resolveList(spec, given);
  }
}

function resolveSwitch(spec: Switch, given: readonly Given[]): boolean | undefined {
  const [first] = given;
  return typeof first?.as === 'boolean' ? first.as : spec.defaultValue;
}

function resolveValue(spec: Value, given: readonly Given[]): unknown {
  const [first] = given;
  if (first === undefined || typeof first.as === 'boolean') return spec.defaultValue;
  const text = first.as.at(-1);
  return text === undefined ? spec.defaultValue : checked(spec, text, first.where);
}

function resolveList(spec: List, given: readonly Given[]): readonly string[] {
  const lists = given.map(({ as, where }) =>
    typeof as === 'boolean' ? [] : as.map((text) => checked(spec, text, where) as string),
  );
  return spec.combine === 'replace' ? (lists[0] ?? []) : lists.reverse().flat();
}

function checked(spec: Value | List, text: string, where: string): unknown {
  const result = spec.parse(text);
  if (result.ok) return result.value;
  throw usageError('bad-value', `${where} "${displayPath(text as BytePath)}": ${result.fault}`, spec.expects);
}

/** -q and -v exclude each other; a flag wins over the configuration file, and both at one place are a mistake. */
function resolveLoudness(sources: readonly Source[]): Pick<OptionValues, 'quiet' | 'verbose'> {
  for (const source of sources) {
    const quiet = source.get('quiet');
    const verbose = source.get('verbose');
    if (quiet?.as === true && verbose?.as === true) {
      throw usageError(
        'bad-combination',
        `${quiet.where} and ${verbose.where} exclude each other`,
        'Give one of them.',
      );
    }
    if (quiet !== undefined || verbose !== undefined) {
      return { quiet: quiet?.as === true, verbose: verbose?.as === true };
    }
  }
  return { quiet: OPTIONS.quiet.defaultValue, verbose: OPTIONS.verbose.defaultValue };
}
