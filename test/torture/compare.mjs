/** Whether the consumer's copy is the tree: an own walk after every checkpoint, and rsync's opinion at the end. */
import { spawnSync } from 'node:child_process';
import { readFileSync, readlinkSync } from 'node:fs';
import { isHidden } from './consumer.mjs';
import { listNames, statOf } from './mirror/copy.mjs';
import { bytes, joined } from './paths.mjs';

/** Every path at which the two differ, with a few words why. Reads all of both. */
export function differencesBetween(root, copy, path = '') {
  const differences = [];
  visit(root, copy, path, differences);
  return differences;
}

function visit(root, copy, path, differences) {
  const [from, to] = [at(root, path), at(copy, path)];
  const source = statOf(from);
  const target = statOf(to);
  if (source === undefined && target === undefined) return;
  const what = difference(source, target, from, to);
  if (what !== null) differences.push({ path, what, inode: source?.ino });
  const names = new Set();
  for (const [stat, directory] of [
    [source, from],
    [target, to],
  ]) {
    if (stat?.isDirectory()) for (const name of listNames(directory)) names.add(name);
  }
  for (const name of names) {
    if (!isHidden(path, name)) visit(root, copy, joined(path, name), differences);
  }
}

function difference(source, target, from, to) {
  if (target === undefined) return 'missing in the copy';
  if (source === undefined) return 'left over in the copy';
  if ((source.mode & 0o170000n) !== (target.mode & 0o170000n)) return 'of another kind';
  if (source.isFile()) {
    if (source.size !== target.size) return `content: ${source.size} bytes, copy ${target.size}`;
    const [left, right] = [readFileSync(from), readFileSync(to)];
    if (!left.equals(right)) return `content: byte ${firstDifference(left, right)} of ${left.length}`;
    if (source.mtimeNs !== target.mtimeNs) return `time ${source.mtimeNs}, copy ${target.mtimeNs}`;
  }
  if (source.isSymbolicLink()) {
    const [left, right] = [from, to].map((each) => readlinkSync(each, { encoding: 'latin1' }));
    return left === right ? null : `link to ${left}, copy to ${right}`;
  }
  if (source.mode !== target.mode) return `mode ${source.mode.toString(8)}, copy ${target.mode.toString(8)}`;
  if (source.uid !== target.uid || source.gid !== target.gid) return 'owner';
  return null;
}

function firstDifference(left, right) {
  let index = 0;
  while (index < left.length && left[index] === right[index]) index++;
  return index;
}

function at(top, path) {
  return Buffer.concat([Buffer.from(path === '' ? top : `${top}/`), bytes(path)]);
}

/**
 * The same by `rsync -naAXic --delete`, which also looks at access lists and at the extended attributes of users; what
 * file systems note for themselves in other attributes does not count. Not -H: the copy holds every name of a file by
 * itself, so that one name the journal forgot to tell stays visible.
 */
export function rsyncDifferences(root, copy) {
  const words = [
    '-naAXic8',
    '--omit-dir-times',
    '--delete',
    '--exclude=/.tidemark',
    '--modify-window=-1',
    '--filter=-x! user.*',
    '--out-format=%i %n',
    `${root}/`,
    `${copy}/`,
  ];
  const ran = spawnSync('rsync', words, { encoding: 'latin1', maxBuffer: 1 << 28 });
  if (ran.status !== 0) throw new Error(`rsync failed: ${ran.error?.message ?? ran.stderr}`);
  return ran.stdout.split('\n').flatMap((line) => {
    const [, what, name] = /^(\*deleting|\S{11}) +(.*)$/.exec(line) ?? [];
    if (name === undefined) return [];
    const path = name === './' ? '' : name.replace(/\/$/, '');
    return [{ path, what: `rsync: ${what}`, inode: statOf(at(root, path))?.ino }];
  });
}
