/**
 * stdout and stderr as one place to write to: lines keep their order across the two, and a status line on stderr is
 * taken away before a line is printed and put back after.
 *
 * Lines are gathered until the event loop turns, so that many lines cost one system call. A reader that hung up
 * (EPIPE) makes its stream silent; the run itself goes on.
 */

/** What is needed of a stream; process.stdout and process.stderr fit. */
export interface TextStream {
  write(text: string, done?: (error?: Error | null) => void): boolean;
  on(event: 'error', listener: (error: Error) => void): unknown;
  readonly isTTY?: boolean;
  readonly columns?: number;
}

type Target = 'stdout' | 'stderr';

const CLEAR_LINE = '\r\x1b[2K';

/** Gathered text beyond this is written at once. */
const MAX_PENDING_CHARACTERS = 64 * 1024;

export class Terminal {
  readonly #streams: Record<Target, TextStream>;
  readonly #silent = new Set<Target>();
  #pending: { target: Target; text: string }[] = [];
  #pendingCharacters = 0;
  #scheduled: NodeJS.Immediate | null = null;
  #status = '';
  #drawnStatus = '';
  #holds = 0;

  constructor(stdout: TextStream, stderr: TextStream) {
    this.#streams = { stdout, stderr };
    for (const target of ['stdout', 'stderr'] as const) {
      this.#streams[target].on('error', () => this.#silent.add(target));
    }
  }

  /** Columns of the status line; 80 where the terminal does not say. */
  get columns(): number {
    return this.#streams.stderr.columns ?? 80;
  }

  isTerminal(target: Target): boolean {
    return this.#streams[target].isTTY === true;
  }

  /** A line of the result, on stdout. */
  result(line: string): void {
    this.#add('stdout', `${line}\n`);
  }

  /** A line of talk, on stderr. */
  talk(line: string): void {
    this.#add('stderr', `${line}\n`);
  }

  /** The line that is drawn over and over; empty for none. Only where stderr is a terminal. */
  status(line: string): void {
    if (!this.isTerminal('stderr')) return;
    this.#status = line;
    this.#schedule();
  }

  /** Keeps the status line away while something else, such as a question, has the terminal. Ends with the returned call. */
  hold(): () => void {
    this.#holds++;
    this.flush();
    return () => {
      this.#holds--;
      this.#schedule();
    };
  }

  /** Writes what is gathered. */
  flush(): void {
    if (this.#scheduled !== null) clearImmediate(this.#scheduled);
    this.#scheduled = null;
    const pending = this.#pending;
    this.#pending = [];
    this.#pendingCharacters = 0;
    const status = this.#holds > 0 ? '' : this.#status;
    if (pending.length === 0 && status === this.#drawnStatus) return;
    if (this.#drawnStatus !== '') this.#write('stderr', CLEAR_LINE);
    for (const { target, text } of pending) this.#write(target, text);
    if (status !== '') this.#write('stderr', status);
    this.#drawnStatus = status;
  }

  /** Takes the status line away and resolves when everything has left the process, or the readers have. */
  async close(): Promise<void> {
    this.#status = '';
    this.flush();
    await Promise.all((['stdout', 'stderr'] as const).map((target) => this.#drained(target)));
  }

  #add(target: Target, text: string): void {
    const last = this.#pending.at(-1);
    if (last?.target === target) last.text += text;
    else this.#pending.push({ target, text });
    this.#pendingCharacters += text.length;
    if (this.#pendingCharacters > MAX_PENDING_CHARACTERS) this.flush();
    else this.#schedule();
  }

  #schedule(): void {
    this.#scheduled ??= setImmediate(() => this.flush());
  }

  #write(target: Target, text: string): void {
    if (!this.#silent.has(target)) this.#streams[target].write(text);
  }

  #drained(target: Target): Promise<void> {
    if (this.#silent.has(target)) return Promise.resolve();
    return new Promise((resolve) => {
      this.#streams[target].write('', () => resolve());
    });
  }
}
