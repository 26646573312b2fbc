/** What is done to the daemon during a run, and which gaps the journal may, and has to, report for it. */
import { spawnSync } from 'node:child_process';
import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { signal } from './daemon.mjs';

/** More than the 16384 events that a limited queue holds. */
const STORM_FILES = 20_000;

export class Faults {
  #daemon;
  #options;
  #random;
  #nextMs = 0;
  counts = { workerKilled: 0, allKilled: 0, overflowed: 0 };

  constructor(daemon, options, random) {
    this.#daemon = daemon;
    this.#options = options;
    this.#random = random;
    this.#schedule();
  }

  get #isDue() {
    return Date.now() >= this.#nextMs;
  }

  #schedule() {
    this.#nextMs = Date.now() + 800 + this.#random.below(this.#options.kill === 'worker' ? 2000 : 4000);
  }

  /** At any moment, also in the middle of a checkpoint; does not wait for anything. */
  strikeLater() {
    if (this.#options.kill !== 'worker' || !this.#isDue) return Promise.resolve();
    this.#schedule();
    const afterMs = this.#random.below(300);
    return sleep(afterMs).then(async () => {
      await this.#daemon.killWorker();
      this.counts.workerKilled++;
    });
  }

  /** Between two checkpoints, while writers run. `root` is flooded itself: a new directory would not be marked yet. */
  async strikeNow({ root, prefix, writer }) {
    if (!this.#isDue) return;
    if (this.#options.kill === 'all') {
      this.#schedule();
      await this.#daemon.killAll();
      this.counts.allKilled++;
      await sleep(this.#random.below(700));
      await this.#daemon.start();
    } else if (this.#options.overflow) {
      this.#schedule();
      await this.#overflow(root, prefix, writer);
    }
  }

  /** Nobody drains the queue while it fills. */
  async #overflow(root, prefix, writer) {
    const worker = await this.#daemon.worker();
    signal(worker, 'SIGSTOP');
    try {
      const [program, ...words] = [...prefix, writer, 'storm', root, `${STORM_FILES}`];
      const ran = spawnSync(program, words);
      if (ran.status === 0) this.counts.overflowed++;
    } finally {
      signal(worker, 'SIGCONT');
    }
    if (this.#random.chance(0.5)) return;
    for (const name of readdirSync(root).filter((each) => each.startsWith('storm-'))) rmSync(join(root, name));
  }

  /** Reasons why these gaps, all that were told in the run, are not what was done to the daemon. */
  complaints(gaps) {
    const kinds = gaps.map(({ kind }) => kind);
    const { allKilled, overflowed } = this.counts;
    const allowed = [...(allKilled > 0 ? ['daemon-down'] : []), ...(overflowed > 0 ? ['overflow'] : [])];
    const complaints = kinds.filter((kind) => !allowed.includes(kind)).map((kind) => `a gap was reported: ${kind}`);
    const down = kinds.filter((kind) => kind === 'daemon-down').length;
    if (down !== allKilled) complaints.push(`${allKilled} times without a daemon, ${down} gaps daemon-down`);
    if (overflowed > 0 && !kinds.includes('overflow')) complaints.push('the queue overflowed and no gap was reported');
    if (this.#options.kill === 'worker' && this.counts.workerKilled === 0) complaints.push('no worker was killed');
    if (this.#options.kill === 'all' && allKilled === 0) complaints.push('the daemon was never killed');
    if (this.#options.overflow && overflowed === 0) complaints.push('the queue was never flooded');
    return complaints;
  }
}
