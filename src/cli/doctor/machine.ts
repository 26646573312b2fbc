/** Rows about the program: itself, its addon, the half it sends elsewhere. */
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { OpenedFileSystem } from '../../platform/open-filesystem.ts';
import { VERSION } from '../../platform/version.ts';
import { formatBytes } from '../output/units.ts';
import type { DoctorRow } from '../request.ts';

/** The program, the Node it runs on, and the half it would send to another host. */
export function programRows(): DoctorRow[] {
  const text = `tidemark ${VERSION} on Node ${process.versions.node}, ${process.platform} ${process.arch}`;
  const rows: DoctorRow[] = [{ topic: 'program', state: 'ok', text }];
  const bundle = remoteHalf();
  if (bundle === null) {
    const remedy = 'Run npm run build, or give --agent-command for hosts that have tidemark.';
    rows.push({ topic: 'remote half', state: 'lost', text: 'not built; cannot be sent to other hosts', remedy });
  } else {
    rows.push({ topic: 'remote half', state: 'ok', text: `${formatBytes(bundle)} to send to a host that lacks it` });
  }
  return rows;
}

/** Whether the native addon is there, and what is lost without. */
export function addonRows({ fileSystem, addonMissing }: OpenedFileSystem): DoctorRow[] {
  if (fileSystem.kind === 'native') return [{ topic: 'addon', state: 'ok', text: 'native addon loaded' }];
  const lost = 'no change notification by fanotify, no read leases, no atomic exchange, no reflinks; slower scans';
  const remedy = 'Install a C compiler and build again (npm ci), if this is Linux.';
  return [{ topic: 'addon', state: 'lost', text: `${addonMissing ?? 'not used'}: ${lost}`, remedy }];
}

/** Size of the bundle beside the running one, or of the built one when the sources run directly. */
function remoteHalf(): number | null {
  const here = fileURLToPath(new URL('.', import.meta.url));
  const isSource = import.meta.url.endsWith('/src/cli/doctor/machine.ts');
  const file = join(here, isSource ? '../../../dist/agent.js' : 'agent.js');
  return statSync(file, { throwIfNoEntry: false })?.size ?? null;
}
