/** The process around the command line: streams, signals, clock, environment. */
import { homedir } from 'node:os';
import { byteArguments } from './byte-arguments.ts';
import { dependencies } from './dependencies.ts';
import { errorLines, exitCodeOf } from './errors.ts';
import { Terminal } from './output/terminal.ts';
import { run } from './program.ts';
import { terminalPrompter } from './prompt.ts';
import { type Interruptions, listenForInterruptions } from './signals.ts';

/** Runs this process's command line; resolves to the exit code when everything is written. */
export async function main(): Promise<number> {
  const terminal = new Terminal(process.stdout, process.stderr);
  const interruptions = isAgent() ? null : listen(terminal);
  try {
    return await run(byteArguments(process.argv.slice(2)), {
      environment: process.env,
      homeDirectory: homedir(),
      terminal,
      prompter: terminalPrompter({ hold: () => terminal.hold() }),
      signal: interruptions?.signal ?? new AbortController().signal,
      nowMs: () => performance.now(),
      wallClockMs: () => Date.now(),
      dependencies,
    });
  } catch (error) {
    for (const line of errorLines(error, { json: false, detailed: false })) terminal.talk(line);
    return exitCodeOf(error);
  } finally {
    interruptions?.close();
    await terminal.close();
  }
}

/** The remote half treats signals its own way: the side that started it decides when it ends. */
function isAgent(): boolean {
  return process.argv[2] === 'agent';
}

function listen(terminal: Terminal): Interruptions {
  return listenForInterruptions({
    process,
    announce: () => {
      terminal.talk('tidemark: finishing the current step; interrupt again to stop at once');
      terminal.flush();
    },
    exit: (code) => process.exit(code),
  });
}
