/**
 * Names under which the service manager keeps descriptors for the next supervisor.
 *
 * A name carries the run id and what the descriptor is: a supervisor that finds a whole set of one run goes on with
 * that run, as if its predecessor had never ended.
 */

/** What a kept descriptor is. */
export const PARTS = [
  'file-systems-group',
  'file-systems-ring',
  'directories-group',
  'directories-ring',
  'socket',
] as const;
export type Part = (typeof PARTS)[number];

export interface HeldName {
  readonly runId: string;
  readonly part: Part;
}

const NAME = /^tidemark-([0-9a-f]{16,64})-([a-z-]+)$/;

/** A name as FDNAME= takes it: printable, without colons. */
export function heldName({ runId, part }: HeldName): string {
  return `tidemark-${runId}-${part}`;
}

/** What a name says, or null where it is none of ours. */
export function readHeldName(name: string): HeldName | null {
  const [, runId, word] = NAME.exec(name) ?? [];
  const part = PARTS.find((candidate) => candidate === word);
  return runId === undefined || part === undefined ? null : { runId, part };
}

/** First descriptor that a service manager hands over (sd_listen_fds(3)). */
const FIRST_FD = 3;

/** More than this is not ours; a bound for the loop. */
const MAX_HANDED_OVER = 64;

/** Descriptors handed to this process, with their names; none where they are meant for another one. */
export function handedOver(
  environment: Readonly<Record<string, string | undefined>>,
  pid: number,
): { fd: number; name: string }[] {
  const { LISTEN_PID: forPid = '', LISTEN_FDS: count = '', LISTEN_FDNAMES: names = '' } = environment;
  if (forPid !== String(pid) || !/^\d{1,4}$/.test(count)) return [];
  const named = names.split(':');
  return Array.from({ length: Math.min(Number(count), MAX_HANDED_OVER) }, (_, index) => ({
    fd: FIRST_FD + index,
    name: named[index] ?? '',
  }));
}

/** What was handed over, by the run it belongs to; what is none of ours is left out. */
export function setsByRun(found: readonly { fd: number; name: string }[]): Map<string, ReadonlyMap<Part, number>> {
  const sets = new Map<string, Map<Part, number>>();
  for (const { fd, name } of found) {
    const held = readHeldName(name);
    if (held === null) continue;
    const set = sets.get(held.runId) ?? new Map<Part, number>();
    set.set(held.part, fd);
    sets.set(held.runId, set);
  }
  return sets;
}
