import { Command } from 'commander';
import { displayText } from '../../platform/core/display.ts';
import type { Context, ExitCode } from '../context.ts';
import { endpointArgument } from '../endpoint-argument.ts';
import { examples } from '../help.ts';
import { invocationOf } from '../invocation.ts';
import { addOptions } from '../options/flags.ts';
import { connectionOptions, outputOptions } from '../options/groups.ts';
import { toJsonLine } from '../output/json.ts';
import { type Style, styleFor } from '../output/style.ts';
import { plural } from '../output/units.ts';
import type { DoctorRow } from '../request.ts';

/** `tidemark doctor [ENDPOINT]`: what works here, and there; exit 4 where something is broken. */
export function doctorCommand(context: Context, done: (code: ExitCode) => void): Command {
  const command = new Command('doctor')
    .description('tell what works here, and at an endpoint')
    .argument('[endpoint]', 'a path, user@host:path or ssh://[user@]host[:port]/path')
    .action(async (endpoint: string | undefined) => done(await doctor(endpoint, command, context)));
  examples(command, [
    ['tidemark doctor', 'this machine'],
    ['tidemark doctor /srv/data', 'and how that directory would be recorded'],
    ['tidemark doctor server:notes', 'and the way to another one'],
  ]);
  addOptions(command, 'doctor');
  return command;
}

async function doctor(endpoint: string | undefined, command: Command, context: Context): Promise<ExitCode> {
  const { rowsOfDirectory, rowsOfMachine } = await import('../doctor/rows.ts');
  const rows = await rowsOfMachine(context);
  const isConfigured = !rows.some(({ topic, state }) => topic === 'configuration' && state === 'bad');
  if (!isConfigured) return report(rows, { json: command.opts().json === true, quiet: false }, context);
  const { values, folders } = await invocationOf(command, 'doctor', context);
  if (endpoint !== undefined) {
    const { endpointRows } = await import('../doctor/endpoint.ts');
    const address = endpointArgument(endpoint);
    const request = { address, connection: connectionOptions(values), folders, prompter: context.prompter };
    const probed = await context.dependencies.probeEndpoint(request, context.signal);
    rows.push(...endpointRows(probed));
    const { root } = probed.info ?? {};
    if (address.kind === 'local' && root?.kind === 'directory') rows.push(...rowsOfDirectory(root.canonicalPath));
  }
  return report(rows, outputOptions(values), context);
}

function report(rows: readonly DoctorRow[], output: { json: boolean; quiet: boolean }, context: Context): ExitCode {
  const { terminal, environment } = context;
  const style = styleFor(terminal.isTerminal('stdout'), environment);
  const lines = output.json ? jsonLines(rows) : textLines(rows, output.quiet, style);
  for (const line of lines) terminal.result(line);
  return rows.some(({ state }) => state === 'bad') ? 4 : 0;
}

function jsonLines(rows: readonly DoctorRow[]): string[] {
  const summary = { type: 'summary', ok: count(rows, 'ok'), lost: count(rows, 'lost'), bad: count(rows, 'bad') };
  return [...rows.map((row) => toJsonLine({ type: 'check', ...row })), toJsonLine(summary)];
}

function textLines(rows: readonly DoctorRow[], quiet: boolean, style: Style): string[] {
  const shown = quiet ? rows.filter(({ state }) => state === 'bad') : rows;
  const width = Math.max(0, ...shown.map(({ topic }) => topic.length));
  const mark = { ok: style.good('ok  '), lost: style.careful('lost'), bad: style.bad('bad ') };
  const lines = shown.flatMap(({ state, topic, text, remedy }) => {
    const line = `${mark[state]}  ${topic.padEnd(width)}  ${displayText(text)}`;
    return remedy === undefined ? [line] : [line, `${' '.repeat(width + 8)}${displayText(remedy)}`];
  });
  return quiet ? lines : [...lines, verdict(rows)];
}

function verdict(rows: readonly DoctorRow[]): string {
  const bad = count(rows, 'bad');
  const lost = count(rows, 'lost');
  if (bad > 0) return `${plural(bad, 'thing')} to repair.`;
  return lost > 0 ? `Works; ${plural(lost, 'thing')} could be better.` : 'Everything works.';
}

function count(rows: readonly DoctorRow[], state: DoctorRow['state']): number {
  return rows.filter((row) => row.state === state).length;
}
