import { Command, Option } from 'commander';
import type { UnitKind } from '../../../daemon/core/unit-file.ts';
import type { InstallOutcome } from '../../../daemon/install.ts';
import { displayText } from '../../../platform/core/display.ts';
import type { Context, ExitCode } from '../../context.ts';
import { examples } from '../../help.ts';
import { addOptions } from '../../options/flags.ts';
import { serviceCall } from './call.ts';

const OUTCOMES: Record<InstallOutcome['outcome'], string> = {
  written: 'written',
  replaced: 'written in place of an older one of ours:',
  overwritten: 'written over the unit of somebody else:',
  unchanged: 'as it was:',
};

/** `tidemark daemon install`: writes a systemd unit; starting it is left to systemctl. */
export function installCommand(context: Context, done: (code: ExitCode) => void): Command {
  const command = new Command('install')
    .description('write a systemd unit that runs the service')
    .option('--force', 'write over a unit that is not ours')
    .action(async () => done(await install(command, context)));
  examples(command, [
    ['tidemark daemon install', 'for this user; for root, of the system'],
    ['sudo tidemark daemon install --system', 'may watch whole file systems'],
  ]);
  addKind(command);
  addOptions(command, 'daemon');
  return command;
}

/** `tidemark daemon uninstall`: removes that unit, and none but ours. */
export function uninstallCommand(context: Context, done: (code: ExitCode) => void): Command {
  const command = new Command('uninstall')
    .description('remove the systemd unit again')
    .action(async () => done(await uninstall(command, context)));
  examples(command, [['tidemark daemon uninstall', 'stop it first: systemctl --user disable --now tidemark']]);
  addKind(command);
  addOptions(command, 'daemon');
  return command;
}

function addKind(command: Command): void {
  command
    .addOption(new Option('--user', 'of this user (default, unless root)').conflicts('system'))
    .addOption(new Option('--system', 'of the system (default for root)').conflicts('user'));
}

async function install(command: Command, context: Context): Promise<ExitCode> {
  const { service, printer } = await serviceCall(command, context);
  const kind = kindOf(command);
  const { file, outcome, warning } = service.install(kind, command.opts().force === true);
  printer.say({ type: 'installed', file, kind, outcome }, [`${OUTCOMES[outcome]} ${displayText(file)}`]);
  if (warning !== null) printer.talk(`note: ${displayText(warning)}`);
  const systemctl = kind === 'user' ? 'systemctl --user' : 'systemctl';
  printer.talk(`Start it, now and at every login: ${systemctl} daemon-reload && ${systemctl} enable --now tidemark`);
  if (kind === 'user') printer.talk('To have it run without a login, too: loginctl enable-linger');
  return 0;
}

async function uninstall(command: Command, context: Context): Promise<ExitCode> {
  const { service, printer } = await serviceCall(command, context);
  const kind = kindOf(command);
  const file = service.uninstall(kind);
  printer.say({ type: 'uninstalled', file, kind }, [
    file === null ? 'was not installed' : `removed ${displayText(file)}`,
  ]);
  if (file !== null) printer.talk(`Then: systemctl ${kind === 'user' ? '--user ' : ''}daemon-reload`);
  return 0;
}

function kindOf(command: Command): UnitKind {
  const { user, system } = command.opts();
  if (user === true) return 'user';
  return system === true || process.geteuid?.() === 0 ? 'system' : 'user';
}
