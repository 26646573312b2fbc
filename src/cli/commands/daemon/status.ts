import { Command } from 'commander';
import type { ServiceDescription } from '../../../daemon/service.ts';
import type { BytePath } from '../../../platform/core/byte-path.ts';
import { displayText } from '../../../platform/core/display.ts';
import type { Context, ExitCode } from '../../context.ts';
import { examples } from '../../help.ts';
import { addOptions } from '../../options/flags.ts';
import { named } from '../../output/journal-json.ts';
import { name } from '../../output/journal-text.ts';
import type { Style } from '../../output/style.ts';
import { formatElapsed } from '../../output/units.ts';
import { serviceCall } from './call.ts';

/** Not running: nothing can be recorded, which is `could not run`. */
const EXIT_NOT_RUNNING = 4;

/** `tidemark daemon status`: exit 0 where the service runs, 4 where not. */
export function statusCommand(context: Context, done: (code: ExitCode) => void): Command {
  const command = new Command('status')
    .description('tell whether the service runs (exit 4 where not), and what it records')
    .action(async () => done(await status(command, context)));
  examples(command, [
    ['tidemark daemon status', ''],
    ['tidemark daemon status --json', 'for scripts'],
  ]);
  addOptions(command, 'daemon');
  return command;
}

async function status(command: Command, context: Context): Promise<ExitCode> {
  const { service, printer } = await serviceCall(command, context);
  const found = await service.describe();
  if (found !== null) {
    printer.say(runningJson(found), runningLines(found, printer.style));
    return 0;
  }
  const roots = service.registered();
  printer.say(
    { type: 'status', running: false, roots: roots.map((root) => ({ ...named('root', root), backend: null })) },
    [printer.style.careful('not running'), ...roots.map((root) => `  ${name(root as BytePath)}  waits to be recorded`)],
  );
  printer.talk('Start it with tidemark daemon start.');
  return EXIT_NOT_RUNNING;
}

function runningJson({ pid, workerPid, uptimeMs, program, roots }: ServiceDescription): Record<string, unknown> {
  const list = roots.map(({ root, backend, trouble }) => {
    return { ...named('root', root), backend, ...(trouble === null ? {} : { trouble }) };
  });
  return { type: 'status', running: true, pid, workerPid, uptimeMs, program, roots: list };
}

function runningLines({ pid, workerPid, uptimeMs, program, roots }: ServiceDescription, style: Style): string[] {
  const rows = roots.map(({ root, backend, trouble }) => ({
    shown: name(root as string as BytePath),
    backend,
    trouble,
  }));
  const width = Math.max(0, ...rows.map(({ shown }) => shown.length));
  const lines = rows.map(({ shown, backend, trouble }) => {
    const how = trouble === null ? (backend ?? 'about to begin') : style.bad(`not recorded: ${displayText(trouble)}`);
    return `  ${shown.padEnd(width)}  ${how}`;
  });
  const head = `process ${pid}, worker ${workerPid}, up ${formatElapsed(uptimeMs)}, tidemark ${displayText(program)}`;
  return [`${style.good('running:')} ${head}`, ...(lines.length === 0 ? ['  records nothing yet'] : lines)];
}
