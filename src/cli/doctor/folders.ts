/** Rows about our own folders and the configuration file. Makes nothing. */
import { existsSync } from 'node:fs';
import { TidemarkError } from '../../platform/core/errors.ts';
import { configFileIn, type Folders, folderFault } from '../folders.ts';
import { readConfig } from '../options/config.ts';
import { resolveOptions } from '../options/resolve.ts';
import { plural } from '../output/units.ts';
import type { DoctorRow } from '../request.ts';

export async function folderRows(folders: Folders, homeDirectory: string): Promise<DoctorRow[]> {
  return [stateRow(folders), await configRow(configFileIn(folders), homeDirectory)];
}

function stateRow({ state }: Folders): DoctorRow {
  const topic = 'state folder';
  const fault = folderFault(state);
  if (fault !== null) {
    const remedy =
      'Only you should be able to write there: chown and chmod it, or set TIDEMARK_HOME to another folder.';
    return { topic, state: 'bad', text: `${state} ${fault}`, remedy };
  }
  return { topic, state: 'ok', text: existsSync(state) ? state : `${state} (made when first needed)` };
}

async function configRow(file: string, homeDirectory: string): Promise<DoctorRow> {
  const topic = 'configuration';
  try {
    const source = await readConfig(file, homeDirectory);
    resolveOptions([source]);
    if (!existsSync(file)) return { topic, state: 'ok', text: `none (${file})` };
    return { topic, state: 'ok', text: `${file}, ${plural(source.size, 'option')}` };
  } catch (error) {
    if (!(error instanceof TidemarkError)) throw error;
    const remedy = error.remedy === undefined ? {} : { remedy: error.remedy };
    return { topic, state: 'bad', text: error.message, ...remedy };
  }
}
