/**
 * The file system that a run is made on: an image behind a loop device, tmpfs, or overlayfs over such an image. Root,
 * and the files that are linked or moved in and out, lie on it; everything the run itself keeps lies elsewhere.
 */
import { spawnSync } from 'node:child_process';
import { closeSync, ftruncateSync, mkdirSync, openSync } from 'node:fs';
import { join } from 'node:path';

const IMAGE_BYTES = 400 << 20;

/** Not every root has the folders of these tools in its path. */
const ENVIRONMENT = { ...process.env, PATH: `${process.env.PATH}:/usr/sbin:/sbin` };

const MAKERS = {
  ext4: ['mkfs.ext4', '-q', '-F'],
  xfs: ['mkfs.xfs', '-q', '-f'],
  btrfs: ['mkfs.btrfs', '-q', '-f', '--mixed'],
};

/** Rows that a file system may refuse; every other one has to be carried out at least once. */
export const MAY_LACK = {
  ext4: ['reflink', 'ring_polled'],
  xfs: ['ring_polled'],
  btrfs: ['ring_polled', 'zero_range'],
  tmpfs: ['reflink', 'ring_polled', 'zero_range', 'direct_write', 'aio_direct', 'ring_direct', 'aio_closed_in_flight'],
  overlay: ['reflink', 'ring_polled', 'tmpfile_link'],
};

/** Mounts it in `folder`; gives the directory that holds root and outside, and undoes everything with `dispose`. */
export function mountIn(folder, fileSystem) {
  const undo = [];
  const dispose = () => {
    while (undo.length > 0) undo.pop()();
  };
  try {
    return { path: mount(folder, fileSystem, undo), dispose };
  } catch (error) {
    dispose();
    throw error;
  }
}

function mount(folder, fileSystem, undo) {
  if (fileSystem === 'overlay') return mountOverlay(folder, mount(folder, 'ext4', undo), undo);
  const mounted = join(folder, 'mounted');
  mkdirSync(mounted);
  if (fileSystem === 'tmpfs') run('mount', '-t', 'tmpfs', '-o', 'size=300m', 'tidemark-torture', mounted);
  else {
    const image = join(folder, 'image');
    const fd = openSync(image, 'w');
    ftruncateSync(fd, IMAGE_BYTES);
    closeSync(fd);
    run(...MAKERS[fileSystem], image);
    run('mount', '-o', 'loop', image, mounted);
  }
  undo.push(() => unmount(mounted));
  return mounted;
}

/** The lower layer holds files of the root, so that writing to them copies them up. */
function mountOverlay(folder, base, undo) {
  const [lower, upper, work, merged] = ['lower', 'upper', 'work']
    .map((name) => join(base, name))
    .concat(join(folder, 'merged'));
  mkdirSync(join(lower, 'root/a/b'), { recursive: true });
  for (const each of [upper, work, merged]) mkdirSync(each);
  for (const name of ['root/f0', 'root/a/f1', 'root/a/b/f2'])
    run('dd', 'if=/dev/urandom', `of=${join(lower, name)}`, 'bs=9000', 'count=1', 'status=none');
  run(
    'mount',
    '-t',
    'overlay',
    '-o',
    `lowerdir=${lower},upperdir=${upper},workdir=${work}`,
    'tidemark-torture',
    merged,
  );
  undo.push(() => unmount(merged));
  return merged;
}

/** A loop device that a killed writer left behind would hold the mount. */
function unmount(path) {
  const devices = spawnSync('losetup', ['--noheadings', '--raw', '--output', 'NAME,BACK-FILE'], { encoding: 'utf8' });
  for (const line of devices.stdout?.split('\n') ?? []) {
    const [name, file = ''] = line.split(' ');
    if (file.startsWith(`${path}/`)) spawnSync('losetup', ['-d', name]);
  }
  if (spawnSync('umount', [path]).status !== 0) spawnSync('umount', ['-l', path]);
}

function run(program, ...words) {
  const ran = spawnSync(program, words, { encoding: 'utf8', env: ENVIRONMENT });
  if (ran.status !== 0) throw new Error(`${program} failed: ${ran.error?.message ?? ran.stderr}`);
}
