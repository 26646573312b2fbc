/**
 * The unit that has systemd run the service (systemd.service(5), systemd.exec(5)).
 *
 * Hardening stops where it would blind the service. Nothing that gives it a mount namespace of its own (ProtectSystem=,
 * PrivateTmp=, ProtectKernelTunables= and the like): it has to see every mount, and to write wherever its user may.
 * No MemoryDenyWriteExecute=: V8 compiles. No RestrictSUIDSGID=: --setid is an option.
 */

export type UnitKind = 'user' | 'system';

export interface UnitSettings {
  readonly kind: UnitKind;
  /** Absolute path of Node and of the program's script. */
  readonly node: string;
  readonly script: string;
  /** Variables the service needs to find the same folders as the commands. */
  readonly environment: readonly (readonly [name: string, value: string])[];
  /** False: it cannot tell systemd when it is ready (no native addon). */
  readonly canNotify: boolean;
}

export const UNIT_NAME = 'tidemark.service';

/** First line of every unit of ours: what says that it may be replaced and removed. */
const MARK = '# Written by tidemark daemon install. Changes of your own belong into a drop-in: systemctl edit.';

/** Two groups with their rings, the socket, and room for those of a run that was given up. */
const STORED_DESCRIPTORS = 16;

/**
 * What root is left with. SYS_ADMIN: marks on whole file systems. DAC_READ_SEARCH: handles to paths, files of others.
 * LEASE: read leases on files of others. SYS_PTRACE: who else has a file open. The rest: to write files with owner and
 * mode as the other side has them.
 */
const CAPABILITIES = [
  'CAP_SYS_ADMIN',
  'CAP_DAC_READ_SEARCH',
  'CAP_LEASE',
  'CAP_SYS_PTRACE',
  'CAP_DAC_OVERRIDE',
  'CAP_FOWNER',
  'CAP_CHOWN',
  'CAP_FSETID',
];

/** The whole file. Throws RangeError for a path that a unit cannot hold. */
export function unitText({ kind, node, script, environment, canNotify }: UnitSettings): string {
  const start = [node, script, 'daemon', 'run'].map(quotedArgument).join(' ');
  const lines = [
    MARK,
    '[Unit]',
    'Description=tidemark: records what changes in directories',
    ...(kind === 'system' ? ['After=local-fs.target remote-fs.target'] : []),
    '',
    '[Service]',
    ...(canNotify
      ? ['Type=notify', 'NotifyAccess=main', 'WatchdogSec=120', `FileDescriptorStoreMax=${STORED_DESCRIPTORS}`]
      : ['Type=exec']),
    `ExecStart=${start}`,
    ...environment.map(([name, value]) => `Environment=${quotedAssignment(name, value)}`),
    'Restart=on-failure',
    'RestartSec=1',
    '# The supervisor ends its worker itself, and cleanly; what is left after that is killed.',
    'KillMode=mixed',
    'TimeoutStopSec=90',
    'LimitNOFILE=65536',
    'UMask=0077',
    'NoNewPrivileges=yes',
    'LockPersonality=yes',
    'RestrictRealtime=yes',
    'RestrictNamespaces=yes',
    'SystemCallArchitectures=native',
    'RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK',
    ...(kind === 'system' ? [`CapabilityBoundingSet=${CAPABILITIES.join(' ')}`] : []),
    '',
    '[Install]',
    `WantedBy=${kind === 'system' ? 'multi-user.target' : 'default.target'}`,
  ];
  return `${lines.join('\n')}\n`;
}

/** True where `text` is a unit that was written here. */
export function isOwnUnit(text: string): boolean {
  return text.startsWith(MARK);
}

/** In a command line `$` and `%` stand for something, and C-style escapes hold within quotes. */
function quotedArgument(text: string): string {
  return quoted(text.replaceAll('$', '$$$$'));
}

function quotedAssignment(name: string, value: string): string {
  return quoted(`${name}=${value}`);
}

function quoted(text: string): string {
  if (/[\p{Cc}\ufffd]/u.test(text)) throw new RangeError(`a unit cannot hold the path ${JSON.stringify(text)}`);
  return `"${text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('%', '%%')}"`;
}
