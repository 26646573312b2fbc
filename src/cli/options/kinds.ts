/**
 * What an option is, apart from which ones there are: one description serves the parser, the configuration file, the
 * help and the completion.
 */
import { type Parsed, parseChoice } from './values.ts';

/** Commands that take options of the table. */
export type OptionUser = 'sync' | 'verify' | 'doctor' | 'journal' | 'daemon';

interface Common<T> {
  /** Short letter, without the dash. */
  readonly short?: string;
  readonly description: string;
  /** Heading in the help. */
  readonly group: string;
  readonly users: readonly OptionUser[];
  readonly defaultValue: T;
}

/** On or off; `--name` and `--no-name` both exist, so that a flag can undo the configuration file. */
export interface Switch<T extends boolean | undefined = boolean | undefined> extends Common<T> {
  readonly kind: 'switch';
  /** Which of the two forms the help shows. */
  readonly shown: 'on' | 'off' | 'both';
  /** Set where the option makes sense for one run only: why the configuration file may not hold it. */
  readonly notConfigurable?: string;
}

/** Takes one value; given again, the last counts. */
export interface Value<T = unknown> extends Common<T> {
  readonly kind: 'value';
  /** Name of the value in the help. */
  readonly argument: string;
  readonly choices?: readonly string[];
  /** What to give instead of a refused value: one sentence. */
  readonly expects: string;
  readonly parse: (text: string) => Parsed<T>;
  /** The value is a file of this machine: completed as one, and `~/` is resolved in the configuration file. */
  readonly isFile?: boolean;
}

/** May be given several times. */
export interface List extends Common<readonly string[]> {
  readonly kind: 'list';
  readonly argument: string;
  readonly expects: string;
  readonly parse: (text: string) => Parsed<string>;
  /** Whether flags come after what the configuration file holds, or take its place. */
  readonly combine: 'append' | 'replace';
  readonly isFile?: boolean;
}

export type OptionSpec = Switch | Value | List;

/** The type of the value of an option. */
export type ValueOf<S> =
  S extends Switch<infer T> ? T : S extends List ? readonly string[] : S extends Value<infer T> ? T : never;

/** An option that is off unless given. */
export function flag(of: Omit<Switch<boolean>, 'kind' | 'shown' | 'defaultValue'>): Switch<boolean> {
  return { kind: 'switch', shown: 'on', defaultValue: false, ...of };
}

/** An option with a default and both forms. */
export function toggle<T extends boolean | undefined>(of: Omit<Switch<T>, 'kind'>): Switch<T> {
  return { kind: 'switch', ...of };
}

export function value<T>(of: Omit<Value<T>, 'kind'>): Value<T> {
  return { kind: 'value', ...of };
}

export function list(of: Omit<List, 'kind' | 'defaultValue'>): List {
  return { kind: 'list', defaultValue: [], ...of };
}

/** A value out of a fixed set. */
export function choice<const C extends string>(
  choices: readonly C[],
  of: Omit<Value<NoInfer<C>>, 'kind' | 'argument' | 'choices' | 'expects' | 'parse'>,
): Value<C> {
  return {
    kind: 'value',
    argument: 'choice',
    choices,
    expects: `Give one of ${choices.join(', ')}.`,
    parse: (text) => parseChoice(choices, text),
    ...of,
    description: `${of.description} (${choices.join(', ')}; default: ${of.defaultValue})`,
  };
}
