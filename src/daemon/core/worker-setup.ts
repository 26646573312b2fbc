/** What the supervisor tells its worker at the start: one environment variable, since arguments show up in lists of processes. */
import { MalformedError } from '../../platform/core/bytes.ts';
import { asObject, choiceField, countField, field, parseObject, textField } from '../../transport/core/json.ts';

/** Name of the variable. */
export const SETUP_VARIABLE = 'TIDEMARK_WORKER';

export interface WorkerSetup {
  readonly runId: string;
  /** Absolute. */
  readonly stateFolder: string;
  readonly runtimeFolder: string;
  /** Descriptors as the worker sees them. */
  readonly groups: readonly WorkerGroup[];
  /** The listening descriptor, or null: the worker listens by itself at `socketPath`. */
  readonly socket: number | null;
  readonly socketPath: string;
}

export interface WorkerGroup {
  readonly kind: 'file-systems' | 'directories';
  readonly group: number;
  readonly ring: number;
}

const MAX_PATH = 4096;
const MAX_FD = 1024;

export function encodeSetup(setup: WorkerSetup): string {
  return JSON.stringify(setup);
}

/** Throws MalformedError. */
export function decodeSetup(text: string): WorkerSetup {
  const object = parseObject(Buffer.from(text), 'setup');
  const groups = field(object, 'groups');
  if (!Array.isArray(groups) || groups.length > 2) throw new MalformedError('groups is not a list of at most two');
  return {
    runId: textField(object, 'runId', 64),
    stateFolder: textField(object, 'stateFolder', MAX_PATH),
    runtimeFolder: textField(object, 'runtimeFolder', MAX_PATH),
    groups: groups.map((item: unknown) => {
      const group = asObject(item, 'group');
      return {
        kind: choiceField(group, 'kind', ['file-systems', 'directories'] as const),
        group: countField(group, 'group', MAX_FD),
        ring: countField(group, 'ring', MAX_FD),
      };
    }),
    socket: field(object, 'socket') === null ? null : countField(object, 'socket', MAX_FD),
    socketPath: textField(object, 'socketPath', MAX_PATH),
  };
}
