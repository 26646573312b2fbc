/** Entry of the worker process (dist/daemon-worker.js): started by the supervisor and of no use without it. */
import { MalformedError } from '../platform/core/bytes.ts';
import { HEARTBEAT_EVERY_MS } from './core/limits.ts';
import { decodeSetup, SETUP_VARIABLE, type WorkerSetup } from './core/worker-setup.ts';
import { logLine } from './log-line.ts';
import { startWorker, type WorkerLife } from './worker.ts';

/** For EX_SOFTWARE: something happened that should not; the supervisor starts a successor. */
const EXIT_BROKEN = 70;

function log(line: string): void {
  process.stderr.write(logLine(new Date(), 'worker', line));
}

/** Whatever nobody caught leaves a state nobody knows: the successor begins from what is durable. */
function crash(error: unknown): never {
  log(`crashed: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
  process.exit(EXIT_BROKEN);
}

function setupFromEnvironment(): WorkerSetup {
  const text = process.env[SETUP_VARIABLE];
  if (text === undefined || process.send === undefined) {
    throw new MalformedError('this is a part of tidemark daemon run and not started by hand');
  }
  delete process.env[SETUP_VARIABLE];
  return decodeSetup(text);
}

async function main(): Promise<void> {
  process.on('uncaughtException', crash);
  process.on('unhandledRejection', crash);
  // A key pressed at the terminal goes to every process there; the supervisor tells when to stop.
  for (const signal of ['SIGINT', 'SIGHUP'] as const) process.on(signal, () => {});
  let life: Promise<WorkerLife> | null = null;
  let isStopping = false;
  const stop = async () => {
    if (isStopping) return;
    isStopping = true;
    await (await life)?.stop();
    process.exit(0);
  };
  process.on('SIGTERM', () => void stop().catch(crash));
  process.on('message', () => void stop().catch(crash));
  // The supervisor is gone, and nobody would notice what happens to us: end in good order.
  process.on('disconnect', () => void stop().catch(crash));
  life = startWorker(setupFromEnvironment(), log);
  await life;
  const tell = (kind: 'ready' | 'alive') => process.connected && process.send?.({ kind }, () => {});
  tell('ready');
  setInterval(() => tell('alive'), HEARTBEAT_EVERY_MS);
}

await main().catch(crash);
