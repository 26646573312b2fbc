// tidemark beside rsync, over loopback ssh: first copy, nothing to do, and the delta of one large file.
//   node bench/sync.mjs [first|idle|delta|memory …]      FILES=78579 ROUNDS=3 BENCH_DIR=/dev/shm

import { randomBytes } from 'node:crypto';
import { closeSync, mkdirSync, openSync, readdirSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { compare, measure, PROGRAM, run, sourceTree, startSshd, workspace } from './support.mjs';

const files = Number(process.env.FILES ?? 78_579);
const rounds = Number(process.env.ROUNDS ?? 3);
const wanted = process.argv.length > 2 ? process.argv.slice(2) : ['first', 'idle', 'delta'];
const folder = workspace('sync');
const ssh = await startSshd(join(folder, 'ssh'));

const at = (name) => join(folder, name);
const rsync = (args) => measure('rsync', ['-a', '-e', `ssh -F ${ssh.config}`, ...args]);
const tidemark = (home, alpha, beta, extra = []) =>
  measure(
    process.execPath,
    [PROGRAM, 'sync', alpha, `ssh://localhost${beta}`, '--ssh-config', ssh.config, '--json', ...extra],
    { env: { ...process.env, TIDEMARK_HOME: at(home) } },
  );
const fresh = (name) => {
  rmSync(at(name), { recursive: true, force: true });
  return at(name);
};

if (wanted.includes('first') || wanted.includes('idle')) {
  sourceTree(at('source'), files);
  const size = run('du', ['-sm', at('source')]).split('\t')[0];
  console.log(`${files} files, ${size} MB`);
}
// The agent is installed once for a host; that is not what the first copy measures.
mkdirSync(at('warm'));
await tidemark('home', at('warm'), at('warm-copy'));

if (wanted.includes('first')) {
  await compare(
    'first copy',
    rounds,
    // A home of its own each time: for a session that knows them, roots that vanish are an accident.
    (round) => tidemark(`home${round}`, renewed('source'), fresh('copy')),
    () => rsync([`${at('source')}/`, `localhost:${fresh('rsync-copy')}/`]),
    1.5,
  );
}
if (wanted.includes('idle')) {
  await tidemark('home', at('source'), at('copy'));
  await rsync([`${at('source')}/`, `localhost:${at('rsync-copy')}/`]);
  await compare(
    'nothing to do',
    Math.max(5, rounds),
    () => tidemark('home', at('source'), at('copy')),
    () => rsync([`${at('source')}/`, `localhost:${at('rsync-copy')}/`]),
    1.5,
  );
}
if (wanted.includes('delta')) await delta();
if (wanted.includes('memory')) await memory();

/** The source without what earlier runs left in it: a first copy again. */
function renewed(name) {
  rmSync(at(`${name}/.tidemark`), { recursive: true, force: true });
  return at(name);
}

/** 1 GiB of random bytes; 1 MB inserted in the middle, 4 KB overwritten near the end. */
async function delta() {
  const sizeMiB = Number(process.env.DELTA_MIB ?? 1024);
  for (const name of ['delta', 'rsync-delta-base']) mkdirSync(at(name), { recursive: true });
  writeParts(at('delta/big'), sizeMiB, null);
  await tidemark('home', at('delta'), at('delta-copy'));
  run('cp', ['-a', `${at('delta-copy')}/big`, at('rsync-delta-base/big')]);
  const insert = randomBytes(1_000_000);
  rewrite(at('delta/big'), insert);
  const base = at('rsync-delta-base/big');
  const theirs = await rsync(['--stats', at('delta/big'), `localhost:${base}`]);
  const sent = numberAfter(theirs.stdout, 'Total bytes sent: ') + numberAfter(theirs.stdout, 'Total bytes received: ');
  const ours = await tidemark('home', at('delta'), at('delta-copy'));
  const { bytes } = JSON.parse(ours.stdout.trim().split('\n').at(-1));
  const total = bytes.sent + bytes.received;
  run('cmp', [at('delta/big'), at('delta-copy/big')]);
  console.log(`delta bytes: tidemark ${total}, rsync ${sent}, ratio ${(total / sent).toFixed(2)} (limit 1.3)`);
  console.log(
    `delta time: tidemark ${ours.wall.toFixed(2)} s, rsync ${theirs.wall.toFixed(2)} s, ratio ${(ours.wall / theirs.wall).toFixed(2)} (limit 2)`,
  );
}

/** Peak anonymous memory of every process of ours while a million small files are copied for the first time. */
async function memory() {
  const count = Number(process.env.MEMORY_FILES ?? 1_000_000);
  for (let directory = 0; directory < count / 1000; directory++) {
    const path = at(`many/d${directory}`);
    mkdirSync(path, { recursive: true });
    for (let index = 0; index < 1000; index++) {
      const file = openSync(join(path, `f${index}`), 'w');
      writeSync(file, `${directory}/${index} twenty bytes`.slice(0, 20));
      closeSync(file);
    }
  }
  const peaks = new Map();
  const watch = setInterval(() => {
    for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
      try {
        const command = readFileSync(`/proc/${pid}/cmdline`, 'latin1').replaceAll('\0', ' ');
        if (!/tidemark\.js sync|agent\.js|tidemark-bootstrap/.test(command)) continue;
        const anonymous =
          Number(/RssAnon:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1] ?? 0) / 1024;
        const key = `${/sync/.test(command) ? 'engine' : 'agent'} ${pid}`;
        peaks.set(key, Math.max(peaks.get(key) ?? 0, anonymous));
      } catch {
        // The process ended while we looked.
      }
    }
  }, 100);
  const first = await tidemark('home', at('many'), at('many-copy'));
  console.log(`${count} files: first copy ${first.wall.toFixed(1)} s`);
  const again = await tidemark('home', at('many'), at('many-copy'));
  clearInterval(watch);
  console.log(`${count} files: nothing to do ${again.wall.toFixed(1)} s`);
  for (const [name, peak] of peaks) console.log(`  ${name}: RssAnon peak ${peak.toFixed(0)} MiB (limit 250)`);
}

function writeParts(path, sizeMiB, insert) {
  const file = openSync(path, 'w');
  for (let index = 0; index < sizeMiB; index++) writeSync(file, randomBytes(1 << 20));
  if (insert !== null) writeSync(file, insert);
  closeSync(file);
}

function rewrite(path, insert) {
  const half = Number(run('stat', ['-c', '%s', path])) / 2;
  const changed = `${path}.new`;
  run('sh', ['-c', `head -c ${half} "$1" > "$2"`, 'sh', path, changed]);
  const file = openSync(changed, 'a');
  writeSync(file, insert);
  closeSync(file);
  run('sh', ['-c', `tail -c +${half + 1} "$1" >> "$2"`, 'sh', path, changed]);
  const patched = openSync(changed, 'r+');
  writeSync(patched, randomBytes(4096), 0, 4096, Math.floor(half * 1.7));
  closeSync(patched);
  run('mv', [changed, path]);
}

function numberAfter(text, label) {
  return Number((text.split(label)[1] ?? '').split('\n')[0].replaceAll(',', ''));
}
process.exit(0);
