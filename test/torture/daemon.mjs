/** The daemon under test and its command line: nothing here knows more about tidemark than its documented interface. */
import { execFile, spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { pathOf } from './paths.mjs';

/** A worker that was killed is back, and a daemon that was started answers, within this. */
const PATIENCE_MS = 20_000;
const COMMAND_MS = 60_000;

export class Daemon {
  #settings;
  #child = null;
  #isGivenUp = false;

  /** `settings`: command (words that run tidemark), environment, root, log. */
  constructor(settings) {
    this.#settings = settings;
  }

  async start() {
    const { command, environment, log } = this.#settings;
    const output = openSync(log, 'a');
    const [program, ...words] = [...command, 'daemon', 'run'];
    this.#child = spawn(program, words, { env: environment, stdio: ['ignore', output, output] });
    closeSync(output);
    const child = this.#child;
    child.ended = new Promise((resolve) => child.on('exit', resolve));
    await this.#run(['daemon', 'status', '--json']);
  }

  async stop() {
    if (this.#child === null || this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    this.#child.kill('SIGTERM');
    const isEnded = await Promise.race([
      this.#child.ended.then(() => true),
      sleep(10_000, null, { ref: false }).then(() => false),
    ]);
    if (!isEnded) this.killAll();
    await this.#child.ended;
  }

  add() {
    return this.#run(['journal', 'add', this.#settings.root]);
  }

  status() {
    return this.#lines(['journal', 'status', this.#settings.root, '--json'], 'status');
  }

  async checkpoint(subtree) {
    const within = subtree === '' ? [] : ['--subtree', subtree];
    const { last } = await this.#lines(
      ['journal', 'checkpoint', this.#settings.root, ...within, '--json'],
      'checkpoint',
    );
    return { cursor: last.cursor, gaps: last.gaps };
  }

  async since(cursor) {
    const { lines, last } = await this.#lines(['journal', 'since', cursor, this.#settings.root, '--json'], 'summary');
    const changes = lines.filter(({ type }) => type === 'change');
    return {
      cursor: last.cursor,
      backend: last.backend,
      isFresh: last.freshInstance,
      gaps: last.gaps,
      changes: changes.map((change) => ({
        path: pathOf(change),
        kinds: change.kinds,
        renamedFrom: pathOf(change, 'renamedFrom'),
        isHot: change.hot,
        proof: change.proof,
      })),
    };
  }

  acknowledge(consumer, cursor) {
    return this.#run(['journal', 'ack', consumer, cursor, this.#settings.root]);
  }

  /** Exit code and what it said. */
  async verify() {
    const { code, stdout, stderr } = await this.#once(['journal', 'verify', this.#settings.root, '--json']);
    return { code, said: `${stdout}${stderr}` };
  }

  /** At once where /proc tells the supervisor's only child, so that a kill comes when it was meant to. */
  async worker() {
    const children = childrenOf(this.#child.pid);
    if (children.length === 1) return children[0];
    const { last } = await this.#lines(['daemon', 'status', '--json'], 'status');
    return last.workerPid;
  }

  async killWorker() {
    signal(await this.worker(), 'SIGKILL');
  }

  /** All at once, the worker first: it could otherwise take over what the supervisor held. */
  killAll() {
    for (const pid of [...childrenOf(this.#child.pid), this.#child.pid]) signal(pid, 'SIGKILL');
    return this.#child.ended;
  }

  /** Nobody waits for an answer any more. */
  giveUp() {
    this.#isGivenUp = true;
    if (this.#child !== null) this.killAll();
  }

  said() {
    return readFileSync(this.#settings.log, 'utf8').split('\n').slice(-40).join('\n');
  }

  async #lines(words, type) {
    const { stdout } = await this.#run(words);
    const lines = stdout
      .split('\n')
      .filter((line) => line.startsWith('{'))
      .map((line) => JSON.parse(line));
    const last = lines.at(-1);
    if (last?.type !== type) throw new Error(`${words.join(' ')} printed no ${type}: ${stdout}`);
    return { lines, last };
  }

  /**
   * Tries again while the daemon cannot be reached (exit 4), as anybody would whose daemon has just been restarted. An
   * error of the program's own has the same code, and is one also where the next attempt succeeds.
   */
  async #run(words) {
    const deadline = Date.now() + PATIENCE_MS;
    for (;;) {
      const ran = await this.#once(words);
      if (ran.code === 0) return ran;
      const isPassing = ran.code === 4 && !ran.stdout.includes('"fault":"internal"');
      if (!isPassing || Date.now() > deadline || this.#isGivenUp) {
        throw new Error(
          `tidemark ${words.join(' ')} exited with ${ran.code}\n${ran.stderr}${ran.stdout}\ndaemon: ${this.said()}`,
        );
      }
      await sleep(50);
    }
  }

  #once(words) {
    const { command, environment } = this.#settings;
    const [program, ...args] = [...command, ...words];
    const settings = { env: environment, maxBuffer: 1 << 28, timeout: COMMAND_MS, killSignal: 'SIGKILL' };
    return new Promise((resolve) => {
      execFile(program, args, settings, (error, stdout, stderr) => {
        const code = error === null ? 0 : typeof error.code === 'number' ? error.code : -1;
        resolve({ code, stdout, stderr });
      });
    });
  }
}

export function signal(pid, name) {
  try {
    process.kill(pid, name);
  } catch (error) {
    if (error.code !== 'ESRCH') throw error;
  }
}

function childrenOf(pid) {
  try {
    return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').filter(Boolean).map(Number);
  } catch {
    return [];
  }
}
