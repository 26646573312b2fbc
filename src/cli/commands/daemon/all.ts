/** Every command below `daemon`, in the order of the help. */
import { installCommand, uninstallCommand } from './install.ts';
import { runCommand } from './run.ts';
import { startCommand } from './start.ts';
import { statusCommand } from './status.ts';
import { stopCommand } from './stop.ts';

export const commands = [runCommand, startCommand, stopCommand, statusCommand, installCommand, uninstallCommand];
