/** Frames over one connected socket, in both directions, with the back-pressure of the socket. */
import type { Socket } from 'node:net';
import { MalformedError } from '../platform/core/bytes.ts';
import { TidemarkError } from '../platform/core/errors.ts';
import { type Frame, FrameSplitter, type FrameType, frameBytes } from './core/frames.ts';

export class FrameLink {
  readonly #socket: Socket;
  readonly #splitter: FrameSplitter;
  readonly #chunks: AsyncIterator<Buffer>;
  #ready: Frame[] = [];
  #drained: Promise<void> | null = null;
  readonly #closing = new AbortController();

  /** `maxBytes`: longest payload taken from the other side. */
  constructor(socket: Socket, maxBytes: number) {
    this.#socket = socket;
    this.#splitter = new FrameSplitter(maxBytes);
    this.#chunks = socket[Symbol.asyncIterator]();
    // Errors reach whoever reads or writes; without a listener an unread one would end the process.
    socket.on('error', () => {});
    if (socket.destroyed) this.#closing.abort();
    else socket.once('close', () => this.#closing.abort());
  }

  /** Aborted when the connection is gone. */
  get closing(): AbortSignal {
    return this.#closing.signal;
  }

  /** True while everything that was sent has left this process. */
  get isIdle(): boolean {
    return this.#socket.writableLength === 0;
  }

  /** The next frame, or null where the other side is done. One reader at a time. */
  async next(): Promise<Frame | null> {
    for (;;) {
      const frame = this.#ready.shift();
      if (frame !== undefined) return frame;
      const { value, done } = await this.#chunks.next();
      if (done === true) {
        if (this.#splitter.isUnfinished) throw new MalformedError('the connection ended within a frame');
        return null;
      }
      this.#ready = this.#splitter.push(value);
    }
  }

  /** Sends a frame; resolves when more may be sent. Rejects with `interrupted` (`hung-up`) where nobody is there. */
  async send(type: FrameType, payload: Uint8Array): Promise<void> {
    if (this.#socket.destroyed || !this.#socket.writable) throw hungUp();
    if (this.#socket.write(frameBytes(type, payload))) return;
    this.#drained ??= this.#drain();
    await this.#drained;
  }

  /** Everything sent so far still leaves; then the connection is closed. */
  end(): void {
    this.#socket.end();
  }

  destroy(): void {
    this.#socket.destroy();
  }

  #drain(): Promise<void> {
    const socket = this.#socket;
    return new Promise((resolve, reject) => {
      const end = () => {
        socket.off('drain', end);
        socket.off('close', end);
        this.#drained = null;
        if (socket.destroyed) reject(hungUp());
        else resolve();
      };
      socket.on('drain', end);
      socket.on('close', end);
    });
  }
}

/** What a wait ends with where the other side went away. */
export function hungUp(): TidemarkError {
  return new TidemarkError('interrupted', 'hung-up', 'the other side hung up');
}
