/** What the commands share: options from all their sources, and reporters for the way the user wants to hear. */
import type { Command } from 'commander';
import { fromText } from '../platform/core/byte-path.ts';
import type { Context } from './context.ts';
import { configFileIn, type Environment, type Folders, foldersFrom } from './folders.ts';
import { readConfig } from './options/config.ts';
import { sourceFromFlags } from './options/flags.ts';
import type { OptionUser } from './options/kinds.ts';
import { resolveOptions, type Source } from './options/resolve.ts';
import type { OptionName, OptionValues } from './options/table.ts';
import { jsonReporter } from './output/json.ts';
import { type LogFile, openLogFile } from './output/log-file.ts';
import { progressReporter } from './output/progress.ts';
import { combined, type Reporter } from './output/reporter.ts';
import { styleFor } from './output/style.ts';
import { type Loudness, noteReporter, textReporter } from './output/text.ts';
import type { OutputOptions } from './request.ts';

export interface Invocation {
  readonly values: OptionValues;
  readonly folders: Folders;
}

/** Reads flags, environment and configuration file. */
export async function invocationOf(command: Command, user: OptionUser, context: Context): Promise<Invocation> {
  const folders = foldersFrom(context.environment, context.homeDirectory);
  const config = await readConfig(configFileIn(folders), context.homeDirectory);
  const sources = [sourceFromFlags(command, user), sourceFromEnvironment(context.environment), config];
  return { values: resolveOptions(sources), folders };
}

/** TIDEMARK_LOG names the log file. (TIDEMARK_HOME is in folders.ts, NO_COLOR in output/style.ts.) */
export function sourceFromEnvironment(environment: Environment): Source {
  const source: [OptionName, { as: readonly string[]; where: string }][] = [];
  const logFile = environment.TIDEMARK_LOG ?? '';
  if (logFile !== '') source.push(['log-file', { as: [fromText(logFile)], where: 'TIDEMARK_LOG' }]);
  return new Map(source);
}

/**
 * Runs `body` with a reporter for these options; the log file is closed and hears of the error whatever happens.
 * @param dryRun The words for what is done say that it is not.
 */
export async function withReporter<T>(
  output: OutputOptions,
  dryRun: boolean,
  context: Context,
  body: (reporter: Reporter) => Promise<T>,
): Promise<T> {
  const log = output.logFile === null ? null : openLogFile(output.logFile, context.wallClockMs);
  const reporter = reporterFor(output, dryRun, context, log);
  try {
    return await body(reporter);
  } catch (error) {
    reporter.stopped(error instanceof Error ? error : new Error(String(error)));
    throw error;
  } finally {
    log?.close();
  }
}

function reporterFor(output: OutputOptions, dryRun: boolean, context: Context, log: LogFile | null): Reporter {
  const { terminal, nowMs, environment } = context;
  const loudness = loudnessOf(output);
  const talkStyle = styleFor(terminal.isTerminal('stderr'), environment);
  const reporters: Reporter[] = [noteReporter({ terminal, loudness, talkStyle })];
  if (output.json) {
    const write = (line: string) => terminal.result(line);
    reporters.push(jsonReporter({ write, nowMs, progress: output.progress !== false }));
  } else {
    const resultStyle = styleFor(terminal.isTerminal('stdout'), environment);
    reporters.push(textReporter({ terminal, loudness, dryRun, resultStyle, talkStyle }));
  }
  if (showsProgress(output, context)) reporters.push(progressReporter({ terminal, nowMs }));
  if (log !== null) reporters.push(log);
  return combined(reporters);
}

function loudnessOf({ quiet, verbose }: OutputOptions): Loudness {
  if (quiet) return 'quiet';
  return verbose ? 'verbose' : 'normal';
}

/** By default where people watch: stderr is a terminal that can redraw, and nothing speaks for silence. */
function showsProgress({ progress, quiet, json }: OutputOptions, { terminal, environment }: Context): boolean {
  if (progress !== undefined) return progress && (!json || terminal.isTerminal('stderr'));
  return !quiet && !json && terminal.isTerminal('stderr') && environment.TERM !== 'dumb';
}
