/**
 * A pipe or socket read into memory that is used again. Node makes new memory for each read, 64 KiB at a time; the
 * garbage collector answers every few dozen megabytes of it with a full collection.
 */
import { Socket } from 'node:net';
import { giveBack, lend } from '../platform/lending.ts';
import { ChunkQueue } from './ssh/chunk-queue.ts';

/** What a pipe holds; a socket may bring more at once. */
const BUFFER_BYTES = 128 * 1024;

/** Chunks of a descriptor that is a pipe or socket. */
export interface ReusedInput extends AsyncIterable<Buffer> {
  close(): void;
}

/** Reads `fd`. A chunk is lent until the next is asked for; whoever keeps of it keeps a copy. */
export function reusedInput(fd: number): ReusedInput {
  const spares: Buffer[] = [];
  const take = () => spares.pop() ?? Buffer.allocUnsafeSlow(BUFFER_BYTES);
  const callback = (length: number, memory: Buffer): boolean => {
    queue.push(lend(memory.subarray(0, length), () => spares.push(memory)));
    return true;
  };
  const options = { fd, readable: true, writable: false, onread: { buffer: take, callback } };
  const socket = new Socket(options);
  const queue = new ChunkQueue(socket);
  socket.on('end', () => queue.end());
  socket.on('close', () => queue.end());
  socket.on('error', (error) => queue.fail(error));
  socket.resume();
  return {
    async *[Symbol.asyncIterator]() {
      for await (const chunk of queue) {
        yield chunk;
        giveBack(chunk);
      }
    },
    close: () => socket.destroy(),
  };
}
