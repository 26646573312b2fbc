// What the benchmarks share: a private sshd, a generated tree of the Linux source's shape, and fair timing.
// Runs of the two programs alternate, because a machine's speed drifts; only ratios of the medians mean anything.
import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';

export const PROGRAM = join(import.meta.dirname, '../bin/tidemark.js');

/** A folder for one benchmark: on tmpfs where there is one, since the disk is not the subject. */
export function workspace(name) {
  const base = process.env.BENCH_DIR ?? (spawnSync('test', ['-w', '/dev/shm']).status === 0 ? '/dev/shm' : tmpdir());
  const folder = mkdtempSync(join(base, `tidemark-bench-${name}-`));
  process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** An OpenSSH server on loopback with keys of its own. */
export async function startSshd(folder) {
  const at = (name) => join(folder, name);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  for (const name of ['host', 'user']) run('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', at(name)]);
  const port = await freePort();
  writeFileSync(at('authorized'), readFileSync(at('user.pub')), { mode: 0o600 });
  writeFileSync(at('known'), `[localhost]:${port} ${readFileSync(at('host.pub'), 'utf8')}`);
  writeFileSync(
    at('sshd_config'),
    `Port ${port}\nListenAddress 127.0.0.1\nHostKey ${at('host')}\nAuthorizedKeysFile ${at('authorized')}\n` +
      `PidFile ${at('pid')}\nStrictModes no\nUsePAM no\nPasswordAuthentication no\nSetEnv SHLVL=1\nPermitRootLogin yes\n`,
  );
  writeFileSync(
    at('ssh_config'),
    `Host localhost\n  HostName 127.0.0.1\n  HostKeyAlias [localhost]:${port}\n  Port ${port}\n  User ${userInfo().username}\n` +
      `  IdentityFile ${at('user')}\n  IdentitiesOnly yes\n  UserKnownHostsFile ${at('known')}\n`,
  );
  mkdirSync('/run/sshd', { recursive: true });
  const child = spawn('/usr/sbin/sshd', ['-D', '-f', at('sshd_config'), '-E', at('log')], { stdio: 'ignore' });
  process.on('exit', () => child.kill());
  for (let tries = 0; tries < 100; tries++) {
    if (spawnSync('ssh', ['-F', at('ssh_config'), 'localhost', 'true']).status === 0)
      return { port, config: at('ssh_config') };
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`sshd did not start: ${readFileSync(at('log'), 'utf8')}`);
}

/** A tree with the numbers of the Linux source: files per directory, sizes, compressible text. Same seed, same tree. */
export function sourceTree(root, files, seed = 1) {
  let state = seed;
  const random = () => {
    state = (state * 1664525 + 1013904223) % 4294967296;
    return state / 4294967296;
  };
  const words = Array.from({ length: 4000 }, () => Math.floor(random() * 1e9).toString(36));
  const text = Array.from({ length: 400_000 }, () => words[Math.floor(random() ** 2 * words.length)]).join(' ');
  let made = 0;
  for (let directory = 0; made < files; directory++) {
    const path = join(root, `d${directory % 23}`, `s${Math.floor(directory / 23) % 41}`, `p${directory}`);
    mkdirSync(path, { recursive: true });
    for (let index = 0; index < 16 && made < files; index++, made++) {
      // Median 5 KB, mean 18 KB, a long tail: what `find -size` says of linux-6.1.
      const size = Math.min(2_000_000, Math.floor(Math.exp(8.5 + 1.6 * gaussian(random))));
      const start = Math.floor(random() * (text.length - size > 0 ? text.length - size : 1));
      writeFileSync(join(path, `file_${made}.c`), `/* ${made} */\n${text.slice(start, start + size)}`);
    }
  }
}

function gaussian(random) {
  return Math.sqrt(-2 * Math.log(random() || 1e-9)) * Math.cos(2 * Math.PI * random());
}

/** Runs a command to its end; wall and CPU seconds, peak RssAnon of the process where asked. Throws where it fails. */
export async function measure(command, args, options = {}) {
  const started = process.hrtime.bigint();
  const before = process.resourceUsage();
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], ...options });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (data) => {
    stdout = (stdout + data).slice(-200_000);
  });
  child.stderr.on('data', (data) => {
    stderr = (stderr + data).slice(-20_000);
  });
  const code = await new Promise((resolve) => child.on('close', resolve));
  const wall = Number(process.hrtime.bigint() - started) / 1e9;
  const after = process.resourceUsage();
  if (code !== 0) throw new Error(`${command} ${args.join(' ')}: exit ${code}\n${stderr}\n${stdout.slice(-2000)}`);
  const cpu = (after.userCPUTime - before.userCPUTime + after.systemCPUTime - before.systemCPUTime) / 1e6;
  return { wall, cpu, stdout, stderr };
}

export function run(command, args, options = {}) {
  const result = spawnSync(command, args, { encoding: 'utf8', maxBuffer: 1 << 28, ...options });
  if (result.status !== 0) throw new Error(`${command} ${args.join(' ')}: ${result.stderr}`);
  return result.stdout;
}

export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)];
}

/** Alternates `ours` and `theirs`; prints medians and the ratio against its limit. */
export async function compare(title, rounds, ours, theirs, limit, [own, other] = ['tidemark', 'rsync']) {
  const times = { ours: [], theirs: [] };
  for (let round = 0; round < rounds; round++) {
    times.theirs.push((await theirs(round)).wall);
    times.ours.push((await ours(round)).wall);
  }
  const [ourTime, theirTime] = [median(times.ours), median(times.theirs)];
  const ratio = ourTime / theirTime;
  const verdict = ratio <= limit ? 'ok' : 'MISSED';
  console.log(
    `${title}: ${own} ${ourTime.toFixed(2)} s, ${other} ${theirTime.toFixed(2)} s, ratio ${ratio.toFixed(2)} (limit ${limit}) ${verdict}`,
  );
  return ratio;
}

async function freePort() {
  const server = createServer();
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}
