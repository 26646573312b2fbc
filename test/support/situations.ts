/** Ground for end-to-end tests: pairs of trees, the three ways to wire them up, and what must hold after every sync. */
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { startInProcessServer } from './ssh-server.ts';
import { startSshd, type TestSshd, type TestSshdOptions, whyNoSshd } from './sshd.ts';
import { PROGRAM, type RunResult, type RunSettings, temporaryFolder, tidemark } from './tidemark.ts';
import { litterIn, rsyncDifferences, Tree } from './trees.ts';

export type Reach = 'local' | 'ssh';

/** Which side is reached how, seen from the program. */
export interface Wiring {
  readonly name: string;
  readonly alpha: Reach;
  readonly beta: Reach;
}

export const LOCAL: Wiring = { name: 'local↔local', alpha: 'local', beta: 'local' };
export const TO_SSH: Wiring = { name: 'local↔ssh', alpha: 'local', beta: 'ssh' };
export const FROM_SSH: Wiring = { name: 'ssh↔local', alpha: 'ssh', beta: 'local' };
export const BOTH_SSH: Wiring = { name: 'ssh↔ssh', alpha: 'ssh', beta: 'ssh' };
export const WIRINGS: readonly Wiring[] = [LOCAL, TO_SSH, FROM_SSH];

/** Why an ssh server inside the test has to do, or null; TIDEMARK_E2E_IN_PROCESS_SSH asks for it. */
export function whyNoRealSshd(): string | null {
  return process.env.TIDEMARK_E2E_IN_PROCESS_SSH === undefined ? whyNoSshd() : 'not wanted by the environment';
}

/** One per test file: a folder, a server, and the far side's home. */
export class Ground {
  readonly folder: string;
  readonly sshd: TestSshd | null;
  /** TIDEMARK_HOME of everything that runs over ssh. */
  readonly farHome: string;
  readonly #dispose: () => void;
  #pairs = 0;

  private constructor(folder: string, dispose: () => void, sshd: TestSshd | null, farHome: string) {
    this.folder = folder;
    this.#dispose = dispose;
    this.sshd = sshd;
    this.farHome = farHome;
  }

  static async open(options: { ssh?: boolean; sshd?: TestSshdOptions } = {}): Promise<Ground> {
    const { path, dispose } = temporaryFolder('tidemark-e2e-');
    const farHome = join(path, 'far-home');
    const environment = { TIDEMARK_HOME: farHome, ...options.sshd?.environment };
    const start = whyNoRealSshd() === null ? startSshd : startInProcessServer;
    const sshd = options.ssh === false ? null : await start({ ...options.sshd, environment });
    return new Ground(path, dispose, sshd, farHome);
  }

  /** A fresh pair with a home of its own; `salt` as in {@link Tree}. */
  pair(wiring: Wiring, salt = ''): Pair {
    const folder = join(this.folder, `pair-${++this.#pairs}`);
    mkdirSync(folder);
    return new Pair(this, wiring, folder, salt);
  }

  /** `ssh://` address of an absolute path here. */
  address(path: string): string {
    if (this.sshd === null) throw new Error('no ssh server on this ground');
    return `ssh://${this.sshd.user}@${this.sshd.host}:${this.sshd.port}${path}`;
  }

  /** Options that make the server known. */
  get sshOptions(): string[] {
    return this.sshd === null ? [] : ['--ssh-config', this.sshd.configFile];
  }

  async close(): Promise<void> {
    await this.sshd?.stop();
    this.#dispose();
  }
}

/** Two roots `A` and `B` in a folder, and the program run on them. */
export class Pair {
  readonly ground: Ground;
  readonly folder: string;
  readonly home: string;
  readonly alpha: Tree;
  readonly beta: Tree;
  readonly #wiring: Wiring;

  constructor(ground: Ground, wiring: Wiring, folder: string, salt: string) {
    this.ground = ground;
    this.folder = folder;
    this.#wiring = wiring;
    this.home = join(folder, 'home');
    this.alpha = new Tree(join(folder, 'A'), salt);
    this.beta = new Tree(join(folder, 'B'), salt);
  }

  get addresses(): [string, string] {
    return [this.#address('alpha'), this.#address('beta')];
  }

  get settings(): RunSettings {
    return { home: this.home, cwd: this.folder };
  }

  /** Arguments of a sync of this pair. */
  arguments(...options: readonly string[]): string[] {
    return ['sync', ...this.addresses, '--json', ...this.ground.sshOptions, ...options];
  }

  sync(...options: readonly string[]): Promise<RunResult> {
    return tidemark(this.arguments(...options), this.settings);
  }

  /** A sync that must end with 0. */
  async syncWell(...options: readonly string[]): Promise<RunResult> {
    const run = await this.sync(...options);
    expect(run, shown(run)).toMatchObject({ code: 0 });
    return run;
  }

  /** Both sides made equal once, so that edits have an ancestor. */
  async start(words: string, ...options: readonly string[]): Promise<void> {
    this.alpha.edit(words);
    await this.syncWell(...options);
    this.expectEqual();
  }

  /** The comparator finds nothing, and nothing was left behind. */
  expectEqual(...extra: readonly string[]): void {
    expect(rsyncDifferences(`${this.alpha.root}/`, `${this.beta.root}/`, extra)).toEqual([]);
    this.expectTidy();
  }

  /** Both sides equal and exactly `words`. */
  expectBoth(words: string): void {
    expect(this.alpha.list(), 'alpha').toEqual(this.alpha.expected(words));
    expect(this.beta.list(), 'beta').toEqual(this.beta.expected(words));
    this.expectEqual();
  }

  expectTidy(): void {
    expect(litterIn(this.alpha.root), 'staging of alpha').toEqual([]);
    expect(litterIn(this.beta.root), 'staging of beta').toEqual([]);
  }

  /** A further run does nothing and ends alike. */
  async expectIdle(code = 0, ...options: readonly string[]): Promise<void> {
    const run = await this.sync(...options);
    expectNoWork(run);
    expect(run.code, shown(run)).toBe(code);
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }

  #address(side: 'alpha' | 'beta'): string {
    const path = this[side].root;
    return this.#wiring[side] === 'local' ? path : this.ground.address(path);
  }
}

/** Nothing was done to either side, and no content was sent. */
export function expectNoWork(run: RunResult): void {
  const { alpha, beta, bytes } = run.summary;
  const work = ({ created, modified, deleted, renamed, metadata }: typeof alpha) => ({
    created,
    modified,
    deleted,
    renamed,
    metadata,
  });
  const none = { created: 0, modified: 0, deleted: 0, renamed: 0, metadata: 0 };
  expect({ alpha: work(alpha), beta: work(beta), literal: bytes.literal }, shown(run)).toEqual({
    alpha: none,
    beta: none,
    literal: 0,
  });
}

/** Command of an agent with another home, or under another user. */
export function agentCommandWith(home: string, ...prefix: readonly string[]): string {
  return [...prefix, 'env', `TIDEMARK_HOME=${home}`, process.execPath, PROGRAM, 'agent', 'serve'].join(' ');
}

/** A run as text, for messages of failed expectations. */
export function shown(run: RunResult): string {
  const lines = run.stdout.split('\n').filter((line) => !line.includes('"type":"progress"'));
  return `exit ${run.code}\nstdout:\n${lines.slice(-40).join('\n')}\nstderr:\n${run.stderr.slice(0, 4000)}`;
}
