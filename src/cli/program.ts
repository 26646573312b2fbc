/** The commands put together, and one invocation from arguments to exit code. */
import { type Argument, Command, CommanderError } from 'commander';
import { TidemarkError } from '../platform/core/errors.ts';
import { VERSION } from '../platform/version.ts';
import { agentCommand } from './commands/agent.ts';
import { completionCommand } from './commands/completion.ts';
import { daemonCommand } from './commands/daemon.ts';
import { doctorCommand } from './commands/doctor.ts';
import { journalCommand } from './commands/journal.ts';
import { syncCommand } from './commands/sync.ts';
import { verifyCommand } from './commands/verify.ts';
import type { Context, ExitCode } from './context.ts';
import { errorLines, exitCodeOf } from './errors.ts';
import { EXIT_CODES_HELP, examples } from './help.ts';
import { optionTerm } from './options/flags.ts';
import { usageError } from './usage.ts';

/**
 * Runs one command line to its exit code; everything it has to say has gone to the context's terminal by then.
 * @param argv Byte strings, without the names of node and script.
 */
export async function run(argv: readonly string[], context: Context): Promise<ExitCode> {
  let exitCode: ExitCode = 0;
  try {
    const program = await buildProgram(argv, context, (code) => {
      exitCode = code;
    });
    await parse(program, argv);
    return exitCode;
  } catch (error) {
    if (isFinished(error)) return 0;
    const format = formatFor(argv, context);
    const ended = endOf(error, context.signal);
    for (const line of errorLines(ended, format)) context.terminal.talk(line);
    return exitCodeOf(ended);
  }
}

/**
 * The tree of commands, below the first level as far as `argv` can need it; `done` receives the exit code of the one
 * that runs.
 */
async function buildProgram(
  argv: readonly string[],
  context: Context,
  done: (code: ExitCode) => void,
): Promise<Command> {
  const isAsked = (name: string) => [name, 'help', 'completion'].includes(argv[0] ?? '');
  const program = new Command('tidemark');
  configure(program, context)
    .description('Keep two directory trees in sync, locally or over ssh, in both directions.')
    .version(VERSION, '-V, --version', 'print the version')
    .helpOption('-h, --help', 'print this help')
    .usage('<command> [options]')
    .addHelpText('after', EXIT_CODES_HELP);
  examples(program, [
    ['tidemark sync notes server:notes', 'both ways, then exit'],
    ['tidemark sync -n notes server:notes', 'only say what would be done'],
    ['tidemark verify notes server:notes', 'read everything and compare'],
    ['tidemark journal add notes', 'note every change from now on, in the background'],
    ['tidemark doctor server:notes', 'what works here and there'],
  ]);
  for (const command of [
    syncCommand(context, done),
    verifyCommand(context, done),
    await journalCommand(isAsked('journal'), context, done),
    await daemonCommand(isAsked('daemon'), context, done),
    doctorCommand(context, done),
    completionCommand(context, done),
  ]) {
    program.addCommand(configure(command, context));
  }
  program.addCommand(configure(agentCommand(context, done), context), { hidden: true });
  for (const served of program.commands.flatMap((command) => command.commands)) configure(served, context);
  return program;
}

async function parse(program: Command, argv: readonly string[]): Promise<void> {
  try {
    await program.parseAsync([...argv], { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError) || isFinished(error)) throw error;
    throw asUsageError(error, argv);
  }
}

/** Errors are thrown, not printed; help and version go where everything else goes. */
function configure(command: Command, { terminal }: Context): Command {
  return command
    .exitOverride()
    .configureOutput({
      writeOut: (text) => terminal.result(text.replace(/\n$/, '')),
      writeErr: (text) => terminal.talk(text.replace(/\n$/, '')),
      outputError: () => {},
      getOutHelpWidth: () => terminal.columns,
      getErrHelpWidth: () => terminal.columns,
      getOutHasColors: () => false,
      getErrHasColors: () => false,
    })
    .configureHelp({ optionTerm, subcommandTerm });
}

/** How the help of a command lists those below it; below the first level without `[options]`, to leave room for words. */
function subcommandTerm(command: Command): string {
  const isNested = command.parent?.parent !== undefined && command.parent.parent !== null;
  const args = command.registeredArguments.map((argument) => humanReadable(argument)).join(' ');
  const options = !isNested && command.options.length > 0 ? ' [options]' : '';
  return `${command.name()}${options}${args === '' ? '' : ` ${args}`}`;
}

function humanReadable(argument: Argument): string {
  return argument.required ? `<${argument.name()}>` : `[${argument.name()}]`;
}

/** Commander ends help and version with an error of exit code 0. */
function isFinished(error: unknown): boolean {
  return error instanceof CommanderError && error.exitCode === 0;
}

/** After an interruption whatever else broke on the way out is a consequence, told only as the cause. */
function endOf(error: unknown, signal: AbortSignal): unknown {
  if (!signal.aborted || !(signal.reason instanceof TidemarkError) || error === signal.reason) return error;
  const { fault, code, message } = signal.reason;
  return new TidemarkError(fault, code, message, { cause: error });
}

/** `error: unknown option '--conflit'\n(Did you mean --conflict?)` as message and remedy. */
function asUsageError(error: CommanderError, argv: readonly string[]): TidemarkError {
  if (error.code === 'commander.help') return usageError('no-command', 'which command?', 'See tidemark --help.');
  const [first = '', ...rest] = error.message.replace(/^error: /, '').split('\n');
  const suggestion = rest.join(' ').replace(/^\((.*)\)$/, '$1');
  const command = argv[0] !== undefined && !argv[0].startsWith('-') && error.code !== 'commander.unknownCommand';
  const help = `See tidemark ${command ? `${argv[0]} ` : ''}--help.`;
  const message = Buffer.from(first, 'latin1').toString('utf8');
  return usageError(error.code.replace(/^commander\./, ''), message, suggestion === '' ? help : suggestion);
}

/** Known before the options are: an error may be about them. */
function formatFor(argv: readonly string[], { environment }: Context): { json: boolean; detailed: boolean } {
  const detailed = argv.includes('-v') || argv.includes('--verbose') || (environment.TIDEMARK_LOG ?? '') !== '';
  return { json: argv.includes('--json'), detailed };
}
