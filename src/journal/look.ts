/** Looks at places: what is there now and, for files, what they hold, under proof. */
import { type BytePath, parentOf, ROOT } from '../platform/core/byte-path.ts';
import { errnoOf, problemFrom } from '../platform/core/errors.ts';
import { isDirectory, isRegularFile, isSymlink, packStat, unpackStat } from '../platform/core/stat-codec.ts';
import type { Fd, FileSystem } from '../platform/filesystem.ts';
import { type SettleOptions, settleFiles } from './settle.ts';
import type { LookAnswer, LookRequest } from './settle-plan.ts';

export interface LookOptions extends SettleOptions {
  /** By which key the kernel names the directory at a path; null where it has none. */
  readonly keyOf: (path: BytePath) => string | null;
  /** The same of a file. */
  readonly objectKeyOf: (path: BytePath) => string | null;
}

/** Offset of st_ctime in a packed stat, which renames and changes of metadata move. */
const CTIME_OFFSET = 48;
const INO_OFFSET = 24;

/** One answer for each request, in any order. Synchronous; needs `initHashing`. */
export function lookAtPlaces(
  fileSystem: FileSystem,
  root: Fd,
  requests: readonly LookRequest[],
  options: LookOptions,
): LookAnswer[] {
  const parents = keysOfParents(requests, options);
  const answers: LookAnswer[] = [];
  const toRead: LookRequest[] = [];
  for (const request of requests) {
    const answer = glance(fileSystem, root, request, options);
    if (answer === null) toRead.push(request);
    else answers.push(answer);
  }
  const byPath = new Map(toRead.map((request) => [request.path, request]));
  for (const result of settleFiles(fileSystem, root, toRead, options)) {
    const { key, path } = byPath.get(result.path) as LookRequest;
    switch (result.outcome) {
      case 'settled':
        answers.push({
          key,
          found: 'file',
          packedStat: result.packedStat,
          digests: result.digests,
          proof: result.proof,
          linkedKey: hasSeveralNames(result.packedStat) ? options.objectKeyOf(result.path) : null,
        });
        break;
      case 'hot':
        answers.push({ key, found: 'hot', reason: result.reason, packedStat: statOfLinked(fileSystem, root, path) });
        break;
      case 'gone':
        // It became something else between two looks, or went: events of that are on their way.
        answers.push({ key, found: 'hot', reason: 'changed while it was looked at', packedStat: null });
        break;
      case 'problem':
        answers.push({ key, found: 'problem', problem: result.problem });
        break;
    }
  }
  return stillThere(requests, answers, parents, keysOfParents(requests, options));
}

/** What one stat tells; null where a file has to be read. */
function glance(
  fileSystem: FileSystem,
  root: Fd,
  { key, path, provenBy, isDirect }: LookRequest,
  { keyOf }: LookOptions,
): LookAnswer | null {
  try {
    const stat = path === ROOT ? fileSystem.fstat(root) : fileSystem.stat(root, path);
    if (stat === null) return { key, found: 'nothing' };
    const packedStat = packStat(stat);
    if (isRegularFile(stat.mode)) {
      const isSame = !isDirect && provenBy !== null && isSameContent(provenBy, packedStat);
      return isSame ? { key, found: 'same', packedStat } : null;
    }
    const target = isSymlink(stat.mode) ? fileSystem.readSymlink(root, path) : null;
    const handle = isDirectory(stat.mode) ? keyOf(path) : null;
    return { key, found: 'other', packedStat, target, handle };
  } catch (error) {
    // A directory above became something else: what was here is gone from here.
    if (errnoOf(error) === 'ELOOP' || errnoOf(error) === 'ENOENT') return { key, found: 'nothing' };
    return { key, found: 'problem', problem: problemFrom(error) };
  }
}

/** Same inode, size and modification time: nothing was written, given that no event says so. */
function isSameContent(known: Uint8Array, now: Uint8Array): boolean {
  for (let index = INO_OFFSET; index < CTIME_OFFSET; index++) if (known[index] !== now[index]) return false;
  return true;
}

/** By which keys the kernel names the directories the requests are in, as they are now. */
function keysOfParents(requests: readonly LookRequest[], { keyOf }: LookOptions): Map<BytePath, string | null> {
  const keys = new Map<BytePath, string | null>();
  for (const { path } of requests) {
    const parent = parentOf(path);
    if (!keys.has(parent)) keys.set(parent, keyOf(parent));
  }
  return keys;
}

/** Voids what was found below a path that was not all the time that of the directory meant. */
function stillThere(
  requests: readonly LookRequest[],
  answers: readonly LookAnswer[],
  before: ReadonlyMap<BytePath, string | null>,
  after: ReadonlyMap<BytePath, string | null>,
): LookAnswer[] {
  const meant = new Map(requests.map((request) => [request.key, request]));
  return answers.map((answer) => {
    const { key, path, parentKey } = meant.get(answer.key) as LookRequest;
    if (parentKey === null || path === ROOT) return answer;
    const parent = parentOf(path);
    const isThere = before.get(parent) === parentKey && after.get(parent) === parentKey;
    return isThere ? answer : { key, found: 'elsewhere' };
  });
}

/** Stat of a file with several names; null for anything else. */
function statOfLinked(fileSystem: FileSystem, root: Fd, path: BytePath): Uint8Array | null {
  try {
    const stat = fileSystem.stat(root, path);
    return stat !== null && isRegularFile(stat.mode) && stat.nlink > 1 ? packStat(stat) : null;
  } catch {
    return null;
  }
}

function hasSeveralNames(packedStat: Uint8Array): boolean {
  return unpackStat(packedStat).nlink > 1;
}
