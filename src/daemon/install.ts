/** Puts the unit file of the service where systemd looks for it, and takes it away again. Starts and stops nothing. */
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { errnoOf, TidemarkError } from '../platform/core/errors.ts';
import { isOwnUnit, UNIT_NAME, type UnitKind, type UnitSettings, unitText } from './core/unit-file.ts';

export interface UnitFolders {
  /** `~/.config/systemd/user`. */
  readonly user: string;
  readonly system: string;
}

export interface InstallOutcome {
  readonly file: string;
  /** `replaced`: one of ours was there with other contents. `overwritten`: a foreign one, with `force`. */
  readonly outcome: 'written' | 'replaced' | 'overwritten' | 'unchanged';
}

/** Writes the unit. Throws `unavailable` (`foreign-unit`) where another one has its name and `force` is not given. */
export function installUnit(settings: UnitSettings, folders: UnitFolders, force: boolean): InstallOutcome {
  const file = join(folders[settings.kind], UNIT_NAME);
  const text = textOf(settings);
  const found = readOrNull(file);
  if (found === text) return { file, outcome: 'unchanged' };
  if (found !== null && !isOwnUnit(found) && !force) throw foreign(file, 'Look at it; --force writes over it.');
  try {
    mkdirSync(folders[settings.kind], { recursive: true });
    const fresh = join(folders[settings.kind], `.${UNIT_NAME}.${process.pid}`);
    rmSync(fresh, { force: true });
    writeFileSync(fresh, text, { mode: 0o644, flag: 'wx' });
    renameSync(fresh, file);
  } catch (error) {
    throw unwritable(file, error);
  }
  if (found === null) return { file, outcome: 'written' };
  return { file, outcome: isOwnUnit(found) ? 'replaced' : 'overwritten' };
}

/** Removes the unit; null where there is none. Throws `unavailable` (`foreign-unit`) where it is not one of ours. */
export function uninstallUnit(kind: UnitKind, folders: UnitFolders): string | null {
  const file = join(folders[kind], UNIT_NAME);
  const found = readOrNull(file);
  if (found === null) return null;
  if (!isOwnUnit(found)) throw foreign(file, 'It was not written by tidemark daemon install and stays.');
  try {
    rmSync(file);
  } catch (error) {
    throw unwritable(file, error);
  }
  return file;
}

function textOf(settings: UnitSettings): string {
  try {
    return unitText(settings);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new TidemarkError('unavailable', 'unit-path', error.message, {
      remedy: 'Install tidemark at a path of plain characters.',
    });
  }
}

function readOrNull(file: string): string | null {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return null;
    throw unwritable(file, error);
  }
}

function foreign(file: string, remedy: string): TidemarkError {
  return new TidemarkError('unavailable', 'foreign-unit', `${file} is a unit of somebody else`, { remedy });
}

function unwritable(file: string, error: unknown): TidemarkError {
  const code = errnoOf(error);
  const remedy = code === 'EACCES' ? 'A unit of the system is for root to write; --user writes one of your own.' : '';
  return new TidemarkError('unavailable', 'unit-file', `cannot write ${file}: ${(error as Error).message}`, {
    ...(remedy === '' ? {} : { remedy }),
    cause: error,
  });
}
