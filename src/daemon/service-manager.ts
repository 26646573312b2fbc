/** The service manager that started us, if one did (sd_notify(3)): what it is told, and what it keeps for us. */
import { errnoOf } from '../platform/core/errors.ts';
import type { Fd } from '../platform/filesystem.ts';
import { notifyService } from '../platform/unix-socket.ts';

type Environment = Readonly<Record<string, string | undefined>>;

export class ServiceManager {
  readonly #socketPath: string | null;
  readonly #watchdogMs: number | null;
  readonly #log: (line: string) => void;
  #watchdog: NodeJS.Timeout | null = null;

  /** `environment`: NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID are read. */
  constructor(environment: Environment, pid: number, log: (line: string) => void) {
    const { NOTIFY_SOCKET: path = '', WATCHDOG_USEC: usec = '', WATCHDOG_PID: forPid = String(pid) } = environment;
    this.#socketPath = path.startsWith('/') || path.startsWith('@') ? path : null;
    const isForUs = forPid === String(pid) && /^\d{1,15}$/.test(usec);
    this.#watchdogMs = isForUs ? Number(usec) / 1000 : null;
    this.#log = log;
  }

  get isPresent(): boolean {
    return this.#socketPath !== null;
  }

  ready(status: string): void {
    this.#tell(`READY=1\nSTATUS=${status}`);
    if (this.#watchdogMs === null || !this.isPresent) return;
    // Twice in the time that is allowed, as sd_watchdog_enabled(3) recommends.
    this.#watchdog = setInterval(() => this.#tell('WATCHDOG=1'), this.#watchdogMs / 2);
  }

  status(text: string): void {
    this.#tell(`STATUS=${text}`);
  }

  stopping(): void {
    if (this.#watchdog !== null) clearInterval(this.#watchdog);
    this.#tell('STOPPING=1');
  }

  /** Has `fd` kept beyond our end, for a successor. One message each: all descriptors of a message share its name. */
  keep(fd: Fd, name: string): void {
    this.#tell(`FDSTORE=1\nFDNAME=${name}`, [fd]);
  }

  /** Drops what is kept under `name`. */
  drop(name: string): void {
    this.#tell(`FDSTOREREMOVE=1\nFDNAME=${name}`);
  }

  #tell(state: string, fds: readonly Fd[] = []): void {
    if (this.#socketPath === null) return;
    try {
      notifyService(this.#socketPath, state, fds);
    } catch (error) {
      this.#log(`the service manager cannot be told ${state.split('\n')[0]}: ${errnoOf(error)}`);
    }
  }
}
