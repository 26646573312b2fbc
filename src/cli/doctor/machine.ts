/** Rows about this machine: program, addon, privileges, limits. */
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { OpenedFileSystem } from '../../platform/open-filesystem.ts';
import { VERSION } from '../../platform/version.ts';
import { formatBytes, formatCount } from '../output/units.ts';
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

/** CAP_SYS_ADMIN, bit 21: fanotify marks on whole file systems need it. */
const CAP_SYS_ADMIN = 1n << 21n;

/** Whether fanotify could watch whole file systems here. */
export function privilegeRows(): DoctorRow[] {
  const effective = /^CapEff:\s*([0-9a-f]+)$/m.exec(readOrEmpty('/proc/self/status'))?.[1];
  if (effective === undefined) return [];
  if ((BigInt(`0x${effective}`) & CAP_SYS_ADMIN) !== 0n) {
    return [{ topic: 'privileges', state: 'ok', text: 'CAP_SYS_ADMIN: whole file systems can be watched' }];
  }
  const text = 'no CAP_SYS_ADMIN: directories can be watched one by one, not whole file systems';
  return [
    { topic: 'privileges', state: 'lost', text, remedy: 'Run the recording side as root where trees are large.' },
  ];
}

/** Below this many descriptors many files in flight on a deep tree get tight. */
const FEW_DESCRIPTORS = 1024;

/** Below this many watches a tree of usual size does not fit the fallback watcher. */
const FEW_WATCHES = 65_536;

/** Limits of the kernel that bound what a run may hold. */
export function limitRows(): DoctorRow[] {
  const rows: DoctorRow[] = [];
  const files = /^Max open files\s+(\d+)/m.exec(readOrEmpty('/proc/self/limits'))?.[1];
  if (files !== undefined) {
    rows.push(limitRow('open files', Number(files), FEW_DESCRIPTORS, 'Raise it with ulimit -n.'));
  }
  const watches = readOrEmpty('/proc/sys/fs/inotify/max_user_watches').trim();
  if (/^\d+$/.test(watches)) {
    const remedy = 'Raise it with sysctl fs.inotify.max_user_watches=524288.';
    rows.push(limitRow('inotify watches', Number(watches), FEW_WATCHES, remedy));
  }
  return rows;
}

function limitRow(topic: string, limit: number, enough: number, remedy: string): DoctorRow {
  const text = `at most ${formatCount(limit)}`;
  return limit >= enough ? { topic, state: 'ok', text } : { topic, state: 'lost', text: `${text}: few`, remedy };
}

/** Size of the bundle beside the running one, or of the built one when the sources run directly. */
function remoteHalf(): number | null {
  const here = fileURLToPath(new URL('.', import.meta.url));
  const isSource = import.meta.url.endsWith('/src/cli/doctor/machine.ts');
  const file = join(here, isSource ? '../../../dist/agent.js' : 'agent.js');
  return statSync(file, { throwIfNoEntry: false })?.size ?? null;
}

function readOrEmpty(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
