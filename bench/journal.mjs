// The journal's cost, and that it does not grow with the tree: each figure beside the same without it, or beside the
// same in a small tree, in one run.
//   node bench/journal.mjs [slowdown|drain|scale …]      FILES=78579 MANY=1000000 ROUNDS=3 BENCH_DIR=/dev/shm

import { spawnSync } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { compare, measure, PROGRAM, run, sourceTree, workspace } from './support.mjs';

const files = Number(process.env.FILES ?? 78_579);
const many = Number(process.env.MANY ?? 1_000_000);
const rounds = Number(process.env.ROUNDS ?? 3);
const wanted = process.argv.length > 2 ? process.argv.slice(2) : ['slowdown', 'drain', 'scale'];
const folder = workspace('journal');
const at = (name) => join(folder, name);
const environment = { ...process.env, TIDEMARK_HOME: at('home') };

const tidemark = (...args) => {
  const { status, stdout, stderr } = spawnSync(process.execPath, [PROGRAM, ...args], {
    env: environment,
    encoding: 'utf8',
    maxBuffer: 1 << 30,
  });
  if (status !== 0) throw new Error(`tidemark ${args.join(' ')}: ${stderr}`);
  return stdout;
};
/** Starts the service where it does not run. */
const startDaemon = () => {
  if (spawnSync(process.execPath, [PROGRAM, 'daemon', 'status'], { env: environment }).status !== 0)
    tidemark('daemon', 'start');
};
const lastLine = (text) => JSON.parse(text.trim().split('\n').at(-1));
const daemonStatus = () => lastLine(tidemark('daemon', 'status', '--json'));
process.on('exit', () => spawnSync(process.execPath, [PROGRAM, 'daemon', 'stop'], { env: environment }));

if (wanted.includes('slowdown')) await slowdown();
if (wanted.includes('drain')) await drain();
if (wanted.includes('scale')) await scale();
tidemark('daemon', 'stop');
process.exit(0);

/** Unpacking the sample of a source tree, with its file system recorded and not. */
async function slowdown() {
  sourceTree(at('source'), files);
  run('tar', ['cf', at('source.tar'), '-C', at('source'), '.']);
  rmSync(at('source'), { recursive: true });
  mkdirSync(at('unpacked'));
  const unpack = async (round, name) => {
    const target = at(`unpacked/${name}${round}`);
    mkdirSync(target);
    const result = await measure('tar', ['xf', at('source.tar'), '-C', target]);
    rmSync(target, { recursive: true });
    return result;
  };
  await compare(
    'unpacking',
    rounds,
    async (round) => {
      startDaemon();
      tidemark('journal', 'add', at('unpacked'));
      tidemark('journal', 'checkpoint', at('unpacked'));
      return unpack(round, 'on');
    },
    (round) => {
      tidemark('daemon', 'stop');
      return unpack(round, 'off');
    },
    1.1,
    ['recorded', 'not recorded'],
  );
  startDaemon();
  tidemark('journal', 'remove', at('unpacked'), '--forget');
  rmSync(at('source.tar'));
}

/** Events that wait in the kernel while the worker is stopped; how quickly it takes them in once it goes on. */
async function drain() {
  const count = 400_000;
  mkdirSync(at('drained'));
  startDaemon();
  tidemark('journal', 'add', at('drained'));
  for (let index = 0; index < 400; index++) mkdirSync(at(`drained/d${index}`));
  tidemark('journal', 'checkpoint', at('drained'));
  const { workerPid } = daemonStatus();
  process.kill(workerPid, 'SIGSTOP');
  for (let index = 0; index < count; index++) closeSync(openSync(at(`drained/d${index % 400}/f${index}`), 'w'));
  const started = performance.now();
  const cpuBefore = cpuSeconds(workerPid);
  process.kill(workerPid, 'SIGCONT');
  const seconds = (await untilIdle(workerPid)) - started;
  const status = lastLine(tidemark('journal', 'status', at('drained'), '--json'));
  const cpu = cpuSeconds(workerPid) - cpuBefore;
  console.log(
    `drain: ${status.dirty} objects noticed in ${(seconds / 1000).toFixed(2)} s, ${cpu.toFixed(2)} s of processor: ` +
      `${Math.round(count / (seconds / 1000) / 1000)} k/s by the clock, ${Math.round(count / cpu / 1000)} k/s of processor (floor 400)`,
  );
  tidemark('journal', 'remove', at('drained'), '--forget');
  rmSync(at('drained'), { recursive: true });
}

/** A large tree and a small one: start, memory, idling, and checkpoints with 0, 10 and 10,000 changes. */
async function scale() {
  for (const [name, count] of [
    ['large', many],
    ['small', 1000],
  ]) {
    for (let directory = 0; directory < Math.ceil(count / 1000); directory++) {
      mkdirSync(at(`${name}/d${directory}`), { recursive: true });
      for (let index = 0; index < 1000; index++)
        writeFileSync(at(`${name}/d${directory}/f${index}`), 'twenty bytes of text');
    }
  }
  startDaemon();
  for (const name of ['large', 'small']) tidemark('journal', 'add', at(name));
  const baseline = performance.now();
  tidemark('journal', 'checkpoint', at('large'));
  console.log(`${many} files: first look ${((performance.now() - baseline) / 1000).toFixed(1)} s`);
  tidemark('daemon', 'stop');

  const started = performance.now();
  tidemark('daemon', 'start');
  while (!lastLine(tidemark('journal', 'status', at('large'), '--json')).recording) await pause(10);
  console.log(
    `${many} files: recording again after ${((performance.now() - started) / 1000).toFixed(2)} s (limit 1, plus two program starts)`,
  );
  for (const name of ['large', 'small']) tidemark('journal', 'checkpoint', at(name));

  for (const changes of [0, 10, 10_000]) {
    await compare(
      `checkpoint with ${changes} changes`,
      Math.max(5, rounds),
      (round) => checkpointAfter('large', changes, round),
      (round) => checkpointAfter('small', changes, round),
      1.2,
      [`among ${many} files`, 'among 1000'],
    );
  }
  const { workerPid } = daemonStatus();
  // Its threads end when they were idle for ten seconds.
  await pause(15_000);
  const before = cpuSeconds(workerPid);
  await pause(5000);
  const anonymous = Number(/RssAnon:\s+(\d+)/.exec(readFileSync(`/proc/${workerPid}/status`, 'latin1'))[1]) / 1024;
  console.log(
    `idle: ${(((cpuSeconds(workerPid) - before) / 5) * 100).toFixed(1)} % of a processor; RssAnon ${anonymous.toFixed(0)} MiB (limit 120)`,
  );
}

function checkpointAfter(name, changes, round) {
  for (let index = 0; index < changes; index++) {
    const file = openSync(at(`${name}/d0/n${index}`), 'w');
    writeSync(file, `${round} ${index}`);
    closeSync(file);
  }
  return measure(process.execPath, [PROGRAM, 'journal', 'checkpoint', at(name), '--json'], { env: environment });
}

/** Processor seconds a process has used, its threads included. */
function cpuSeconds(pid) {
  const fields = readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ')[1].split(' ');
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

/** When the process had last used any time, once it has used none for a while. */
async function untilIdle(pid) {
  let last = performance.now();
  for (let used = cpuSeconds(pid), quiet = 0; quiet < 25; ) {
    await pause(20);
    const now = cpuSeconds(pid);
    if (now > used) last = performance.now();
    quiet = now > used ? 0 : quiet + 1;
    used = now;
  }
  return last;
}
