/** Results that are said once: a JSON object, or lines for people. */
import type { Context } from '../context.ts';
import type { OutputOptions } from '../request.ts';
import { toJsonLine } from './json.ts';
import { type Style, styleFor } from './style.ts';

export interface Printer {
  readonly style: Style;
  /** One fact of the result, on stdout: its object, or its lines. With -q only the object. */
  say(json: Record<string, unknown>, lines: readonly string[]): void;
  /** Talk for people, on stderr; not with -q. */
  talk(line: string): void;
}

export function printerFor({ json, quiet }: OutputOptions, { terminal, environment }: Context): Printer {
  return {
    style: styleFor(!json && terminal.isTerminal('stdout'), environment),
    say(object, lines) {
      if (json) terminal.result(toJsonLine(object));
      else if (!quiet) for (const line of lines) terminal.result(line);
    },
    talk(line) {
      if (!quiet) terminal.talk(line);
    },
  };
}
