/** Which backend can record a root, found by trying: kernel versions say little, since features are carried back. */
import { ROOT, toBuffer } from '../platform/core/byte-path.ts';
import { errnoOf } from '../platform/core/errors.ts';
import {
  type GroupDescriptors,
  type GroupKind,
  markDirectory,
  markFileSystem,
  openGroup,
  unmarkDirectory,
} from '../platform/fanotify.ts';
import type { Fd, FileSystem } from '../platform/filesystem.ts';
import { openFileSystem } from '../platform/open-filesystem.ts';
import type { BackendName } from './core/answers.ts';

/** A backend that is better than the chosen one, and why it cannot be had. */
export interface BetterBackend {
  readonly name: BackendName;
  readonly whyNot: string;
}

export interface ChosenBackend {
  readonly chosen: BackendName;
  /** Best first; none for the best. */
  readonly better: readonly BetterBackend[];
}

/** A backend with the group that a root is marked in; null where there are no events. */
export interface GroupChoice extends ChosenBackend {
  readonly group: GroupDescriptors | null;
}

/** File systems whose content other machines change, of which no event tells. */
export const SHARED_FILE_SYSTEMS: ReadonlySet<string> = new Set([
  'nfs',
  'nfs4',
  'cifs',
  'smb',
  'smb2',
  'smb3',
  '9p',
  'fuse',
  'afs',
  'ceph',
  'vboxsf',
]);

/** Groups that could be opened, and why the others could not. */
export interface OpenedGroups {
  readonly groups: readonly GroupDescriptors[];
  readonly missing: ReadonlyMap<GroupKind, string>;
}

/** Opens what groups this process may have. Never throws. */
export function openGroups(): OpenedGroups {
  const groups: GroupDescriptors[] = [];
  const missing = new Map<GroupKind, string>();
  const { addonMissing } = openFileSystem();
  for (const kind of ['file-systems', 'directories'] as const) {
    if (addonMissing !== null) {
      missing.set(kind, addonMissing);
      continue;
    }
    try {
      groups.push(openGroup(kind));
    } catch (error) {
      missing.set(kind, whyNoGroup(kind, errnoOf(error)));
    }
  }
  return { groups, missing };
}

/** Why the groups that are not among `groups` could not be opened, found by trying. */
export function whyMissing(groups: readonly GroupDescriptors[]): ReadonlyMap<GroupKind, string> {
  const opened = openGroups();
  closeGroups(opened.groups);
  const missing = new Map(opened.missing);
  for (const kind of ['file-systems', 'directories'] as const) {
    if (!groups.some((group) => group.kind === kind) && !missing.has(kind))
      missing.set(kind, 'not opened by this process');
  }
  return missing;
}

export interface BackendChoices extends OpenedGroups {
  /** True: somebody can watch for hints. */
  readonly hints: boolean;
  /** No better backend than this one. */
  readonly atBest: BackendName;
}

/** Best first. */
const BACKENDS: readonly BackendName[] = ['fanotify-filesystem', 'fanotify-directory', 'chokidar', 'scan'];

/**
 * Marks `root` in the best of `groups` that takes it. In a group of directories only the root itself is marked: the scan
 * marks the others as it enters them.
 */
export function chooseBackend(
  fileSystem: FileSystem,
  root: Fd,
  { groups, missing, hints, atBest }: BackendChoices,
): GroupChoice {
  const better: BetterBackend[] = [];
  const { type } = fileSystem.traits(root);
  if (SHARED_FILE_SYSTEMS.has(type)) {
    const whyNot = `others may change files on ${type}, and no event tells of that`;
    const names: BackendName[] = ['fanotify-filesystem', 'fanotify-directory', 'chokidar'];
    return { chosen: 'scan', better: names.map((name) => ({ name, whyNot })), group: null };
  }
  const tiers = [
    ['fanotify-filesystem', 'file-systems', (group: GroupDescriptors) => markFileSystem(group, root)],
    ['fanotify-directory', 'directories', (group: GroupDescriptors) => markDirectory(group, root, ROOT)],
  ] as const;
  for (const [name, kind, mark] of tiers) {
    if (BACKENDS.indexOf(name) < BACKENDS.indexOf(atBest)) {
      better.push({ name, whyNot: 'not wanted' });
      continue;
    }
    const group = groups.find((candidate) => candidate.kind === kind);
    if (group === undefined) {
      better.push({ name, whyNot: missing.get(kind) ?? 'not opened' });
      continue;
    }
    try {
      mark(group);
      return { chosen: name, better, group };
    } catch (error) {
      better.push({ name, whyNot: whyNoMark(errnoOf(error), type) });
    }
  }
  if (hints && atBest !== 'scan') return { chosen: 'chokidar', better, group: null };
  better.push({ name: 'chokidar', whyNot: 'nothing runs that could watch' });
  return { chosen: 'scan', better, group: null };
}

/** The backend a root would be recorded with by this process; leaves nothing behind. */
export function probeBackends(rootPath: string): ChosenBackend {
  const { fileSystem } = openFileSystem();
  const opened = openGroups();
  const root = fileSystem.openRoot(toBuffer(rootPath));
  try {
    const { chosen, better, group } = chooseBackend(fileSystem, root, {
      ...opened,
      hints: true,
      atBest: 'fanotify-filesystem',
    });
    if (chosen === 'fanotify-directory' && group !== null) unmarkDirectory(group, root, ROOT);
    return { chosen, better };
  } finally {
    fileSystem.close(root);
    closeGroups(opened.groups);
  }
}

/** Closes what {@link openGroups} opened. */
export function closeGroups(groups: readonly GroupDescriptors[]): void {
  const { fileSystem } = openFileSystem();
  for (const { group, ring } of groups) for (const fd of [group, ring]) fileSystem.close(fd);
}

function whyNoGroup(kind: GroupKind, errno: string): string {
  if (errno === 'EPERM')
    return kind === 'file-systems' ? 'it needs CAP_SYS_ADMIN: run the daemon as root' : 'not permitted here';
  if (errno === 'EMFILE') return 'this user has too many groups (fs.fanotify.max_user_groups)';
  if (errno === 'ENOSYS' || errno === 'EINVAL')
    return 'this kernel is too old (Linux 6.0, or a stable one with its features)';
  return `the kernel says ${errno}`;
}

function whyNoMark(errno: string, type: string): string {
  if (errno === 'EXDEV') return `a btrfs subvolume cannot be marked as a whole`;
  if (errno === 'EOPNOTSUPP' || errno === 'ENODEV') return `${type} does not support it`;
  if (errno === 'EPERM' || errno === 'EACCES') return 'not permitted for this directory';
  if (errno === 'ENOSPC') return 'this user has too many marks (fs.fanotify.max_user_marks)';
  return `the kernel says ${errno}`;
}
