/** The service under a service manager that keeps its descriptors: a supervisor that dies leaves no gap. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { JournalGround } from '../support/journals.ts';
import { PROGRAM } from '../support/tidemark.ts';
import { itWith } from './skips.ts';

let ground: JournalGround;
beforeEach(() => {
  ground = new JournalGround();
});
afterEach(() => ground.close());

const at = (name: string) => join(ground.root, name);

/** The manager of service-manager.py, and what it has said so far. */
class Manager {
  readonly #process: ChildProcess;
  readonly #said: string[] = [];

  constructor() {
    const script = join(import.meta.dirname, 'service-manager.py');
    const words = [script, join(ground.folder, 'notify'), process.execPath, PROGRAM, 'daemon', 'run'];
    this.#process = spawn('python3', words, {
      stdio: ['pipe', 'pipe', 'inherit'],
      env: { ...process.env, TIDEMARK_HOME: ground.home },
    });
    let rest = '';
    this.#process.stdout?.on('data', (chunk: Buffer) => {
      const lines = `${rest}${chunk}`.split('\n');
      rest = lines.pop() ?? '';
      this.#said.push(...lines);
    });
  }

  tell(command: 'start' | 'kill' | 'stop'): void {
    this.#process.stdin?.write(`${command}\n`);
  }

  /** Resolves when the manager has said `line` once more; what came before it is dropped. */
  async until(line: string): Promise<void> {
    while (!this.#said.includes(line)) await new Promise((resolve) => setTimeout(resolve, 20));
    this.#said.splice(0, this.#said.indexOf(line) + 1);
  }

  end(): void {
    this.#process.kill('SIGKILL');
  }
}

itWith('addon', 'python')(
  'supervisor and worker killed together: no gap, nothing missed; a clean restart likewise',
  async () => {
    const manager = new Manager();
    try {
      manager.tell('start');
      await manager.until('READY=1');
      await manager.until('WATCHDOG=1');
      await ground.well('journal', 'add', ground.root);
      const { cursor } = await ground.checkpoint();
      writeFileSync(at('before'), 'x');
      manager.tell('kill');
      await manager.until('ended -9');
      writeFileSync(at('meanwhile'), 'x');
      manager.tell('start');
      await manager.until('READY=1');
      writeFileSync(at('after'), 'x');
      const answer = await ground.since(cursor);
      expect(answer).toMatchObject({ freshInstance: false, gaps: [] });
      expect(answer.paths).toEqual(expect.arrayContaining(['before', 'meanwhile', 'after']));
      await ground.verifyWell();
      manager.tell('stop');
      await manager.until('STOPPING=1');
      await manager.until('ended 0');
      writeFileSync(at('between'), 'x');
      manager.tell('start');
      await manager.until('READY=1');
      const later = await ground.since(answer.cursor);
      expect(later.freshInstance).toBe(false);
      expect(later.paths).toContain('between');
      manager.tell('stop');
      await manager.until('ended 0');
    } finally {
      manager.end();
    }
  },
);

it('install writes a unit that systemd takes, for the folders that are in use', async () => {
  const config = join(ground.folder, 'config');
  const { tidemark } = await import('../support/tidemark.ts');
  const settings = { home: ground.home, env: { XDG_CONFIG_HOME: config } };
  const { code, events } = await tidemark(['daemon', 'install', '--user', '--json'], settings);
  const file = join(config, 'systemd/user/tidemark.service');
  expect({ code, said: events.at(-1) }).toEqual({
    code: 0,
    said: { type: 'installed', file, kind: 'user', outcome: 'written' },
  });
  const verified = spawnSync('systemd-analyze', ['--user', 'verify', file], {
    encoding: 'utf8',
    env: { ...process.env, XDG_RUNTIME_DIR: ground.folder },
  });
  if (verified.error === undefined) expect(`${verified.stdout}${verified.stderr}`).toBe('');
  expect((await tidemark(['daemon', 'uninstall', '--user'], settings)).code).toBe(0);
});
