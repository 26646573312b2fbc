/**
 * What the supervisor holds and the worker uses: notification groups, with the memory that takes up their events, and
 * the listening socket. As long as they are open somewhere no event is lost and no client is refused, whoever dies.
 */
import { randomBytes } from 'node:crypto';
import { closeSync, lstatSync } from 'node:fs';
import { errnoOf } from '../platform/core/errors.ts';
import { type GroupDescriptors, type GroupKind, openGroup } from '../platform/fanotify.ts';
import type { Fd } from '../platform/filesystem.ts';
import { handedOver, heldName, type Part, setsByRun } from './core/held-names.ts';
import type { ServiceManager } from './service-manager.ts';
import { keepFromPrograms, listeningDescriptor } from './sockets.ts';

export interface Holdings {
  /** Of the run these descriptors have recorded without interruption. */
  readonly runId: string;
  readonly groups: readonly GroupDescriptors[];
  /** null: the worker listens by itself. */
  readonly socket: Fd | null;
  readonly socketPath: string;
}

const KINDS: readonly GroupKind[] = ['file-systems', 'directories'];

export interface HoldingsOptions {
  readonly socketPath: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly pid: number;
  readonly manager: ServiceManager;
  readonly log: (line: string) => void;
  /** How groups and the socket are opened; given by tests. */
  readonly openers?: Openers;
}

export interface Openers {
  readonly group: (kind: GroupKind) => GroupDescriptors;
  readonly socket: (path: string) => Fd | null;
}

const SYSTEM: Openers = { group: openGroup, socket: listeningDescriptor };

/** What a predecessor left with the service manager, else what can be opened here; new ones are left there in turn. */
export function takeHoldings(options: HoldingsOptions): Holdings {
  const holdings = adopted(options) ?? opened(options);
  for (const fd of descriptorsOf(holdings).values()) keepFromPrograms(fd);
  for (const [part, fd] of descriptorsOf(holdings)) options.manager.keep(fd, heldName({ runId: holdings.runId, part }));
  return holdings;
}

export function closeHoldings(holdings: Holdings): void {
  for (const fd of descriptorsOf(holdings).values()) closeSync(fd);
}

function opened({ socketPath, log, openers = SYSTEM }: HoldingsOptions): Holdings {
  const groups = KINDS.flatMap((kind) => {
    try {
      return [openers.group(kind)];
    } catch (error) {
      log(`no fanotify group for ${kind}: ${errnoOf(error)}`);
      return [];
    }
  });
  return { runId: randomBytes(16).toString('hex'), groups, socket: openers.socket(socketPath), socketPath };
}

/**
 * The holdings of the run before this one, or null. A run is taken over whole: of each kind of group both descriptors,
 * or the kind is not taken. Whatever else was handed over is closed and forgotten.
 */
function adopted({ socketPath, environment, pid, manager, log, openers = SYSTEM }: HoldingsOptions): Holdings | null {
  const found = handedOver(environment, pid);
  const sets = setsByRun(found);
  const [runId, set] = [...sets].find(([, parts]) => wholeGroups(parts).length > 0) ?? [null, new Map<Part, Fd>()];
  const groups = wholeGroups(set);
  const socket = set.get('socket');
  const isReachable = socket !== undefined && (lstatSync(socketPath, { throwIfNoEntry: false })?.isSocket() ?? false);
  const taken = new Set([...groups.flatMap(({ group, ring }) => [group, ring]), ...(isReachable ? [socket] : [])]);
  for (const { fd, name } of found) {
    if (taken.has(fd)) continue;
    closeSync(fd);
    if (name !== '') manager.drop(name);
  }
  if (runId === null) return null;
  log(`going on with run ${runId} of the supervisor before`);
  return { runId, groups, socket: isReachable ? socket : openers.socket(socketPath), socketPath };
}

function wholeGroups(parts: ReadonlyMap<Part, Fd>): GroupDescriptors[] {
  return KINDS.flatMap((kind) => {
    const [group, ring] = [parts.get(`${kind}-group`), parts.get(`${kind}-ring`)];
    return group === undefined || ring === undefined ? [] : [{ kind, group, ring }];
  });
}

function descriptorsOf({ groups, socket }: Holdings): Map<Part, Fd> {
  const parts = new Map<Part, Fd>();
  for (const { kind, group, ring } of groups) parts.set(`${kind}-group`, group).set(`${kind}-ring`, ring);
  if (socket !== null) parts.set('socket', socket);
  return parts;
}
