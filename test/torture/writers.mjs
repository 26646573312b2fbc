/** The writer processes: compiled, started, stopped in their tracks and let go on, and ended. */
import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const HERE = import.meta.dirname;
const NEEDS = { root: 1, fileSystemMark: 2, trueLeases: 4 };

/** Compiles the writer and the helper of the consumer into `folder`. */
export function compile(folder) {
  const sources = readdirSync(join(HERE, 'writer')).filter((name) => name.endsWith('.c'));
  const writer = compileTo(
    join(folder, 'writer'),
    sources.map((name) => join(HERE, 'writer', name)),
  );
  const metadata = compileTo(join(folder, 'metadata'), [join(HERE, 'mirror/metadata.c')]);
  return { writer, metadata };
}

function compileTo(target, sources) {
  const flags = ['-O2', '-std=gnu11', '-pthread', '-w', '-o', target];
  const ran = spawnSync('cc', [...flags, ...sources], { encoding: 'utf8' });
  if (ran.status !== 0) throw new Error(`cc failed: ${ran.error?.message ?? ran.stderr}`);
  return target;
}

/** Names of the rows of `program` that can be expected to work where `given` holds. */
export function rowsOf(program, given) {
  const lines = spawnSync(program, ['rows'], { encoding: 'utf8' }).stdout.trim().split('\n');
  return lines.map((line, bit) => {
    const [name, needs] = line.split(' ');
    const isGiven = Object.entries(NEEDS).every(([need, flag]) => (Number(needs) & flag) === 0 || given[need]);
    return { name, bit, isGiven };
  });
}

/**
 * A transfer that was collected may hold its file a moment longer: the kernel closes it in a worker of its own, and only
 * then comes the event. That is later than the writer can know, so a pause begins when it is over.
 */
const LAST_CLOSE_MS = 40;

export class Writers {
  #processes = [];
  #settings;

  /** `settings`: program, prefix, root, outside, folder, seed, count, rows, paceUs. */
  constructor(settings) {
    this.#settings = settings;
  }

  get logs() {
    return this.#processes.map(({ log }) => log);
  }

  start() {
    const { program, prefix, root, outside, folder, seed, count, rows, paceUs, owner } = this.#settings;
    const mask = rows.reduce((bits, { bit }) => bits | (1n << BigInt(bit)), 0n).toString(16);
    for (let number = 0; number < count; number++) {
      const mine = join(outside, `w${number}`);
      mkdirSync(mine, { recursive: true });
      owner(mine);
      const [log, state] = [join(folder, `log-${number}`), join(folder, `state-${number}`)];
      const words = [root, mine, `${seed * 100 + number}`, `${number}`, mask, log, state, `${paceUs}`];
      const [command, ...args] = [...prefix, program, ...words];
      const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'] });
      const output = collected(child.stdout);
      const ended = new Promise((resolve) => child.on('exit', (code, signal) => resolve({ code, signal })));
      this.#processes.push({ child, ended, output, log, state });
    }
  }

  /**
   * Stops all of them where they are, with whatever they hold open or mapped. When this returns nothing changes any
   * more: every thread is stopped, and no transfer is left with the kernel.
   */
  async pause() {
    for (const { child } of this.#processes) child.kill('SIGSTOP');
    for (const process of this.#processes) await this.#pauseOne(process);
    await sleep(LAST_CLOSE_MS);
  }

  async #pauseOne({ child, state }) {
    for (let attempt = 0; ; attempt++) {
      if (child.exitCode !== null || child.signalCode !== null) throw new Error('a writer has ended by itself');
      if (areThreadsStopped(child.pid)) {
        if (inFlight(state) === 0n) return;
        // Let it collect what it has started.
        child.kill('SIGCONT');
        await sleep(2);
        child.kill('SIGSTOP');
      } else await sleep(1);
      if (attempt > 20_000) throw new Error(`writer ${child.pid} does not stop`);
    }
  }

  resume() {
    for (const { child } of this.#processes) child.kill('SIGCONT');
  }

  /** Ends them in peace: all closed, unmapped and detached. Returns row → [done, unsupported, missed]. */
  async stop() {
    for (const { child } of this.#processes) child.kill('SIGTERM');
    this.resume();
    const counts = new Map();
    for (const { child, ended, output } of this.#processes) {
      const { code, signal } = await ended;
      if (code !== 0) throw new Error(`writer ${child.pid} ended with ${code ?? signal}`);
      for (const line of (await output).trim().split('\n')) {
        const [name, ...numbers] = line.split(' ');
        const before = counts.get(name) ?? [0, 0, 0];
        counts.set(
          name,
          before.map((value, at) => value + Number(numbers[at])),
        );
      }
    }
    return counts;
  }

  async kill() {
    for (const { child } of this.#processes) child.kill('SIGKILL');
    await Promise.all(this.#processes.map(({ ended }) => ended));
  }
}

/** Workers of io_uring are threads of the process, but they do what `in_flight` counts and nothing else. */
function areThreadsStopped(pid) {
  return readdirSync(`/proc/${pid}/task`).every((thread) => {
    const stat = textOf(`/proc/${pid}/task/${thread}/stat`);
    const end = stat.lastIndexOf(')');
    return stat === '' || stat.slice(0, end).includes('(iou-') || 'TtZX'.includes(stat[end + 2]);
  });
}

function textOf(path) {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return '';
  }
}

/** A writer that has not come so far as to make the file has nothing in flight. */
function inFlight(state) {
  if (statSync(state, { throwIfNoEntry: false }) === undefined) return 0n;
  const bytes = readFileSync(state);
  return bytes.length < 8 ? 0n : bytes.readBigInt64LE(0);
}

async function collected(stream) {
  const chunks = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks).toString('latin1');
}
