/** The world around one invocation, given from outside so that commands can be tested without a process. */
import type { Environment } from './folders.ts';
import type { Terminal } from './output/terminal.ts';
import type { Prompter } from './prompt.ts';
import type { Dependencies } from './request.ts';

export interface Context {
  readonly environment: Environment;
  readonly homeDirectory: string;
  readonly terminal: Terminal;
  readonly prompter: Prompter;
  /** Aborted when the user interrupts. */
  readonly signal: AbortSignal;
  /** Milliseconds since some start; does not go back. */
  readonly nowMs: () => number;
  /** Milliseconds since 1970. */
  readonly wallClockMs: () => number;
  readonly dependencies: Dependencies;
}

/** What commands return: the exit code. */
export type ExitCode = number;
