/**
 * Changes a tree by every write path there is, with the journal recording it, and looks for a change the journal missed.
 *
 *   node test/torture/torture.mjs --fs ext4|xfs|btrfs|tmpfs|overlay --seconds 20 --seed N
 *     --kill worker|all      SIGKILL to the daemon's worker, or to all of it, again and again
 *     --overflow             floods the limited queue of the directory tier while the worker is stopped
 *     --tier directory       marks per directory, although the filesystem mark would work
 *     --user 1000            daemon, writers and commands as that user, who needs no privilege
 *     --control census-off|leases-off|modify-only
 *                            weakens the daemon; succeeds where that makes it miss something
 *     --rows a,b --except-rows c   only some rows, to find the one that fails
 *     --writers 3 --pace-us 2000   how many processes, and how long each rests between two operations
 *     --program FILE         another program in place of bin/tidemark.js
 *     --keep                 leaves the mount and all logs in place
 *     --try                  only makes the file system and takes it down again
 *
 * Exits 0 where nothing was missed (in a control: where something was), 1 where it was, 2 for wrong use, 3 where it could
 * not be tried. Needs root, a C compiler, rsync and the tools of the file system.
 */
import { spawnSync } from 'node:child_process';
import { chmodSync, chownSync, existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { Consumer } from './consumer.mjs';
import { Daemon } from './daemon.mjs';
import { Faults } from './faults.mjs';
import { metadataSetter } from './mirror/copy.mjs';
import { MAY_LACK, mountIn } from './mounts.mjs';
import { readOptions, UsageError } from './options.mjs';
import { randomOf } from './random.mjs';
import { describeRows } from './report.mjs';
import { Run } from './run.mjs';
import { compile, rowsOf, Writers } from './writers.mjs';

const PROGRAM = resolve(import.meta.dirname, '../../bin/tidemark.js');
const FILES_AT_FIRST = 150;
/** Shorter runs may by chance not come to every row. */
const ALL_ROWS_AFTER_SECONDS = 20;

process.exitCode = await main();

async function main() {
  try {
    return await inPlace(readOptions(process.argv.slice(2)));
  } catch (error) {
    console.error(error instanceof UsageError ? error.message : error);
    return error instanceof UsageError ? 2 : 3;
  }
}

async function inPlace(options) {
  const folder = mkdtempSync(join(tmpdir(), 'tidemark-torture-'));
  chmodSync(folder, 0o755);
  let ground = null;
  try {
    ground = mountIn(folder, options.fileSystem);
    if (options.isTrial) return 0;
    return await carryOut(options, folder, ground.path);
  } finally {
    if (options.keep) console.error(`kept: ${folder}`);
    else {
      ground?.dispose();
      rmSync(folder, { recursive: true, force: true });
    }
  }
}

async function carryOut(options, folder, ground) {
  const tools = prepare(options, folder, ground);
  const { daemon, writers, consumer, faults, rows, say } = tools;
  const run = new Run(tools);
  for (const name of ['SIGINT', 'SIGTERM']) process.once(name, () => giveUp(tools));
  console.error(`seed ${options.seed}, ${options.fileSystem}, ${rows.length} rows, ${options.seconds} s`);
  try {
    await daemon.start();
    await run.begin();
    writers.start();
    say('writing');
    await run.torture();
    const counts = await writers.stop();
    say('writers stopped');
    const table = describeRows(rows, counts, MAY_LACK[options.fileSystem]);
    const complaints = options.control === null ? await run.end() : [];
    if (options.control === null) complaints.push(...faults.complaints(run.gaps));
    if (options.rows === null && options.seconds >= ALL_ROWS_AFTER_SECONDS && table.notExercised.length > 0) {
      complaints.push(`rows that were never carried out: ${table.notExercised.join(', ')}`);
    }
    return conclude(options, run, { table, complaints, consumer, faults });
  } catch (error) {
    console.error(`daemon said:\n${daemon.said()}`);
    throw error;
  } finally {
    await writers.kill();
    await daemon.stop();
  }
}

/** Everything that waits then fails, and what was mounted is taken down on the way out. */
function giveUp({ daemon, writers }) {
  daemon.giveUp();
  writers.kill().catch(() => {});
}

function prepare(options, folder, ground) {
  const owner = (path) => (options.user === null ? undefined : chownSync(path, options.user, options.user));
  const [root, outside, home, scratch] = [
    join(ground, 'root'),
    join(ground, 'outside'),
    join(folder, 'home'),
    join(folder, 'scratch'),
  ];
  for (const each of [root, outside, home, scratch]) {
    mkdirSync(each, { recursive: true });
    owner(each);
  }
  chmodSync(home, 0o700);
  const prefix =
    options.user === null ? [] : ['setpriv', `--reuid=${options.user}`, `--regid=${options.user}`, '--clear-groups'];
  const programs = compile(folder);
  const given = {
    root: options.user === null,
    fileSystemMark: !options.isDirectoryTier && options.fileSystem !== 'overlay',
    trueLeases: options.fileSystem !== 'overlay',
  };
  const rows = rowsOf(programs.writer, given).filter(
    ({ name, isGiven }) => isGiven && (options.rows?.includes(name) ?? true) && !options.exceptRows.includes(name),
  );
  if (rows.length === 0) throw new UsageError('no row is left');
  fill(programs.writer, prefix, root, options.seed);

  const random = randomOf(options.seed);
  const environment = { ...process.env, TIDEMARK_HOME: home, NO_COLOR: '1' };
  if (options.isDirectoryTier) environment.TIDEMARK_BACKEND = 'fanotify-directory';
  if (options.control !== null) environment.TIDEMARK_WEAKEN = options.control.weaken;
  const command = [...prefix, process.execPath, options.program ?? PROGRAM];
  const daemon = new Daemon({ command, environment, root, log: join(folder, 'daemon.log') });
  const writers = new Writers({
    program: programs.writer,
    prefix,
    root,
    outside,
    folder: scratch,
    seed: options.seed,
    count: options.writers,
    rows,
    paceUs: options.paceUs,
    owner,
  });
  const copy = join(folder, 'copy');
  const applyMetadata = metadataSetter(programs.metadata);
  const consumer = new Consumer({ root, copy, aside: join(folder, 'aside'), applyMetadata });
  const faults = new Faults(daemon, options, random);
  const strike = { root, prefix, writer: programs.writer };
  const begunMs = performance.now();
  const say = (text) => console.error(`[${((performance.now() - begunMs) / 1000).toFixed(1)}] ${text}`);
  return { options, random, daemon, writers, consumer, faults, root, copy, rows, strike, say };
}

function fill(writer, prefix, root, seed) {
  const [program, ...words] = [...prefix, writer, 'fill', root, `${seed}`, `${FILES_AT_FIRST}`];
  const ran = spawnSync(program, words, { encoding: 'utf8' });
  if (ran.status !== 0 || !existsSync(root))
    throw new Error(`the tree could not be filled: ${ran.error?.message ?? ran.stderr}`);
}

function conclude(options, run, { table, complaints, consumer, faults }) {
  for (const complaint of complaints) console.error(complaint);
  const missed = run.missed + complaints.length;
  console.log(
    JSON.stringify({
      fileSystem: options.fileSystem,
      seed: options.seed,
      missed: run.missed,
      complaints,
      gaps: run.gaps.map(({ kind }) => kind),
      checkpoints: run.counts,
      consumer: consumer.counts,
      faults: faults.counts,
      unsupported: table.unsupported,
      rows: table.text,
    }),
  );
  if (options.control !== null) return run.missed > 0 ? 0 : 1;
  return missed > 0 ? 1 : 0;
}
