/** Interruptions: the first signal asks the run to end after its current atomic step, the second ends the process. */
import { TidemarkError } from '../platform/core/errors.ts';

/** SIGHUP comes when a terminal or ssh connection goes away. */
const EXIT_CODES = { SIGHUP: 129, SIGINT: 130, SIGTERM: 143 } as const;

export type InterruptingSignal = keyof typeof EXIT_CODES;

export interface Interruptions {
  /** Aborted by the first signal, with a TidemarkError `interrupted` whose code is the signal's name. */
  readonly signal: AbortSignal;
  /** Stops listening. */
  close(): void;
}

export interface InterruptionsOptions {
  readonly process: Pick<NodeJS.EventEmitter, 'on' | 'off'>;
  /** Called at the first signal, to say what happens now. */
  readonly announce: () => void;
  readonly exit: (code: number) => void;
}

export function listenForInterruptions({ process, announce, exit }: InterruptionsOptions): Interruptions {
  const controller = new AbortController();
  const onSignal = (name: InterruptingSignal) => {
    if (controller.signal.aborted) {
      exit(EXIT_CODES[name]);
      return;
    }
    announce();
    controller.abort(new TidemarkError('interrupted', name, `interrupted by ${name}`));
  };
  const listeners = signalNames().map((name) => [name, () => onSignal(name)] as const);
  for (const [name, listener] of listeners) process.on(name, listener);
  return {
    signal: controller.signal,
    close() {
      for (const [name, listener] of listeners) process.off(name, listener);
    },
  };
}

/** 128 plus the signal's number; 130 where the code names no signal, since a person at a prompt interrupted. */
export function exitCodeOfSignal(code: string): number {
  return (EXIT_CODES as Readonly<Record<string, number>>)[code] ?? EXIT_CODES.SIGINT;
}

function signalNames(): InterruptingSignal[] {
  return Object.keys(EXIT_CODES) as InterruptingSignal[];
}
