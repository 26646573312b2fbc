/** A command's three streams, here or over ssh, as a channel. */
import type { Readable, Writable } from 'node:stream';
import type { TidemarkError } from '../../platform/core/errors.ts';
import type { ByteChannel } from '../byte-channel.ts';
import { ChunkQueue, DiagnosticText } from './chunk-queue.ts';
import { RUN_AGAIN, unavailable } from './errors.ts';

/** How a command ended. */
export interface ExitStatus {
  readonly code: number | null;
  readonly signal: string | null;
}

/** A channel to a running command. */
export interface CommandChannel extends ByteChannel {
  /** Resolves when the command has ended; null where the connection broke before it said how. Never rejects. */
  readonly exited: Promise<ExitStatus | null>;
  /** Says that nothing more will be written. */
  endInput(): void;
}

/** What a {@link StreamChannel} is made of. */
export interface CommandStreams {
  readonly input: Writable;
  readonly output: Readable;
  readonly errors: Readable;
  /** The socket below `input`, where that does not pass its own back-pressure on. */
  readonly carrier: Writable | null;
  readonly exited: Promise<ExitStatus | null>;
  /** Ends connection or process and waits until it is gone. */
  close(): Promise<void>;
}

/**
 * The channel. Written bytes must not be changed afterwards.
 *
 * Cost: a write that fits resolves at once with a shared promise; one that does not shares one promise with all others
 * until the streams have drained.
 */
export class StreamChannel implements CommandChannel {
  readonly exited: Promise<ExitStatus | null>;
  readonly #streams: CommandStreams;
  readonly #incoming: ChunkQueue;
  readonly #diagnostics = new DiagnosticText();
  #broken: TidemarkError | null = null;
  #draining: { promise: Promise<void>; resolve(): void; reject(error: unknown): void } | null = null;
  #closing: Promise<void> | null = null;

  constructor(streams: CommandStreams) {
    const { input, output, errors, carrier } = streams;
    this.#streams = streams;
    this.exited = streams.exited;
    this.#incoming = new ChunkQueue(output);
    output.on('data', (chunk: Buffer) => this.#incoming.push(chunk));
    output.on('end', () => this.#incoming.end());
    output.on('error', (error) => this.fail(broken(error)));
    errors.on('data', (chunk: Buffer) => this.#diagnostics.add(chunk));
    errors.on('error', () => {});
    input.on('drain', () => this.#checkDrained());
    input.on('error', (error) => this.#refuseWrites(broken(error)));
    input.on('close', () => this.#refuseWrites(closed()));
    carrier?.on('drain', () => this.#checkDrained());
    streams.exited.then(() => this.#refuseWrites(closed()));
  }

  get incoming(): AsyncIterable<Buffer> {
    return this.#incoming;
  }

  write(bytes: Uint8Array, released?: () => void): Promise<void> {
    if (this.#broken !== null) return Promise.reject(this.#broken);
    const fits = this.#streams.input.write(bytes, (error) => {
      if (error === null || error === undefined) released?.();
    });
    if (fits && !this.#carrierFull()) return DONE;
    this.#draining ??= deferred();
    return this.#draining.promise;
  }

  endInput(): void {
    this.#streams.input.end();
  }

  diagnostics(): string {
    return this.#diagnostics.text();
  }

  /** Breaks the channel: readers get the error after what has come in, writers at once. */
  fail(error: TidemarkError): void {
    this.#incoming.fail(error);
    this.#refuseWrites(error);
  }

  close(): Promise<void> {
    this.#refuseWrites(closed());
    this.#closing ??= this.#streams.close().then(() => this.#incoming.end());
    return this.#closing;
  }

  #carrierFull(): boolean {
    const { carrier } = this.#streams;
    return carrier?.writableNeedDrain === true && carrier.writableLength >= CARRIER_LIMIT_BYTES;
  }

  #checkDrained(): void {
    if (this.#draining === null || this.#streams.input.writableNeedDrain || this.#carrierFull()) return;
    const { resolve } = this.#draining;
    this.#draining = null;
    resolve();
  }

  #refuseWrites(error: TidemarkError): void {
    this.#broken ??= error;
    const draining = this.#draining;
    this.#draining = null;
    draining?.reject(this.#broken);
  }
}

const DONE = Promise.resolve();

/** Bytes encrypted but not yet taken by the socket: ssh2 hands them over without asking whether there is room. */
const CARRIER_LIMIT_BYTES = 1024 * 1024;

function deferred(): { promise: Promise<void>; resolve(): void; reject(error: unknown): void } {
  let resolve = () => {};
  let reject: (error: unknown) => void = () => {};
  const promise = new Promise<void>((onResolve, onReject) => {
    resolve = onResolve;
    reject = onReject;
  });
  // Whoever wrote waits for it; nobody else has to.
  promise.catch(() => {});
  return { promise, resolve, reject };
}

function closed(): TidemarkError {
  return unavailable('connection-lost', 'the other side has closed the connection', RUN_AGAIN);
}

function broken(error: Error): TidemarkError {
  return unavailable('connection-lost', `the connection broke: ${error.message}`, RUN_AGAIN, error);
}
