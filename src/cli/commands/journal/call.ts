/** What the journal commands share: where journals are, how to print, and the way out when interrupted. */
import type { Command } from 'commander';
import { consumerFault } from '../../../daemon/core/messages.ts';
import type { JournalAccess, OpenedJournal } from '../../../daemon/journals.ts';
import { type BytePath, nameFault, ROOT } from '../../../platform/core/byte-path.ts';
import { displayPath } from '../../../platform/core/display.ts';
import type { Context, ExitCode } from '../../context.ts';
import { ensureFolder } from '../../folders.ts';
import { invocationOf } from '../../invocation.ts';
import { outputOptions } from '../../options/groups.ts';
import { type Printer, printerFor } from '../../output/printer.ts';
import { usageError } from '../../usage.ts';

export interface JournalCall {
  readonly journals: JournalAccess;
  readonly printer: Printer;
}

/** Reads the options of a journal command. */
export async function journalCall(command: Command, context: Context): Promise<JournalCall> {
  const { values, folders } = await invocationOf(command, 'journal', context);
  ensureFolder(folders.state);
  return {
    journals: await context.dependencies.journals(folders),
    printer: printerFor(outputOptions(values), context),
  };
}

/** Runs `work` on the journal of `root`; an interruption ends the waiting, not the journal. */
export async function withJournal(
  root: string,
  command: Command,
  context: Context,
  work: (opened: OpenedJournal, printer: Printer) => Promise<ExitCode>,
): Promise<ExitCode> {
  const { journals, printer } = await journalCall(command, context);
  const opened = await journals.open(root);
  try {
    return await unlessInterrupted(work(opened, printer), context.signal);
  } finally {
    await opened.close();
  }
}

/** `work`, or the interruption where that comes first. */
export function unlessInterrupted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const interrupt = () => reject(signal.reason);
    if (signal.aborted) interrupt();
    signal.addEventListener('abort', interrupt, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', interrupt));
  });
}

/** A path below a root as typed: `db`, `./db/`, `.` for all of it. */
export function subtreeArgument(text: string): BytePath {
  if (text === '') return ROOT;
  const names = text.split('/').filter((name, index) => name !== '.' && !(name === '' && index > 0));
  for (const name of names) {
    const fault = nameFault(name);
    if (fault === null) continue;
    const remedy = 'Give a path relative to the root, such as db/data.';
    throw usageError('bad-value', `--subtree "${displayPath(text as BytePath)}": ${fault}`, remedy);
  }
  return names.join('/') as BytePath;
}

export function consumerArgument(name: string): string {
  const fault = consumerFault(name);
  if (fault === null) return name;
  throw usageError('bad-value', `consumer "${displayPath(name as BytePath)}": ${fault}`, 'Give a name such as backup.');
}

/** Longer than any cursor of ours: what is cut off here is not known anywhere. */
const MAX_CURSOR = 256;

/** Anything may be given; what is no cursor is answered like one that is not known. */
export function cursorArgument(text: string): string {
  return /^[\x20-\x7e]{1,256}$/.test(text) ? text : `?${text.replace(/[^\x20-\x7e]/g, '?').slice(0, MAX_CURSOR - 1)}`;
}
