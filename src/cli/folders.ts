/**
 * Where state, configuration and runtime files live: one folder named by TIDEMARK_HOME, or the XDG base directories.
 *
 * Nothing is created here but by {@link ensureFolder}, and that only when something is about to be written.
 */
import { lstatSync, type Stats, statSync } from 'node:fs';
import { isAbsolute, join } from 'node:path';
import { TidemarkError } from '../platform/core/errors.ts';
import { makeFolders } from '../platform/make-folders.ts';
import { usageError } from './usage.ts';

export interface Folders {
  /** Session state, archives, the installed agent. */
  readonly state: string;
  /** Holds config.toml. */
  readonly config: string;
  /** Sockets and locks; gone after a restart. */
  readonly runtime: string;
}

export type Environment = Readonly<Record<string, string | undefined>>;

/**
 * The folders for this environment. Relative values of the XDG variables are ignored, as their specification demands;
 * a relative TIDEMARK_HOME is a mistake, because it would mean another folder in every working directory.
 */
export function foldersFrom(environment: Environment, homeDirectory: string): Folders {
  const own = environment.TIDEMARK_HOME ?? '';
  if (own !== '') {
    if (!isAbsolute(own)) throw usageError('bad-environment', `TIDEMARK_HOME "${own}" is not an absolute path`);
    return { state: join(own, 'state'), config: own, runtime: join(own, 'run') };
  }
  const state = absolute(environment.XDG_STATE_HOME) ?? join(homeDirectory, '.local', 'state');
  const config = absolute(environment.XDG_CONFIG_HOME) ?? join(homeDirectory, '.config');
  const runtime = absolute(environment.XDG_RUNTIME_DIR);
  return {
    state: join(state, 'tidemark'),
    config: join(config, 'tidemark'),
    runtime: runtime === null ? join(state, 'tidemark', 'run') : join(runtime, 'tidemark'),
  };
}

/** The configuration file. */
export function configFileIn(folders: Folders): string {
  return join(folders.config, 'config.toml');
}

/**
 * Makes `folder` exist, 0700 where it is made now, parents too.
 * @throws TidemarkError `unavailable` where it cannot be made, belongs to somebody else or others may write to it.
 */
export function ensureFolder(folder: string): void {
  try {
    makeFolders(folder, 0o700);
  } catch (error) {
    throw new TidemarkError('unavailable', 'state-folder', `cannot make ${folder}: ${(error as Error).message}`, {
      remedy: 'Make it writable, or set TIDEMARK_HOME to another folder.',
      cause: error,
    });
  }
  const fault = folderFault(folder);
  if (fault !== null) {
    throw new TidemarkError('unavailable', 'state-folder', `${folder} ${fault}`, {
      remedy: 'Only you should be able to write there: chown and chmod it, or set TIDEMARK_HOME to another folder.',
    });
  }
}

/** What makes an existing folder unfit to hold state, or null where it is fit or not there. Writes nothing. */
export function folderFault(folder: string): string | null {
  const found = statOrNull(folder);
  if (found === null) return isDanglingLink(folder) ? 'is a symbolic link to nowhere' : null;
  if (!found.isDirectory()) return 'is not a directory';
  const user = process.geteuid?.();
  if (user !== undefined && found.uid !== user) return `belongs to user ${found.uid}`;
  return (found.mode & 0o022) === 0 ? null : 'can be written to by others';
}

function absolute(path: string | undefined): string | null {
  return path !== undefined && isAbsolute(path) ? path : null;
}

function statOrNull(path: string): Stats | null {
  return statSync(path, { throwIfNoEntry: false }) ?? null;
}

function isDanglingLink(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false }) !== undefined;
}
