/** Rows about what the kernel lets us do here: capabilities and limits. */
import { readFileSync } from 'node:fs';
import { formatCount } from '../output/units.ts';
import type { DoctorRow } from '../request.ts';

/** Bits of capabilities(7). */
const CAPABILITIES = { SYS_PTRACE: 19n, SYS_ADMIN: 21n, LEASE: 28n } as const;
type Capability = keyof typeof CAPABILITIES;

/** Below this many descriptors many files in flight on a deep tree get tight. */
const FEW_DESCRIPTORS = 1024;

/** Below this many watches or marks a tree of usual size does not fit, where each directory takes one. */
const FEW_WATCHES = 65_536;

/** Fewer queued events than the kernel's default are soon too few. */
const FEW_EVENTS = 16_384;

/** A group for the service, one for a recorder, one for a command. */
const FEW_GROUPS = 4;

/** What the capabilities of this process allow. `effective` is CapEff of proc(5); null where there is none. */
export function privilegeRows(effective: string | null = effectiveCapabilities()): DoctorRow[] {
  if (effective === null) return [];
  const has = (capability: Capability) => (BigInt(`0x${effective}`) & (1n << CAPABILITIES[capability])) !== 0n;
  return [
    row(has('SYS_ADMIN'), 'privileges', {
      works: 'CAP_SYS_ADMIN: whole file systems can be watched',
      lost: 'no CAP_SYS_ADMIN: directories can be watched one by one, not whole file systems',
      remedy: 'Run the recording side as root where trees are large.',
    }),
    row(has('LEASE'), 'lease rights', {
      works: 'CAP_LEASE: files of every owner can be read under a lease',
      lost: 'no CAP_LEASE: only your own files can be read under a lease; what is said of others is unproven',
    }),
    row(has('SYS_PTRACE'), 'census', {
      works: 'CAP_SYS_PTRACE: the open files of every process can be listed',
      lost: 'no CAP_SYS_PTRACE: the open files of other users cannot be listed; a lease still tells that there are some',
    }),
  ];
}

/** Limits of the kernel that bound what a run may hold. */
export function limitRows(read: (file: string) => string = readOrEmpty): DoctorRow[] {
  const files = /^Max open files\s+(\d+)/m.exec(read('/proc/self/limits'))?.[1];
  const fanotify = (name: string) => read(`/proc/sys/fs/fanotify/${name}`).trim();
  const sysctl = (name: string, value: number) => `Raise it with sysctl fs.${name}=${value}.`;
  return [
    ...limitRow('open files', files, FEW_DESCRIPTORS, 'Raise it with ulimit -n.'),
    ...limitRow('fanotify marks', fanotify('max_user_marks'), FEW_WATCHES, sysctl('fanotify.max_user_marks', 524_288)),
    ...limitRow(
      'fanotify queue',
      fanotify('max_queued_events'),
      FEW_EVENTS,
      sysctl('fanotify.max_queued_events', 65_536),
    ),
    ...limitRow('fanotify groups', fanotify('max_user_groups'), FEW_GROUPS, sysctl('fanotify.max_user_groups', 128)),
    ...limitRow(
      'inotify watches',
      read('/proc/sys/fs/inotify/max_user_watches').trim(),
      FEW_WATCHES,
      sysctl('inotify.max_user_watches', 524_288),
    ),
  ];
}

function limitRow(topic: string, value: string | undefined, enough: number, remedy: string): DoctorRow[] {
  if (value === undefined || !/^\d+$/.test(value)) return [];
  const text = `at most ${formatCount(Number(value))}`;
  return [
    Number(value) >= enough ? { topic, state: 'ok', text } : { topic, state: 'lost', text: `${text}: few`, remedy },
  ];
}

interface Words {
  readonly works: string;
  readonly lost: string;
  readonly remedy?: string;
}

function row(works: boolean, topic: string, words: Words): DoctorRow {
  if (works) return { topic, state: 'ok', text: words.works };
  return { topic, state: 'lost', text: words.lost, ...(words.remedy === undefined ? {} : { remedy: words.remedy }) };
}

function effectiveCapabilities(): string | null {
  return /^CapEff:\s*([0-9a-f]+)$/m.exec(readOrEmpty('/proc/self/status'))?.[1] ?? null;
}

function readOrEmpty(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
