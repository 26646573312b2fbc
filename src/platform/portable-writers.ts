/** Who can write, from /proc and /sys by node:fs: what `native/census.c` does, less threads with files of their own. */
import * as fs from 'node:fs';
import { errnoOf } from './core/errors.ts';
import { isRegularFile } from './core/stat-codec.ts';
import type { OpenWriters, WriterRow } from './filesystem.ts';

/** 0 on systems that have none; those have no /proc either. */
const O_DIRECT = fs.constants.O_DIRECT ?? 0;
const OWNER_WRITES = 0o200n;
const FIRST_PID_NAMESPACE = 'pid:[4026531836]';
const PF_KTHREAD = 0x00200000;

type Wanted = (dev: bigint, name: string) => boolean;

/** As documented at the file system. Takes several times as long as the native one. */
export function portableOpenWriters(device: bigint, prefix: string): OpenWriters {
  const isWanted: Wanted = (dev, name) => dev === device || name.startsWith(prefix);
  const pids = namesIn('/proc').filter((name) => /^\d+$/.test(name));
  const rows: WriterRow[] = [];
  let hiddenProcesses = 0;
  for (const pid of pids) {
    try {
      rows.push(...descriptorsOf(pid, isWanted), ...mappingsOf(pid, isWanted));
    } catch (error) {
      if (isRefusal(error) && !isKernelThread(pid)) hiddenProcesses++;
    }
  }
  const seesAllProcesses = pids.includes('1') && linkAt('/proc/self/ns/pid') === FIRST_PID_NAMESPACE;
  return { rows: [...rows, ...loops(isWanted)], hiddenProcesses, seesAllProcesses };
}

/** Throws where the process may not be looked into. */
function descriptorsOf(pid: string, isWanted: Wanted): WriterRow[] {
  const found: WriterRow[] = [];
  for (const name of readIfThere(() => fs.readdirSync(`/proc/${pid}/fd`)) ?? []) {
    const link = `/proc/${pid}/fd/${name}`;
    const mode = readIfThere(() => fs.lstatSync(link, { bigint: true }).mode) ?? 0n;
    if ((mode & OWNER_WRITES) === 0n) continue;
    const info = textAt(`/proc/${pid}/fdinfo/${name}`);
    const flags = Number.parseInt(/^flags:\s*([0-7]+)/m.exec(info)?.[1] ?? '0', 8);
    const row = rowFor(pid, 'descriptor', link, linkAt(link), isWanted);
    const mount = Number(/^mnt_id:\s*(\d+)/m.exec(info)?.[1] ?? 0);
    if (row !== null) found.push({ ...row, mount, isDirect: (flags & O_DIRECT) !== 0 });
  }
  return found;
}

function mappingsOf(pid: string, isWanted: Wanted): WriterRow[] {
  const found: WriterRow[] = [];
  const maps = readIfThere(() => fs.readFileSync(`/proc/${pid}/maps`, 'latin1')) ?? '';
  for (const [, range, writes, ino, name] of maps.matchAll(/^(\S+) .(.).s \S+ \S+ (\d+) +(\/.*)$/gm)) {
    const link = `/proc/${pid}/map_files/${range}`;
    const mode = quietly(() => fs.lstatSync(link, { bigint: true }).mode);
    const canWrite = mode === null ? writes === 'w' : (mode & OWNER_WRITES) !== 0n;
    if (!canWrite || ino === undefined || name === undefined) continue;
    // Following the link takes a capability; without it the name has to lead to the same inode.
    const there = quietly(() => fs.statSync(link, { bigint: true })) === null ? name : link;
    const row = rowFor(pid, 'mapping', there, name, isWanted);
    if (row !== null && (there === link || row.ino === BigInt(ino))) found.push(row);
  }
  return found;
}

function loops(isWanted: Wanted): WriterRow[] {
  return namesIn('/sys/block').flatMap((device) => {
    const folder = `/sys/block/${device}`;
    const backing = textAt(`${folder}/loop/backing_file`).replace(/\n$/, '');
    if (backing === '' || textAt(`${folder}/ro`).startsWith('1')) return [];
    const row = rowFor('0', 'loop', backing, backing, isWanted);
    return row === null ? [] : [{ ...row, isDirect: textAt(`${folder}/loop/dio`).startsWith('1') }];
  });
}

/** null where it is no file with a name that is wanted. `there`: a byte path that leads to the file. */
function rowFor(pid: string, how: WriterRow['how'], there: string, name: string, isWanted: Wanted): WriterRow | null {
  const stat = readIfThere(() => fs.statSync(Buffer.from(there, 'latin1'), { bigint: true }));
  if (stat === null || !isRegularFile(Number(stat.mode)) || stat.nlink === 0n || !isWanted(stat.dev, name)) return null;
  const process = textAt(`/proc/${pid}/comm`).replace(/\n$/, '');
  const { dev, ino } = stat;
  return { dev, ino, nlink: Number(stat.nlink), mount: 0, pid: Number(pid), process, how, isDirect: false, name };
}

function isKernelThread(pid: string): boolean {
  const fields = textAt(`/proc/${pid}/stat`).split(') ').at(-1)?.split(' ') ?? [];
  return (Number(fields[6] ?? 0) & PF_KTHREAD) !== 0;
}

function isRefusal(error: unknown): boolean {
  return errnoOf(error) === 'EACCES' || errnoOf(error) === 'EPERM';
}

/** null where it is gone; refusals are thrown. */
function readIfThere<Result>(read: () => Result): Result | null {
  try {
    return read();
  } catch (error) {
    if (isRefusal(error)) throw error;
    return null;
  }
}

function quietly<Result>(read: () => Result): Result | null {
  try {
    return read();
  } catch {
    return null;
  }
}

function namesIn(folder: string): string[] {
  return quietly(() => fs.readdirSync(folder)) ?? [];
}

function textAt(path: string): string {
  return quietly(() => fs.readFileSync(path, 'latin1')) ?? '';
}

/** A byte string; empty where there is no such link. */
function linkAt(path: string): string {
  return quietly(() => fs.readlinkSync(path, { encoding: 'buffer' }).toString('latin1')) ?? '';
}
