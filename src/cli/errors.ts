/** Errors at the edge: words, remedy and exit code. */

import { displayText } from '../platform/core/display.ts';
import { type Fault, TidemarkError } from '../platform/core/errors.ts';
import { toJsonLine } from './output/json.ts';
import { exitCodeOfSignal } from './signals.ts';

const EXIT_CODES: Record<Exclude<Fault, 'interrupted'>, number> = {
  usage: 2,
  unavailable: 4,
  halted: 5,
  locked: 6,
  internal: 4,
};

/** The exit code of an error that ended the program; errors nobody foresaw count as `internal`. */
export function exitCodeOf(error: unknown): number {
  if (!(error instanceof TidemarkError)) return EXIT_CODES.internal;
  return error.fault === 'interrupted' ? exitCodeOfSignal(error.code) : EXIT_CODES[error.fault];
}

export interface ErrorFormat {
  readonly json: boolean;
  /** With stack traces. */
  readonly detailed: boolean;
}

/** The lines for stderr: one message, what to do about it, and the stack where it is asked for or helps to report a bug. */
export function errorLines(error: unknown, { json, detailed }: ErrorFormat): string[] {
  if (json) return [toJsonLine(errorJson(error, detailed))];
  if (!(error instanceof TidemarkError)) return unforeseenLines(error, detailed);
  const lines = [`tidemark: ${displayText(error.message)}`];
  if (error.remedy !== undefined) lines.push(...error.remedy.split('\n').map((line) => `  ${displayText(line)}`));
  if (error.fault === 'internal') lines.push(...bugLines(detailed));
  return detailed && error.fault !== 'usage' ? [...lines, ...stackLines(error)] : lines;
}

function unforeseenLines(error: unknown, detailed: boolean): string[] {
  const message = error instanceof Error ? error.message : String(error);
  const lines = [`tidemark: ${displayText(message)}`, ...bugLines(detailed)];
  return detailed ? [...lines, ...stackLines(error)] : lines;
}

function bugLines(detailed: boolean): string[] {
  return detailed
    ? ['  This is a bug in tidemark.']
    : ['  This is a bug in tidemark; run again with -v for where it happened.'];
}

/** The stack with the causes below it. */
function stackLines(error: unknown): string[] {
  const lines: string[] = [];
  let current = error;
  for (let depth = 0; depth < 8 && current instanceof Error; depth++) {
    const stack = current.stack ?? String(current);
    lines.push(...`${depth === 0 ? '' : 'caused by: '}${stack}`.split('\n').map((line) => `  ${displayText(line)}`));
    current = current.cause;
  }
  return lines;
}

function errorJson(error: unknown, detailed: boolean): Record<string, unknown> {
  const known = error instanceof TidemarkError ? error : null;
  return {
    type: 'error',
    fault: known?.fault ?? 'internal',
    code: known?.code ?? 'unforeseen',
    message: error instanceof Error ? error.message : String(error),
    ...(known?.remedy === undefined ? {} : { remedy: known.remedy }),
    exitCode: exitCodeOf(error),
    ...(detailed && error instanceof Error ? { stack: error.stack } : {}),
  };
}
