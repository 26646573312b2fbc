/**
 * What may be done with a file that stays open for writing, instead of waiting for the end: databases, disk images, logs.
 *
 * - `defer`: nothing is read; the file is listed as waiting.
 * - `snapshot`: a reflink of it is made and read. The kernel makes it while it keeps writers and page faults out, so it
 *   holds what the file held at one moment, as after a power cut. Whether that moment makes sense is the writer's affair:
 *   a database recovers from it, a half-saved document stays half-saved.
 * - `copy`: it is read while it changes. The result is *torn*: it may hold a mixture that never existed.
 *
 * None of them settles the file: what is answered has no stat to be recorded with, and the file stays hot.
 */
import { randomBytes } from 'node:crypto';
import { readSync, writeSync } from 'node:fs';
import type { BytePath } from '../platform/core/byte-path.ts';
import { errnoOf, type Problem, problemFrom } from '../platform/core/errors.ts';
import type { Fd, FileSystem, Stat } from '../platform/filesystem.ts';
import type { Digests } from './core/entry.ts';
import { opening, ReadRefused, refusing, SLICE_BYTES, systemClock } from './held-file.ts';
import { digestProven, JUST_READ } from './proven-digest.ts';

export type HotPolicy = 'defer' | 'snapshot' | 'copy';

export type HotResult =
  /** Left alone: by the policy, or because what it asks for cannot be had here. */
  | { readonly path: BytePath; readonly outcome: 'deferred'; readonly reason: string }
  | {
      readonly path: BytePath;
      readonly outcome: 'captured';
      /** True: no state the file ever had, perhaps. Everything that is made of it has to say so. */
      readonly isTorn: boolean;
      /** Name of the content in the staging folder; the caller removes it. */
      readonly captured: BytePath;
      readonly sizeBytes: number;
      /** Of the captured content. */
      readonly digests: Digests;
      /** Of the file when it was captured; of no use as a proof. */
      readonly source: Stat;
    }
  | { readonly path: BytePath; readonly outcome: 'gone' }
  | { readonly path: BytePath; readonly outcome: 'problem'; readonly problem: Problem };

/** Errors by which a file system says that it cannot share blocks, or not between these two. */
const CANNOT_CLONE: ReadonlySet<string> = new Set(['EOPNOTSUPP', 'ENOTSUP', 'ENOSYS', 'EXDEV', 'ETXTBSY', 'EPERM']);

/** Does what `policy` says. `staging`: a private folder, on the root's file system for snapshots. Needs `initHashing`. */
export function captureHotFile(
  fileSystem: FileSystem,
  root: Fd,
  path: BytePath,
  staging: Fd,
  policy: HotPolicy,
): HotResult {
  if (policy === 'defer') return { path, outcome: 'deferred', reason: 'open for writing' };
  return policy === 'snapshot'
    ? snapshotFile(fileSystem, root, path, staging)
    : capture(fileSystem, root, path, staging, { isTorn: true, fill: copyContent });
}

/** A reflink of the file, read in its place: what it held at one moment. `deferred` where there are no reflinks. */
export function snapshotFile(fileSystem: FileSystem, root: Fd, path: BytePath, staging: Fd): HotResult {
  return capture(fileSystem, root, path, staging, { isTorn: false, fill: (from, to) => fileSystem.clone(from, to) });
}

interface Method {
  readonly isTorn: boolean;
  readonly fill: (from: Fd, to: Fd, sizeBytes: number) => void;
}

function capture(fileSystem: FileSystem, root: Fd, path: BytePath, staging: Fd, method: Method): HotResult {
  const captured = `hot-${randomBytes(12).toString('hex')}` as BytePath;
  try {
    const source = fillNew(fileSystem, root, path, staging, captured, method.fill);
    const options = { ...JUST_READ, wanted: 'both', now: systemClock } as const;
    const { digests } = digestProven(fileSystem, staging, captured, null, options);
    const sizeBytes = fileSystem.stat(staging, captured)?.sizeBytes ?? 0;
    return { path, outcome: 'captured', isTorn: method.isTorn, captured, sizeBytes, digests, source };
  } catch (error) {
    removeQuietly(fileSystem, staging, captured);
    if (error instanceof ReadRefused && error.why === 'gone') return { path, outcome: 'gone' };
    if (CANNOT_CLONE.has(errnoOf(error)) && !method.isTorn)
      return { path, outcome: 'deferred', reason: 'no reflinks here' };
    const problem = error instanceof ReadRefused ? error.problem : problemFrom(error);
    return { path, outcome: 'problem', problem };
  }
}

/** Makes the file `name` in the staging folder. Returns the stat of the source before anything was taken from it. */
function fillNew(
  fileSystem: FileSystem,
  root: Fd,
  path: BytePath,
  staging: Fd,
  name: BytePath,
  fill: Method['fill'],
): Stat {
  const from = opening(() => fileSystem.openFile(root, path));
  try {
    const source = refusing(() => fileSystem.fstat(from));
    const to = fileSystem.createFile(staging, name, 0o600);
    try {
      fill(from, to, source.sizeBytes);
    } finally {
      fileSystem.close(to);
    }
    return source;
  } finally {
    fileSystem.close(from);
  }
}

/** No more than the size it had: a log may grow faster than it is copied. */
function copyContent(from: Fd, to: Fd, sizeBytes: number): void {
  const slice = Buffer.allocUnsafeSlow(SLICE_BYTES);
  for (let position = 0; position < sizeBytes; ) {
    const count = readSync(from, slice, 0, Math.min(slice.length, sizeBytes - position), position);
    if (count === 0) return;
    for (let at = 0; at < count; ) at += writeSync(to, slice, at, count - at, position + at);
    position += count;
  }
}

function removeQuietly(fileSystem: FileSystem, staging: Fd, name: BytePath): void {
  try {
    fileSystem.removeFile(staging, name);
  } catch {
    // It was not made.
  }
}
