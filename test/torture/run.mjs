/**
 * One run: writers at work, checkpoints at random, a consumer that follows, and after each checkpoint that was taken
 * while all writers were stopped the question whether anything was missed.
 *
 * Stopped writers keep what they hold open and mapped, so such a checkpoint meets every kind of unfinished business, and
 * yet nothing changes between its barrier and the comparison: whatever differs then and was not told is a miss. Other
 * checkpoints are taken while writers run; their answers chain into those that are judged.
 */
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { differencesBetween, rsyncDifferences } from './compare.mjs';
import { hotPathsOf } from './consumer.mjs';
import { isWithin } from './paths.mjs';
import { describeMisses } from './report.mjs';

const CONSUMER = 'torture';
/** Files that were let go of a moment ago may need as many looks until they settle. */
const LAST_ROUNDS = 40;
const EVENTS_KEPT = 12;

export class Run {
  #tools;
  #cursor = null;
  /** What this run did lately, for reports. */
  #events = [];
  gaps = [];
  missed = 0;
  counts = { paused: 0, running: 0, subtree: 0, differing: 0, checkpointMs: 0, answerMs: 0 };

  /** `tools`: options, random, daemon, writers, consumer, faults, root, copy, strike, say. */
  constructor(tools) {
    this.#tools = tools;
  }

  /** The first copy, made before anybody writes. */
  async begin() {
    const { daemon, consumer } = this.#tools;
    await daemon.add();
    const { cursor } = await daemon.checkpoint('');
    await daemon.acknowledge(CONSUMER, cursor);
    consumer.owesEverything();
    consumer.settle();
    this.#cursor = cursor;
    // What was found when recording began is not part of the run.
    await this.#answer();
    consumer.settle();
    this.gaps = [];
  }

  /** Until time is up, or in a control until something was missed. */
  async torture() {
    const { options, random, faults, strike } = this.#tools;
    const deadline = Date.now() + options.seconds * 1000;
    while (Date.now() < deadline && !(options.control !== null && this.missed > 0)) {
      await sleep(50 + random.below(500));
      await faults.strikeNow(strike);
      const striking = faults.strikeLater();
      if (options.control !== null || random.chance(0.6)) await this.#pausedCheckpoint();
      else await this.#runningCheckpoint();
      await striking;
    }
  }

  async #pausedCheckpoint() {
    const { options, random, daemon, writers, consumer } = this.#tools;
    const subtree = options.control === null && random.chance(0.25) ? this.#randomDirectory() : '';
    await writers.pause();
    this.#remember({ text: 'writers stand still' });
    try {
      await this.#checkpoint(subtree);
      const answer = await this.#answer();
      consumer.settle();
      this.#judge(answer, subtree, random.chance(0.4));
    } finally {
      writers.resume();
      this.#remember({ text: 'writers go on' });
    }
    this.counts.paused++;
    if (random.chance(0.3)) await daemon.acknowledge(CONSUMER, this.#cursor);
  }

  async #runningCheckpoint() {
    const { random } = this.#tools;
    const subtree = random.chance(0.5) ? this.#randomDirectory() : '';
    await this.#checkpoint(subtree);
    this.counts.running++;
    if (random.chance(0.6)) await this.#answer();
  }

  async #checkpoint(subtree) {
    this.#remember({ text: `checkpoint${subtree === '' ? '' : ` of ${subtree}`}` });
    const begunMs = performance.now();
    await this.#tools.daemon.checkpoint(subtree);
    this.#timed('checkpointMs', begunMs);
  }

  /** Keeps the longest. */
  #timed(what, begunMs) {
    this.counts[what] = Math.max(this.counts[what], Math.round(performance.now() - begunMs));
  }

  #remember(event) {
    this.#events.push({ at: Date.now(), ...event });
    if (this.#events.length > EVENTS_KEPT) this.#events.shift();
  }

  /** What happened since the last answer, taken by the consumer but not yet copied. */
  async #answer() {
    const { daemon, consumer, options } = this.#tools;
    const begunMs = performance.now();
    const answer = await daemon.since(this.#cursor);
    this.#timed('answerMs', begunMs);
    this.#remember({ text: `answer with ${answer.changes.length} changes`, changes: answer.changes });
    if (answer.isFresh) throw new Error('the journal began anew: freshInstance for a cursor it had given');
    const expected =
      options.isDirectoryTier || options.fileSystem === 'overlay' ? 'fanotify-directory' : 'fanotify-filesystem';
    if (answer.backend !== expected) throw new Error(`backend ${answer.backend}, expected ${expected}`);
    this.gaps.push(...answer.gaps);
    consumer.take(answer);
    this.#cursor = answer.cursor;
    return answer;
  }

  /** Checkpoints of a subtree look for open writers below it only, so nothing else can be asked of them. */
  #judge(answer, subtree, withRsync) {
    const { root, copy, writers, say } = this.#tools;
    if (subtree !== '') this.counts.subtree++;
    const hot = [...hotPathsOf(answer)];
    const differences = differencesBetween(root, copy, subtree);
    if (subtree === '' && withRsync) differences.push(...rsyncDifferences(root, copy));
    this.counts.differing += differences.length;
    const misses = differences.filter(({ path }) => !hot.some((each) => isWithin(path, each)));
    if (misses.length === 0) return;
    this.missed += misses.length;
    const where = subtree === '' ? '' : ` of ${subtree}`;
    say(`${misses.length} missed after a checkpoint${where}:\n${describeMisses(misses, this.#events, writers.logs)}`);
  }

  /** All writers have let go of everything: now the copy has to become the tree, and the journal has to fall silent. */
  async end() {
    const { daemon, consumer, say } = this.#tools;
    let hot = [];
    for (let round = 0; round < LAST_ROUNDS; round++) {
      await this.#checkpoint('');
      const answer = await this.#answer();
      consumer.settle();
      hot = answer.changes.filter(({ isHot, proof }) => isHot || proof === 'pending').map(({ path }) => path);
      if (hot.length > 0) {
        await sleep(50);
        continue;
      }
      this.#judge(answer, '', true);
      break;
    }
    const complaints = hot.length > 0 ? [`still hot with no writer left: ${hot.join(' ')}`] : [];
    const verified = await daemon.verify();
    if (verified.code !== 0)
      complaints.push(`journal verify exits with ${verified.code}: ${verified.said.slice(0, 2000)}`);
    await this.#checkpoint('');
    const idle = await this.#answer();
    if (idle.changes.length > 0)
      say(`note: told although nothing happened: ${JSON.stringify(idle.changes.slice(0, 5))}`);
    return complaints;
  }

  #randomDirectory() {
    const { random, root } = this.#tools;
    let path = '';
    for (let depth = 1 + random.below(3); depth > 0; depth--) {
      const names = directoriesIn(join(root, path));
      if (names.length === 0) break;
      path = join(path, random.pick(names));
    }
    return existsSync(join(root, path)) ? path : '';
  }
}

function directoriesIn(path) {
  try {
    const entries = readdirSync(path, { withFileTypes: true });
    return entries.filter((entry) => entry.isDirectory() && /^[a-z]+$/.test(entry.name)).map(({ name }) => name);
  } catch {
    return [];
  }
}
