/** The service put together: its folders, its programs, and what this process knows of itself. */
import { realpathSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { UnitKind } from '../daemon/core/unit-file.ts';
import { SETUP_VARIABLE } from '../daemon/core/worker-setup.ts';
import { installUnit, type UnitFolders, uninstallUnit } from '../daemon/install.ts';
import { logLine } from '../daemon/log-line.ts';
import { Registry } from '../daemon/registry.ts';
import { describeService, stopService } from '../daemon/service.ts';
import { startInBackground, startReporter } from '../daemon/start.ts';
import { supervise } from '../daemon/supervisor.ts';
import { loadAddon } from '../platform/addon.ts';
import { ensureFolder } from './folders.ts';
import type { ServiceAccess, ServicePlace } from './request.ts';

const SYSTEM_UNITS = '/etc/systemd/system';

/** Variables that decide which folders are used: a service needs those of the command that installed it. */
const PLACE_VARIABLES = ['TIDEMARK_HOME', 'XDG_STATE_HOME', 'XDG_CONFIG_HOME'];

/** Commands of the service of this place. */
export function serviceAt(place: ServicePlace): ServiceAccess {
  const { folders, environment } = place;
  return {
    async run(log, signal) {
      ensureFolder(folders.state);
      const report = startReporter(process.env);
      const line = (text: string) => log(logLine(new Date(), 'daemon', text).trimEnd());
      try {
        const onFailedStart = (reason: string) => report({ failed: `its worker ended by ${reason}` });
        const options = { folders, worker: workerCommand(), environment, log: line, onFailedStart };
        await supervise({ ...options, onReady: () => report('ready') }, signal);
      } catch (error) {
        report(error as Error);
        throw error;
      }
    },
    start() {
      ensureFolder(folders.state);
      return startInBackground({ program: process.execPath, arguments: [script(), 'daemon', 'run'] }, folders);
    },
    stop: (signal) => stopService(folders, signal),
    describe: () => describeService(folders),
    registered: () => new Registry(folders.state).list().roots,
    install(kind, force) {
      const variables = PLACE_VARIABLES.flatMap((name) => {
        const value = environment[name] ?? '';
        return value === '' ? [] : [[name, value] as const];
      });
      const settings = {
        kind,
        node: process.execPath,
        script: script(),
        environment: variables,
        canNotify: loadAddon().addon !== null,
      };
      return { ...installUnit(settings, unitFolders(place), force), warning: passing(script()) };
    },
    uninstall: (kind: UnitKind) => uninstallUnit(kind, unitFolders(place)),
  };
}

function unitFolders({ environment, homeDirectory }: ServicePlace): UnitFolders {
  const config = environment.XDG_CONFIG_HOME ?? '';
  const user = config.startsWith('/') ? config : join(homeDirectory, '.config');
  return { user: join(user, 'systemd', 'user'), system: SYSTEM_UNITS };
}

/** The program as it was called, symlinks resolved: a service must not depend on the PATH of its user. */
function script(): string {
  return realpathSync(process.argv[1] ?? '');
}

/** The worker's bundle lies beside the running one. */
function workerCommand() {
  const here = fileURLToPath(new URL('.', import.meta.url));
  const folder = import.meta.url.endsWith('.ts') ? join(here, '../../dist') : here;
  delete process.env[SETUP_VARIABLE];
  return { program: process.execPath, arguments: [join(folder, 'daemon-worker.js')] };
}

/** Why the program may not stay where it is, or null. */
function passing(file: string): string | null {
  return file.includes('/_npx/')
    ? `${file} lies in the cache of npx and may be cleared away; npm install -g is safer`
    : null;
}
