/** Rows about the journal: which backend would record a directory and why not a better one, and the service. */
import { type ChosenBackend, probeBackends } from '../../journal/backends.ts';
import type { BytePath } from '../../platform/core/byte-path.ts';
import { displayPath, displayText } from '../../platform/core/display.ts';
import { TidemarkError } from '../../platform/core/errors.ts';
import { plural } from '../output/units.ts';
import type { DoctorRow, ServiceAccess } from '../request.ts';

/** `path`: an existing directory, a byte string. */
export function recordingRows(path: string, probe: (path: string) => ChosenBackend = probeBackends): DoctorRow[] {
  const topic = 'recording';
  const where = displayPath(path as BytePath);
  let found: ChosenBackend;
  try {
    found = probe(path);
  } catch (error) {
    return [{ topic, state: 'lost', text: `not tried at ${where}: ${displayText((error as Error).message)}` }];
  }
  const state = found.better.length === 0 ? 'ok' : 'lost';
  return [
    { topic, state, text: `${found.chosen} would record ${where}` },
    ...found.better.map(({ name, whyNot }): DoctorRow => {
      return { topic, state: 'lost', text: `not ${name}: ${displayText(whyNot)}` };
    }),
  ];
}

export async function serviceRows(service: ServiceAccess): Promise<DoctorRow[]> {
  const topic = 'service';
  try {
    const found = await service.describe();
    if (found === null) {
      const text = 'not running: what changes is found by looking at the trees';
      return [{ topic, state: 'lost', text, remedy: 'Start it with tidemark daemon start.' }];
    }
    const { pid, program, roots } = found;
    const text = `process ${pid} (tidemark ${displayText(program)}) records ${plural(roots.length, 'directory', 'directories')}`;
    return [{ topic, state: 'ok', text }, ...roots.flatMap(troubleRows)];
  } catch (error) {
    if (!(error instanceof TidemarkError)) throw error;
    const remedy = error.remedy === undefined ? {} : { remedy: error.remedy };
    return [{ topic, state: 'bad', text: error.message, ...remedy }];
  }
}

function troubleRows({ root, trouble }: { readonly root: string; readonly trouble: string | null }): DoctorRow[] {
  if (trouble === null) return [];
  return [{ topic: 'service', state: 'lost', text: `${displayPath(root as BytePath)}: ${displayText(trouble)}` }];
}
