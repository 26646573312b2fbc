/** A two-way stream of bytes to the other side: ssh channel, child process, socket or an in-memory pair in tests. */
export interface ByteChannel {
  /**
   * Resolves when the channel can take more; rejects once it is broken. The bytes must not change until `released` is
   * called, which may be later, or never where the channel breaks.
   */
  write(bytes: Uint8Array, released?: () => void): Promise<void>;
  /**
   * Chunks as they come, each valid until the next is asked for; ends when the other side closed. Single consumer, pulled:
   * not pulling stops the sender.
   */
  readonly incoming: AsyncIterable<Buffer>;
  /** What the other side's stderr said so far (at most 64 KiB), for error messages. */
  diagnostics(): string;
  /** Bytes on the wire so far as this channel counts them. */
  close(): Promise<void>;
}
